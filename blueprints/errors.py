"""From a refusal to an answer: one table of statuses, one calm page."""

import logging
from urllib.parse import quote

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from blueprints import json_errors
from blueprints.rendering import render
from domain.errors import NotAllowed, NotFound, RuleBroken
from domain.replaying import TapConflict

log = logging.getLogger("sundial")

STATUS_OF = {NotFound: 404, NotAllowed: 403, TapConflict: 409}

SENTENCES = {
    400: "The browser sent something we couldn't read. Go back and try again.",
    404: "We couldn't find that page.",
    405: "That address can't be used like this.",
    413: "That was more than we can take in one go. Please send less.",
    429: "That was a lot of tries in a short time. Wait a minute, then try again.",
}
TITLES = {
    403: "Not for this account",
    404: "Not found",
    413: "Too much at once",
    429: "One moment",
    500: "That went wrong",
}


def register_errors(app: Flask) -> None:
    """Every refusal becomes a page with a sentence and a way on."""
    app.register_error_handler(RuleBroken, rule_broken)
    app.register_error_handler(CSRFError, stale_form)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def rule_broken(broken: RuleBroken) -> Response:
    """A page with the rule's sentence. Handlers of an area call it: what they raise is a 500."""
    if is_api():
        return json_errors.say_refusal(broken)
    return _page(status_of(broken), broken.sentence)


def status_of(broken: RuleBroken) -> int:
    """The status of a refusal; 422 unless the table says otherwise."""
    return next((code for kind, code in STATUS_OF.items() if isinstance(broken, kind)), 422)


def stale_form(_error: CSRFError) -> Response:
    """The calm page for a token that is no longer good."""
    return _page(400, "This page is old. Reload it and try again; nothing was changed.")


def say_status(status: int, sentence: str) -> Response:
    """The calm page with a sentence of the area's own."""
    return _page(status, sentence)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    response = (
        json_errors.say_status(status)
        if is_api()
        else _page(status, SENTENCES.get(status, "That didn't work. Go back and try again."))
    )
    # Keep what the protocol wants said with this status: Allow, Retry-After.
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers.setdefault(name, value)
    return response


def _unexpected(error: Exception) -> Response:
    log.exception("unexpected error at %s", quote(request.path), exc_info=error)
    if is_api():
        return json_errors.say_status(500)
    return _page(
        500, "Something broke on our side. Nothing was lost; please try again in a minute."
    )


def is_api() -> bool:
    """Whether a program asks: it reads JSON, whatever went wrong."""
    return request.path.startswith("/api/")


def _page(status: int, sentence: str) -> Response:
    return render(
        "errors/error.html",
        block="content",
        status=status,
        title=TITLES.get(status, "That didn't work"),
        sentence=sentence,
        for_staff=request.path.startswith("/staff"),
        is_personal=True,
    )
