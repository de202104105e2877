"""Finding a booking of a venue by name, reference, mail, phone or ticket."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from domain.finding import Range, Typed, is_meant, read_typed
from domain.local_time import local_day
from models import (
    NAMED,
    FindingWord,
    Guest,
    Order,
    Session,
    SessionBooking,
    db,
    rewrite_words,
    unbound,
    words_of,
)
from services.facts import Venue
from services.intake import own_position
from services.ledger import balances_of

PAGE = 25
MOST = 1000
"""More matches than this are not counted: nobody reads so far."""

AT_ONCE = 1000
_FOR_ALL = unbound("the doctor looks at every organisation")
_BY_CODE = unbound("a ticket's code is unguessable and unique for the whole installation")


@dataclass(frozen=True, slots=True)
class FoundBooking:
    """One booking as the search shows it; the balance is its order's, in minor units."""

    id: str
    session_id: str
    order_id: str
    order_ref: str
    name: str
    guests: tuple[str, ...]
    places: int
    session_name: str
    local_start: dt.datetime
    room: str
    state: str
    """due, arrived, in, out, noshow, waiting or cancelled."""
    balance: int
    currency: str
    when: str
    """today, coming or past."""

    @property
    def is_on_roster(self) -> bool:
        """Whether the roster of its session has a line for it."""
        return self.state not in ("waiting", "cancelled")


@dataclass(frozen=True, slots=True)
class Finding:
    """One page of what was found, today's first; `total` stops at MOST."""

    typed: Typed
    lines: tuple[FoundBooking, ...] = ()
    total: int = 0
    page: int = 1
    pages: int = 1

    @property
    def groups(self) -> tuple[tuple[str, tuple[FoundBooking, ...]], ...]:
        """The lines under today, coming and past, without the empty ones."""
        grouped = (
            (when, tuple(line for line in self.lines if line.when == when))
            for when in ("today", "coming", "past")
        )
        return tuple((when, lines) for when, lines in grouped if lines)

    @property
    def is_cut(self) -> bool:
        """Whether there are more than were counted."""
        return self.total >= MOST

    @property
    def the_one(self) -> FoundBooking | None:
        """The only booking that a ticket, an id or a whole reference means; None otherwise."""
        if self.total != 1:
            return None
        line = self.lines[0]
        return line if is_meant(self.typed, line.order_ref) else None


def find_bookings(venue: Venue, text: str, *, now: dt.datetime, page: int = 1) -> Finding:
    """The venue's bookings that the text can mean, in as many statements for many as for one.

    Holds are none; what was cancelled and who waits are shown as such (D1: one site's only).
    """
    typed = read_typed(text)
    if typed.is_empty:
        return Finding(typed)
    matches = _matches(venue, typed)
    today = local_day(now, venue.zone)
    # As ids first, loaded as rows afterwards: what is not shown is never read.
    found = list(
        db.session.scalars(
            sa.select(SessionBooking.id)
            .join(SessionBooking.session)
            .where(*matches)
            .order_by(*_in_order(today))
            .limit(MOST)
        )
    )
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, page), pages)
    ids = found[(page - 1) * PAGE : page * PAGE]
    rows = {row.id: row for row in _load(venue.organisation_id, ids)}
    balances = balances_of(venue.organisation_id, [row.order_id for row in rows.values()])
    lines = tuple(_line(rows[one], balances.get(rows[one].order_id, 0), today) for one in ids)
    return Finding(typed, lines, len(found), page, pages)


def find_ticket(code: str) -> tuple[str, str, str] | None:
    """Site, session and booking of a check-in code, for whoever may see them; None if unknown."""
    row = db.session.execute(
        sa.select(SessionBooking.site_id, SessionBooking.session_id, SessionBooking.id).where(
            SessionBooking.check_in_code == code, SessionBooking.status == "confirmed"
        ),
        execution_options=_BY_CODE,
    ).first()
    return None if row is None else (row[0], row[1], row[2])


def rebuild_words(organisation_id: str) -> None:
    """Make all of an organisation's words anew, for rows that were written past the models.

    In the caller's transaction.
    """
    for kind in NAMED:
        rows = db.session.scalars(
            sa.select(kind).where(kind.organisation_id == organisation_id)
        ).all()
        for first in range(0, len(rows), AT_ONCE):
            rewrite_words(db.session.connection(), kind, rows[first : first + AT_ONCE])


def find_wrong_words() -> list[str]:
    """A sentence for every row that is not found by its name as it is now."""
    wrong = []
    for kind, (column, names) in NAMED.items():
        own = getattr(FindingWord, column)
        kept: dict[str, set[str]] = defaultdict(set)
        for row_id, word in db.session.execute(
            sa.select(own, FindingWord.word).where(own.is_not(None)), execution_options=_FOR_ALL
        ):
            kept[row_id].add(word)
        rows = db.session.execute(
            sa.select(kind.id, *(getattr(kind, name) for name in names)),
            execution_options=_FOR_ALL,
        )
        wrong += [
            f"{kind.__name__} {row.id}: it is found by other words than its own."
            for row in rows
            if kept[row.id] != set(words_of(row))
        ]
    return wrong


def _matches(venue: Venue, typed: Typed) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        SessionBooking.organisation_id == venue.organisation_id,
        SessionBooking.site_id == venue.id,
        sa.or_(
            SessionBooking.status == "confirmed",
            sa.and_(SessionBooking.status == "waitlisted", SessionBooking.cancelled_at.is_(None)),
        ),
        _meant(venue.organisation_id, typed),
    )


def _meant(organisation_id: str, typed: Typed) -> sa.ColumnElement[bool]:
    if typed.code:
        return SessionBooking.check_in_code == typed.code
    if typed.row_id:
        return SessionBooking.id == typed.row_id
    ways = [_one_way(organisation_id, way) for way in typed.ways]
    return (
        SessionBooking.id.in_(sa.union(*ways)) if len(ways) > 1 else SessionBooking.id.in_(ways[0])
    )


def _one_way(organisation_id: str, way: Sequence[Range]) -> sa.Select[tuple[str]]:
    """The bookings that have a word in each of the ranges."""
    first, *others = (_with_word(organisation_id, one).subquery() for one in way)
    return reduce(
        lambda query, more: query.where(first.c.id.in_(sa.select(more.c.id))),
        others,
        sa.select(first.c.id),
    )


def _with_word(organisation_id: str, wanted: Range) -> sa.CompoundSelect[Any]:
    word = FindingWord.word
    is_in = sa.and_(word >= wanted.start, word < wanted.end)
    if wanted.exact:
        is_in = sa.or_(is_in, word.in_(wanted.exact))
    own = (FindingWord.organisation_id == organisation_id, is_in)
    booking = SessionBooking
    return sa.union(
        sa.select(booking.id)
        .join(FindingWord, FindingWord.order_id == booking.order_id)
        .where(*own),
        sa.select(booking.id)
        .join(FindingWord, FindingWord.customer_id == booking.customer_id)
        .where(*own),
        sa.select(Guest.session_booking_id)
        .join(FindingWord, FindingWord.guest_id == Guest.id)
        .where(*own),
    )


def _in_order(today: dt.date) -> tuple[Any, ...]:
    """Today by the clock, then what comes, soonest first, then what is past, latest first."""
    starts, begins = Session.local_start, dt.datetime.combine(today, dt.time.min)
    ends = begins + dt.timedelta(days=1)
    return (
        sa.case((starts < begins, 2), (starts < ends, 0), else_=1),
        sa.case((starts >= begins, starts)),
        starts.desc(),
        SessionBooking.id,
    )


def _load(organisation_id: str, ids: Sequence[str]) -> Sequence[SessionBooking]:
    if not ids:
        return ()
    return db.session.scalars(
        sa.select(SessionBooking)
        .join(SessionBooking.session)
        .where(SessionBooking.organisation_id == organisation_id, SessionBooking.id.in_(ids))
        .options(
            contains_eager(SessionBooking.session).joinedload(Session.room),
            joinedload(SessionBooking.order).load_only(
                Order.id, Order.order_ref, Order.name, Order.email, Order.currency
            ),
            selectinload(SessionBooking.guests),
        )
        .execution_options(populate_existing=True)
    ).all()


def _line(booking: SessionBooking, balance: int, today: dt.date) -> FoundBooking:
    row, order = booking.session, booking.order
    own, day = own_position(booking), booking.session.local_start.date()
    return FoundBooking(
        id=booking.id,
        session_id=booking.session_id,
        order_id=order.id,
        order_ref=order.order_ref,
        name=order.name,
        guests=tuple(guest.name for guest in booking.guests if guest.position != own),
        places=booking.places,
        session_name=booking.session_type_name,
        local_start=row.local_start,
        room=row.room.name if row.room else "",
        state=_state(booking),
        balance=balance,
        currency=order.currency,
        when="today" if day == today else "past" if day < today else "coming",
    )


def _state(booking: SessionBooking) -> str:
    if booking.cancelled_at is not None:
        return "cancelled"
    if booking.status == "waitlisted":
        return "waiting"
    if booking.is_no_show:
        return "noshow"
    stages = {"arrived": "arrived", "in_treatment": "in", "checked_out": "out"}
    return stages.get(booking.stage, "due")
