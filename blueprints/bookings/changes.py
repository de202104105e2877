"""Cancelling a booking or some of its guests: what it costs first, then the press."""

from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.bookings.routes import bp
from blueprints.changing_pages import REFUSALS, sent_number, sent_numbers, status_of
from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import PUBLIC, needs
from blueprints.visits import deed_key
from domain.errors import RuleBroken
from domain.words import count
from services import cancelling
from services.changing import Standing, door_of_order, find_standing
from services.giving_up import why_no_release


@bp.get("/<secret>/lines/<booking_id>/cancellation")
@needs(PUBLIC)
def cancellation(secret: str, booking_id: str) -> Response:
    return show("bookings/cancellation.html", secret, booking_id)


@bp.post("/<secret>/lines/<booking_id>/cancellation")
@needs(PUBLIC)
def cancel(secret: str, booking_id: str) -> Any:
    door = door_of_order(secret, booking_id)
    try:
        cancelling.cancel(door, booking_id, seen=sent_number("seen"), key=sent_key(), now=utcnow())
    except REFUSALS as refusal:
        return show("bookings/cancellation.html", secret, booking_id, broken=refusal)
    flash("It is cancelled, and your place is free for somebody else.", "ok")
    return to_order(secret)


@bp.get("/<secret>/lines/<booking_id>/guests")
@needs(PUBLIC)
def guests(secret: str, booking_id: str) -> Response:
    return show("bookings/guests.html", secret, booking_id)


@bp.post("/<secret>/lines/<booking_id>/guests")
@needs(PUBLIC)
def cancel_guests(secret: str, booking_id: str) -> Any:
    door = door_of_order(secret, booking_id)
    who, number = sent_numbers("who"), max(0, sent_number("number"))
    try:
        cancelling.cancel_guests(
            door,
            booking_id,
            who=who,
            number=number,
            seen=sent_number("seen"),
            key=sent_key(),
            now=utcnow(),
        )
    except REFUSALS as refusal:
        return show("bookings/guests.html", secret, booking_id, broken=refusal)
    flash(f"{count(len(set(who)) or number, 'guest')} fewer. The rest stays booked.", "ok")
    return to_order(secret)


def show(
    template: str, secret: str, booking_id: str, *, broken: RuleBroken | None = None, **more: Any
) -> Response:
    """A page about changing one line, as it stands now; with what stood in the way, if anything."""
    standing = find_standing(door_of_order(secret, booking_id), booking_id, now=utcnow())
    return render(
        template,
        standing=standing,
        booking=standing.booking,
        venue=standing.venue,
        secret=secret,
        broken=broken,
        is_conflict=broken is not None and status_of(broken) == 409,
        can_release=can_release(standing),
        sent=request.form,
        status=status_of(broken) if broken else 200,
        badge=None,
        is_personal=True,
        **{"choosing": None, **more},
    )


def can_release(standing: Standing) -> bool:
    """Whether the places can be given to the waiting list."""
    return why_no_release(standing) is None


def sent_key() -> str:
    """The key of the form that was sent (H6)."""
    return deed_key(request.form.get("key", ""))


def to_order(secret: str) -> Any:
    """Back to the page that is the ticket."""
    return redirect(url_for("bookings.booking", secret=secret), code=303)
