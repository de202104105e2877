"""Where the bookings of a session could go instead: for staff who move them together (S3)."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from models import ClosedDay, Room, Session, db

AROUND = dt.timedelta(days=7)
"""From so long before the session on."""
AFTERWARDS = dt.timedelta(days=21)
"""Until so long after closed days."""
MOST = 60
MOST_AROUND = 2000


@dataclass(frozen=True, slots=True)
class MoveTarget:
    """A coming session of the same type that has room."""

    id: str
    local_start: dt.datetime
    left: int
    room: str


class Leaving(NamedTuple):
    """A session whose guests look for another one."""

    id: str
    session_type_id: str
    local_start: dt.datetime


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


def list_targets_around(
    organisation_id: str,
    site_id: str,
    session_type_ids: Collection[str],
    first: dt.date,
    last: dt.date,
    *,
    now: dt.datetime,
) -> dict[str, list[MoveTarget]]:
    """By type, coming sessions with room before and after days that close; one query."""
    left = Session.capacity - Session.places_taken - Session.places_kept
    day = sa.func.date(Session.local_start)
    is_closed = (
        sa.select(ClosedDay.id)
        .where(
            ClosedDay.organisation_id == organisation_id,
            ClosedDay.site_id == site_id,
            sa.func.date(ClosedDay.day) == day,
        )
        .exists()
    )
    midnight = dt.time()
    begins, ends = dt.datetime.combine(first, midnight), dt.datetime.combine(last, midnight)
    after = ends + dt.timedelta(days=1)
    rows = db.session.execute(
        sa.select(
            Session.session_type_id,
            Session.id,
            Session.local_start,
            left,
            sa.func.coalesce(Room.name, ""),
        )
        .join(Room, Session.room_id == Room.id, isouter=True)
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site_id,
            Session.session_type_id.in_(session_type_ids),
            Session.deleted_at.is_(None),
            Session.start_time > now,
            Session.local_start >= begins - AROUND,
            Session.local_start < after + AFTERWARDS,
            sa.or_(Session.local_start < begins, Session.local_start >= after),
            sa.not_(is_closed),
            left > 0,
            sa.or_(Session.max_baskets.is_(None), Session.parties_taken < Session.max_baskets),
        )
        .order_by(Session.local_start, Session.id)
        .limit(MOST_AROUND)
    )
    found: dict[str, list[MoveTarget]] = {}
    for type_id, session_id, start, places, room in rows:
        found.setdefault(type_id, []).append(MoveTarget(session_id, start, places, room))
    return found


def list_targets_of_type(
    organisation_id: str,
    site_id: str,
    session_type_id: str,
    *,
    without: Collection[str],
    now: dt.datetime,
) -> list[MoveTarget]:
    """Coming sessions of a type with room, those left out that are about to go; one query."""
    left = Session.capacity - Session.places_taken - Session.places_kept
    rows = db.session.execute(
        sa.select(Session.id, Session.local_start, left, sa.func.coalesce(Room.name, ""))
        .join(Room, Session.room_id == Room.id, isouter=True)
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site_id,
            Session.session_type_id == session_type_id,
            Session.deleted_at.is_(None),
            Session.start_time > now,
            left > 0,
            sa.or_(Session.max_baskets.is_(None), Session.parties_taken < Session.max_baskets),
        )
        .order_by(Session.local_start, Session.id)
        .limit(MOST_AROUND)
    )
    gone = set(without)
    return [MoveTarget(*row) for row in rows if row[0] not in gone]


def share_out(
    rows: Sequence[Session | Leaving],
    guests: Mapping[str, int],
    targets: Mapping[str, Sequence[MoveTarget]],
) -> dict[str, MoveTarget]:
    """For each session with guests the nearest one that takes them all, each place given once."""
    free = {one.id: one.left for several in targets.values() for one in several}
    found = {}
    for row in rows:
        needs = guests.get(row.id, 0)
        fits = [one for one in targets.get(row.session_type_id, ()) if free[one.id] >= needs]
        if needs and fits:
            start = row.local_start
            nearest = min(fits, key=lambda one: (abs(one.local_start - start), one.id))
            free[nearest.id] -= needs
            found[row.id] = nearest
    return found
