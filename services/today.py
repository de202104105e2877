"""A venue's day at a glance: what starts next, and what needs somebody's attention."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.local_time import local_day
from domain.reporting import Period
from models import (
    Order,
    RecurrenceGroup,
    Room,
    Session,
    SessionBooking,
    db,
    practitioner_types,
)
from services.facts import Venue
from services.intake import completion
from services.outbox_desk import Scope, count_failed
from services.reports import LIVE

SOON = dt.timedelta(minutes=15)
"""Guests of sessions that start within this time are expected at the desk by now."""

MOST = 50
"""Matters of one kind that are listed; the page shows a few and how many more there are."""


@dataclass(frozen=True, slots=True)
class Coming:
    """A session that runs or starts next."""

    id: str
    name: str
    room: str
    colour: int
    local_start: dt.datetime
    capacity: int
    guests: int
    is_now: bool


@dataclass(frozen=True, slots=True)
class Matter:
    """One session (or the outbox, without one) that wants something; numbers by kind.

    `nobody`: nobody leads it. `waiting`: `number` parties wait and `places` are free. `mail`:
    `number` letters failed. `forms`: `number` parties have forms to fill in. `arrivals`:
    `number` parties are expected by now. `balance`: `number` orders owe `amount`.
    """

    kind: str
    number: int = 0
    session_id: str = ""
    name: str = ""
    local_start: dt.datetime | None = None
    places: int = 0
    amount: int = 0
    currency: str = ""


def list_coming(venue: Venue, *, most: int = 6, now: dt.datetime) -> list[Coming]:
    """Sessions that run now or start next, soonest first; guests are those who booked."""
    booked = (
        sa.select(sa.func.coalesce(sa.func.sum(SessionBooking.places), 0))
        .where(
            SessionBooking.organisation_id == venue.organisation_id,
            SessionBooking.session_id == Session.id,
            LIVE,
        )
        .scalar_subquery()
    )
    rows = db.session.execute(
        sa.select(Session, Room.name, Room.colour, booked)
        .join(Room, Room.id == Session.room_id, isouter=True)
        .where(*_live(venue), *_from_yesterday(venue, now), Session.end_time > now)
        .order_by(Session.local_start, Session.id)
        .limit(most)
    )
    return [
        Coming(
            id=row.id,
            name=row.session_type_name,
            room=room or "",
            colour=colour or 6,
            local_start=row.local_start,
            capacity=row.capacity,
            guests=int(guests),
            is_now=row.start_time <= now,
        )
        for row, room, colour, guests in rows
    ]


def list_matters(venue: Venue, scope: Scope, *, now: dt.datetime) -> list[Matter]:
    """Everything that needs attention today, the most urgent kind first.

    `scope` says whose letters the person may read. The number of statements is constant.
    """
    today = local_day(now, venue.zone)
    kinds: tuple[Callable[[], Iterable[Matter]], ...] = (
        lambda: _arrivals(venue, now),
        lambda: _without_practitioner(venue, today, now),
        lambda: _waiting(venue, now),
        lambda: _forms(venue, today, now),
        lambda: _mail(scope, now),
        lambda: _balances(venue, today),
    )
    return [matter for kind in kinds for matter in kind()]


def count_waiting_now(organisation_id: str, site_id: str, *, now: dt.datetime) -> tuple[int, int]:
    """Parties and guests on the lists of sessions to come, those with an offer included."""
    row = db.session.execute(
        sa.select(sa.func.count(SessionBooking.id), sa.func.sum(SessionBooking.places))
        .join(Session, Session.id == SessionBooking.session_id)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.site_id == site_id,
            SessionBooking.waiting_since.is_not(None),
            SessionBooking.status != "confirmed",
            SessionBooking.cancelled_at.is_(None),
            Session.deleted_at.is_(None),
            Session.start_time > now,
        )
    ).one()
    return row[0], int(row[1] or 0)


def _live(venue: Venue) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Session.organisation_id == venue.organisation_id,
        Session.site_id == venue.id,
        Session.deleted_at.is_(None),
    )


def _on(first: dt.date, last: dt.date) -> tuple[sa.ColumnElement[bool], ...]:
    begins, ends = Period(first, last).local_edges
    return Session.local_start >= begins, Session.local_start < ends


def _from_yesterday(venue: Venue, now: dt.datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Where the index begins to be read: what runs now may have started before midnight."""
    yesterday = local_day(now, venue.zone) - dt.timedelta(days=1)
    return (Session.local_start >= Period(yesterday, yesterday).local_edges[0],)


_ABOUT = (Session.id, Session.session_type_name, Session.local_start)


def _arrivals(venue: Venue, now: dt.datetime) -> Iterable[Matter]:
    rows = db.session.execute(
        sa.select(*_ABOUT, sa.func.count(SessionBooking.id))
        .join(SessionBooking, SessionBooking.session_id == Session.id)
        .where(
            *_live(venue),
            *_from_yesterday(venue, now),
            Session.start_time <= now + SOON,
            Session.end_time > now,
            LIVE,
            SessionBooking.stage == "not_arrived",
            sa.not_(SessionBooking.is_no_show),
        )
        .group_by(*_ABOUT)
        .order_by(Session.local_start, Session.id)
        .limit(MOST)
    )
    return (Matter("arrivals", row[3], *row[:3]) for row in rows)


def _without_practitioner(venue: Venue, today: dt.date, now: dt.datetime) -> Iterable[Matter]:
    """Nobody is needed where none is set (R6), unless the type or the series has people for it."""
    is_led = (
        sa.select(practitioner_types.c.session_type_id)
        .where(practitioner_types.c.session_type_id == Session.session_type_id)
        .exists()
    )
    rows = db.session.execute(
        sa.select(*_ABOUT)
        .join(RecurrenceGroup, RecurrenceGroup.id == Session.recurrence_group_id, isouter=True)
        .where(
            *_live(venue),
            *_on(today, today + dt.timedelta(days=1)),
            Session.end_time > now,
            Session.practitioner_id.is_(None),
            sa.or_(is_led, RecurrenceGroup.practitioner_id.is_not(None)),
        )
        .order_by(Session.local_start, Session.id)
        .limit(MOST)
    )
    return (Matter("nobody", 1, *row) for row in rows)


def _waiting(venue: Venue, now: dt.datetime) -> Iterable[Matter]:
    free = Session.capacity - Session.places_taken - Session.places_kept
    rows = db.session.execute(
        sa.select(*_ABOUT, sa.func.count(SessionBooking.id), free)
        .join(SessionBooking, SessionBooking.session_id == Session.id)
        .where(
            *_live(venue),
            *_from_yesterday(venue, now),
            Session.start_time > now,
            SessionBooking.status == "waitlisted",
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.places <= free,
        )
        .group_by(*_ABOUT, free)
        .order_by(Session.local_start, Session.id)
        .limit(MOST)
    )
    return (Matter("waiting", row[3], *row[:3], places=row[4]) for row in rows)


def _forms(venue: Venue, today: dt.date, now: dt.datetime) -> Iterable[Matter]:
    bookings = db.session.scalars(
        sa.select(SessionBooking)
        .join(SessionBooking.session)
        .where(
            *_live(venue),
            *_on(today, today),
            Session.end_time > now,
            LIVE,
            SessionBooking.intake_form_id.is_not(None),
        )
        .options(
            joinedload(SessionBooking.order),
            joinedload(SessionBooking.session),
            selectinload(SessionBooking.guests),
        )
        .order_by(Session.local_start, Session.id)
    ).all()
    found = completion(bookings)
    lacking: dict[str, list[SessionBooking]] = {}
    for booking in bookings:
        if not found[booking.id].completed:
            lacking.setdefault(booking.session_id, []).append(booking)
    return (
        Matter("forms", len(some), row.id, row.session_type_name, row.local_start)
        for some in lacking.values()
        for row in [some[0].session]
    )


def _mail(scope: Scope, now: dt.datetime) -> Iterable[Matter]:
    failed = count_failed(scope, now=now)
    return [Matter("mail", failed)] if failed else []


def _balances(venue: Venue, today: dt.date) -> Iterable[Matter]:
    """What today's orders still owe, each once, at the first of its sessions today."""
    orders = (
        sa.select(SessionBooking.order_id)
        .join(Session, Session.id == SessionBooking.session_id)
        .where(*_live(venue), *_on(today, today), LIVE)
    )
    balances: dict[str, tuple[int, str]] = {
        row[0]: (row[2], row[1])
        for row in db.session.execute(
            sa.select(Order.id, Order.currency, Order.balance).where(
                Order.organisation_id == venue.organisation_id,
                Order.id.in_(orders),
                Order.balance > 0,
            )
        )
    }
    rows = db.session.execute(
        sa.select(*_ABOUT, SessionBooking.order_id)
        .join(SessionBooking, SessionBooking.session_id == Session.id)
        .where(*_live(venue), *_on(today, today), LIVE)
        .order_by(Session.local_start, Session.id, SessionBooking.id)
    )
    found: dict[str, Matter] = {}
    for session_id, name, starts, order_id in rows:
        amount, currency = balances.pop(order_id, (0, ""))
        if amount:
            known = found.get(session_id)
            found[session_id] = Matter(
                "balance",
                (known.number if known else 0) + 1,
                session_id,
                name,
                starts,
                amount=(known.amount if known else 0) + amount,
                currency=currency,
            )
    return found.values()
