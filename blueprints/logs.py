"""Where the shop's log lines go: to standard error, each with the name of its request."""

import logging
from typing import TextIO, cast

from flask import has_request_context
from flask.logging import wsgi_errors_stream

from blueprints.acting import request_id

# A logger without a handler of its own says nothing below a warning.
_to_stderr = logging.StreamHandler(cast(TextIO, wsgi_errors_stream))


def install_logs() -> None:
    """Show what `sundial` and the loggers below it have to say, from INFO on."""
    log = logging.getLogger("sundial")
    log.addHandler(_to_stderr)
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)


def _name_request(record: logging.LogRecord) -> bool:
    record.request_id = request_id() if has_request_context() else "-"
    return True


# On the handler: a filter of a logger is not asked about the loggers below it.
_to_stderr.addFilter(_name_request)
_to_stderr.setFormatter(
    logging.Formatter("%(asctime)s %(levelname)s %(name)s request=%(request_id)s %(message)s")
)
