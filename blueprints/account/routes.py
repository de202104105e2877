from typing import Any

from flask import Blueprint, Response, redirect, url_for

from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import PUBLIC, SIGNED_IN, account_id, needs
from blueprints.signing_in import answer_sign_in, show_sign_in, sign_out
from services.accounts import list_own_bookings

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.get("/")
@needs(SIGNED_IN)
def bookings() -> Response:
    now = utcnow()
    found = list_own_bookings(account_id() or "", now=now)
    coming = [booking for booking in found if booking.session.end_time > now]
    past = [booking for booking in found if booking.session.end_time <= now]
    return render(
        "account/bookings.html",
        coming=sorted(coming, key=lambda booking: booking.session.start_time),
        past=sorted(past, key=lambda booking: booking.session.start_time, reverse=True),
        is_personal=True,
    )


@bp.get("/sign-in")
@needs(PUBLIC)
def sign_in() -> Response:
    return show_sign_in("account/sign_in.html")


@bp.post("/sign-in")
@needs(PUBLIC)
def start() -> Any:
    return answer_sign_in("account/sign_in.html", default=url_for("account.bookings"))


@bp.post("/sign-out")
@needs(PUBLIC)
def end() -> Any:
    sign_out()
    return redirect(url_for("shop.index"), code=303)
