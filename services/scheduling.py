"""A series becomes dated sessions: one plan for what is shown and what is done (R24, R25, S1)."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from domain.errors import NotFound
from domain.local_time import local_day
from domain.recurrence import Series, StartTime
from domain.series_changes import Made, Moved, Plan, Slot, Standing, Wanted, plan_series
from models import (
    SESSIONS_MADE,
    ClosedDay,
    RecurrenceGroup,
    RecurrenceStartTime,
    Room,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    new_object_id,
    remember,
    unbound,
)
from services.idempotency import retrying
from services.places import lock_site, raise_revision

_ROWS_AT_A_TIME = 5000

_IDS_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the sessions of a series belong, and what they take from their type (R9, R31)."""

    organisation_id: str
    site_id: str
    type_id: str
    type_name: str
    group_id: str
    max_baskets: int | None
    waitlist_enabled: bool


def produce_sessions(
    organisation_id: str, group_id: str, *, now: dt.datetime, makes_past: bool = True
) -> int:
    """Make the sessions of one series that do not stand yet; the number made (S1).

    What stands is not touched. `makes_past`: past ones too, for a history that is loaded.
    Raises NotFound.
    """

    def deed() -> int:
        return _make_missing(organisation_id, group_id, now, makes_past=makes_past)

    return retrying(deed)


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
    made = 0
    for organisation_id, group_id in groups:
        made += retrying(partial(_make_missing, organisation_id, group_id, now, makes_past=False))
    return made


def bring_in_step(
    organisation_id: str,
    group_ids: Iterable[str],
    *,
    now: dt.datetime,
    days: Collection[dt.date] | None = None,
) -> list[Plan]:
    """Sessions follow what their series, type and closed days say now; what was done to each.

    In the caller's transaction, which has written those. With `days` nothing of other days is
    touched. Past and sold ones are left alone.
    """
    plans = []
    for group_id in sorted(group_ids):
        origin, wanted = load_wanted(organisation_id, group_id, is_locked=True)
        standing = load_standing(organisation_id, group_id, is_locked=True)
        plan = plan_series(wanted, standing, now=now, today=local_day(now, wanted.series.zone))
        plans.append((origin, wanted, plan if days is None else only_on(plan, days)))
    # Types are locked last (ADR 9), so all are planned before the first is done.
    for origin, wanted, plan in plans:
        apply_plan(origin, plan, now=now, reasons=wanted.closed)
    return [plan for _, _, plan in plans]


def only_on(plan: Plan, days: Collection[dt.date]) -> Plan:
    """The part of a plan that lies on these days."""
    return replace(
        plan,
        made=tuple(it for it in plan.made if it.recurrence_date in days),
        moved=(),
        brought_back=tuple(it for it in plan.brought_back if it.slot.local_start.date() in days),
        withdrawn=tuple(it for it in plan.withdrawn if it.standing.slot.local_start.date() in days),
        left=tuple(it for it in plan.left if it.standing.slot.local_start.date() in days),
        skipped=tuple(it for it in plan.skipped if it.day in days),
    )


def load_wanted(
    organisation_id: str, group_id: str, *, is_locked: bool = False
) -> tuple[Origin, Wanted]:
    """A series as it is saved; raises NotFound.

    Locked, site and series stay as they are until the transaction ends: closing a day and
    saving a series wait for each other.
    """
    query = (
        sa.select(RecurrenceGroup, SessionType, Site, Room.cap)
        .join(SessionType, RecurrenceGroup.session_type_id == SessionType.id)
        .join(Site, SessionType.site_id == Site.id)
        .outerjoin(Room, RecurrenceGroup.room_id == Room.id)
        .where(RecurrenceGroup.organisation_id == organisation_id, RecurrenceGroup.id == group_id)
        .execution_options(populate_existing=True)
    )
    if is_locked:
        query = query.with_for_update(key_share=True, of=(RecurrenceGroup, Site))
    found = db.session.execute(query).first()
    if found is None:
        raise NotFound("We couldn't find that series.")
    group, kind, site, cap = found
    wanted = Wanted(
        series=series_of(group, _start_times(group), kind, ZoneInfo(site.zone)),
        room_id=group.room_id,
        practitioner_id=group.practitioner_id,
        capacity=group.capacity,
        room_cap=cap,
        is_live=group.deleted_at is None and kind.deleted_at is None,
        closed=load_closed_days(organisation_id, site.id),
    )
    return origin_of(group_id, kind), wanted


def origin_of(group_id: str, kind: SessionType) -> Origin:
    """What sessions of this type take from it."""
    return Origin(
        organisation_id=kind.organisation_id,
        site_id=kind.site_id,
        type_id=kind.id,
        type_name=kind.name,
        group_id=group_id,
        max_baskets=kind.max_baskets_per_session,
        waitlist_enabled=kind.waitlist_enabled,
    )


def series_of(
    group: RecurrenceGroup, start_times: Sequence[StartTime], kind: SessionType, zone: ZoneInfo
) -> Series:
    """The pattern of a series, with these start times."""
    return Series(
        group_id=group.id,
        weekdays=frozenset(group.weekdays),
        start_times=start_times,
        first_day=group.recurrence_start,
        last_day=group.recurrence_end,
        duration=kind.duration,
        zone=zone,
        is_complete=group.room_id is not None and group.capacity is not None,
    )


def load_closed_days(organisation_id: str, site_id: str) -> dict[dt.date, str]:
    """The closed days of a site with their reasons."""
    rows = db.session.execute(
        sa.select(ClosedDay.day, ClosedDay.reason).where(
            ClosedDay.organisation_id == organisation_id, ClosedDay.site_id == site_id
        )
    )
    return {row.day: row.reason for row in rows}


def is_sold() -> sa.ColumnElement[bool]:
    """Whether a session is anybody's: booked, held, offered, waited for, or kept (S2).

    A hold that has just run out counts until it is swept: its places are still taken.
    """
    anybody = (
        sa.select(SessionBooking.id)
        .where(
            SessionBooking.organisation_id == Session.organisation_id,
            SessionBooking.session_id == Session.id,
            SessionBooking.cancelled_at.is_(None),
        )
        .exists()
    )
    return sa.or_(anybody, Session.places_kept > 0, Session.places_taken > 0)


def load_standing(
    organisation_id: str, group_id: str, *, is_locked: bool = False
) -> list[Standing]:
    """Every session that the series ever had; locked, nobody books one meanwhile."""
    of_series = (
        Session.organisation_id == organisation_id,
        Session.recurrence_group_id == group_id,
    )
    if is_locked:
        db.session.execute(
            sa.select(Session.id)
            .where(*of_series)
            .order_by(Session.id)
            .with_for_update(key_share=True)
        ).all()
    rows = db.session.execute(
        sa.select(
            Session.id,
            Session.recurrence_date,
            Session.start_time_id,
            Session.local_start,
            Session.start_time,
            Session.end_time,
            Session.room_id,
            Session.practitioner_id,
            Session.capacity,
            Session.deleted_at,
            Session.withdrawn_by,
            Session.overridden,
            is_sold().label("is_sold"),
            Room.cap,
        )
        .outerjoin(Room, Session.room_id == Room.id)
        .where(*of_series)
    )
    return [_standing(row) for row in rows]


def apply_plan(
    origin: Origin,
    plan: Plan,
    *,
    now: dt.datetime,
    reasons: Mapping[dt.date, str] | None = None,
    start_ids: Mapping[str, str] | None = None,
) -> int:
    """Write what a plan says, in a few statements however many sessions; the number made.

    In the caller's transaction, which has locked the sessions and raises no revision itself.
    `start_ids` gives start times that were added their ids; `reasons` are those of closed days.
    """
    ids = start_ids or {}
    rows = [_row(one, origin, ids, now) for one in plan.made]
    made = 0
    for first in range(0, len(rows), _ROWS_AT_A_TIME):
        made += _insert_missing(rows[first : first + _ROWS_AT_A_TIME])
    _write_slots(origin, plan.moved, now)
    _write_slots(origin, plan.brought_back, now)
    _withdraw(origin, plan, now, reasons or {})
    if made or not plan.is_nothing:
        raise_revision(origin.organisation_id, [origin.type_id])
    return made


def _make_missing(
    organisation_id: str, group_id: str, now: dt.datetime, *, makes_past: bool
) -> int:
    # The site first (ADR 9): whoever closes a day, moves the series or ends it meanwhile waits,
    # or is seen.
    lock_site(organisation_id, load_wanted(organisation_id, group_id)[0].site_id)
    origin, wanted = load_wanted(organisation_id, group_id, is_locked=True)
    if not wanted.is_live:
        return 0
    plan = plan_series(
        wanted,
        load_standing(organisation_id, group_id),
        now=now,
        today=local_day(now, wanted.series.zone),
        makes_past=makes_past,
    )
    return apply_plan(origin, Plan(made=plan.made), now=now)


def _start_times(group: RecurrenceGroup) -> list[StartTime]:
    rows = db.session.execute(
        sa.select(RecurrenceStartTime.id, RecurrenceStartTime.value)
        .where(
            RecurrenceStartTime.organisation_id == group.organisation_id,
            RecurrenceStartTime.recurrence_group_id == group.id,
            RecurrenceStartTime.deleted_at.is_(None),
        )
        .order_by(RecurrenceStartTime.value)
    )
    return [StartTime(*row) for row in rows]


def _standing(row: Any) -> Standing:
    return Standing(
        id=row.id,
        recurrence_date=row.recurrence_date,
        start_time_id=row.start_time_id,
        slot=Slot(
            local_start=row.local_start,
            start_time=row.start_time,
            end_time=row.end_time,
            room_id=row.room_id,
            practitioner_id=row.practitioner_id,
            capacity=row.capacity,
        ),
        is_live=row.deleted_at is None,
        withdrawn_by=row.withdrawn_by,
        is_sold=bool(row.is_sold),
        overridden=frozenset(row.overridden),
        own_room_cap=row.cap,
    )


def _row(made: Made, origin: Origin, ids: Mapping[str, str], now: dt.datetime) -> dict[str, Any]:
    return {
        "id": new_object_id(),
        "organisation_id": origin.organisation_id,
        "site_id": origin.site_id,
        "session_type_id": origin.type_id,
        "session_type_name": origin.type_name,
        "recurrence_group_id": origin.group_id,
        "recurrence_date": made.recurrence_date,
        "start_time_id": ids.get(made.start_time_id, made.start_time_id),
        **_columns(made.slot),
        "places_taken": 0,
        "max_baskets": origin.max_baskets,
        "parties_taken": 0,
        "waitlist_enabled": origin.waitlist_enabled,
        "price": None,
        "overridden": [],
        "created_at": now,
        "updated_at": now,
        "deleted_at": None,
    }


def _columns(slot: Slot) -> dict[str, Any]:
    return {
        "start_time": slot.start_time,
        "end_time": slot.end_time,
        "local_start": slot.local_start,
        "capacity": slot.capacity,
        "practitioner_id": slot.practitioner_id,
        "room_id": slot.room_id,
    }


def _insert_missing(rows: list[dict[str, Any]]) -> int:
    # The trail tells of the series alone: webhooks, which tell of sessions, ask here.
    remember(SESSIONS_MADE, [(row["organisation_id"], row["id"]) for row in rows])
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


def _write_slots(origin: Origin, moved: Sequence[Moved], now: dt.datetime) -> None:
    """One statement, once for each session, that also clears what said it was withdrawn."""
    if not moved:
        return
    table: Any = Session.__table__
    statement = (
        sa.update(table)
        .where(
            table.c.organisation_id == origin.organisation_id,
            table.c.id == sa.bindparam("of_session"),
        )
        .values(
            **{name: sa.bindparam(f"new_{name}") for name in _columns(moved[0].slot)},
            deleted_at=None,
            withdrawn_by=None,
            cancel_reason="",
            updated_at=now,
        )
    )
    rows = [
        {
            "of_session": one.standing.id,
            **{f"new_{name}": value for name, value in _columns(one.slot).items()},
        }
        for one in moved
    ]
    db.session.connection().execute(statement, rows)


def _withdraw(origin: Origin, plan: Plan, now: dt.datetime, reasons: Mapping[dt.date, str]) -> None:
    groups: dict[tuple[str, str], list[str]] = {}
    for one in plan.withdrawn:
        day = one.standing.slot.local_start.date()
        why = reasons.get(day, "") if one.by == "closed_day" else ""
        groups.setdefault((one.by, why), []).append(one.standing.id)
    for (by, why), ids in groups.items():
        withdraw_sessions(origin.organisation_id, ids, by=by, reason=why, now=now)


def withdraw_sessions(
    organisation_id: str, session_ids: Sequence[str], *, by: str, reason: str, now: dt.datetime
) -> None:
    """These locked sessions, which nobody booked, do not take place; nobody is told."""
    for first in range(0, len(session_ids), _IDS_AT_A_TIME):
        db.session.execute(
            sa.update(Session)
            .where(
                Session.organisation_id == organisation_id,
                Session.id.in_(session_ids[first : first + _IDS_AT_A_TIME]),
                Session.deleted_at.is_(None),
            )
            .values(deleted_at=now, updated_at=now, withdrawn_by=by, cancel_reason=reason),
            execution_options={"synchronize_session": False},
        )
