"""How full, how much, how many stayed away: aggregated by the database, one site or several.

What each figure means stands in `domain.reporting`. Every function is bound to the organisation
and sites of its Scope and makes the same number of statements however much there is to count.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.errors import NotFound
from domain.reporting import Period
from models import (
    LedgerEntry,
    Order,
    OrderItem,
    Practitioner,
    Room,
    Session,
    SessionBooking,
    SessionType,
    db,
    practitioner_sites,
)
from services.facts import Venue


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sessions a report is about; a filter that is None lets all through."""

    organisation_id: str
    site_ids: tuple[str, ...]
    zone: ZoneInfo
    type_id: str | None = None
    practitioner_id: str | None = None
    room_id: str | None = None

    @property
    def is_filtered(self) -> bool:
        """Some sessions only: money of whole orders can't be told apart by them."""
        return any((self.type_id, self.practitioner_id, self.room_id))

    @property
    def wanted(self) -> tuple[sa.ColumnElement[bool], ...]:
        """What a session must be to count, whenever it is."""
        filters = (
            (Session.session_type_id, self.type_id),
            (Session.practitioner_id, self.practitioner_id),
            (Session.room_id, self.room_id),
        )
        return (
            Session.organisation_id == self.organisation_id,
            Session.site_id.in_(self.site_ids),
            *(column == value for column, value in filters if value),
        )

    def during(self, period: Period) -> tuple[sa.ColumnElement[bool], ...]:
        """The same, on these local days (T5)."""
        first, end = period.local_edges
        return (*self.wanted, Session.local_start >= first, Session.local_start < end)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a site's reports can be narrowed to: id and name, archived ones included."""

    types: tuple[tuple[str, str], ...]
    practitioners: tuple[tuple[str, str], ...]
    rooms: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Worth:
    """What lines were sold for, in minor units of one currency, by whether it has begun."""

    recognised: int = 0
    ahead: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.recognised + self.ahead


@dataclass(slots=True)
class Tally:
    """What was counted under one key of a report."""

    sessions: int = 0
    capacity: int = 0
    guests: int = 0
    bookings: int = 0
    # Of those, in sessions that have started.
    due: int = 0
    due_parties: int = 0
    missed: int = 0
    missed_parties: int = 0
    worth: dict[str, Worth] = field(default_factory=lambda: defaultdict(Worth))

    def add(self, other: "Tally") -> None:
        """Count the other's in."""
        for name in self.__slots__:
            if name != "worth":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        for currency, sums in other.worth.items():
            self.worth[currency].recognised += sums.recognised
            self.worth[currency].ahead += sums.ahead


@dataclass(frozen=True, slots=True)
class Loose:
    """What the ledger says beyond the lines of the orders whose first session is on this day."""

    day: dt.date
    currency: str
    recognised: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """From the ledger of all orders that touch a period to the period's revenue (M1)."""

    currency: str
    charges: int
    adjustments: int
    other_days: int

    @property
    def revenue(self) -> int:
        """What the report must say in all: recognised, booked ahead and not tied."""
        return self.charges + self.adjustments - self.other_days


@dataclass(frozen=True, slots=True)
class Taken:
    """Money that changed hands on the days of a period, by method; refunds are below 0."""

    method: str
    currency: str
    payments: int
    refunds: int
    number: int


KEYS: dict[str, Any] = {
    "day": sa.func.date(Session.local_start, type_=sa.Date()),
    "weekday": sa.extract("dow", Session.local_start),
    "hour": sa.extract("hour", Session.local_start),
    "type": Session.session_type_id,
    "room": Session.room_id,
    "practitioner": Session.practitioner_id,
    "site": Session.site_id,
    "centre": SessionType.revenue_centre,
}
"""What a tally can be grouped by; a weekday comes out as 0 for Monday."""

SOLD = SessionBooking.status == "confirmed"
LIVE = sa.and_(SOLD, SessionBooking.cancelled_at.is_(None))
WORTH = SessionBooking.places * OrderItem.unit_price + SessionBooking.fee


def list_choices(organisation_id: str, site_id: str) -> Choices:
    """What this site's reports can be narrowed to, by name."""
    led_here = (
        sa.select(Session.id)
        .where(
            Session.organisation_id == organisation_id,
            Session.practitioner_id == Practitioner.id,
            Session.site_id == site_id,
        )
        .exists()
    )
    works_here = (
        sa.select(practitioner_sites.c.site_id)
        .where(
            practitioner_sites.c.practitioner_id == Practitioner.id,
            practitioner_sites.c.site_id == site_id,
        )
        .exists()
    )
    return Choices(
        _named(SessionType, organisation_id, SessionType.site_id == site_id),
        _named(Practitioner, organisation_id, sa.or_(works_here, led_here)),
        _named(Room, organisation_id, Room.site_id == site_id),
    )


def scope_of(
    venue: Venue,
    choices: Choices,
    *,
    type_id: str = "",
    practitioner_id: str = "",
    room_id: str = "",
) -> Scope:
    """A site's scope with its filters; NotFound for what is not one of the site's (D1)."""
    asked = (
        (type_id, choices.types),
        (practitioner_id, choices.practitioners),
        (room_id, choices.rooms),
    )
    if any(wanted and wanted not in dict(known) for wanted, known in asked):
        raise NotFound("This venue has nothing like that to report on.")
    return Scope(
        venue.organisation_id,
        (venue.id,),
        venue.zone,
        type_id or None,
        practitioner_id or None,
        room_id or None,
    )


def tally(
    scope: Scope, period: Period, keys: Sequence[str], *, priced: bool = True, now: dt.datetime
) -> dict[tuple[Any, ...], Tally]:
    """Sessions, places, guests, no-shows and money on these days, by `keys` (of KEYS).

    Two statements: what could be sold, and what was. Occupancy leaves cancelled sessions out.
    Without `priced` no money is counted, which spares the database most of the work.
    """
    columns = [KEYS[key] for key in keys]
    found: dict[tuple[Any, ...], Tally] = defaultdict(Tally)
    for row in db.session.execute(_offered(scope, period, columns)):
        mine = found[_key(keys, row)]
        mine.sessions, mine.capacity = row[-2], int(row[-1])
    for row in db.session.execute(_bought(scope, period, columns, now, priced)):
        currency = row[len(keys)] if priced else ""
        found[_key(keys, row)].add(_counted(currency, [int(v or 0) for v in row[-8:]]))
    return dict(found)


def summed(tallies: Sequence[Tally]) -> Tally:
    """All of them as one."""
    whole = Tally()
    for one in tallies:
        whole.add(one)
    return whole


def find_books(
    scope: Scope, period: Period, *, now: dt.datetime
) -> tuple[tuple[Loose, ...], tuple[Ledger, ...]]:
    """What no line accounts for, by day, and the way from the ledger to the period's revenue (M1).

    One statement. Both are empty for a scope that is filtered, since an order's fee or discount
    belongs to no one type, room or practitioner.
    """
    if scope.is_filtered:
        return (), ()
    loose: list[Loose] = []
    ledgers: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in db.session.execute(_books(scope, period, now)):
        charges, adjustments, outside, recognised, ahead = (int(value or 0) for value in row[2:])
        rest = recognised + ahead
        is_inside = period.first <= row.day <= period.last
        if is_inside and (recognised or ahead):
            loose.append(Loose(row.day, row.currency, recognised, ahead))
        other = outside if is_inside else outside + rest
        sums = ledgers[row.currency]
        for number, value in enumerate((charges, adjustments, other)):
            sums[number] += value
    return tuple(loose), tuple(Ledger(currency, *sums) for currency, sums in ledgers.items())


def list_taken(scope: Scope, period: Period) -> tuple[Taken, ...]:
    """Payments and refunds written on these days, by method; nothing for a filtered scope."""
    if scope.is_filtered:
        return ()
    first, end = period.edges(scope.zone)
    is_payment = LedgerEntry.kind == "payment"
    rows = db.session.execute(
        sa.select(
            LedgerEntry.method,
            LedgerEntry.currency,
            # The ledger writes what was paid below 0, as it lowers the balance.
            -sa.func.sum(sa.case((is_payment, LedgerEntry.amount), else_=0)),
            -sa.func.sum(sa.case((is_payment, 0), else_=LedgerEntry.amount)),
            sa.func.count(LedgerEntry.id),
        )
        .join(Order, Order.id == LedgerEntry.order_id)
        .where(
            LedgerEntry.organisation_id == scope.organisation_id,
            Order.site_id.in_(scope.site_ids),
            LedgerEntry.kind.in_(("payment", "refund")),
            LedgerEntry.created_at >= first,
            LedgerEntry.created_at < end,
        )
        .group_by(LedgerEntry.method, LedgerEntry.currency)
        .order_by(LedgerEntry.currency, LedgerEntry.method)
    )
    return tuple(Taken(row[0], row[1], int(row[2]), int(row[3]), row[4]) for row in rows)


def _named(model: Any, organisation_id: str, here: Any) -> tuple[tuple[str, str], ...]:
    rows = db.session.execute(
        sa.select(model.id, model.name)
        .where(model.organisation_id == organisation_id, here)
        .order_by(model.name, model.id)
    )
    return tuple((row[0], row[1]) for row in rows)


def _offered(scope: Scope, period: Period, columns: list[Any]) -> Any:
    return (
        sa.select(*columns, sa.func.count(Session.id), sa.func.sum(Session.capacity))
        .join(SessionType, SessionType.id == Session.session_type_id)
        .where(*scope.during(period), Session.deleted_at.is_(None))
        .group_by(*columns)
    )


def _bought(
    scope: Scope, period: Period, columns: list[Any], now: dt.datetime, priced: bool
) -> Any:
    stands = Session.deleted_at.is_(None)
    due = sa.and_(stands, Session.start_time <= now)
    missed = sa.and_(due, SessionBooking.is_no_show)
    places, begun = SessionBooking.places, Session.start_time <= now
    by = [*columns, OrderItem.currency] if priced else columns
    worth: Any = WORTH if priced else sa.literal_column("0")
    query = (
        sa.select(
            *by,
            _sum_if(stands, places),
            _sum_if(stands, 1),
            _sum_if(due, places),
            _sum_if(due, 1),
            _sum_if(missed, places),
            _sum_if(missed, 1),
            _sum_if(begun, worth),
            _sum_if(sa.not_(begun), worth),
        )
        .select_from(Session)
        .join(SessionType, SessionType.id == Session.session_type_id)
        .join(SessionBooking, SessionBooking.session_id == Session.id)
        .where(*scope.during(period), LIVE)
        .group_by(*by)
    )
    return query.join(OrderItem, OrderItem.id == SessionBooking.order_item_id) if priced else query


def _books(scope: Scope, period: Period, now: dt.datetime) -> Any:
    """Per day of the orders' first sessions and currency: their ledger, and what is left of it."""
    first, end = period.local_edges
    touched = (
        sa.select(SessionBooking.order_id)
        .join(Session, Session.id == SessionBooking.session_id)
        .where(*scope.during(period), SOLD)
        .distinct()
        .cte("touched")
    )
    is_live = SessionBooking.cancelled_at.is_(None)
    is_inside = sa.and_(Session.local_start >= first, Session.local_start < end)
    lines = (
        sa.select(
            SessionBooking.order_id,
            sa.func.min(Session.local_start).label("local_start"),
            sa.func.min(Session.start_time).label("start_time"),
            _sum_if(is_live, WORTH).label("worth"),
            _sum_if(sa.and_(is_live, sa.not_(is_inside)), WORTH).label("outside"),
        )
        .join(touched, touched.c.order_id == SessionBooking.order_id)
        .join(Session, Session.id == SessionBooking.session_id)
        .join(OrderItem, OrderItem.id == SessionBooking.order_item_id)
        .where(SessionBooking.organisation_id == scope.organisation_id, SOLD)
        .group_by(SessionBooking.order_id)
        .subquery("lines")
    )
    # The sums of an order's ledger stand beside it: the database keeps them (M1).
    rest = Order.charged + Order.adjusted - lines.c.worth
    day = sa.func.date(lines.c.local_start, type_=sa.Date())
    begun = lines.c.start_time <= now
    return (
        sa.select(
            day.label("day"),
            Order.currency.label("currency"),
            sa.func.sum(Order.charged),
            sa.func.sum(Order.adjusted),
            sa.func.sum(lines.c.outside),
            _sum_if(begun, rest),
            _sum_if(sa.not_(begun), rest),
        )
        .select_from(lines)
        .join(Order, Order.id == lines.c.order_id)
        .where(Order.organisation_id == scope.organisation_id)
        .group_by(day, Order.currency)
        .order_by(day, Order.currency)
    )


def _counted(currency: str, sums: list[int]) -> Tally:
    guests, bookings, due, due_parties, missed, missed_parties, recognised, ahead = sums
    return Tally(
        guests=guests,
        bookings=bookings,
        due=due,
        due_parties=due_parties,
        missed=missed,
        missed_parties=missed_parties,
        worth={currency: Worth(recognised, ahead)} if currency else {},
    )


def _sum_if(condition: Any, value: Any) -> Any:
    return sa.func.sum(sa.case((condition, value), else_=0))


def _key(keys: Sequence[str], row: Any) -> tuple[Any, ...]:
    return tuple(_plain(key, row[number]) for number, key in enumerate(keys))


def _plain(key: str, value: Any) -> Any:
    """Weekdays from Monday, as Python counts; the database begins with Sunday."""
    if key == "weekday":
        return (int(value) + 6) % 7
    return int(value) if key == "hour" else value
