"""Where the bookings of a session could go instead: for staff who move them together (S3)."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from models import Room, Session, db

AROUND = dt.timedelta(days=7)
"""From so long before the session on."""
MOST = 60


@dataclass(frozen=True, slots=True)
class MoveTarget:
    """A coming session of the same type that has room."""

    id: str
    local_start: dt.datetime
    left: int
    room: str


def list_move_targets(
    organisation_id: str,
    site_id: str,
    *,
    session_id: str,
    session_type_id: str,
    near: dt.datetime,
    now: dt.datetime,
) -> tuple[MoveTarget, ...]:
    """Coming sessions of the type with places and parties left, from a week before `near` on."""
    left = Session.capacity - Session.places_taken - Session.places_kept
    rows = db.session.execute(
        sa.select(Session.id, Session.local_start, left, sa.func.coalesce(Room.name, ""))
        .join(Room, Session.room_id == Room.id, isouter=True)
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site_id,
            Session.session_type_id == session_type_id,
            Session.id != session_id,
            Session.deleted_at.is_(None),
            Session.start_time > now,
            Session.local_start >= near - AROUND,
            left > 0,
            sa.or_(Session.max_baskets.is_(None), Session.parties_taken < Session.max_baskets),
        )
        .order_by(Session.local_start, Session.id)
        .limit(MOST)
    )
    return tuple(MoveTarget(*row) for row in rows)
