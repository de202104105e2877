"""Giving a place to the waiting list when it is too late to cancel, and keeping it after all."""

from typing import Any

from flask import Response, flash

from blueprints.bookings.changes import sent_key, show, to_order
from blueprints.bookings.routes import bp
from blueprints.changing_pages import REFUSALS, sent_number
from blueprints.clock import utcnow
from blueprints.security import PUBLIC, needs
from domain.errors import RuleBroken
from services import giving_up
from services.changing import door_of_order, find_standing


@bp.get("/<secret>/lines/<booking_id>/release")
@needs(PUBLIC)
def release(secret: str, booking_id: str) -> Response:
    return _page(secret, booking_id)


@bp.post("/<secret>/lines/<booking_id>/release")
@needs(PUBLIC)
def release_places(secret: str, booking_id: str) -> Any:
    door = door_of_order(secret, booking_id)
    places = sent_number("places")
    try:
        giving_up.release_places(door, booking_id, places, key=sent_key(), now=utcnow())
    except REFUSALS as refusal:
        return _page(secret, booking_id, broken=refusal)
    flash("Offered to the waitlist. It stays yours until somebody takes it.", "ok")
    return to_order(secret)


@bp.post("/<secret>/lines/<booking_id>/release/withdrawal")
@needs(PUBLIC)
def take_back(secret: str, booking_id: str) -> Any:
    door = door_of_order(secret, booking_id)
    try:
        giving_up.take_back(door, booking_id, now=utcnow())
    except REFUSALS as refusal:
        return _page(secret, booking_id, broken=refusal)
    flash("It is all yours again.", "ok")
    return to_order(secret)


def _page(secret: str, booking_id: str, *, broken: RuleBroken | None = None) -> Response:
    standing = find_standing(door_of_order(secret, booking_id), booking_id, now=utcnow())
    why_not = giving_up.why_no_release(standing)
    sizes = () if why_not else giving_up.sizes_to_release(standing)
    return show(
        "bookings/release.html", secret, booking_id, broken=broken, sizes=sizes, why_not=why_not
    )
