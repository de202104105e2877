"""What takes, keeps and gives back places; nothing else writes those columns (H1)."""

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
            Session.places_taken + Session.places_kept + places <= Session.capacity,
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


def lock_sessions(organisation_id: str, session_ids: Iterable[str]) -> None:
    """Lock sessions in order of id, before any of their bookings is touched.

    Everybody locks order, sessions, bookings, types in this order, so nobody waits in a circle.
    """
    db.session.execute(
        sa.select(Session.id)
        .where(Session.organisation_id == organisation_id, Session.id.in_(set(session_ids)))
        .order_by(Session.id)
        .with_for_update(key_share=True)
    ).all()


def sell(booking: SessionBooking, customer_id: str, now: dt.datetime) -> bool:
    """Turn a held line into a sold one; False when its places were given away meanwhile (H3)."""
    sold = _changed(
        _held(booking).values(
            status="confirmed", expires_at=None, customer_id=customer_id, updated_at=now
        )
    )
    db.session.expire(booking)
    return sold


def extend(booking: SessionBooking, until: dt.datetime, now: dt.datetime) -> bool:
    """Move a running hold's deadline; False when it has ended meanwhile (H3)."""
    extended = _changed(
        _held(booking)
        .where(SessionBooking.expires_at > now)
        .values(expires_at=until, updated_at=now)
    )
    db.session.expire(booking)
    return extended


def resize(booking: SessionBooking, places: int, now: dt.datetime) -> bool:
    """Another number of places for a running hold; False when they don't fit, or it has ended.

    Its session is locked by the caller (`lock_sessions`).
    """
    before = booking.places
    if places > before and not claim(
        booking.organisation_id, booking.session_id, places=places - before, parties=0
    ):
        return False
    resized = _changed(
        _held(booking)
        .where(SessionBooking.expires_at > now, SessionBooking.places == before)
        .values(places=places, updated_at=now)
    )
    back = before - places if resized else max(0, places - before)
    if back > 0:
        release(booking.organisation_id, booking.session_id, places=back, parties=0)
    db.session.expire(booking)
    return resized


def _held(booking: SessionBooking) -> sa.Update:
    return sa.update(SessionBooking).where(
        SessionBooking.organisation_id == booking.organisation_id,
        SessionBooking.id == booking.id,
        SessionBooking.cancelled_at.is_(None),
        SessionBooking.status.in_(HOLDING),
    )


def let_go(booking: SessionBooking, *, by: str, now: dt.datetime) -> bool:
    """End a live booking and give its place back; False when somebody else already did.

    Its session is locked by the caller (`lock_sessions`).
    """
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


def give_back(booking: SessionBooking, places: int, now: dt.datetime) -> bool:
    """Fewer places for a sold booking; False when it is not as it was read.

    Its session is locked by the caller (`lock_sessions`).
    """
    left = booking.places - places
    shrunk = _changed(
        _sold_as_read(booking).values(
            places=left, released_places=min(booking.released_places, left), updated_at=now
        )
    )
    if shrunk:
        release(booking.organisation_id, booking.session_id, places=places, parties=0)
    db.session.expire(booking)
    return shrunk


def move_to(booking: SessionBooking, to: Session, now: dt.datetime) -> bool:
    """Take the places in another session and give the old ones back; False when none fit (M7).

    Both sessions are locked by the caller (`lock_sessions`).
    """
    if not claim(booking.organisation_id, to.id, places=booking.places, parties=1):
        return False
    before, places = booking.session_id, booking.places
    moved = _changed(
        _sold_as_read(booking).values(
            session_id=to.id,
            session_type_name=to.session_type_name,
            released_places=0,
            updated_at=now,
        )
    )
    release(booking.organisation_id, before if moved else to.id, places=places, parties=1)
    db.session.expire(booking)
    return moved


def _sold_as_read(booking: SessionBooking) -> sa.Update:
    return sa.update(SessionBooking).where(
        SessionBooking.organisation_id == booking.organisation_id,
        SessionBooking.id == booking.id,
        SessionBooking.cancelled_at.is_(None),
        SessionBooking.status == "confirmed",
        SessionBooking.places == booking.places,
        SessionBooking.session_id == booking.session_id,
    )


def let_go_of_expired_on(organisation_id: str, session_id: str, now: dt.datetime) -> int:
    """Holds on this locked session that have run out no longer count; the number ended (H3)."""
    expired = sa.select(SessionBooking).where(
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.session_id == session_id,
        *_has_expired(now),
    )
    bookings = db.session.scalars(expired.order_by(SessionBooking.id)).all()
    return sum(let_go(booking, by="expired", now=now) for booking in bookings)


def release_expired_holds(now: dt.datetime, *, most: int = 200) -> int:
    """The worker's round: end holds that have run out, session by session; the number (H3)."""
    sessions = db.session.execute(
        sa.select(
            SessionBooking.organisation_id,
            SessionBooking.session_id,
            SessionBooking.session_type_id,
        )
        .where(*_has_expired(now))
        .distinct()
        .limit(most),
        execution_options=unbound("the worker ends expired holds of every organisation"),
    ).all()
    db.session.rollback()
    ended = 0
    for organisation_id, session_id, session_type_id in sessions:
        with transaction():
            lock_sessions(organisation_id, [session_id])
            number = let_go_of_expired_on(organisation_id, session_id, now)
            if number:
                raise_revision(organisation_id, [session_type_id])
        ended += number
    return ended


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
