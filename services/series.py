"""Staff set up the series of a session type: see what saving does, save, archive, restore."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from domain.clashes import Busy, Clash
from domain.editing import check_edit
from domain.errors import ImpactChanged, NotFound, WrongState
from domain.local_time import local_day
from domain.reasons import check_reason
from domain.recurrence import HORIZON, Series, StartTime
from domain.series_changes import Left, Plan, Wanted, plan_series
from domain.series_patterns import (
    RoomFacts,
    SeriesRefused,
    SeriesWish,
    TimeWish,
    list_early_and_late,
    list_problems,
)
from domain.session_changes import mark_of
from models import (
    Practitioner,
    RecurrenceGroup,
    RecurrenceStartTime,
    Room,
    Session,
    SessionType,
    Site,
    db,
    new_object_id,
)
from services.clashes import list_clashes
from services.idempotency import once, retrying
from services.places import lock_site, raise_revision
from services.scheduling import apply_plan, is_sold, load_closed_days, load_standing, origin_of
from services.series_choices import (
    Aftermath,
    Choice,
    Choices,
    carry_out,
    item_of,
    plan_aftermath,
)
from services.session_targets import Leaving, MoveTarget, list_targets_of_type, share_out
from services.touched import Touched, list_touched

NEW = "new "
"""Before a start time that has no id yet."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What saving would do, meet and lack; `mark` stands for what of it must still be true."""

    plan: Plan
    clashes: tuple[Clash, ...] = ()
    outside: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    touched: dict[str, Touched] = field(default_factory=dict)
    # Where the guests of a session that goes could go: the nearest one with room for them.
    nearest: dict[str, MoveTarget] = field(default_factory=dict)
    # An open series is made up to this day for now (S5).
    until: dt.date | None = None

    @property
    def mark(self) -> str:
        """Other sessions, bookings on them, or clashes make another one (S3)."""
        facts = [fact for one in self.touched.values() for fact in one.facts]
        moves = [f"{key} to {self.nearest[key].id}" for key in sorted(self.nearest)]
        clashes = sorted(it.fact for it in self.clashes)
        return mark_of([self.plan.mark, *sorted(facts), *clashes, *moves])


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving did."""

    group_id: str
    plan: Plan
    aftermath: Aftermath


@dataclass(frozen=True, slots=True)
class _Scene:
    """The rows that a series is laid out with."""

    kind: SessionType
    site: Site
    group: RecurrenceGroup | None
    room: Room | None

    @property
    def group_id(self) -> str:
        return self.group.id if self.group else ""


def find_series(organisation_id: str, site_id: str, group_id: str) -> RecurrenceGroup:
    """A series of a type of this site, live or archived; raises NotFound."""
    group = db.session.scalar(
        sa.select(RecurrenceGroup)
        .join(SessionType, RecurrenceGroup.session_type_id == SessionType.id)
        .where(
            RecurrenceGroup.organisation_id == organisation_id,
            RecurrenceGroup.id == group_id,
            SessionType.site_id == site_id,
        )
        .options(selectinload(RecurrenceGroup.start_times))
        .execution_options(populate_existing=True)
    )
    if group is None:
        raise NotFound("We couldn't find that series.")
    return group


def find_type(organisation_id: str, site_id: str, type_id: str) -> SessionType:
    """A session type of this site; raises NotFound."""
    kind = db.session.scalar(
        sa.select(SessionType)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.id == type_id,
        )
        .execution_options(populate_existing=True)
    )
    if kind is None:
        raise NotFound("We couldn't find that session type.")
    return kind


def list_rooms(organisation_id: str, site_id: str) -> list[Room]:
    """The rooms of a site, archived ones last."""
    rooms = sa.select(Room).where(Room.organisation_id == organisation_id, Room.site_id == site_id)
    order = (Room.deleted_at.is_not(None), Room.position, Room.name)
    return list(db.session.scalars(rooms.order_by(*order)))


def list_practitioners(organisation_id: str, site_id: str) -> list[Practitioner]:
    """Who works at a site, archived ones last."""
    people = sa.select(Practitioner).where(
        Practitioner.organisation_id == organisation_id,
        Practitioner.sites.any(Site.id == site_id),
    )
    order = (Practitioner.deleted_at.is_not(None), Practitioner.name, Practitioner.id)
    return list(db.session.scalars(people.order_by(*order)))


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series in the list of its type, with what it has coming."""

    group: RecurrenceGroup
    room: str
    room_colour: int
    practitioner: str
    coming: int
    booked: int
    last_made: dt.date | None

    @property
    def missing(self) -> tuple[str, ...]:
        """What it lacks to make sessions (C36)."""
        return wish_of(self.group).missing


def list_series(
    organisation_id: str, site_id: str, type_id: str, *, now: dt.datetime
) -> list[SeriesRow]:
    """The series of a type in the order in which they were made (R21); three queries in all."""
    live = (
        Session.organisation_id == organisation_id,
        Session.recurrence_group_id == RecurrenceGroup.id,
        Session.deleted_at.is_(None),
        Session.start_time > now,
    )
    coming = sa.select(sa.func.count(Session.id)).where(*live).scalar_subquery()
    booked = sa.select(sa.func.count(Session.id)).where(*live, is_sold()).scalar_subquery()
    latest = sa.select(sa.func.max(Session.local_start)).where(*live).scalar_subquery()
    rows = db.session.execute(
        sa.select(
            RecurrenceGroup, Room.name, Room.colour, Practitioner.name, coming, booked, latest
        )
        .join(SessionType, RecurrenceGroup.session_type_id == SessionType.id)
        .outerjoin(Room, RecurrenceGroup.room_id == Room.id)
        .outerjoin(Practitioner, RecurrenceGroup.practitioner_id == Practitioner.id)
        .where(
            RecurrenceGroup.organisation_id == organisation_id,
            RecurrenceGroup.session_type_id == type_id,
            SessionType.site_id == site_id,
        )
        .options(selectinload(RecurrenceGroup.start_times))
        .order_by(RecurrenceGroup.id)
        .execution_options(populate_existing=True)
    )
    return [
        SeriesRow(group, room or "", colour or 1, person or "", number, sold, last and last.date())
        for group, room, colour, person, number, sold, last in rows
    ]


def wish_of(group: RecurrenceGroup) -> SeriesWish:
    """A series as it is saved, in the shape of the form."""
    return SeriesWish(
        name=group.name,
        weekdays=tuple(group.weekdays),
        start_times=tuple(TimeWish(row.id, row.value) for row in group.start_times),
        room_id=group.room_id,
        practitioner_id=group.practitioner_id,
        capacity=group.capacity,
        recurrence_start=group.recurrence_start,
        recurrence_end=group.recurrence_end,
    )


def preview_series(
    organisation_id: str,
    site_id: str,
    *,
    type_id: str = "",
    group_id: str = "",
    wish: SeriesWish,
    now: dt.datetime,
) -> Outlook:
    """What saving `wish` would do, by the very plan that saving follows (S3).

    Raises NotFound, and SeriesRefused with every field at fault.
    """
    scene = _scene(organisation_id, site_id, type_id=type_id, group_id=group_id, wish=wish, now=now)
    return _lay_out(scene, wish, now)


def list_wrong_fields(
    organisation_id: str,
    site_id: str,
    *,
    type_id: str = "",
    group_id: str = "",
    wish: SeriesWish,
    now: dt.datetime,
) -> list[tuple[str, str]]:
    """Everything that is wrong with a wish, by field; nothing is laid out. Raises NotFound."""
    try:
        _scene(organisation_id, site_id, type_id=type_id, group_id=group_id, wish=wish, now=now)
    except SeriesRefused as broken:
        return list(broken.problems)
    return []


def create_series(
    organisation_id: str,
    site_id: str,
    type_id: str,
    wish: SeriesWish,
    *,
    shown: str | None,
    key: str,
    now: dt.datetime,
) -> str:
    """Add a series with all its sessions, once for each `key`; its id.

    Raises NotFound, SeriesRefused, ImpactChanged when `shown` is not what would happen now (S3);
    None for whoever was shown nothing, as a program is. WrongState while its type is archived.
    """

    def deed() -> str:
        lock_site(organisation_id, site_id)
        scene = _scene(organisation_id, site_id, type_id=type_id, group_id="", wish=wish, now=now)
        if scene.kind.deleted_at is not None:
            sentence = "This session type is archived. Restore it first."
            raise WrongState(sentence, field="session_type_id")
        outlook = _lay_out(scene, wish, now)
        if shown not in (None, outlook.mark) and not outlook.plan.is_nothing:
            raise ImpactChanged
        group = RecurrenceGroup(
            id=new_object_id(),
            organisation_id=organisation_id,
            session_type_id=scene.kind.id,
        )
        db.session.add(group)
        _write(group, wish)
        db.session.flush()
        ids = _write_times(group, _start_times(wish, []), [], now)
        apply_plan(origin_of(group.id, scene.kind), outlook.plan, now=now, start_ids=ids)
        return group.id

    body = {"type": type_id, **wish.values}
    return once(organisation_id, key, {k: str(v) for k, v in body.items()}, deed, now)


def save_series(
    organisation_id: str,
    site_id: str,
    group_id: str,
    wish: SeriesWish,
    *,
    seen: str | None,
    shown: str | None,
    choices: Choices,
    account_id: str | None,
    now: dt.datetime,
) -> Saved:
    """Change a series and, at once, every session that follows it (R24).

    `seen` marks the series as the form had it, `shown` the outlook that was on the page; each is
    None for whoever was shown nothing, as a program is. Saving the same again changes nothing.
    Raises NotFound, SeriesRefused, EditedMeanwhile (D4), ImpactChanged (S3), WrongState for an
    archived one, RuleBroken without a reason to cancel.
    """
    items: list[dict[str, Any]] = []

    def deed() -> tuple[Plan, str | None]:
        items.clear()
        lock_site(organisation_id, site_id)
        _lock_group(organisation_id, group_id)
        scene = _scene(organisation_id, site_id, type_id="", group_id=group_id, wish=wish, now=now)
        group = _live(scene)
        if seen is not None:
            check_edit(wish_of(group).values, wish.values, seen)
        outlook = _lay_out(scene, wish, now, is_locked=True)
        items.extend(_items(scene, outlook, choices))
        if shown not in (None, outlook.mark) and not (outlook.plan.is_nothing and not items):
            raise ImpactChanged
        _write(group, wish)
        every = _every_start_time(group)
        ids = _write_times(group, _start_times(wish, every), every, now)
        origin = origin_of(group.id, scene.kind)
        reasons = load_closed_days(organisation_id, site_id)
        apply_plan(origin, outlook.plan, now=now, start_ids=ids, reasons=reasons)
        work_id = plan_aftermath(
            organisation_id,
            site_id,
            items,
            title=f"Sessions of {wish.name or scene.kind.name}",
            key=f"series:{group_id}:{outlook.mark}",
            account_id=account_id,
            back=f"/staff/{scene.site.slug}/types/{scene.kind.id}/times",
            now=now,
        )
        return outlook.plan, work_id

    plan, work_id = retrying(deed)
    return Saved(group_id, plan, carry_out(organisation_id, site_id, items, work_id, now=now))


def preview_archiving(
    organisation_id: str, site_id: str, group_id: str, *, now: dt.datetime
) -> Outlook:
    """What archiving would take away, and what stays because it is booked (R25, S3)."""
    return _turned(organisation_id, site_id, group_id, is_live=False, now=now)


def preview_restoring(
    organisation_id: str, site_id: str, group_id: str, *, now: dt.datetime
) -> Outlook:
    """What restoring would bring back, with what it meets there (R25, S4)."""
    return _turned(organisation_id, site_id, group_id, is_live=True, now=now)


def archive_series(
    organisation_id: str, site_id: str, group_id: str, *, shown: str | None, now: dt.datetime
) -> Plan:
    """The series ends: coming unsold sessions go with it, sold ones stay (R25).

    An archived one stays as it is. Raises NotFound, ImpactChanged (S3).
    """
    return _turn(organisation_id, site_id, group_id, is_live=False, shown=shown, now=now)


def restore_series(
    organisation_id: str, site_id: str, group_id: str, *, shown: str | None, now: dt.datetime
) -> Plan:
    """The series goes on: what went with it comes back, what it lacks is made (R25).

    A live one stays as it is. Raises NotFound, ImpactChanged (S3), WrongState while its type is
    archived.
    """
    return _turn(organisation_id, site_id, group_id, is_live=True, shown=shown, now=now)


def _turned(
    organisation_id: str, site_id: str, group_id: str, *, is_live: bool, now: dt.datetime
) -> Outlook:
    group = find_series(organisation_id, site_id, group_id)
    wish = wish_of(group)
    scene = _scene_of(organisation_id, site_id, group.session_type_id, group, wish)
    return _lay_out(scene, wish, now, is_live=is_live)


def _turn(
    organisation_id: str,
    site_id: str,
    group_id: str,
    *,
    is_live: bool,
    shown: str | None,
    now: dt.datetime,
) -> Plan:
    def deed() -> Plan:
        lock_site(organisation_id, site_id)
        _lock_group(organisation_id, group_id)
        group = find_series(organisation_id, site_id, group_id)
        if (group.deleted_at is None) == is_live:
            return Plan()
        wish = wish_of(group)
        scene = _scene_of(organisation_id, site_id, group.session_type_id, group, wish)
        if is_live and scene.kind.deleted_at is not None:
            raise WrongState("Its session type is archived. Restore the type first.")
        outlook = _lay_out(scene, wish, now, is_live=is_live, is_locked=True)
        if shown not in (None, outlook.mark):
            raise ImpactChanged
        group.deleted_at = None if is_live else now
        db.session.flush()
        reasons = load_closed_days(organisation_id, site_id)
        apply_plan(origin_of(group.id, scene.kind), outlook.plan, now=now, reasons=reasons)
        raise_revision(organisation_id, [scene.kind.id])
        return outlook.plan

    return retrying(deed)


def _scene(
    organisation_id: str,
    site_id: str,
    *,
    type_id: str,
    group_id: str,
    wish: SeriesWish,
    now: dt.datetime,
) -> _Scene:
    """The rows of the wish, all of this site; raises NotFound, SeriesRefused (R22, R23)."""
    group = find_series(organisation_id, site_id, group_id) if group_id else None
    chosen = group.session_type_id if group else type_id
    scene = _scene_of(organisation_id, site_id, chosen, group, wish)
    room = RoomFacts(scene.room.name, scene.room.cap) if scene.room else None
    problems = [
        *_foreign(organisation_id, site_id, scene, wish),
        *list_problems(wish, room, local_day(now, ZoneInfo(scene.site.zone))),
    ]
    if problems:
        raise SeriesRefused(problems)
    return scene


def _scene_of(
    organisation_id: str,
    site_id: str,
    type_id: str,
    group: RecurrenceGroup | None,
    wish: SeriesWish,
) -> _Scene:
    kind = find_type(organisation_id, site_id, type_id)
    site = db.session.scalars(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    ).one()
    room = db.session.scalar(
        sa.select(Room).where(
            Room.organisation_id == organisation_id,
            Room.site_id == site_id,
            Room.id == (wish.room_id or ""),
        )
    )
    return _Scene(kind, site, group, room)


def _foreign(
    organisation_id: str, site_id: str, scene: _Scene, wish: SeriesWish
) -> list[tuple[str, str]]:
    """What the wish names that is not there to be chosen; what is chosen already may stay."""
    problems = []
    group = scene.group
    kept_room = group is not None and group.room_id == wish.room_id
    if wish.room_id and (scene.room is None or (scene.room.deleted_at and not kept_room)):
        problems.append(("room_id", "Choose one of the venue's rooms."))
    kept_person = group is not None and group.practitioner_id == wish.practitioner_id
    if wish.practitioner_id and not kept_person:
        people = list_practitioners(organisation_id, site_id)
        if wish.practitioner_id not in {it.id for it in people if it.deleted_at is None}:
            problems.append(("practitioner_id", "Choose somebody who works at this venue."))
    known = {row.id for row in _every_start_time(group)} if group else set()
    if any(time.id and time.id not in known for time in wish.start_times):
        problems.append(("times", "One of the start times isn't of this series. Add it anew."))
    return problems


def _lay_out(
    scene: _Scene,
    wish: SeriesWish,
    now: dt.datetime,
    *,
    is_live: bool = True,
    is_locked: bool = False,
) -> Outlook:
    """The plan with what it meets: the same for the page and, under the locks, for the deed."""
    organisation_id, zone = scene.kind.organisation_id, ZoneInfo(scene.site.zone)
    every = _every_start_time(scene.group) if scene.group else []
    wanted = Wanted(
        series=Series(
            group_id=scene.group_id,
            weekdays=frozenset(wish.weekdays),
            start_times=_start_times(wish, every),
            first_day=wish.recurrence_start,
            last_day=wish.recurrence_end,
            duration=scene.kind.duration,
            zone=zone,
            is_complete=not wish.missing,
        ),
        room_id=wish.room_id,
        practitioner_id=wish.practitioner_id,
        capacity=wish.capacity,
        room_cap=scene.room.cap if scene.room else None,
        is_live=is_live and scene.kind.deleted_at is None,
        closed=load_closed_days(organisation_id, scene.site.id),
    )
    standing = (
        load_standing(organisation_id, scene.group_id, is_locked=is_locked) if scene.group else []
    )
    plan = plan_series(wanted, standing, now=now, today=local_day(now, zone))
    is_open = wish.recurrence_end is None and not wish.missing
    touched = list_touched(organisation_id, [one.standing.id for one in plan.booked])
    return Outlook(
        plan=plan,
        clashes=_clashes(scene, plan),
        outside=list_early_and_late(wish, scene.site.opening_hours),
        missing=wish.missing,
        touched=touched,
        nearest=_nearest(scene, plan, touched, now),
        until=local_day(now, zone) + HORIZON if is_open else None,
    )


def _nearest(
    scene: _Scene, plan: Plan, touched: dict[str, Touched], now: dt.datetime
) -> dict[str, MoveTarget]:
    """For each booked session that is no longer wanted, where all its guests fit."""
    leaving = [
        Leaving(one.standing.id, scene.kind.id, one.standing.slot.local_start)
        for one in plan.booked
        if one.slot is None
    ]
    guests = {key: one.guests for key, one in touched.items()}
    if not any(guests.get(one.id) for one in leaving):
        return {}
    going = [*(one.id for one in leaving), *(one.standing.id for one in plan.withdrawn)]
    targets = list_targets_of_type(
        scene.kind.organisation_id, scene.site.id, scene.kind.id, without=going, now=now
    )
    return share_out(leaving, guests, {scene.kind.id: targets})


def _clashes(scene: _Scene, plan: Plan) -> tuple[Clash, ...]:
    wanted = [
        Busy(
            key=session_id or f"{NEW}{slot.local_start.isoformat()}",
            name=scene.kind.name,
            start=slot.start_time,
            end=slot.end_time,
            local_start=slot.local_start,
            room_id=slot.room_id,
            practitioner_id=slot.practitioner_id,
        )
        for session_id, slot in plan.slots
    ]
    gone = [one.key for one in wanted if not one.key.startswith(NEW)]
    gone += [one.standing.id for one in plan.withdrawn]
    return list_clashes(scene.kind.organisation_id, wanted, instead_of=gone)


def _start_times(wish: SeriesWish, every: Sequence[RecurrenceStartTime]) -> list[StartTime]:
    """Start times under the ids they keep; one put back gets its old id back (CONTRACT 9)."""
    kept = {time.id for time in wish.start_times}
    # Of several that had one time, the live one, else the one that was taken out last.
    known = {
        row.value: row.id
        for row in sorted(every, key=lambda it: (it.deleted_at is None, str(it.deleted_at), it.id))
        if row.id not in kept
    }
    found = [
        StartTime(time.id or known.get(time.value) or f"{NEW}{time.value:%H:%M}", time.value)
        for time in wish.start_times
    ]
    return sorted(found, key=lambda it: it.value)


def _every_start_time(group: RecurrenceGroup) -> list[RecurrenceStartTime]:
    return list(
        db.session.scalars(
            sa.select(RecurrenceStartTime)
            .where(
                RecurrenceStartTime.organisation_id == group.organisation_id,
                RecurrenceStartTime.recurrence_group_id == group.id,
            )
            .execution_options(populate_existing=True)
        )
    )


def _write(group: RecurrenceGroup, wish: SeriesWish) -> None:
    values = wish.values
    values.pop("start_times")
    for name, value in values.items():
        if getattr(group, name) != value:
            setattr(group, name, value)


def _write_times(
    group: RecurrenceGroup,
    wanted: Sequence[StartTime],
    every: Sequence[RecurrenceStartTime],
    now: dt.datetime,
) -> dict[str, str]:
    """The rows of the start times; ids of those that are added, by what the plan calls them."""
    rows = {row.id: row for row in every}
    shall = {time.id: time.value for time in wanted}
    stays = {i for i, row in rows.items() if row.deleted_at is None and shall.get(i) == row.value}
    for row_id, row in rows.items():
        if row_id not in stays and row.deleted_at is None:
            # Two that change places would meet in the index of live values on their way.
            row.deleted_at = now
    db.session.flush()
    ids = {}
    for time in wanted:
        if time.id in stays:
            continue
        if (known := rows.get(time.id)) is None:
            known = RecurrenceStartTime(
                id=new_object_id(),
                organisation_id=group.organisation_id,
                recurrence_group_id=group.id,
            )
            db.session.add(known)
            ids[time.id] = known.id
        known.value, known.deleted_at = time.value, None
    db.session.flush()
    return ids


def _items(scene: _Scene, outlook: Outlook, choices: Choices) -> list[dict[str, Any]]:
    """What staff chose for the booked ones, other than leaving them as they are."""
    chosen = [(one, _choice(one, choices)) for one in outlook.plan.booked]
    cancels = any(do in ("cancel", "move") for _, do in chosen)
    reason = check_reason(choices.reason) if cancels else "The series was changed."
    return [
        item_of(
            one,
            scene.kind.name,
            outlook.touched.get(one.standing.id),
            do=do,
            reason=reason,
            # One that is wanted and cancelled all the same stays away, as by hand.
            withdrawn_by=None if one.slot else "series",
            to=outlook.nearest[one.standing.id].id if one.standing.id in outlook.nearest else "",
        )
        for one, do in chosen
        if do != "keep"
    ]


def _choice(left: Left, choices: Choices) -> Choice:
    """Along goes only what the series still wants; the guests of the others can move away."""
    do = choices.of(left.standing.id)
    fits = {"along": left.slot is not None, "move": left.slot is None}
    return do if fits.get(do, True) else "keep"


def _live(scene: _Scene) -> RecurrenceGroup:
    if scene.group is None or scene.group.deleted_at is not None:
        raise WrongState("This series is archived. Restore it before you change it.")
    return scene.group


def _lock_group(organisation_id: str, group_id: str) -> None:
    db.session.execute(
        sa.select(RecurrenceGroup.id)
        .where(RecurrenceGroup.organisation_id == organisation_id, RecurrenceGroup.id == group_id)
        .with_for_update(key_share=True)
    ).all()
