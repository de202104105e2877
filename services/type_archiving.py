"""Archiving a session type with its series, and restoring it alone (R11, R14, C12)."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.errors import ImpactChanged
from domain.session_changes import mark_of
from models import ClosedDay, RecurrenceGroup, Session, SessionBooking, SessionType, db
from services.idempotency import retrying
from services.places import (
    HOLDING,
    let_go_of_expired_on,
    lock_sessions,
    lock_site,
    raise_revision,
)
from services.session_types import find_type, lock_type


@dataclass(frozen=True, slots=True)
class Archiving:
    """What archiving a type touches: its series, coming sessions, and the bookings that stand."""

    kind: SessionType
    series: int
    cancelled: int
    standing: int
    bookings: int
    guests: int
    holds: int
    waiting: int
    mark: str


def find_archiving(
    organisation_id: str, site_id: str, type_id: str, *, now: dt.datetime
) -> Archiving:
    """What archiving would touch now (S3); raises NotFound."""
    return _impact(find_type(organisation_id, site_id, type_id), now)


def archive_type(
    organisation_id: str, site_id: str, type_id: str, *, seen: str | None, now: dt.datetime
) -> bool:
    """Archive a type and its series; coming sessions that nobody booked are cancelled (R14).

    Those with bookings, places in a basket or a waiting list stand and take place. Repeating
    changes nothing: False. Raises NotFound, ImpactChanged when `seen` is not what it touches now
    (S3); None for whoever was shown nothing, as a program is.
    """

    def deed() -> bool:
        # No session is made or brought back meanwhile.
        lock_site(organisation_id, site_id)
        # Sessions before series and type (ADR 9); what is booked meanwhile changes the mark.
        lock_sessions(organisation_id, _coming_ids(organisation_id, type_id, now))
        row = lock_type(organisation_id, site_id, type_id)
        if row.deleted_at is not None:
            return False
        if seen is not None and _impact(row, now).mark != seen:
            raise ImpactChanged
        _let_go_of_expired(organisation_id, type_id, now)
        _update(
            sa.update(Session)
            .where(*_going(organisation_id, type_id, now))
            .values(deleted_at=now, updated_at=now, withdrawn_by="archive")
        )
        _update(
            sa.update(RecurrenceGroup)
            .where(
                RecurrenceGroup.organisation_id == organisation_id,
                RecurrenceGroup.session_type_id == type_id,
                RecurrenceGroup.deleted_at.is_(None),
            )
            .values(deleted_at=now)
        )
        row.deleted_at = row.updated_at = now
        db.session.flush()
        raise_revision(organisation_id, [type_id])
        return True

    return retrying(deed)


def restore_type(organisation_id: str, site_id: str, type_id: str, *, now: dt.datetime) -> int:
    """The type is there again, its series stay archived (C12); the number of those.

    Sessions of a series come back with it (R14, R25); those of none come back now, for nothing
    else would bring them (ADR 17), unless their day has closed. A live one stays as it is (R11).
    Raises NotFound.
    """

    def deed() -> int:
        lock_site(organisation_id, site_id)
        lock_sessions(organisation_id, _list_singles(organisation_id, type_id, now))
        row = lock_type(organisation_id, site_id, type_id)
        if row.deleted_at is not None:
            row.deleted_at, row.updated_at = None, now
            _bring_back(organisation_id, type_id, now)
            db.session.flush()
            raise_revision(organisation_id, [type_id])
        return count_archived_series(organisation_id, type_id)

    return retrying(deed)


def count_archived_series(organisation_id: str, type_id: str) -> int:
    """How many series of the type are archived."""
    number = db.session.scalar(
        sa.select(sa.func.count(RecurrenceGroup.id)).where(
            RecurrenceGroup.organisation_id == organisation_id,
            RecurrenceGroup.session_type_id == type_id,
            RecurrenceGroup.deleted_at.is_not(None),
        )
    )
    return number or 0


def count_singles(organisation_id: str, type_id: str, *, now: dt.datetime) -> int:
    """How many sessions of no series come back with the type."""
    return len(_list_singles(organisation_id, type_id, now))


def _singles(organisation_id: str, type_id: str, now: dt.datetime) -> tuple[Any, ...]:
    """Coming sessions of no series that went with their type, or with a day that is open again."""
    is_closed = (
        sa.select(ClosedDay.id)
        .where(
            ClosedDay.organisation_id == organisation_id,
            ClosedDay.site_id == Session.site_id,
            sa.func.date(ClosedDay.day) == sa.func.date(Session.local_start),
        )
        .correlate(Session)
        .exists()
    )
    return (
        Session.organisation_id == organisation_id,
        Session.session_type_id == type_id,
        Session.recurrence_group_id.is_(None),
        Session.withdrawn_by.in_(("archive", "closed_day")),
        Session.start_time > now,
        sa.not_(is_closed),
    )


def _list_singles(organisation_id: str, type_id: str, now: dt.datetime) -> list[str]:
    singles = _singles(organisation_id, type_id, now)
    return list(db.session.scalars(sa.select(Session.id).where(*singles)))


def _bring_back(organisation_id: str, type_id: str, now: dt.datetime) -> None:
    _update(
        sa.update(Session)
        .where(*_singles(organisation_id, type_id, now))
        .values(deleted_at=None, updated_at=now, withdrawn_by=None, cancel_reason="")
    )
    # Who went with the type, on a day that has closed meanwhile, comes back with the day.
    _update(
        sa.update(Session)
        .where(
            Session.organisation_id == organisation_id,
            Session.session_type_id == type_id,
            Session.recurrence_group_id.is_(None),
            Session.withdrawn_by == "archive",
            Session.start_time > now,
        )
        .values(withdrawn_by="closed_day")
    )


def _coming(organisation_id: str, type_id: str, now: dt.datetime) -> tuple[Any, ...]:
    return (
        Session.organisation_id == organisation_id,
        Session.session_type_id == type_id,
        Session.deleted_at.is_(None),
        Session.start_time > now,
    )


def _coming_ids(organisation_id: str, type_id: str, now: dt.datetime) -> list[str]:
    return list(
        db.session.scalars(sa.select(Session.id).where(*_coming(organisation_id, type_id, now)))
    )


def _stands(organisation_id: str, now: dt.datetime) -> Any:
    """Somebody has booked the session, holds places on it, waits for one, or is promised some
    by a private link (S2, ADR 17)."""
    lines = (
        sa.select(SessionBooking.id)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id == Session.id,
            SessionBooking.cancelled_at.is_(None),
            sa.or_(
                SessionBooking.status.not_in(HOLDING),
                # Offers from the waiting list end in their own way.
                SessionBooking.waiting_since.is_not(None),
                SessionBooking.expires_at > now,
            ),
        )
        .correlate(Session)
        .exists()
    )
    return sa.or_(lines, Session.places_kept > 0)


def _going(organisation_id: str, type_id: str, now: dt.datetime) -> tuple[Any, ...]:
    return (
        *_coming(organisation_id, type_id, now),
        sa.not_(_stands(organisation_id, now)),
    )


def _impact(row: SessionType, now: dt.datetime) -> Archiving:
    organisation_id, type_id = row.organisation_id, row.id
    coming = _coming(organisation_id, type_id, now)
    going = _count(
        sa.select(sa.func.count(Session.id)).where(*_going(organisation_id, type_id, now))
    )
    every = _count(sa.select(sa.func.count(Session.id)).where(*coming))
    series = _count(
        sa.select(sa.func.count(RecurrenceGroup.id)).where(
            RecurrenceGroup.organisation_id == organisation_id,
            RecurrenceGroup.session_type_id == type_id,
            RecurrenceGroup.deleted_at.is_(None),
        )
    )
    lines = db.session.execute(
        sa.select(
            SessionBooking.status,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(SessionBooking.places), 0),
        )
        .join(Session, SessionBooking.session_id == Session.id)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.cancelled_at.is_(None),
            sa.or_(SessionBooking.expires_at.is_(None), SessionBooking.expires_at > now),
            *coming,
        )
        .group_by(SessionBooking.status)
    ).all()
    by_status = {status: (int(number), int(places)) for status, number, places in lines}
    bookings, guests = by_status.get("confirmed", (0, 0))
    holds = sum(by_status.get(status, (0, 0))[0] for status in HOLDING)
    waiting = by_status.get("waitlisted", (0, 0))[0]
    facts = (series, going, every, bookings, guests, holds, waiting)
    return Archiving(
        kind=row,
        series=series,
        cancelled=going,
        standing=every - going,
        bookings=bookings,
        guests=guests,
        holds=holds,
        waiting=waiting,
        mark=mark_of(str(fact) for fact in facts),
    )


def _count(query: sa.Select[Any]) -> int:
    return int(db.session.scalar(query) or 0)


def _let_go_of_expired(organisation_id: str, type_id: str, now: dt.datetime) -> None:
    """Holds that have run out are let go, on the few sessions that have any."""
    left = (
        sa.select(SessionBooking.session_id)
        .join(Session, SessionBooking.session_id == Session.id)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.cancelled_at.is_(None),
            *_going(organisation_id, type_id, now),
        )
        .distinct()
        .order_by(SessionBooking.session_id)
    )
    for session_id in db.session.scalars(left).all():
        let_go_of_expired_on(organisation_id, session_id, now)


def _update(statement: sa.Update) -> None:
    db.session.execute(statement, execution_options={"synchronize_session": False})
