"""Moving a booking: choose a session, see what changes, then the press (M7)."""

from typing import Any

from flask import Response, flash, request

from blueprints.bookings.changes import sent_key, show, to_order
from blueprints.bookings.routes import bp
from blueprints.changing_pages import REFUSALS, read_choosing, sent_number
from blueprints.clock import utcnow
from blueprints.security import PUBLIC, account_id, count_sign_in_try, needs
from domain.errors import RuleBroken
from services import moving
from services.changing import door_of_order, find_standing


@bp.get("/<secret>/lines/<booking_id>/move")
@needs(PUBLIC)
def move(secret: str, booking_id: str) -> Response:
    return _page(secret, booking_id)


@bp.post("/<secret>/lines/<booking_id>/move")
@needs(PUBLIC)
def move_booking(secret: str, booking_id: str) -> Any:
    door = door_of_order(secret, booking_id)
    try:
        moving.move(
            door,
            booking_id,
            request.form.get("to", "")[:64],
            seen=sent_number("seen"),
            seen_price=sent_number("price"),
            key=sent_key(),
            now=utcnow(),
        )
    except REFUSALS as refusal:
        if refusal.code == "max_bookings_per_member" and account_id() is None:
            # Whoever tries date after date is slowed down as at the sign-in.
            count_sign_in_try()
        return _page(secret, booking_id, broken=refusal)
    flash("Moved. Your old place is free for somebody else.", "ok")
    return to_order(secret)


def _page(secret: str, booking_id: str, *, broken: RuleBroken | None = None) -> Response:
    door = door_of_order(secret, booking_id)
    standing = find_standing(door, booking_id, now=utcnow())
    choosing = read_choosing(door, standing, utcnow())
    return show(
        "bookings/move.html", secret, booking_id, broken=broken or choosing.refusal,
        choosing=choosing,
    )  # fmt: skip
