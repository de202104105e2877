"""The Shop API's blueprint: no cookies, no forms, so no forgery either."""

import logging
import time
from urllib.parse import quote

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.exceptions import NotFound as NothingHere

from blueprints.security import csrf

log = logging.getLogger("sundial.api")

bp = Blueprint("api", __name__, url_prefix="/api")
csrf.exempt(bp)


@bp.before_app_request
def _stay_inside() -> None:
    """An address that begins like ours is ours: no page of a venue answers at /api/…"""
    if not request.path.startswith("/api/"):
        return
    g.began = time.monotonic()
    is_ours = (request.endpoint or "").startswith("api.")
    if not is_ours and not isinstance(request.routing_exception, MethodNotAllowed):
        raise NothingHere


@bp.after_app_request
def _note(response: Response) -> Response:
    """One line a request: who asked what, what came of it, under its name (blueprints/logs.py)."""
    if "began" in g:
        log.info(
            "%s %s %s %d %.0f ms",
            g.bearer.token_id if "bearer" in g else "-",
            request.method,
            quote(request.path),
            response.status_code,
            (time.monotonic() - g.began) * 1000,
        )
    return response
