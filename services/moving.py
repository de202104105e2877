"""Moving a booking to another session of its type: the new place first, the old one after (M7)."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from domain.calendar import Offering, offering
from domain.changing import Cost, cost_of
from domain.eligibility import Offer, Party, Viewer, first_refusal, price_for
from domain.errors import ChangedSince, NotBookable, NotChangeable, NotFound
from domain.guests import Stay, find_overlaps
from domain.local_time import local_day
from domain.pricing import Price
from models import Session, SessionBooking, db
from services.accounts import viewer_of
from services.amending import note_money, tell
from services.changing import Door, Standing, change, check_seen, require_changeable
from services.checkout import LIMITED
from services.eligibility import desk_viewer
from services.facts import TimetableSlot, offer_of, slot_of, timetable_query, timetable_slot
from services.lines import just_went, lines_of, load_session
from services.persons import ask_member_limit, lock_person
from services.places import move_to
from services.waking import pass_on_expired

MONTHS = 4
"""Months beside each other to choose from."""


@dataclass(frozen=True, slots=True)
class Target:
    """A session that the booking could move to, with its price for one place and what changes."""

    session_id: str
    local_start: dt.datetime
    end_time: dt.datetime
    room: str
    practitioner: str
    unit_price: int
    label: str
    left: int
    cost: Cost
    overlaps: tuple[str, ...] = ()
    """What else of the order is at that time (H9); filled in by `find_target` alone."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What one month has to choose from, and how much the months beside it have."""

    months: tuple[tuple[int, int, int], ...]
    """Year, month, and the number of sessions there."""
    month: tuple[int, int]
    found: tuple[Target, ...]

    @property
    def days(self) -> list[dt.date]:
        """The days of the month that have something, in order."""
        return sorted({target.local_start.date() for target in self.found})

    def on(self, day: dt.date | None) -> list[Target]:
        """The sessions of one day."""
        return [target for target in self.found if target.local_start.date() == day]


def list_targets(
    door: Door, standing: Standing, *, month: tuple[int, int] | None, now: dt.datetime
) -> Targets:
    """Sessions of the type that this party could move to, in a month and the ones around it.

    Without a month: that of the booking, or the first after it that has something.
    """
    booking, zone = standing.booking, standing.venue.zone
    today, starts = local_day(now, zone), booking.session.local_start
    this = (today.year, today.month)
    shown = max(this, month or (starts.year, starts.month))
    first = max(this, _step(shown, -1))
    months = [_step(first, number) for number in range(MONTHS)]
    viewer, offer = viewer_at(door, booking, now), agreed_offer(standing)
    found: dict[tuple[int, int], list[Target]] = {entry: [] for entry in months}
    for row in _slots(standing, months, now):
        one = offering(offer, row.facts, party_at(standing), viewer, now)
        if not one.is_bookable or one.price.amount is None:
            continue
        local = row.facts.local_start
        found[local.year, local.month].append(_target(standing, one, row.room, row.practitioner))
    if month is None and not found[shown]:
        shown = next((entry for entry in months if entry >= shown and found[entry]), shown)
    return Targets(
        tuple((*entry, len(found[entry])) for entry in months), shown, tuple(found[shown])
    )


def find_target(door: Door, standing: Standing, session_id: str, *, now: dt.datetime) -> Target:
    """One session as the booking would have it; raises NotFound, NotBookable, NotChangeable."""
    row = load_session(door.organisation_id, session_id)
    price = _ask(door, standing, row, now)
    one = Offering(slot_of(row), price, None, None)
    room = row.room.name if row.room else ""
    found = _target(standing, one, room, row.practitioner.name if row.practitioner else "")
    return replace(found, overlaps=_overlaps(standing, row))


def move(
    door: Door,
    booking_id: str,
    session_id: str,
    *,
    seen: int | None = None,
    seen_price: int | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Move a booking to another session of its type; the id of the session it was in (M7).

    It stays the same booking with the same agreed policy (E3, M8); its price becomes that of the
    new session, the difference goes to the ledger, its answers stay. `seen_price` is the price
    for one place that was shown. Raises NotFound, NotChangeable by the old agreement,
    NotBookable by the rules of the new session, ChangedSince for another price or version: the
    old place is kept then.
    """

    def deed(standing: Standing) -> Iterable[str]:
        booking = standing.booking
        require_changeable(standing)
        check_seen(booking, seen)
        pass_on_expired(door.organisation_id, [session_id], now)
        to = load_session(door.organisation_id, session_id)
        price = _ask(door, standing, to, now)
        amount = _same_price(price, seen_price)
        is_member = door.is_staff or _within_member_limit(standing, to, now)
        before, difference = booking.session_id, _difference(booking, amount)
        if not move_to(booking, to, now):
            raise just_went(booking.places)
        _agree_on(booking, price, is_member=is_member and not door.is_staff)
        note_money(booking, difference, now)
        tell("booking_changed", booking, now=now, tells=door.tells)
        return [before]

    body: dict[str, object] = {"to": session_id, "seen": seen, "price": seen_price}
    return change(door, booking_id, deed, to_session_id=session_id, body=body, key=key, now=now)


def viewer_at(door: Door, booking: SessionBooking, now: dt.datetime) -> Viewer:
    """Whose booking it is, whoever presses: their memberships make price and windows.

    They know of the offer already, as if they had come by its link (R30).
    """
    if door.is_staff:
        return desk_viewer(booking.customer)
    account = booking.customer.account_id if booking.customer else None
    return replace(viewer_of(door.organisation_id, account, now=now), came_by_link=True)


def party_at(standing: Standing) -> Party:
    """The whole party, moved as one; beside it nothing of its order changes."""
    return Party(guests=standing.places, currency_of_basket=standing.booking.order_item.currency)


def agreed_offer(standing: Standing) -> Offer:
    """The type as it is now, with the party that was agreed and the stricter of two limits (M8)."""
    booking, policy = standing.booking, standing.booking.order_item.policy
    offer = offer_of(booking.session.session_type, standing.venue)
    limits = (offer.max_bookings_per_member, policy.get("max_bookings_per_member"))
    return replace(
        offer,
        min_guests=1,
        max_guests=None,
        max_bookings_per_member=min((one for one in limits if one), default=None),
    )


def _ask(door: Door, standing: Standing, to: Session, now: dt.datetime) -> Price:
    """The price of a place there, for whom it may be booked; raises why it may not."""
    _check_target(standing, to, now)
    offer, slot = agreed_offer(standing), slot_of(to)
    viewer = viewer_at(door, standing.booking, now)
    refusal = first_refusal(offer, slot, party_at(standing), viewer, now)
    if refusal is not None:
        raise NotBookable(refusal.sentence, code=refusal.code, changes_at=refusal.changes_at)
    price = price_for(offer, slot, viewer)
    if price.amount is None:
        raise NotBookable("This time has no price yet, so it can't be sold.", code="priced")
    return price


def _overlaps(standing: Standing, to: Session) -> tuple[str, ...]:
    """What else of this order the booker would have to be at then; touching ones are fine (H9).

    Nothing beyond the order: whoever has its link need not be who else that address belongs to.
    """
    moved = Stay("", to.start_time, to.end_time)
    others = [
        Stay(line.session_type_name, line.session.start_time, line.session.end_time)
        for line in lines_of(standing.booking.order)
        if line.cancelled_at is None and line.id != standing.booking.id
    ]
    return tuple(it.name for it in others if find_overlaps([moved, it]))


def _check_target(standing: Standing, to: Session, now: dt.datetime) -> None:
    booking = standing.booking
    if to.session_type_id != booking.session_type_id or to.site_id != booking.site_id:
        raise NotFound("We couldn't find that session.")
    if to.id in _sessions_of(booking):
        # Two lines of an order in one session would count as two parties (H8).
        raise NotChangeable("This order has places in that session already.", code="same_session")
    if to.end_time <= now:
        raise NotChangeable("That session is over.", code="started")


def _within_member_limit(standing: Standing, to: Session, now: dt.datetime) -> bool:
    """Asked again with the person locked; whether the limit binds them. Raises NotBookable."""
    customer, offer = standing.booking.customer, agreed_offer(standing)
    if customer is None or not offer.max_bookings_per_member:
        return False
    check, is_member = ask_member_limit(customer, lock_person(customer), offer, slot_of(to), now)
    if not check.passed:
        # Who has not signed in is not told what the owner of the address has booked.
        said = check.sentence if customer.account_id else LIMITED
        raise NotBookable(said, code=check.code)
    return is_member


def _same_price(price: Price, seen: int | None) -> int:
    amount = price.amount or 0
    if seen is not None and seen != amount:
        raise ChangedSince(
            "The price of that session has changed since you looked. Look at it again.",
            code="price_changed",
        )
    return amount


def _agree_on(booking: SessionBooking, price: Price, *, is_member: bool) -> None:
    """The line has the new session's price; the policy stays as it was agreed (M8)."""
    item = booking.order_item
    item.unit_price, item.price_source = price.amount or 0, price.source
    item.price_rule_id, item.price_label = price.rule_id, price.label
    policy = {name: value for name, value in item.policy.items() if name != "as_member"}
    item.policy = {**policy, "as_member": True} if is_member else policy


def _difference(booking: SessionBooking, amount: int) -> int:
    return (amount - booking.order_item.unit_price) * booking.places


def _target(standing: Standing, one: Offering, room: str, practitioner: str) -> Target:
    amount = one.price.amount or 0
    return Target(
        session_id=one.slot.id,
        local_start=one.slot.local_start,
        end_time=one.slot.end_time,
        room=room,
        practitioner=practitioner,
        unit_price=amount,
        label=one.price.label,
        left=one.left,
        cost=cost_of(standing.books, _difference(standing.booking, amount)),
    )


def _slots(
    standing: Standing, months: Sequence[tuple[int, int]], now: dt.datetime
) -> list[TimetableSlot]:
    booking = standing.booking
    first = dt.datetime.combine(dt.date(*months[0], 1), dt.time())
    last = dt.datetime.combine(dt.date(*_step(months[-1], 1), 1), dt.time())
    rows = db.session.execute(
        timetable_query(booking.organisation_id).where(
            Session.session_type_id == booking.session_type_id,
            Session.site_id == booking.site_id,
            Session.local_start >= first,
            Session.local_start < last,
            Session.end_time > now,
            Session.id.not_in(_sessions_of(booking)),
        )
    )
    return [timetable_slot(row) for row in rows]


def _sessions_of(booking: SessionBooking) -> list[str]:
    """Where this order has places now."""
    return [line.session_id for line in lines_of(booking.order) if line.cancelled_at is None]


def _step(month: tuple[int, int], number: int) -> tuple[int, int]:
    year, index = divmod(month[0] * 12 + month[1] - 1 + number, 12)
    return year, index + 1
