"""Everything that happened with one customer, a page of a kind at a time."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from models import IntakeAnswer, LedgerEntry, Order, Session, SessionBooking, Site, db
from services.checkout import SOLD
from services.customers import BookingLine, lines_of_bookings
from services.outbox_desk import Posted, list_about_customer

PAGE = 20
KINDS = ("bookings", "orders", "mails", "forms")
STATES = ("", "coming", "past", "noshow", "cancelled")

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class Part(Generic[Line]):
    """One page of lines, newest first, with how many there are in all."""

    lines: tuple[Line, ...]
    total: int
    number: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE))


@dataclass(frozen=True, slots=True)
class Totals:
    """A customer in numbers; money in minor units by currency.

    A visit is a booking that was checked in, `spent` what was paid and not given back.
    """

    visits: int
    coming: int
    no_shows: int
    cancelled: int
    spent: dict[str, int]
    due: dict[str, int]


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order with what is open on it."""

    id: str
    order_ref: str
    site_id: str
    place: str
    state: str
    made_at: dt.datetime
    currency: str
    charged: int
    balance: int


@dataclass(frozen=True, slots=True)
class FormLine:
    """A form that was answered for a booking; what it says is on the booking's own page."""

    booking_id: str
    site_id: str
    name: str
    local_start: dt.datetime
    people: int
    updated_at: dt.datetime


def find_totals(organisation_id: str, customer_id: str, *, now: dt.datetime) -> Totals:
    """The customer in numbers; two statements."""
    stands = SessionBooking.cancelled_at.is_(None)
    row = db.session.execute(
        sa.select(
            sa.func.count().filter(SessionBooking.checked_in_at.is_not(None)),
            sa.func.count().filter(stands, Session.start_time > now),
            sa.func.count().filter(SessionBooking.is_no_show, stands),
            sa.func.count().filter(SessionBooking.cancelled_at.is_not(None)),
        )
        .select_from(SessionBooking)
        .join(SessionBooking.session)
        .where(*_booked(organisation_id, customer_id))
    ).one()
    paid = sa.func.sum(LedgerEntry.amount).filter(LedgerEntry.kind.in_(("payment", "refund")))
    money = db.session.execute(
        sa.select(Order.currency, paid, sa.func.sum(LedgerEntry.amount))
        .join(LedgerEntry, LedgerEntry.order_id == Order.id)
        .where(*_ordered(organisation_id, customer_id))
        .group_by(Order.currency)
    ).all()
    return Totals(
        *row,
        spent={currency: -int(taken) for currency, taken, _ in money if taken},
        due={currency: int(open_) for currency, _, open_ in money if open_},
    )


def list_bookings(
    organisation_id: str,
    customer_id: str,
    *,
    state: str = "",
    number: int = 1,
    size: int = PAGE,
    now: dt.datetime,
) -> Part[BookingLine]:
    """A page of what was confirmed for them, the latest session first; coming ones soonest."""
    which = (*_booked(organisation_id, customer_id), *_in_state(state, now))
    query = sa.select(SessionBooking.id).join(SessionBooking.session).where(*which)
    order = Session.start_time.asc() if state == "coming" else Session.start_time.desc()
    total, page = _page(query, (order, SessionBooking.id), number, size)
    return Part(tuple(lines_of_bookings(organisation_id, page)), total, number)


def list_orders(organisation_id: str, customer_id: str, *, number: int = 1) -> Part[OrderLine]:
    """A page of their orders with balances, the newest first."""
    query = sa.select(Order.id).where(*_ordered(organisation_id, customer_id))
    total, ids = _page(query, (Order.confirmed_at.desc(), Order.id), number, PAGE)
    charged = sa.func.sum(LedgerEntry.amount).filter(LedgerEntry.kind.in_(("charge", "adjustment")))
    rows = db.session.execute(
        sa.select(Order, Site.name, Site.place, charged, sa.func.sum(LedgerEntry.amount))
        .join(Site, Order.site_id == Site.id)
        .outerjoin(LedgerEntry, LedgerEntry.order_id == Order.id)
        .where(Order.organisation_id == organisation_id, Order.id.in_(ids))
        .group_by(Order.id, Site.id)
        .order_by(Order.confirmed_at.desc(), Order.id)
    ).all()
    lines = tuple(
        OrderLine(
            order.id,
            order.order_ref,
            order.site_id,
            f"{name} {place}".strip(),
            order.state,
            order.confirmed_at or order.created_at,
            order.currency,
            int(cost or 0),
            int(balance or 0),
        )
        for order, name, place, cost, balance in rows
    )
    return Part(lines, total, number)


def list_mails(
    organisation_id: str, customer_id: str, *, number: int = 1, now: dt.datetime
) -> Part[Posted]:
    """A page of the mails about their bookings; sent ones are kept for 30 days."""
    letters, total = list_about_customer(
        organisation_id, customer_id, number=number, size=PAGE, now=now
    )
    return Part(tuple(letters), total, number)


def list_forms(organisation_id: str, customer_id: str, *, number: int = 1) -> Part[FormLine]:
    """A page of the bookings of theirs for which questions were answered."""
    last = sa.func.max(IntakeAnswer.updated_at)
    query = (
        sa.select(SessionBooking.id)
        .join(IntakeAnswer, IntakeAnswer.session_booking_id == SessionBooking.id)
        .where(*_booked(organisation_id, customer_id))
        .group_by(SessionBooking.id)
    )
    total, ids = _page(query, (last.desc(), SessionBooking.id), number, PAGE)
    rows = db.session.execute(
        sa.select(SessionBooking, sa.func.count(), last)
        .join(IntakeAnswer, IntakeAnswer.session_booking_id == SessionBooking.id)
        .where(SessionBooking.organisation_id == organisation_id, SessionBooking.id.in_(ids))
        .group_by(SessionBooking.id)
        .order_by(last.desc(), SessionBooking.id)
    ).all()
    starts = _starts(organisation_id, [row[0].session_id for row in rows])
    lines = tuple(
        FormLine(
            booking.id,
            booking.site_id,
            booking.session_type_name,
            starts[booking.session_id],
            people,
            updated if updated.tzinfo else updated.replace(tzinfo=dt.UTC),
        )
        for booking, people, updated in rows
    )
    return Part(lines, total, number)


def list_waiting(organisation_id: str, customer_id: str) -> Sequence[SessionBooking]:
    """What they wait for, or have been offered; their sessions are loaded."""
    return db.session.scalars(
        sa.select(SessionBooking)
        .join(SessionBooking.session)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.customer_id == customer_id,
            SessionBooking.waiting_since.is_not(None),
            SessionBooking.status != "confirmed",
            SessionBooking.cancelled_at.is_(None),
        )
        .options(joinedload(SessionBooking.session))
        .order_by(Session.start_time, SessionBooking.id)
    ).all()


def _booked(organisation_id: str, customer_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.customer_id == customer_id,
        SessionBooking.status == "confirmed",
    )


def _ordered(organisation_id: str, customer_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Order.organisation_id == organisation_id,
        Order.customer_id == customer_id,
        Order.state.in_(SOLD),
    )


def _in_state(state: str, now: dt.datetime) -> tuple[sa.ColumnElement[bool], ...]:
    stands = SessionBooking.cancelled_at.is_(None)
    states: dict[str, tuple[sa.ColumnElement[bool], ...]] = {
        "coming": (stands, Session.start_time > now),
        "past": (stands, Session.start_time <= now),
        "noshow": (stands, SessionBooking.is_no_show.is_(True)),
        "cancelled": (SessionBooking.cancelled_at.is_not(None),),
    }
    return states.get(state, ())


def _page(
    query: sa.Select[Any], order: tuple[Any, ...], number: int, size: int
) -> tuple[int, list[str]]:
    """How many match, and the ids of one page."""
    total = db.session.scalar(
        query.with_only_columns(sa.func.count(sa.distinct(query.selected_columns[0]))).group_by(
            None
        )
    )
    ids = db.session.scalars(query.order_by(*order).limit(size).offset(size * (number - 1))).all()
    return total or 0, list(ids)


def _starts(organisation_id: str, session_ids: Sequence[str]) -> dict[str, dt.datetime]:
    rows = db.session.execute(
        sa.select(Session.id, Session.local_start).where(
            Session.organisation_id == organisation_id, Session.id.in_(session_ids)
        )
    )
    return {row[0]: row[1] for row in rows}
