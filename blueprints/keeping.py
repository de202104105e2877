"""What a desk's browser may keep for the minutes without a connection, and taps that come late."""

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, request, url_for

from blueprints.clock import utcnow
from blueprints.errors import status_of
from blueprints.security import account_id, current_desk
from domain.errors import RuleBroken
from domain.local_time import local_day
from domain.replaying import PRESSED, Sent, TapConflict
from domain.words import say_time
from services.desk import Tapped

KEPT_FOR = dt.timedelta(hours=12)
"""A shift: what a browser keeps of a day it throws away by then."""


def keep_today(response: Response, day: dt.date) -> Response:
    """Let the desk's worker keep this page when it is about today: for whom, and how long.

    Only the roster and the schedule of the day carry this; what has no such header is never kept
    (static/js/staff-worker.js). A fragment is none of it: it could be taken for the page.
    """
    today = local_day(utcnow(), current_desk().venue.zone)
    is_page = request.method == "GET" and "HX-Request" not in request.headers
    if day == today and is_page and not request.args and response.status_code in (200, 304):
        response.headers["Sundial-Keep"] = f"{account_id()} {int(KEPT_FOR.total_seconds())}"
    return response


def wants_json() -> bool:
    """A tap that waited for the connection and is sent by script."""
    return request.accept_mimetypes.best == "application/json"


def sent_tap() -> Sent:
    """How the tap in this form came; its key is bound to the account, so it outlives a sign-in."""
    key = request.form.get("key", "")[:64]
    if not key:
        return PRESSED
    ago = request.form.get("ago", "")
    return Sent(
        key=":".join(("tap", account_id() or "", key, _tapped_what())),
        seen=request.form.get("seen", "")[:64],
        ago=dt.timedelta(
            seconds=int(ago) if ago.isascii() and ago.isdigit() and len(ago) < 9 else 0
        ),
        is_confirmed=request.form.get("confirmed") == "true",
    )


def _tapped_what() -> str:
    """Which deed on which booking: a page has one key for all its forms."""
    wants = request.form.get("set") or request.form.get("stage") or ""
    booking_id = (request.view_args or {})["booking_id"]
    return f"{(request.endpoint or '').rpartition('.')[2]}:{booking_id}:{wants[:20]}"


def say_tapped(tapped: Tapped) -> dict[str, str]:
    """Done: where its roster is, and the mark for the next tap on the same booking."""
    return {"mark": tapped.mark, "roster": _roster_of(tapped.session_id)}


def replayable(view: Callable[..., Any]) -> Callable[..., Any]:
    """Say a refusal in JSON to a tap that was sent by script."""

    @wraps(view)
    def answer(**parts: str) -> Any:
        if not wants_json():
            return view(**parts)
        try:
            return view(**parts)
        except TapConflict as conflict:
            local = conflict.changed_at.astimezone(current_desk().venue.zone)
            return {
                "sentence": conflict.sentence,
                "stands": conflict.stands,
                "changed_at": say_time(local),
                "mark": conflict.mark,
                "can_apply": True,
            }, 409
        except RuleBroken as broken:
            return {"sentence": broken.sentence, "can_apply": False}, status_of(broken)

    return answer


def _roster_of(session_id: str) -> str:
    return url_for("desk.roster", site=current_desk().venue.slug, session_id=session_id)
