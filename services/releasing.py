"""A place given up too late to cancel, taken over by somebody else (W1)."""

import datetime as dt

import sqlalchemy as sa

from models import Guest, LedgerEntry, Order, SessionBooking, db, new_object_id
from services.letters import post_about_booking
from services.places import let_go, release


def take_over_released(booking: SessionBooking, places: int, now: dt.datetime) -> None:
    """The booking gives up `places` that it has released, and is charged for them no longer.

    It is cancelled when none is left. The caller has locked its order and its session, and
    takes the places in the same transaction.
    """
    order_id, unit_price = booking.order_id, booking.order_item.unit_price
    letter = "booking_changed" if places < booking.places else "booking_cancelled"
    if places < booking.places:
        booking.places -= places
        booking.released_places -= places
        release(booking.organisation_id, booking.session_id, places=places, parties=0)
        _drop_names(booking)
    else:
        let_go(booking, by="customer", now=now)
        booking.released_places = 0
    booking.sequence += 1
    booking.updated_at = now
    if unit_price:
        db.session.add(
            LedgerEntry(
                id=new_object_id(),
                organisation_id=booking.organisation_id,
                order_id=order_id,
                kind="adjustment",
                amount=-unit_price * places,
                currency=booking.order_item.currency,
                created_at=now,
            )
        )
    db.session.flush()
    _close_order(booking.organisation_id, order_id)
    post_about_booking(letter, booking, now=now)


def _drop_names(booking: SessionBooking) -> None:
    """Of named guests the last ones stay away; the booker is the first."""
    gone: list[Guest] = booking.guests[booking.places :]
    for guest in gone:
        booking.guests.remove(guest)


def _close_order(organisation_id: str, order_id: str) -> None:
    live = sa.select(SessionBooking.id).where(
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.order_id == order_id,
        SessionBooking.cancelled_at.is_(None),
    )
    if db.session.scalar(live.limit(1)) is None:
        order = db.session.scalars(
            sa.select(Order).where(Order.organisation_id == organisation_id, Order.id == order_id)
        ).one()
        order.state = "cancelled"
        db.session.flush()
