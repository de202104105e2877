"""What takes, keeps and gives back places; nothing else writes those columns (H1)."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from models import Session, SessionBooking, SessionType, Site, db
from services.link_places import end_use, kept_in_change, note_change

HOLDING = ("new", "in_progress")
TAKING = ("new", "in_progress", "confirmed")


def claim(
    organisation_id: str, session_id: str, *, places: int, parties: int, from_kept: int = 0
) -> bool:
    """Take places and parties if both still fit, in one statement; False when full (H1, R8, R9).

    `from_kept` of the places are among those kept for the private link they are taken by.
    """
    return _changed(
        sa.update(Session)
        .where(
            Session.organisation_id == organisation_id,
            Session.id == session_id,
            Session.deleted_at.is_(None),
            Session.places_taken + Session.places_kept + places - from_kept <= Session.capacity,
            Session.places_kept >= from_kept,
            sa.or_(
                Session.max_baskets.is_(None),
                Session.parties_taken + parties <= Session.max_baskets,
            ),
        )
        .values(
            places_taken=Session.places_taken + places,
            places_kept=Session.places_kept - from_kept,
            parties_taken=Session.parties_taken + parties,
        )
    )


def release(
    organisation_id: str, session_id: str, *, places: int, parties: int, to_kept: int = 0
) -> None:
    """Give places and parties back; `to_kept` of the places stay kept for a private link."""
    _changed(
        sa.update(Session)
        .where(Session.organisation_id == organisation_id, Session.id == session_id)
        .values(
            places_taken=Session.places_taken - places,
            places_kept=Session.places_kept + to_kept,
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


def lock_site(organisation_id: str, site_id: str, *, shared: bool = False) -> None:
    """Hold still what decides about a site's sessions: its zone, closed days, series and types.

    Before every other lock (ADR 9). `shared`: for those who only read it to make or move one.
    """
    db.session.execute(
        sa.select(Site.id)
        .where(Site.organisation_id == organisation_id, Site.id == site_id)
        .with_for_update(read=shared, key_share=not shared)
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
    from_kept = kept_in_change(booking, places, now)
    if places > before and not claim(
        booking.organisation_id,
        booking.session_id,
        places=places - before,
        parties=0,
        from_kept=from_kept,
    ):
        return False
    resized = _changed(
        _held(booking)
        .where(SessionBooking.expires_at > now, SessionBooking.places == before)
        .values(places=places, updated_at=now)
    )
    if resized:
        note_change(booking, places, from_kept)
    back = before - places if resized else max(0, places - before)
    if back > 0:
        to_kept = -from_kept if resized else from_kept
        release(
            booking.organisation_id, booking.session_id, places=back, parties=0, to_kept=to_kept
        )
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
        kept = end_use(booking, now)
        release(
            booking.organisation_id,
            booking.session_id,
            places=booking.places,
            parties=1,
            to_kept=kept,
        )
    db.session.expire(booking)
    return ended


def give_back(booking: SessionBooking, places: int, now: dt.datetime) -> bool:
    """Fewer places for a sold booking; False when it is not as it was read.

    Its session is locked by the caller (`lock_sessions`).
    """
    left = booking.places - places
    kept = kept_in_change(booking, left, now)
    shrunk = _changed(
        _sold_as_read(booking).values(
            places=left, released_places=min(booking.released_places, left), updated_at=now
        )
    )
    if shrunk:
        release(
            booking.organisation_id, booking.session_id, places=places, parties=0, to_kept=-kept
        )
    db.session.expire(booking)
    if shrunk:
        note_change(booking, left, kept)
    return shrunk


def grow(booking: SessionBooking, places: int, now: dt.datetime) -> bool:
    """More places for a sold booking; False when they don't fit, or it is not as it was read.

    Its session is locked by the caller (`lock_sessions`).
    """
    after = booking.places + places
    kept = kept_in_change(booking, after, now)
    if not claim(
        booking.organisation_id, booking.session_id, places=places, parties=0, from_kept=kept
    ):
        return False
    grown = _changed(_sold_as_read(booking).values(places=after, updated_at=now))
    if not grown:
        release(booking.organisation_id, booking.session_id, places=places, parties=0, to_kept=kept)
    db.session.expire(booking)
    if grown:
        note_change(booking, after, kept)
    return grown


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
    if moved:
        # What a link kept was kept in the old session: it has gone on sale.
        note_change(booking, 0, 0)
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
        SessionBooking.status.in_(HOLDING),
        # Offers from the waiting list end in their own way (services/waking.py).
        SessionBooking.waiting_since.is_(None),
        SessionBooking.cancelled_at.is_(None),
        SessionBooking.expires_at <= now,
    )
    bookings = db.session.scalars(expired.order_by(SessionBooking.id)).all()
    return sum(let_go(booking, by="expired", now=now) for booking in bookings)


def let_go_of_all_on(
    organisation_id: str, session_id: str, *, by: str, reason: str, now: dt.datetime
) -> None:
    """End everything that takes places on this locked session, nearly all in two statements (R12).

    The version of each rises: its calendar entry and its mails tell of the end (E1, E3). What
    came by a private link is ended one by one: its link may be used again.
    """
    for booking in _come_by_links(organisation_id, session_id):
        if let_go(booking, by=by, now=now):
            booking.cancel_reason = reason
            booking.sequence += 1
    db.session.flush()
    _changed(
        sa.update(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id == session_id,
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.status.in_(TAKING),
        )
        .values(
            cancelled_at=now,
            cancelled_by=by,
            cancel_reason=reason,
            expires_at=None,
            updated_at=now,
            sequence=SessionBooking.sequence + 1,
        )
    )
    recount(organisation_id, session_id)


def _come_by_links(organisation_id: str, session_id: str) -> list[SessionBooking]:
    rows = db.session.scalars(
        sa.select(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id == session_id,
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.status.in_(TAKING),
            SessionBooking.private_link_id.is_not(None),
        )
        .order_by(SessionBooking.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


def recount(organisation_id: str, session_id: str) -> None:
    """Set the counters of this locked session to what its live bookings take (R13)."""
    live = (
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.session_id == session_id,
        SessionBooking.cancelled_at.is_(None),
        SessionBooking.status.in_(TAKING),
        # Places that another booking gives up are still counted as that one's.
        SessionBooking.offered_from_id.is_(None),
    )
    places = sa.select(sa.func.coalesce(sa.func.sum(SessionBooking.places), 0)).where(*live)
    parties = sa.select(sa.func.count(sa.distinct(SessionBooking.order_id))).where(*live)
    _changed(
        sa.update(Session)
        .where(Session.organisation_id == organisation_id, Session.id == session_id)
        .values(places_taken=places.scalar_subquery(), parties_taken=parties.scalar_subquery())
    )


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


def _changed(statement: sa.Update) -> bool:
    # The session's own copies are refreshed by whoever reads them next: expired, not guessed.
    result: Any = db.session.execute(statement, execution_options={"synchronize_session": False})
    return bool(result.rowcount)
