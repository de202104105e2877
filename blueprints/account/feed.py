from typing import Any

from flask import flash, redirect, request, url_for

from blueprints.account.area import bp
from blueprints.security import SIGNED_IN, account_id, needs
from services.feeds import renew_feed, start_feed, stop_feed


@bp.get("/feed")
@bp.get("/feed/renewal")
@bp.get("/feed/end")
@needs(SIGNED_IN)
def back_to_feed() -> Any:
    """Where the address line leads: the feed stands beside the bookings."""
    return redirect(url_for("account.bookings", _anchor="feed"))


@bp.post("/feed")
@needs(SIGNED_IN)
def begin_feed() -> Any:
    start_feed(account_id() or "")
    return _done("Your calendar address is made. Keep it to yourself.")


@bp.post("/feed/renewal")
@needs(SIGNED_IN)
def another_feed() -> Any:
    renew_feed(account_id() or "", was=request.form.get("was", "")[:64])
    return _done("There is a new address. The old one has ended.")


@bp.post("/feed/end")
@needs(SIGNED_IN)
def end_feed() -> Any:
    stop_feed(account_id() or "")
    return _done("The calendar address has ended.")


def _done(said: str) -> Any:
    flash(said, "ok")
    return redirect(url_for("account.bookings", _anchor="feed"), code=303)
