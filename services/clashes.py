"""What else is in a room or with a person at a time: wherever one is made or moved (S4)."""

import datetime as dt
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from domain.clashes import Away, Busy, Clash, find_clashes
from models import Room, Session, TimeOff, db

_MOST = dt.timedelta(days=8)
"""Longer than any session and its turnaround: how far back one can begin that still matters."""


def list_clashes(
    organisation_id: str, wanted: Sequence[Busy], *, instead_of: Collection[str] = ()
) -> tuple[Clash, ...]:
    """The clashes of sessions that are to be made or moved; three queries however many.

    `instead_of` are sessions that will not stand as they do now. People are asked for in every
    site of the organisation.
    """
    if not wanted:
        return ()
    rooms = {one.room_id for one in wanted if one.room_id}
    people = {one.practitioner_id for one in wanted if one.practitioner_id}
    turnaround = _turnaround(organisation_id, rooms)
    standing = list_busy(
        organisation_id,
        rooms=rooms,
        people=people,
        first=min(one.start for one in wanted) - max(turnaround.values(), default=dt.timedelta()),
        last=max(one.end for one in wanted) + max(turnaround.values(), default=dt.timedelta()),
    )
    gone = set(instead_of)
    return find_clashes(
        wanted,
        [one for one in standing if one.key not in gone],
        turnaround=turnaround,
        away=list_away(organisation_id, people),
    )


def list_busy(
    organisation_id: str,
    *,
    rooms: Collection[str] = (),
    people: Collection[str] = (),
    first: dt.datetime,
    last: dt.datetime,
) -> list[Busy]:
    """Live sessions in these rooms or with these people that overlap [first, last)."""
    rows = db.session.execute(
        sa.select(
            Session.id,
            Session.session_type_name,
            Session.start_time,
            Session.end_time,
            Session.local_start,
            Session.room_id,
            Session.practitioner_id,
        ).where(
            Session.organisation_id == organisation_id,
            Session.deleted_at.is_(None),
            sa.or_(Session.room_id.in_(rooms), Session.practitioner_id.in_(people)),
            # The index is on the start; nothing begun so long ago is still going on.
            Session.start_time > first - _MOST,
            Session.start_time < last,
            Session.end_time > first,
        )
    )
    return [Busy(*row) for row in rows]


def list_away(organisation_id: str, people: Collection[str]) -> list[Away]:
    """The time off of these people, in wall time."""
    rows = db.session.execute(
        sa.select(
            TimeOff.practitioner_id, TimeOff.local_start, TimeOff.local_end, TimeOff.reason
        ).where(TimeOff.organisation_id == organisation_id, TimeOff.practitioner_id.in_(people))
    )
    return [Away(*row) for row in rows]


def busy_of(row: Session) -> Busy:
    """A session as it stands."""
    return Busy(
        row.id,
        row.session_type_name,
        row.start_time,
        row.end_time,
        row.local_start,
        row.room_id,
        row.practitioner_id,
    )


def _turnaround(organisation_id: str, rooms: Collection[str]) -> dict[str, dt.timedelta]:
    rows = db.session.execute(
        sa.select(Room.id, Room.turnaround).where(
            Room.organisation_id == organisation_id, Room.id.in_(rooms)
        )
    )
    return {room_id: dt.timedelta(minutes=minutes) for room_id, minutes in rows}
