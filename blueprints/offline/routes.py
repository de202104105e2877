from pathlib import Path
from typing import Any

from flask import Blueprint, Response, url_for
from flask_wtf.csrf import generate_csrf

from blueprints.clock import utcnow
from blueprints.rendering import STATIC_FOLDER, render
from blueprints.security import PUBLIC, account_id, current_desk, needs
from services.desk import list_coming_today

bp = Blueprint("offline", __name__, url_prefix="/staff")

WORKER = Path(STATIC_FOLDER) / "js" / "staff-worker.js"


@bp.get("/sw.js")
@needs(PUBLIC)
def worker() -> Response:
    """Under /staff, so that a browser lets it answer for the staff's pages and for no others."""
    response = Response(WORKER.read_text(), mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Service-Worker-Allowed"] = "/staff/"
    return response


@bp.get("/no-connection")
@needs(PUBLIC)
def no_connection() -> Response:
    """What stands in for a page that was not kept; it names nobody."""
    return render("offline/no_connection.html", is_personal=True)


@bp.get("/<site>/standing")
@needs("RESERVATIONS_MANAGE")
def standing(site: str) -> Any:
    """Who is signed in, a token for the forms, and the pages of today that are worth keeping."""
    venue = current_desk().venue
    coming = list_coming_today(venue.organisation_id, venue.id, zone=venue.zone, now=utcnow())
    return {
        "account": account_id(),
        "csrf": generate_csrf(),
        "pages": [url_for("desk.schedule", site=site)]
        + [url_for("desk.roster", site=site, session_id=session_id) for session_id in coming],
    }
