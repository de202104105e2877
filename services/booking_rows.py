"""Bookings as programs read them: pages of them, and those of many sessions at once."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.errors import NotFound
from domain.local_time import local_day
from models import Order, Session, SessionBooking, Site, db
from services.intake import Completion, completion
from services.paging import Cut, PageOf, cut_out
from services.waking import entries_query

SHOWN_WITH = (
    joinedload(SessionBooking.customer),
    joinedload(SessionBooking.order),
    joinedload(SessionBooking.order_item),
    selectinload(SessionBooking.guests),
)
"""What `rows_of` needs of each booking, whoever loads them."""

IS_SOMEBODYS = SessionBooking.customer_id.is_not(None)
"""What lies in a basket is nobody's booking yet: neither a name nor a customer is known."""


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A booking with what its forms still lack."""

    booking: SessionBooking
    forms: Completion

    @property
    def total(self) -> int:
        """What its places cost as agreed, in minor units."""
        return self.booking.order_item.unit_price * self.booking.places

    @property
    def offered_until(self) -> dt.datetime | None:
        """Until when a waiting party may answer its offer; None without one."""
        booking = self.booking
        is_offered = booking.offered_at is not None and booking.cancelled_at is None
        return booking.expires_at if is_offered and booking.status != "confirmed" else None


Day = dt.date | dt.datetime
"""A day of the calendar, or an instant: then the day that it is at each site (C19)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which bookings a program asks for; None asks for nothing in particular."""

    ids: Collection[str] | None = None
    session_ids: Collection[str] | None = None
    session_type_ids: Collection[str] | None = None
    customer_ids: Collection[str] | None = None
    order_refs: Collection[str] | None = None
    statuses: Collection[str] | None = None
    stages: Collection[str] | None = None
    site_ids: Collection[str] | None = None
    first_day: Day | None = None
    last_day: Day | None = None
    updated_from: dt.datetime | None = None
    """Only what has changed then or later; the list is then in the order of changes."""
    with_cancelled: bool = False


def list_bookings(organisation_id: str, wanted: Wanted, *, cut: Cut) -> PageOf[BookingRow]:
    """One page of bookings by their sessions' start; the filters stand in the query (R21)."""
    query = (
        sa.select(SessionBooking)
        .join(Session, SessionBooking.session_id == Session.id)
        .join(Order, SessionBooking.order_id == Order.id)
        .where(
            SessionBooking.organisation_id == organisation_id,
            IS_SOMEBODYS,
            *_conditions(organisation_id, wanted),
        )
    )
    order = SessionBooking.updated_at if wanted.updated_from else Session.start_time
    return _page(query, cut, order)


def list_waiting_rows(organisation_id: str, session_id: str, *, cut: Cut) -> PageOf[BookingRow]:
    """Who waits for this session, those with an offer too, in their order (W1)."""
    return _page(entries_query(organisation_id, session_id), cut, SessionBooking.waiting_since)


def find_booking_row(organisation_id: str, site_id: str, booking_id: str) -> BookingRow:
    """One booking, cancelled or not; raises NotFound, for what lies in a basket too (D1)."""
    booking = db.session.scalar(
        sa.select(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.site_id == site_id,
            SessionBooking.id == booking_id,
            IS_SOMEBODYS,
        )
        .options(*SHOWN_WITH)
        .execution_options(populate_existing=True)
    )
    if booking is None:
        raise NotFound("We couldn't find that booking.")
    return rows_of([booking])[0]


def rows_of(bookings: Sequence[SessionBooking]) -> list[BookingRow]:
    """The same bookings with the state of their forms; two statements however many there are.

    They are loaded with SHOWN_WITH.
    """
    forms = completion(bookings)
    return [BookingRow(booking, forms[booking.id]) for booking in bookings]


def bookings_of_sessions(
    organisation_id: str, session_ids: Collection[str]
) -> dict[str, list[BookingRow]]:
    """By session its bookings that are not cancelled, the oldest first; constant statements.

    Every session that is asked for has a list.
    """
    found: dict[str, list[BookingRow]] = defaultdict(list, {it: [] for it in session_ids})
    bookings = db.session.scalars(
        sa.select(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id.in_(session_ids),
            SessionBooking.cancelled_at.is_(None),
            IS_SOMEBODYS,
        )
        .options(*SHOWN_WITH)
        .order_by(SessionBooking.id)
        .execution_options(populate_existing=True)
    ).all()
    _group(rows_of(bookings), found)
    return dict(found)


def _group(rows: Iterable[BookingRow], found: dict[str, list[BookingRow]]) -> None:
    for row in rows:
        found[row.booking.session_id].append(row)


def _page(query: sa.Select[Any], cut: Cut, order: Any) -> PageOf[BookingRow]:
    found: PageOf[SessionBooking] = cut_out(
        query,
        cut,
        by=(order, SessionBooking.id),
        key=SessionBooking.id,
        options=SHOWN_WITH,
    )
    return PageOf(rows_of(found.rows), found.total, found.cut)


def _conditions(organisation_id: str, wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    among: tuple[tuple[Any, Collection[str] | None], ...] = (
        (SessionBooking.id, wanted.ids),
        (SessionBooking.session_id, wanted.session_ids),
        (SessionBooking.session_type_id, wanted.session_type_ids),
        (SessionBooking.customer_id, wanted.customer_ids),
        (Order.order_ref, wanted.order_refs),
        (SessionBooking.status, wanted.statuses),
        (SessionBooking.stage, wanted.stages),
        (SessionBooking.site_id, wanted.site_ids),
    )
    for column, values in among:
        if values is not None:
            yield column.in_(values)
    if not wanted.with_cancelled:
        yield SessionBooking.cancelled_at.is_(None)
    if wanted.updated_from is not None:
        yield SessionBooking.updated_at >= wanted.updated_from
    if wanted.first_day is not None:
        yield _at_each_site(organisation_id, wanted.first_day, _begins_on)
    if wanted.last_day is not None:
        yield _at_each_site(organisation_id, wanted.last_day, _ends_on)


def _at_each_site(organisation_id: str, day: Day, bound: Any) -> sa.ColumnElement[bool]:
    """A condition on the sessions' days; an instant is another day at sites of other zones."""
    if not isinstance(day, dt.datetime):
        return bound(day)  # type: ignore[no-any-return]
    sites = db.session.execute(
        sa.select(Site.id, Site.zone).where(Site.organisation_id == organisation_id)
    )
    days = [(site_id, local_day(day, ZoneInfo(zone))) for site_id, zone in sites]
    return sa.or_(sa.false(), *(sa.and_(Session.site_id == it, bound(at)) for it, at in days))


def _begins_on(day: dt.date) -> sa.ColumnElement[bool]:
    return Session.local_start >= dt.datetime.combine(day, dt.time())


def _ends_on(day: dt.date) -> sa.ColumnElement[bool]:
    return Session.local_start <= dt.datetime.combine(day, dt.time.max)
