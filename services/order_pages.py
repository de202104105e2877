"""Finding a site's orders, and everything staff see of one."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from domain.changing import Books
from domain.errors import NotFound
from domain.fees import Charged
from domain.ledger import (
    Balanced,
    Entry,
    books_of,
    comped,
    mark_of_ledger,
    owed_back,
    with_balances,
)
from domain.local_time import to_utc
from models import Customer, Order, Session, SessionBooking, db
from services.checkout import SOLD
from services.customers import names_of_accounts
from services.fees import find_standing_fees
from services.ledger import find_entries
from services.outbox_desk import Posted, Scope, list_about_order

PAGE = 25
"""Orders on one page of the list."""
MOST_WORDS = 6

STATES = ("confirmed", "cancelled")
OWING = ("overdue", "due", "back", "settled")
SORTS = ("newest", "oldest", "most", "name")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is asked for; an empty value asks for nothing.

    The days are those on which orders were made, by the site's calendar, both included.
    """

    search: str = ""
    state: str = ""
    owing: str = ""
    first_day: dt.date | None = None
    last_day: dt.date | None = None
    sort: str = SORTS[0]


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order in the list; sums in minor units."""

    id: str
    order_ref: str
    name: str
    email: str
    state: str
    currency: str
    made_at: dt.datetime
    what: str
    more: int
    places: int
    local_start: dt.datetime | None
    start_time: dt.datetime | None
    balance: int

    def is_overdue(self, now: dt.datetime) -> bool:
        """Whether something is due of which a session has begun."""
        return self.balance > 0 and (self.start_time is None or self.start_time <= now)


@dataclass(frozen=True, slots=True)
class OrderList:
    """One page of the orders that match, with how many there are in all."""

    lines: tuple[OrderLine, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class OrderPage:
    """An order with its bookings, its books and the mails about it."""

    order: Order
    bookings: tuple[SessionBooking, ...]
    ledger: tuple[Balanced, ...]
    entries: tuple[Entry, ...]
    books: Books
    comped: int
    owed_back: int
    mails: tuple[Posted, ...]
    names: dict[str, str]
    mark: str
    fees: dict[str, Charged]
    """By booking, what stands charged for coming late or not at all."""

    @property
    def due(self) -> int:
        """What is still to be paid, never below 0."""
        return max(0, self.books.balance)

    @property
    def live(self) -> tuple[SessionBooking, ...]:
        """The bookings that stand."""
        return tuple(line for line in self.bookings if line.cancelled_at is None)

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters that could be sent once more."""
        if not self.order.email:
            return ()
        has_ended = len(self.live) < len(self.bookings)
        return ("booking_confirmed",) * bool(self.live) + ("booking_cancelled",) * has_ended


def list_orders(
    organisation_id: str,
    site_id: str,
    wanted: Wanted,
    *,
    zone: ZoneInfo,
    now: dt.datetime,
    page: int = 1,
    size: int = PAGE,
) -> OrderList:
    """The site's orders that match, in as many statements for many as for one.

    Every word must be in the reference, name, mail or phone.
    """
    matches = _matches(organisation_id, site_id, wanted, zone, now)
    total = (
        db.session.scalar(
            sa.select(sa.func.count()).select_from(Order).outerjoin(Order.customer).where(*matches)
        )
        or 0
    )
    pages = max(1, -(-total // size))
    page = min(max(1, page), pages)
    rows = db.session.execute(
        sa.select(Order, Order.balance)
        .outerjoin(Order.customer)
        .where(*matches)
        .order_by(*_order_by(wanted.sort))
        .limit(size)
        .offset((page - 1) * size)
    ).all()
    lines = _lines_of(organisation_id, [row[0].id for row in rows])
    found = tuple(_order_line(row[0], row[1], lines[row[0].id]) for row in rows)
    return OrderList(found, total, page, pages)


def find_order_page(
    organisation_id: str, site_id: str, order_id: str, *, now: dt.datetime
) -> OrderPage:
    """Everything staff see of one order; raises NotFound for another site's (D1)."""
    order = db.session.scalar(
        sa.select(Order)
        .where(
            Order.organisation_id == organisation_id,
            Order.site_id == site_id,
            Order.id == order_id,
            Order.state.in_(SOLD),
        )
        .options(joinedload(Order.site), joinedload(Order.customer))
        .execution_options(populate_existing=True)
    )
    if order is None:
        raise NotFound("We couldn't find that order.")
    bookings = _bookings_of(organisation_id, order_id)
    entries = find_entries(organisation_id, order_id)
    scope = Scope(organisation_id, site_id)
    mails = list_about_order(
        scope, order_id, [row.id for row in bookings], since=order.created_at, now=now
    )
    staff = [entry.by_id for entry in entries] + [row.booked_by_id for row in bookings]
    return OrderPage(
        order=order,
        bookings=tuple(bookings),
        ledger=with_balances(entries),
        entries=entries,
        books=books_of(entries),
        comped=comped(entries),
        owed_back=owed_back(entries),
        mails=tuple(mails),
        names=names_of_accounts(staff),
        mark=mark_of_ledger(entries),
        fees=find_standing_fees(organisation_id, [row.id for row in bookings if row.fee]),
    )


def _bookings_of(organisation_id: str, order_id: str) -> Sequence[SessionBooking]:
    """Whatever was sold, by its start; holds that ran out are none."""
    return db.session.scalars(
        sa.select(SessionBooking)
        .join(SessionBooking.session)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.order_id == order_id,
            SessionBooking.status == "confirmed",
        )
        .options(
            contains_eager(SessionBooking.session).options(
                joinedload(Session.room), joinedload(Session.practitioner)
            ),
            joinedload(SessionBooking.order_item),
            selectinload(SessionBooking.guests),
        )
        .order_by(Session.start_time, SessionBooking.id)
        .execution_options(populate_existing=True)
    ).all()


def _matches(
    organisation_id: str, site_id: str, wanted: Wanted, zone: ZoneInfo, now: dt.datetime
) -> list[sa.ColumnElement[bool]]:
    states = [wanted.state] if wanted.state in STATES else SOLD
    matches: list[sa.ColumnElement[bool]] = [
        Order.organisation_id == organisation_id,
        Order.site_id == site_id,
        Order.state.in_(states),
    ]
    for word in wanted.search.split()[:MOST_WORDS]:
        matches.append(_has_word(word))
    if wanted.first_day:
        matches.append(Order.confirmed_at >= _midnight(wanted.first_day, zone))
    if wanted.last_day and wanted.last_day < dt.date.max:
        after = wanted.last_day + dt.timedelta(days=1)
        matches.append(Order.confirmed_at < _midnight(after, zone))
    if wanted.owing in OWING:
        matches.append(_owes(organisation_id, wanted.owing, now))
    return matches


def _owes(organisation_id: str, owing: str, now: dt.datetime) -> sa.ColumnElement[bool]:
    balance: sa.ColumnElement[int] = sa.type_coerce(Order.balance, sa.BigInteger)
    if owing == "overdue":
        begun = SessionBooking.session.has(Session.start_time <= now)
        return sa.and_(balance > 0, Order.id.in_(_orders_with(organisation_id, begun)))
    return {"due": balance > 0, "back": balance < 0, "settled": balance == 0}[owing]


def _orders_with(organisation_id: str, which: sa.ColumnElement[bool]) -> sa.Select[str]:
    """Orders of which some booking that stands is like that."""
    return sa.select(SessionBooking.order_id).where(
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.status == "confirmed",
        SessionBooking.cancelled_at.is_(None),
        which,
    )


def _has_word(word: str) -> sa.ColumnElement[bool]:
    # SQLite's LIKE folds ASCII letters only; the usual spellings are asked for as well.
    spellings = {word, word.lower(), word.capitalize()}
    return sa.or_(
        Order.order_ref.icontains(word, autoescape=True),
        *(Order.name.icontains(spelling, autoescape=True) for spelling in spellings),
        Order.email.icontains(word, autoescape=True),
        sa.func.replace(Customer.phone, " ", "").contains(word, autoescape=True),
    )


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return to_utc(dt.datetime.combine(day, dt.time()), zone)


def _order_by(sort: str) -> tuple[Any, ...]:
    newest = (Order.confirmed_at.desc(), Order.id.desc())
    ways: dict[str, tuple[Any, ...]] = {
        "oldest": (Order.confirmed_at.asc(), Order.id.asc()),
        "most": (sa.func.abs(Order.balance).desc(), *newest),
        "name": (sa.func.lower(Order.name).asc(), *newest),
    }
    return ways.get(sort, newest)


@dataclass(frozen=True, slots=True)
class _Told:
    """One line of an order, for the list."""

    name: str
    places: int
    local_start: dt.datetime
    start_time: dt.datetime
    stands: bool


def _lines_of(organisation_id: str, order_ids: Sequence[str]) -> dict[str, list[_Told]]:
    """The lines of each order, the first session first."""
    found: dict[str, list[_Told]] = defaultdict(list)
    rows = db.session.execute(
        sa.select(
            SessionBooking.order_id,
            SessionBooking.session_type_name,
            SessionBooking.places,
            Session.local_start,
            Session.start_time,
            SessionBooking.cancelled_at.is_(None),
        )
        .join(SessionBooking.session)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.order_id.in_(order_ids),
            SessionBooking.status == "confirmed",
        )
        .order_by(Session.start_time, SessionBooking.id)
    )
    for order_id, name, places, local_start, start, stands in rows:
        found[order_id].append(_Told(name, places, local_start, start, bool(stands)))
    return found


def _order_line(order: Order, balance: int, lines: Sequence[_Told]) -> OrderLine:
    # What stands speaks for the order; one that is cancelled shows what it was.
    told = [line for line in lines if line.stands] or list(lines)
    return OrderLine(
        id=order.id,
        order_ref=order.order_ref,
        name=order.name,
        email=order.email,
        state=order.state,
        currency=order.currency,
        made_at=order.confirmed_at or order.created_at,
        what=told[0].name if told else "",
        more=max(0, len(told) - 1),
        places=sum(line.places for line in told),
        local_start=told[0].local_start if told else None,
        start_time=told[0].start_time if told else None,
        balance=balance,
    )
