"""The month price calendar: from sessions to one honest state and price per date (P7)."""

import calendar as months
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from domain.capacity import FEW_LEFT, is_full, places_left
from domain.eligibility import (
    Check,
    Offer,
    Party,
    Slot,
    Viewer,
    first_refusal,
    next_change,
    price_for,
    window_for,
)
from domain.local_time import local_day, to_local
from domain.pricing import Price
from domain.words import count, full_stop, say_day, say_moment

STATE_OF_REFUSAL = {
    "party_left": "full",
    "places_left": "full",
    "window_open": "opens_later",
    "member": "members_only",
    "signed_in": "sign_in",
    "window_closed": "too_soon",
    "max_bookings_per_member": "booked",
}
"""Which calendar state stands for a refusal; any other means "nothing to book here"."""

NEARNESS = ("waiting_list", "opens_later", "members_only", "sign_in", "too_soon", "full", "booked")
"""Of several unbookable sessions, the state nearest to bookable is told (DECISIONS, Price)."""


_TELLING = frozenset(("available", "few", *NEARNESS))
"""States of which the day panel has more to tell."""


@dataclass(frozen=True, slots=True)
class Offering:
    """One session as this viewer meets it: price, first refusal if any, places left.

    `thanks_to`: "member" or "early" when only the viewer's membership lets them book it.
    """

    slot: Slot
    price: Price
    refusal: Check | None
    changes_at: dt.datetime | None
    opens_at: dt.datetime | None = None
    thanks_to: str = ""
    few_left: int = FEW_LEFT

    @property
    def is_bookable(self) -> bool:
        """Whether Book is offered."""
        return self.refusal is None

    @property
    def left(self) -> int:
        """Places nobody holds."""
        return places_left(self.slot.capacity, self.slot.places_taken)

    @property
    def is_few(self) -> bool:
        """Nearly gone, as the site counts it: a warning colour and the number (VISUAL)."""
        return self.is_bookable and self.left <= self.few_left and self.slot.max_baskets != 1

    @property
    def is_full(self) -> bool:
        """No place or no party left, whoever asks."""
        slot = self.slot
        return is_full(slot.capacity, slot.places_taken, slot.max_baskets, slot.parties_taken)

    @property
    def state(self) -> str:
        """bookable, or the calendar state of the refusal."""
        if self.refusal is None:
            return "bookable"
        state = STATE_OF_REFUSAL.get(self.refusal.code, "nothing")
        if state == "full" and self.slot.waitlist_enabled:
            return "waiting_list"
        return state


@dataclass(frozen=True, slots=True)
class Day:
    """One date of the calendar with what stands under it."""

    date: dt.date
    state: str
    from_price: int | None = None
    sessions_available: int = 0
    places_left: int | None = None
    is_today: bool = False
    is_cheapest: bool = False
    opens_at: dt.datetime | None = None
    thanks_to: str = ""
    marks: tuple[tuple[float, str], ...] = ()
    refusal: str = ""
    code: str = ""
    """Why nothing of it can be booked: one of `eligibility.CHECKS`, or empty."""
    changes_at: dt.datetime | None = None
    """When time alone makes another answer of one of its sessions."""

    @property
    def is_link(self) -> bool:
        """A day that does something is a link; any other is not."""
        return self.state in _TELLING

    @property
    def opens_on(self) -> dt.date | None:
        """The site's date of `opens_at`, which is in the site's zone."""
        return self.opens_at.date() if self.opens_at else None


@dataclass(frozen=True, slots=True)
class Month:
    """A whole month for one viewer and party, true until `valid_until` if nobody writes."""

    year: int
    month: int
    weeks: tuple[tuple[Day | None, ...], ...]
    lowest: int | None
    opens_on: dt.date | None
    valid_until: dt.datetime | None
    first_bookable: dt.date | None

    @property
    def nearest_state(self) -> str:
        """What stands for a month in which nothing can be booked: its day nearest to bookable."""
        states = {day.state for week in self.weeks for day in week if day is not None}
        return next((near for near in (*NEARNESS, "unscheduled") if near in states), "closed")

    def day(self, date: dt.date) -> Day | None:
        """The cell of `date`, None outside the month."""
        return next((day for week in self.weeks for day in week if day and day.date == date), None)


def offering(offer: Offer, slot: Slot, party: Party, viewer: Viewer, now: dt.datetime) -> Offering:
    """What this viewer is told about one session; the day panel shows these."""
    refusal = first_refusal(offer, slot, party, viewer, now)
    opens = None
    if refusal is not None and refusal.code == "window_open":
        opens = window_for(offer, slot, viewer, now)[0]
    return Offering(
        slot,
        price_for(offer, slot, viewer),
        refusal,
        next_change(offer, slot, viewer, now),
        opens,
        _thanks_to(offer, slot, party, viewer, now) if refusal is None else "",
        offer.few_left,
    )


def _thanks_to(offer: Offer, slot: Slot, party: Party, viewer: Viewer, now: dt.datetime) -> str:
    """What the membership gives: the session itself, or to book it before others."""
    if not viewer.memberships or not (offer.members_only or offer.membership_windows):
        return ""
    others = first_refusal(offer, slot, party, replace(viewer, memberships=()), now)
    if others is None:
        return ""
    return {"member": "member", "window_open": "early"}.get(others.code, "")


def offerings(
    offer: Offer, slots: Iterable[Slot], party: Party, viewer: Viewer, now: dt.datetime
) -> list[Offering]:
    """`offering` of each session."""
    return [offering(offer, slot, party, viewer, now) for slot in slots]


def build_month(
    year: int,
    month: int,
    found: Sequence[Offering],
    offer: Offer,
    *,
    now: dt.datetime,
    scheduled_until: dt.date | None,
    first_weekday: int = 0,
    closed: Mapping[dt.date, str] | None = None,
) -> Month:
    """The month from its offerings in order of start; days beyond the schedule say so (S5).

    `closed` are days on which the site is shut, with the reason that is told.
    """
    today = local_day(now, offer.zone)
    by_day = {
        date: list(group) for date, group in groupby(found, lambda o: o.slot.local_start.date())
    }
    by_day = {
        date: group for date, group in by_day.items() if (date.year, date.month) == (year, month)
    }
    days = {
        date: _shut(
            _day(date, by_day.get(date, []), offer, today, now, scheduled_until), closed or {}
        )
        for date in (
            dt.date(year, month, number + 1) for number in range(months.monthrange(year, month)[1])
        )
    }
    lowest = _mark_cheapest(days)
    changes = [o.changes_at for group in by_day.values() for o in group if o.changes_at]
    changes.append(_next_midnight(today, offer))
    opening = [day.opens_on for day in days.values() if day.opens_on]
    return Month(
        year=year,
        month=month,
        weeks=tuple(
            tuple(days[date] if date.month == month else None for date in week)
            for week in months.Calendar(first_weekday).monthdatescalendar(year, month)
        ),
        lowest=lowest,
        opens_on=min(opening) if opening else None,
        valid_until=min(changes),
        first_bookable=next((d.date for d in days.values() if d.sessions_available), None),
    )


def _shut(day: Day, closed: Mapping[dt.date, str]) -> Day:
    """A day without sessions on which the site is shut; one that still has some stays as it is."""
    if day.state not in ("closed", "unscheduled") or day.date not in closed:
        return day
    return replace(day, state="closed", refusal=closed[day.date])


def say_reason(day: Day) -> str:
    """Why nothing can be booked on a date, in a sentence; empty when something can."""
    if day.sessions_available:
        return ""
    if day.refusal:
        return full_stop(day.refusal)
    return full_stop(_SAID[day.state].capitalize())


def say_cell(day: Day, price: str) -> str:
    """The one sentence a screen reader hears for a date (VISUAL, Structure)."""
    parts = [say_day(day.date)]
    if day.is_today:
        parts.append("today")
    if day.sessions_available:
        if day.thanks_to:
            parts.append("for members" if day.thanks_to == "member" else "early for members")
        is_exact = day.from_price == 0 or not price
        parts.append(price if is_exact else f"from {price}")
        parts.append(f"{count(day.sessions_available, 'session')} available")
        if day.state == "few" and day.places_left is not None:
            parts.append(f"only {count(day.places_left, 'place')} left")
        if day.is_cheapest:
            parts.append("lowest price this month")
    elif day.state == "closed" and day.refusal:
        parts.append(f"closed: {day.refusal}")
    else:
        parts.append(_SAID[day.state].format(when=say_moment(day.opens_at) if day.opens_at else ""))
    return ", ".join(part for part in parts if part) + "."


_SAID = {
    "waiting_list": "fully booked, join the waitlist",
    "full": "fully booked",
    "opens_later": "opens for booking on {when}",
    "members_only": "members only",
    "sign_in": "for customers with an account, sign in",
    "too_soon": "too late to book online, call us",
    "over": "no more sessions today",
    "booked": "you have already booked",
    "nothing": "nothing on sale",
    "unscheduled": "not yet scheduled",
    "closed": "no sessions",
    "past": "past",
}


def _day(
    date: dt.date,
    group: Sequence[Offering],
    offer: Offer,
    today: dt.date,
    now: dt.datetime,
    scheduled_until: dt.date | None,
) -> Day:
    is_today = date == today
    if date < today:
        return Day(date, "past")
    if not group:
        unscheduled = scheduled_until is None or date > scheduled_until
        return Day(date, "unscheduled" if unscheduled else "closed", is_today=is_today)
    bookable = [o for o in group if o.is_bookable]
    marks = tuple(_mark(o, now) for o in group)
    changes_at = min((o.changes_at for o in group if o.changes_at), default=None)
    if not bookable:
        day = _unbookable_day(date, group, offer, is_today=is_today, now=now, marks=marks)
        return replace(day, changes_at=changes_at)
    left = sum(o.left for o in bookable)
    whole_rooms = all(o.slot.max_baskets == 1 for o in bookable)
    few = left <= offer.few_left and not whole_rooms
    return Day(
        date,
        "few" if few else "available",
        from_price=min(
            (o.price.amount for o in bookable if o.price.amount is not None), default=None
        ),
        sessions_available=len(bookable),
        places_left=None if whole_rooms else left,
        is_today=is_today,
        thanks_to=bookable[0].thanks_to if all(o.thanks_to for o in bookable) else "",
        marks=marks,
        changes_at=changes_at,
    )


def _unbookable_day(
    date: dt.date,
    group: Sequence[Offering],
    offer: Offer,
    *,
    is_today: bool,
    now: dt.datetime,
    marks: tuple[tuple[float, str], ...],
) -> Day:
    coming = [o for o in group if o.slot.start_time > now]
    if not coming:
        return Day(date, "over", is_today=is_today)
    states = {o.state for o in coming}
    state = next((near for near in NEARNESS if near in states), "nothing")
    told = next((o for o in coming if o.state == state), None)
    opens = [o.opens_at for o in group if o.opens_at is not None]
    opens_at = to_local(min(opens), offer.zone) if state == "opens_later" and opens else None
    return Day(
        date,
        state,
        is_today=is_today,
        opens_at=opens_at,
        marks=marks,
        refusal=told.refusal.sentence if told and told.refusal else "",
        code=told.refusal.code if told and told.refusal else "",
    )


def _mark(found: Offering, now: dt.datetime) -> tuple[float, str]:
    start = found.slot.local_start
    kind = "free" if found.is_bookable else "off"
    return (start.hour + start.minute / 60, "few" if found.is_few else kind)


def _mark_cheapest(days: dict[dt.date, Day]) -> int | None:
    """Mark every day at the month's lowest price, unless that is more than half (VISUAL)."""
    priced = [day for day in days.values() if day.from_price is not None]
    if not priced:
        return None
    lowest = min(day.from_price for day in priced if day.from_price is not None)
    cheapest = [day for day in priced if day.from_price == lowest]
    if 2 * len(cheapest) <= len(priced):
        for day in cheapest:
            days[day.date] = replace(day, is_cheapest=True)
    return lowest


def _next_midnight(today: dt.date, offer: Offer) -> dt.datetime:
    tomorrow = dt.datetime.combine(today + dt.timedelta(days=1), dt.time())
    return tomorrow.replace(tzinfo=offer.zone).astimezone(dt.UTC)
