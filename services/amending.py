"""Steps of changing a sold booking; none locks, wakes or commits.

Apart from `changing`, so that the waiting list can take over places with them.
"""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa

from domain.changing import renumbered
from domain.errors import ChangedSince
from models import IntakeAnswer, LedgerEntry, Order, SessionBooking, db, new_object_id
from services.fees import take_back_all
from services.intake import positions_of
from services.ledger import let_comps_lapse
from services.letters import post_about_booking
from services.lines import lines_of
from services.places import give_back, let_go
from services.reminders import plan_reminder


def end_line(booking: SessionBooking, *, by: str, now: dt.datetime) -> None:
    """End the whole line, take its charge and any fee back, and end the order with its last line.

    Its session is locked by the caller. Raises ChangedSince when it is not as it was read.
    """
    charge = booking.order_item.unit_price * booking.places
    if not let_go(booking, by=by, now=now):
        raise not_as_read()
    booking.released_places = 0
    note_money(booking, -charge, now)
    take_back_all([booking], "The booking was cancelled", now=now)
    end_order_with_last_line(booking.order)


def drop_people(booking: SessionBooking, leaving: Collection[int], now: dt.datetime) -> None:
    """Give back the places and the charge of the people at these positions, and their answers.

    Its session is locked by the caller. Raises ChangedSince when it is not as it was read.
    """
    before, gone = positions_of(booking), set(leaving)
    for guest in [guest for guest in booking.guests if guest.position in gone]:
        booking.guests.remove(guest)
    db.session.flush()
    if not give_back(booking, len(gone), now):
        raise not_as_read()
    booking.order_item.places = booking.places
    note_money(booking, -booking.order_item.unit_price * len(gone), now)
    moved = renumbered(before, gone, positions_of(booking))
    _move_answers(booking, gone, moved)


def note_money(booking: SessionBooking, amount: int, now: dt.datetime) -> None:
    """Another line in the order's ledger: a charge, or below 0 an adjustment; none for 0 (M1)."""
    if not amount:
        return
    db.session.add(
        LedgerEntry(
            id=new_object_id(),
            organisation_id=booking.organisation_id,
            order_id=booking.order_id,
            kind="charge" if amount > 0 else "adjustment",
            amount=amount,
            currency=booking.order_item.currency,
            created_at=now,
        )
    )
    db.session.flush()
    if amount < 0:
        let_comps_lapse(booking.organisation_id, [booking.order_id], now=now)
    # Whoever shows the order next reads its books anew.
    db.session.expire(booking.order, ["ledger"])


def end_order_with_last_line(order: Order) -> None:
    """An order whose lines have all ended is cancelled (DECISIONS, Orders of several lines)."""
    db.session.flush()
    if all(line.cancelled_at is not None for line in lines_of(order)):
        order.state = "cancelled"


def tell(letter: str, booking: SessionBooking, *, now: dt.datetime, tells: bool = True) -> None:
    """Raise the booking's version; mail about it and its reminder follow (E1-E3).

    Nothing is posted where the order has no address.
    """
    booking.sequence += 1
    booking.updated_at = now
    db.session.flush()
    plan_reminder(booking, now=now)
    if tells and booking.order.email:
        post_about_booking(letter, booking, now=now)


def not_as_read() -> ChangedSince:
    """Somebody else was quicker by a moment."""
    return ChangedSince(
        "This booking has just been changed. Look at it again.", code="changed_meanwhile"
    )


def _move_answers(booking: SessionBooking, gone: set[int], moved: dict[int, int]) -> None:
    of_booking = (
        IntakeAnswer.organisation_id == booking.organisation_id,
        IntakeAnswer.session_booking_id == booking.id,
    )
    db.session.execute(sa.delete(IntakeAnswer).where(*of_booking, IntakeAnswer.position.in_(gone)))
    # From the lowest up, so that each finds its new place empty.
    for old, new in sorted(moved.items()):
        db.session.execute(
            sa.update(IntakeAnswer)
            .where(*of_booking, IntakeAnswer.position == old)
            .values(position=new)
        )
    db.session.expire(booking, ["answers"])
