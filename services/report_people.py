"""Who comes, how early they book, and what becomes of waiting parties (`domain.reporting`)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from domain.reporting import LEADS, LONGEST_LEAD, Period, Step
from models import Customer, Order, Session, SessionBooking, db
from services.reports import SOLD, Scope


@dataclass(slots=True)
class Orders:
    """Orders confirmed in one step of a period."""

    first: int = 0
    later: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.first + self.later + self.unknown


@dataclass(frozen=True, slots=True)
class Visitors:
    """New and returning customers of a period; `by_step` counts orders."""

    new: int
    returning: int
    unknown: int
    by_step: tuple[Orders, ...]


@dataclass(frozen=True, slots=True)
class Leads:
    """Bookings by how long before the start they were made, and the median in seconds."""

    bookings: tuple[tuple[str, int], ...]
    guests: tuple[int, ...]
    median: int | None

    @property
    def total(self) -> int:
        """Bookings in all."""
        return sum(number for _, number in self.bookings)


@dataclass(slots=True)
class Waited:
    """What became of parties that joined waiting lists."""

    joined: int = 0
    accepted: int = 0
    waiting: int = 0
    offered: int = 0
    missed: int = 0
    left: int = 0
    closed: int = 0
    guests: int = 0
    accepted_guests: int = 0

    def add(self, other: "Waited") -> None:
        """Count the other's in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waiting lists of a period: in all, by step of joining, by session type."""

    whole: Waited
    by_step: tuple[Waited, ...]
    by_type: dict[str, Waited] = field(default_factory=dict)


def count_visitors(scope: Scope, period: Period, all_steps: Sequence[Step]) -> Visitors:
    """New customers, those who came back, and orders without an address. Two statements.

    A customer is new when their first order ever with the organisation was confirmed here in the
    period; rows with one address are one person.
    """
    first, end = period.edges(scope.zone)
    person = sa.case((Customer.address_key != "", Customer.address_key), else_=Customer.id)
    is_known = sa.or_(Customer.address_key != "", Customer.account_id.is_not(None))
    here = (
        Order.organisation_id == scope.organisation_id,
        Order.site_id.in_(scope.site_ids),
        Order.confirmed_at >= first,
        Order.confirmed_at < end,
        *_of_wanted_sessions(scope),
    )
    firsts = (
        sa.select(person.label("person"), sa.func.min(Order.confirmed_at).label("at"))
        .select_from(Customer)
        .join(Order, Order.customer_id == Customer.id)
        .where(
            Customer.organisation_id == scope.organisation_id,
            Order.organisation_id == scope.organisation_id,
            Order.confirmed_at.is_not(None),
            is_known,
        )
        .group_by(person)
        .cte("firsts")
    )
    # Two orders of one moment are one first order: the people are counted, not their orders.
    newcomer = sa.case((firsts.c.at == Order.confirmed_at, firsts.c.person))
    step = _step(Order.confirmed_at, all_steps, scope).label("step")
    rows = db.session.execute(
        sa.select(
            step,
            sa.func.count(),
            sa.func.count(firsts.c.person),
            sa.func.count(sa.distinct(newcomer)),
        )
        .select_from(Order)
        .join(Customer, sa.and_(Customer.id == Order.customer_id, is_known), isouter=True)
        .join(firsts, firsts.c.person == person, isouter=True)
        .where(*here)
        .group_by(step)
    )
    by_step = [Orders() for _ in all_steps]
    for number, orders, known, new in rows:
        by_step[number] = Orders(new, known - new, orders - known)
    came = sa.select(Order.customer_id).where(*here).distinct()
    people = db.session.scalar(
        sa.select(sa.func.count(sa.distinct(person))).where(
            Customer.organisation_id == scope.organisation_id, Customer.id.in_(came), is_known
        )
    )
    new = sum(one.first for one in by_step)
    return Visitors(new, int(people or 0) - new, sum(o.unknown for o in by_step), tuple(by_step))


def count_leads(scope: Scope, period: Period) -> Leads:
    """Bookings confirmed in the period by their lead time, cancelled ones too. One statement.

    Counted by the whole hour, which is what the median is told in.
    """
    first, end = period.edges(scope.zone)
    start = sa.extract("epoch", Session.start_time)
    seconds = sa.cast(start - sa.extract("epoch", Order.confirmed_at), sa.BigInteger)
    booked = (
        sa.select(
            SessionBooking.organisation_id,
            sa.or_(SessionBooking.is_walk_in, seconds <= 0).label("at_the_door"),
            (seconds // 3600).label("hours"),
            SessionBooking.places.label("places"),
        )
        .join(Order, Order.id == SessionBooking.order_id)
        .join(Session, Session.id == SessionBooking.session_id)
        .where(
            *scope.wanted,
            SOLD,
            Order.organisation_id == scope.organisation_id,
            Order.site_id.in_(scope.site_ids),
            Order.confirmed_at >= first,
            Order.confirmed_at < end,
        )
        .subquery("booked")
    )
    columns = (booked.c.at_the_door, booked.c.hours)
    rows = db.session.execute(
        sa.select(*columns, sa.func.count(), sa.func.sum(booked.c.places))
        .where(booked.c.organisation_id == scope.organisation_id)
        .group_by(*columns)
        .order_by(booked.c.hours)
    ).all()
    names = [*(name for name, _ in LEADS), LONGEST_LEAD]
    bookings, guests = [0] * len(names), [0] * len(names)
    for at_the_door, hours, number, places in rows:
        bucket = 0 if at_the_door else _bucket(hours)
        bookings[bucket] += number
        guests[bucket] += int(places)
    return Leads(tuple(zip(names, bookings, strict=True)), tuple(guests), _median(rows))


def count_waiting_parties(
    scope: Scope, period: Period, all_steps: Sequence[Step], *, now: dt.datetime
) -> Waiting:
    """Parties that joined in the period and what became of them by now (W1-W4). One statement."""
    first, end = period.edges(scope.zone)
    is_over = Session.start_time <= now
    outcome: Any = sa.case(
        (SOLD, "accepted"),
        (SessionBooking.cancelled_by == "customer", "left"),
        # A deadline that nobody met, or a session that began while the party waited.
        (SessionBooking.cancelled_by == "expired", "missed"),
        (SessionBooking.cancelled_at.is_not(None), "closed"),
        (is_over, "missed"),
        (SessionBooking.status == "waitlisted", "waiting"),
        else_="offered",
    )
    asked = (
        sa.select(
            SessionBooking.organisation_id,
            _step(SessionBooking.waiting_since, all_steps, scope).label("step"),
            SessionBooking.session_type_id.label("type_id"),
            outcome.label("outcome"),
            SessionBooking.places.label("places"),
        )
        .join(Session, Session.id == SessionBooking.session_id)
        .where(
            *scope.wanted,
            SessionBooking.waiting_since >= first,
            SessionBooking.waiting_since < end,
        )
        .subquery("asked")
    )
    columns = (asked.c.step, asked.c.type_id, asked.c.outcome)
    rows = db.session.execute(
        sa.select(*columns, sa.func.count(), sa.func.sum(asked.c.places))
        .where(asked.c.organisation_id == scope.organisation_id)
        .group_by(*columns)
    )
    whole, by_step = Waited(), [Waited() for _ in all_steps]
    by_type: dict[str, Waited] = defaultdict(Waited)
    for number, type_id, became, parties, guests in rows:
        one = Waited(joined=parties, guests=int(guests))
        setattr(one, became, parties)
        if became == "accepted":
            one.accepted_guests = int(guests)
        for mine in (whole, by_step[number], by_type[type_id]):
            mine.add(one)
    return Waiting(whole, tuple(by_step), dict(by_type))


def _of_wanted_sessions(scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    """Orders with a line that a filtered report is about."""
    if not scope.is_filtered:
        return ()
    lines = (
        sa.select(SessionBooking.order_id)
        .join(Session, Session.id == SessionBooking.session_id)
        .where(*scope.wanted, SOLD)
    )
    return (Order.id.in_(lines),)


def _step(column: Any, all_steps: Sequence[Step], scope: Scope) -> Any:
    """The number of the step that an instant lies in, by the site's days (T5)."""
    ends = [Period(step.first, step.last).edges(scope.zone)[1] for step in all_steps]
    return sa.case(
        *((column < end, sa.literal_column(str(number))) for number, end in enumerate(ends)),
        else_=sa.literal_column(str(len(ends) - 1)),
    )


def _bucket(hours: int) -> int:
    """The number of the lead time of LEADS that so many whole hours belong to."""
    later = (number for number, (_, under) in enumerate(LEADS) if number and hours < under)
    return next(later, len(LEADS))


def _median(rows: Sequence[Any]) -> int | None:
    """The lead time that half of the bookings have at least; the lower of two in the middle.

    `rows` are in order of their second column, the hours; the third is how many bookings.
    """
    left = (sum(row[2] for row in rows) + 1) // 2
    for row in rows:
        left -= row[2]
        if left <= 0:
            return int(row[1]) * 3600
    return None
