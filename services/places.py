"""The two functions that take and give back places; nothing else writes those columns (H1)."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from models import Session, SessionBooking, SessionType, db, transaction, unbound

HOLDING = ("new", "in_progress")
TAKING = ("new", "in_progress", "confirmed")


def claim(organisation_id: str, session_id: str, *, places: int, parties: int) -> bool:
    """Take places and parties if both still fit, in one statement; False when full (H1, R8, R9)."""
    return _changed(
        sa.update(Session)
        .where(
            Session.organisation_id == organisation_id,
            Session.id == session_id,
            Session.deleted_at.is_(None),
            Session.places_taken + places <= Session.capacity,
            sa.or_(
                Session.max_baskets.is_(None),
                Session.parties_taken + parties <= Session.max_baskets,
            ),
        )
        .values(
            places_taken=Session.places_taken + places,
            parties_taken=Session.parties_taken + parties,
        )
    )


def release(organisation_id: str, session_id: str, *, places: int, parties: int) -> None:
    """Give places and parties back."""
    _changed(
        sa.update(Session)
        .where(Session.organisation_id == organisation_id, Session.id == session_id)
        .values(
            places_taken=Session.places_taken - places,
            parties_taken=Session.parties_taken - parties,
        )
    )


def let_go(booking: SessionBooking, *, by: str, now: dt.datetime) -> bool:
    """End a live booking and give its place back; False when somebody else already did."""
    ended = _changed(
        sa.update(SessionBooking)
        .where(
            SessionBooking.organisation_id == booking.organisation_id,
            SessionBooking.id == booking.id,
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.status == booking.status,
        )
        .values(cancelled_at=now, cancelled_by=by, expires_at=None, updated_at=now)
    )
    if ended:
        release(booking.organisation_id, booking.session_id, places=booking.places, parties=1)
        db.session.expire(booking)
    return ended


def let_go_of_expired_on(organisation_id: str, session_id: str, now: dt.datetime) -> None:
    """Before a claim: holds on this session that have run out no longer count (H3)."""
    expired = sa.select(SessionBooking).where(
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.session_id == session_id,
        *_has_expired(now),
    )
    for booking in db.session.scalars(expired.order_by(SessionBooking.id)).all():
        let_go(booking, by="expired", now=now)


def release_expired_holds(now: dt.datetime, *, most: int = 200) -> int:
    """The worker's round: end up to `most` holds that have run out; the number ended (H3)."""
    query = (
        sa.select(SessionBooking)
        .where(*_has_expired(now))
        .order_by(SessionBooking.session_id, SessionBooking.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    every = unbound("the worker ends expired holds of every organisation")
    if (
        db.session.scalar(query.with_only_columns(SessionBooking.id), execution_options=every)
        is None
    ):
        db.session.rollback()
        return 0
    with transaction():
        bookings = db.session.scalars(query, execution_options=every).all()
        ended = [booking for booking in bookings if let_go(booking, by="expired", now=now)]
        touched = {(booking.organisation_id, booking.session_type_id) for booking in ended}
        for organisation_id, session_type_id in sorted(touched):
            raise_revision(organisation_id, [session_type_id])
    return len(ended)


def raise_revision(organisation_id: str, session_type_ids: Iterable[str]) -> None:
    """What the pages of these types show has changed; comes last in its transaction."""
    for session_type_id in sorted(set(session_type_ids)):
        _changed(
            sa.update(SessionType)
            .where(
                SessionType.organisation_id == organisation_id, SessionType.id == session_type_id
            )
            .values(revision=SessionType.revision + 1)
        )


def _has_expired(now: dt.datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        SessionBooking.status.in_(HOLDING),
        SessionBooking.cancelled_at.is_(None),
        SessionBooking.expires_at <= now,
    )


def _changed(statement: sa.Update) -> bool:
    # The session's own copies are refreshed by whoever reads them next: expired, not guessed.
    result: Any = db.session.execute(statement, execution_options={"synchronize_session": False})
    return bool(result.rowcount)
