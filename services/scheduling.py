"""Producing the dated sessions of a series (R24, S1)."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from domain.errors import NotFound
from domain.local_time import local_day
from domain.recurrence import Occurrence, Series, StartTime, produce
from models import (
    RecurrenceGroup,
    Session,
    SessionType,
    Site,
    db,
    new_object_id,
    transaction,
    unbound,
)
from services.places import raise_revision

_ROWS_AT_A_TIME = 500


def produce_sessions(organisation_id: str, group_id: str, *, now: dt.datetime) -> int:
    """Make the sessions of one series that do not stand yet; the number made (S1)."""
    with transaction():
        return _produce(organisation_id, group_id, now)


def roll_horizon_forward(*, now: dt.datetime) -> int:
    """The worker's hourly round: open-ended series reach their horizon again (S5)."""
    every = unbound("the worker produces the sessions of every organisation")
    groups = db.session.execute(
        sa.select(RecurrenceGroup.organisation_id, RecurrenceGroup.id).where(
            RecurrenceGroup.recurrence_end.is_(None), RecurrenceGroup.deleted_at.is_(None)
        ),
        execution_options=every,
    ).all()
    db.session.rollback()
    return sum(
        produce_sessions(organisation_id, group_id, now=now) for organisation_id, group_id in groups
    )


def _produce(organisation_id: str, group_id: str, now: dt.datetime) -> int:
    found = db.session.execute(
        sa.select(RecurrenceGroup, SessionType, Site.zone, Site.id)
        .join(SessionType, RecurrenceGroup.session_type_id == SessionType.id)
        .join(Site, SessionType.site_id == Site.id)
        .where(RecurrenceGroup.organisation_id == organisation_id, RecurrenceGroup.id == group_id)
    ).first()
    if found is None:
        raise NotFound("We couldn't find that series.")
    group, session_type, zone_name, site_id = found
    if group.deleted_at is not None or session_type.deleted_at is not None:
        return 0
    zone = ZoneInfo(zone_name)
    occurrences = produce(_series(group, session_type, zone), today=local_day(now, zone))
    rows = [_row(o, group, session_type, site_id, now) for o in occurrences]
    made = 0
    for first in range(0, len(rows), _ROWS_AT_A_TIME):
        made += _insert_missing(rows[first : first + _ROWS_AT_A_TIME])
    if made:
        raise_revision(organisation_id, [session_type.id])
    return made


def _series(group: RecurrenceGroup, session_type: SessionType, zone: ZoneInfo) -> Series:
    return Series(
        group_id=group.id,
        weekdays=frozenset(group.weekdays),
        start_times=[StartTime(start.id, start.value) for start in group.start_times],
        first_day=group.recurrence_start,
        last_day=group.recurrence_end,
        duration=session_type.duration,
        zone=zone,
        is_complete=group.room_id is not None and group.capacity is not None,
    )


def _row(
    occurrence: Occurrence,
    group: RecurrenceGroup,
    session_type: SessionType,
    site_id: str,
    now: dt.datetime,
) -> dict[str, Any]:
    return {
        "id": new_object_id(),
        "organisation_id": group.organisation_id,
        "site_id": site_id,
        "session_type_id": session_type.id,
        "session_type_name": session_type.name,
        "recurrence_group_id": group.id,
        "recurrence_date": occurrence.recurrence_date,
        "start_time_id": occurrence.start_time_id,
        "start_time": occurrence.start_time,
        "end_time": occurrence.end_time,
        "local_start": occurrence.local_start,
        "capacity": group.capacity,
        "places_taken": 0,
        "max_baskets": session_type.max_baskets_per_session,
        "parties_taken": 0,
        "waitlist_enabled": session_type.waitlist_enabled,
        "practitioner_id": group.practitioner_id,
        "room_id": group.room_id,
        "price": None,
        "overridden": [],
        "created_at": now,
        "updated_at": now,
        "deleted_at": None,
    }


def _insert_missing(rows: list[dict[str, Any]]) -> int:
    table = Session.__table__
    insert: Any = (
        insert_postgresql if db.session.get_bind().dialect.name == "postgresql" else insert_sqlite
    )
    result: Any = db.session.execute(
        insert(table).on_conflict_do_nothing(),
        rows,
        execution_options={"preserve_rowcount": True},
    )
    return max(0, int(result.rowcount))
