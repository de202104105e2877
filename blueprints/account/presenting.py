"""Own bookings as cards: each in its own site's time, with what can still be done about it."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from blueprints.rendering import say_amount
from domain.local_time import to_local
from models import Order, SessionBooking
from services.changing import Standing, door_of_line, standing_of
from services.facts import Venue, venue_of
from services.giving_up import why_no_release


@dataclass(frozen=True, slots=True)
class Card:
    """One booking as its owner sees it."""

    id: str
    name: str
    secret: str
    order_ref: str
    starts: dt.datetime
    ends: dt.datetime
    where: str
    guests: str
    badge: tuple[str, str, str]
    """Kind, icon, words."""
    money: str
    until: str
    """Until when it can be cancelled, while it lies ahead."""
    can_cancel: bool
    can_shrink: bool
    """Whether single guests can be taken out."""
    can_release: bool
    """Whether it is too late, but somebody who waits may have it."""
    is_offered: bool
    """Whether some of its places are given up to the waiting list already."""
    venue: Venue
    reason: str
    """Why the venue cancelled it, in its own words."""
    again: str
    """The slug of the offer, where it can be booked again."""


@dataclass(frozen=True, slots=True)
class Cards:
    coming: tuple[Card, ...]
    past: tuple[Card, ...]
    cancelled: tuple[Card, ...]


def cards_of(bookings: Sequence[SessionBooking], *, now: dt.datetime) -> Cards:
    """The bookings, which come by their start, in three groups: soonest first, then latest."""
    live = [row for row in bookings if _cancelled_by(row) is None]
    lines = Counter(row.order_id for row in live)
    made = {row.id: _card(row, lines[row.order_id], now) for row in bookings if _is_shown(row)}
    past = [row for row in live if row.session.end_time <= now]
    off = [row for row in bookings if row.id in made and _cancelled_by(row) is not None]
    return Cards(
        coming=tuple(made[row.id] for row in live if row.session.end_time > now),
        past=tuple(made[row.id] for row in reversed(past)),
        cancelled=tuple(made[row.id] for row in reversed(off)),
    )


def _is_shown(row: SessionBooking) -> bool:
    return row.cancelled_by != "expired"


def _cancelled_by(row: SessionBooking) -> str | None:
    if row.cancelled_at is not None:
        return row.cancelled_by or "venue"
    return "venue" if row.session.deleted_at is not None else None


def _card(row: SessionBooking, lines: int, now: dt.datetime) -> Card:
    venue = venue_of(row.order.site)
    kind = row.session.session_type
    standing = _standing(row, now)
    can_change = standing is not None and standing.refusal is None
    is_sold = kind.deleted_at is None and kind.offered_online and kind.visibility == "public"
    return Card(
        id=row.id,
        name=row.session_type_name,
        secret=row.order.secret,
        order_ref=row.order.order_ref,
        starts=to_local(row.session.start_time, venue.zone),
        ends=to_local(row.session.end_time, venue.zone),
        where=f"{row.session.room.name}, {venue.full_name}"
        if row.session.room
        else venue.full_name,
        guests=_guests(row),
        badge=_badge(row, venue, now),
        money=_money(row, lines, venue, now),
        until=_until(standing),
        can_cancel=can_change,
        can_shrink=can_change and standing is not None and standing.most_leaving > 0,
        can_release=standing is not None and why_no_release(standing) is None,
        is_offered=row.released_places > 0,
        venue=venue,
        reason=_reason(row),
        again=kind.slug if is_sold else "",
    )


def _reason(row: SessionBooking) -> str:
    """Only the venue's own: what staff note about one booking is theirs."""
    if _cancelled_by(row) != "venue":
        return ""
    return row.cancel_reason or row.session.cancel_reason


def _guests(row: SessionBooking) -> str:
    names = [guest.name for guest in row.guests]
    if not names:
        others = row.places - 1
        return "You" + (f" and {others} {'guest' if others == 1 else 'guests'}" if others else "")
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _badge(row: SessionBooking, venue: Venue, now: dt.datetime) -> tuple[str, str, str]:
    by = _cancelled_by(row)
    if by == "customer":
        return "", "x", "Cancelled by you"
    if by == "staff":
        return "", "x", f"Cancelled for you by {venue.name}"
    if by is not None:
        return "warn", "calendar-x", f"Cancelled by {venue.name}"
    if row.is_no_show:
        return "warn", "circle-x", "Missed"
    if row.checked_in_at is not None:
        return "ok", "badge-check", "Checked in" if row.session.end_time > now else "Came"
    if row.session.end_time <= now:
        return "", "clock", "Past"
    if row.session.start_time <= now:
        return "info", "clock", "Running now"
    return "ok", "check", "Confirmed"


def _money(row: SessionBooking, lines: int, venue: Venue, now: dt.datetime) -> str:
    """What is to be paid; afterwards what it cost, for paying at the venue is the venue's book."""
    order = row.order
    if _cancelled_by(row) is not None:
        returned = sum(abs(entry.amount) for entry in order.ledger if entry.kind == "refund")
        owed = -sum(entry.amount for entry in order.ledger)
        if owed > 0:
            return f"{_say(owed, order, venue)} comes back to you"
        return f"{_say(returned, order, venue)} refunded" if returned else ""
    if row.session.end_time <= now:
        cost = row.order_item.unit_price * row.places
        return _say(cost, order, venue) if cost else "Free"
    balance = sum(entry.amount for entry in order.ledger)
    together = f", for {lines} bookings together" if lines > 1 else ""
    if balance > 0:
        return f"{_say(balance, order, venue)} due at the venue{together}"
    if balance < 0:
        return f"{_say(-balance, order, venue)} paid too much{together}"
    return "Paid" if any(entry.kind == "payment" for entry in order.ledger) else "Nothing to pay"


def _say(amount: int, order: Order, venue: Venue) -> str:
    return say_amount(amount, order.currency, venue.locale)


def _standing(row: SessionBooking, now: dt.datetime) -> Standing | None:
    if _cancelled_by(row) is not None or row.session.start_time <= now:
        return None
    return standing_of(door_of_line(row), row, now)


def _until(standing: Standing | None) -> str:
    if standing is None:
        return ""
    booking = standing.booking
    if booking.released_places:
        return "Offered to the waitlist, and yours until somebody takes it."
    return standing.refusal.sentence if standing.refusal else standing.said
