"""What every change of a booking shares: finding it, locking it, its money, and who is told.

Customers and staff come by different doors to the same deeds: a customer is bound by the policy
that was agreed at booking (M5, M8), staff by places and parties only (R20, R29).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.cancelling import Cancelling, can_cancel
from domain.changing import Books, Cost, cost_of, least_party, most_leaving
from domain.errors import ChangedSince, NotChangeable, NotFound
from domain.intake import fields_for
from models import (
    Order,
    Session,
    SessionBooking,
    SessionType,
    db,
)
from services.facts import Venue, venue_of
from services.idempotency import once
from services.intake import fields_of, name_at, positions_of
from services.lines import BY_SECRET, LINE
from services.places import lock_sessions, raise_revision
from services.waiting import wake


@dataclass(frozen=True, slots=True)
class Door:
    """By which way somebody comes to a booking: the order's secret, or a site's desk."""

    organisation_id: str
    order_secret: str = ""
    site_id: str = ""
    reason: str = ""
    tells: bool = True
    """Whether the guest gets a mail about it; always so by the customer's own door."""

    @property
    def is_staff(self) -> bool:
        """Bound by no policy."""
        return bool(self.site_id)

    @property
    def by(self) -> str:
        """Who is noted as having cancelled."""
        return "staff" if self.is_staff else "customer"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the party, by position; `can_leave` when they can be chosen by name."""

    position: int
    name: str
    can_leave: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A booking as it stands for somebody who wants to change it."""

    booking: SessionBooking
    venue: Venue
    refusal: NotChangeable | None
    """Why it can't be cancelled, moved or made smaller by this door; None when it can."""
    said: str
    """The agreed rule in words: until when it can be cancelled, or why not."""
    books: Books

    @property
    def places(self) -> int:
        """Places that are booked now."""
        return self.booking.places

    @property
    def most_leaving(self) -> int:
        """How many guests can leave while the rest stays booked."""
        return most_leaving(self.places, self.booking.order_item.policy)

    @property
    def least(self) -> int:
        """The agreed smallest party."""
        return least_party(self.booking.order_item.policy)

    @property
    def people(self) -> tuple[Person, ...]:
        """Who can be told apart: named guests, and those with a form of their own."""
        return _people(self.booking)

    @property
    def asks_who(self) -> bool:
        """Whether the guests who leave are chosen one by one rather than counted."""
        return bool(self.people)

    def cost(self, places: int) -> Cost:
        """What giving back so many places does to the order's money."""
        fee = self.booking.fee if places == self.places else 0
        return cost_of(self.books, -self.booking.order_item.unit_price * places - fee)


WITH_ALL = (
    joinedload(SessionBooking.session).options(
        joinedload(Session.room),
        joinedload(Session.practitioner),
        joinedload(Session.session_type).options(
            joinedload(SessionType.image), selectinload(SessionType.price_rules)
        ),
    ),
    joinedload(SessionBooking.order).options(
        joinedload(Order.site), selectinload(Order.ledger), LINE
    ),
    joinedload(SessionBooking.order_item),
    joinedload(SessionBooking.intake_form),
    joinedload(SessionBooking.customer),
    selectinload(SessionBooking.guests),
    selectinload(SessionBooking.answers),
)


def door_of_order(order_secret: str, booking_id: str) -> Door:
    """The customer's way to a sold line of the order at an unguessable link; raises NotFound."""
    organisation_id = db.session.scalar(
        sa.select(SessionBooking.organisation_id)
        .join(SessionBooking.order)
        .where(Order.secret == order_secret, *_sold(booking_id)),
        execution_options=BY_SECRET,
    )
    if organisation_id is None:
        raise NotFound("We couldn't find that booking. Check the link you were given.")
    return Door(organisation_id, order_secret=order_secret)


def door_of_line(booking: SessionBooking) -> Door:
    """The customer's way to a line of an order that was found by its secret, or is their own."""
    return Door(booking.organisation_id, order_secret=booking.order.secret)


def find_standing(door: Door, booking_id: str, *, now: dt.datetime) -> Standing:
    """The booking as it stands at this door; raises NotFound (D1)."""
    booking = db.session.scalar(
        sa.select(SessionBooking)
        .where(*_through(door, booking_id))
        .options(*WITH_ALL)
        .execution_options(populate_existing=True)
    )
    if booking is None:
        raise NotFound("We couldn't find that booking.")
    return standing_of(door, booking, now)


def standing_of(door: Door, booking: SessionBooking, now: dt.datetime) -> Standing:
    """The same for a row that is loaded, or locked, with all of WITH_ALL."""
    venue = venue_of(booking.order.site)
    answer = answer_of(booking, venue, now)
    refusal = _state_refusal(door, booking)
    if refusal is None and not door.is_staff and not answer.is_allowed:
        refusal = NotChangeable(answer.sentence, code=answer.code)
    return Standing(
        booking=booking,
        venue=venue,
        refusal=refusal,
        said=answer.sentence,
        books=Books.of((entry.kind, entry.amount) for entry in booking.order.ledger),
    )


def answer_of(booking: SessionBooking, venue: Venue, now: dt.datetime) -> Cancelling:
    """What the policy agreed at booking says to the customer (M5, M8)."""
    return can_cancel(
        booking.order_item.policy,
        local_start=booking.session.local_start,
        zone=venue.zone,
        is_paid=any(entry.kind == "payment" for entry in booking.order.ledger),
        now=now,
    )


def change(
    door: Door,
    booking_id: str,
    deed: Callable[[Standing], Iterable[str]],
    *,
    to_session_id: str | None = None,
    body: dict[str, object] | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Do `deed` to a locked booking, once for each form's key; the id of the session it was in.

    Locks the order, then the sessions in order of id, then the booking (ADR 9). `deed` answers
    with the sessions whose places came free: who waits there is woken (H10). Raises NotFound.
    """

    def locked() -> str:
        standing = hold_standing(door, booking_id, to_session_id, now)
        before = standing.booking.session_id
        freed = list(deed(standing))
        db.session.flush()
        if freed:
            wake(door.organisation_id, freed, now=now)
        raise_revision(door.organisation_id, [standing.booking.session_type_id])
        return before

    about = {"booking": booking_id, "door": door.by, **(body or {})}
    return once(door.organisation_id, key, about, locked, now, door.reason)


def check_seen(booking: SessionBooking, seen: int | None) -> None:
    """Raise ChangedSince when the page showed another version of the booking (D4)."""
    if seen is not None and seen != booking.sequence:
        raise ChangedSince(
            "This booking has changed since you opened the page, so nothing was done. "
            "This is how it stands now.",
            code="changed_meanwhile",
        )


def require_changeable(standing: Standing) -> None:
    """Raise why it can't be changed by this door."""
    if standing.refusal is not None:
        raise standing.refusal


def _sold(booking_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (SessionBooking.id == booking_id, SessionBooking.status == "confirmed")


def _through(door: Door, booking_id: str) -> Sequence[sa.ColumnElement[bool]]:
    by_organisation = SessionBooking.organisation_id == door.organisation_id
    if door.is_staff:
        at_site = SessionBooking.site_id == door.site_id
        return (by_organisation, at_site, SessionBooking.id == booking_id)
    of_order = SessionBooking.order.has(Order.secret == door.order_secret)
    return (by_organisation, of_order, *_sold(booking_id))


def hold_standing(
    door: Door, booking_id: str, to_session_id: str | None, now: dt.datetime
) -> Standing:
    """A booking for a change, in the caller's transaction: order, sessions and booking locked in
    this order, and read anew (ADR 9). Raises NotFound."""
    order_id = db.session.scalar(
        sa.select(SessionBooking.order_id).where(*_through(door, booking_id))
    )
    if order_id is None:
        raise NotFound("We couldn't find that booking.")
    db.session.execute(
        sa.select(Order.id)
        .where(Order.organisation_id == door.organisation_id, Order.id == order_id)
        .with_for_update(key_share=True)
    )
    # Only whoever has the order's lock moves its lines: the session stays this one.
    session_id = db.session.scalars(
        sa.select(SessionBooking.session_id).where(*_through(door, booking_id))
    ).one()
    lock_sessions(door.organisation_id, [session_id, *([to_session_id] if to_session_id else [])])
    db.session.execute(
        sa.select(SessionBooking.id)
        .where(*_through(door, booking_id))
        .with_for_update(of=SessionBooking, key_share=True)
    )
    return find_standing(door, booking_id, now=now)


def _state_refusal(door: Door, booking: SessionBooking) -> NotChangeable | None:
    """What stands in the way whatever was agreed."""
    if booking.cancelled_at is not None:
        return NotChangeable("This booking was cancelled already.", code="cancelled")
    if booking.status != "confirmed":
        return NotChangeable("This booking isn't confirmed yet.", code="not_confirmed")
    if booking.checked_in_at is not None:
        said = (
            "This guest is here already. Undo the check-in first."
            if door.is_staff
            else "You are checked in, so it can no longer be changed here."
        )
        return NotChangeable(said, code="checked_in")
    if booking.is_no_show and door.is_staff:
        return NotChangeable(
            "This guest is marked as a no-show. Undo that first.", code="marked_no_show"
        )
    if booking.session.deleted_at is not None and not door.is_staff:
        return NotChangeable("The venue has cancelled this session.", code="venue_cancelled")
    return None


def _people(booking: SessionBooking) -> tuple[Person, ...]:
    asks_each = booking.intake_form is not None and bool(
        fields_for(fields_of(booking.intake_form), 0)
    )
    if not booking.guests and not asks_each:
        return ()
    named = {guest.position for guest in booking.guests}
    # The booker without a name of their own is the order's: they cancel, they don't leave.
    return tuple(
        Person(position, name_at(booking, position), position in named or position != 0)
        for position in positions_of(booking)
    )
