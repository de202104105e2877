"""Rooms and the zones they lie in: set up, put in order, archived and brought back."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.editing import check_edit
from domain.errors import NotFound, RuleBroken, WrongState
from domain.venue_rules import (
    COLOURS,
    ROOM_CAP,
    TURNAROUND,
    check_fields,
    check_title,
    check_whole,
    find_problems,
    refuse,
)
from domain.words import count
from models import (
    RecurrenceGroup,
    Room,
    Session,
    SessionType,
    Zone,
    db,
    new_object_id,
    transaction,
)
from services.idempotency import once
from services.ordering import step_row
from services.paging import Cut, PageOf, cut_out
from services.venue_settings import load_site, lock_sites, raise_site_revisions

PAGE = 50
ROOM_FIELDS = ("name", "zone_id", "cap", "turnaround", "colour")
ORDERS = {
    "position": (Room.position, Room.name, Room.id),
    "name": (sa.func.lower(Room.name), Room.id),
    "cap": (Room.cap.desc(), Room.name, Room.id),
}
"""How the list of rooms may be sorted."""


@dataclass(frozen=True, slots=True)
class RoomLine:
    """A room in the list, with how many coming sessions are planned in it."""

    room: Room
    coming: int


@dataclass(frozen=True, slots=True)
class RoomList:
    """One page of rooms."""

    lines: tuple[RoomLine, ...]
    total: int
    page: int
    pages: int
    archived: int


@dataclass(frozen=True, slots=True)
class Use:
    """What keeps a room or a practitioner from being archived: live series, coming sessions."""

    series: tuple[str, ...]
    sessions: tuple[Session, ...]
    total: int

    @property
    def is_nothing(self) -> bool:
        """Whether it may be archived."""
        return not self.series and not self.total

    @property
    def sentence(self) -> str:
        """Why not, in words."""
        parts = []
        if self.total:
            parts.append(count(self.total, "coming session"))
        if self.series:
            parts.append(count(len(self.series), "series", "series"))
        return " and ".join(parts)


def list_rooms(
    organisation_id: str,
    site_id: str,
    *,
    search: str = "",
    zone_id: str = "",
    is_archived: bool = False,
    order: str = "position",
    page: int = 1,
    size: int = PAGE,
    now: dt.datetime,
) -> RoomList:
    """The rooms of a site; `zone_id` "none" are those in no zone."""
    of_site = (Room.organisation_id == organisation_id, Room.site_id == site_id)
    matches = [*of_site, Room.deleted_at.is_not(None) if is_archived else Room.deleted_at.is_(None)]
    if search:
        matches.append(sa.func.lower(Room.name).contains(search.lower(), autoescape=True))
    if zone_id:
        matches.append(Room.zone_id.is_(None) if zone_id == "none" else Room.zone_id == zone_id)
    archived = _count(Room.id, *of_site, Room.deleted_at.is_not(None))
    total = _count(Room.id, *matches)
    pages = max(1, -(-total // size))
    page = min(max(1, page), pages)
    rows = db.session.scalars(
        sa.select(Room)
        .where(*matches)
        .options(joinedload(Room.zone))
        .order_by(*ORDERS.get(order, ORDERS["position"]))
        .limit(size)
        .offset((page - 1) * size)
    ).all()
    counted = db.session.execute(
        sa.select(Session.room_id, sa.func.count())
        .where(*_coming(organisation_id, now), Session.room_id.in_([row.id for row in rows]))
        .group_by(Session.room_id)
    )
    coming: dict[str | None, int] = {row[0]: row[1] for row in counted}
    lines = tuple(RoomLine(row, coming.get(row.id, 0)) for row in rows)
    return RoomList(lines, total, page, pages, archived)


def page_rooms(
    organisation_id: str,
    site_ids: Collection[str] | None,
    *,
    zone_ids: Collection[str] | None = None,
    is_archived: bool = False,
    cut: Cut,
) -> PageOf[Room]:
    """A page of the rooms of these sites (all: None), site by site in their order (R1, R21)."""
    query = sa.select(Room).where(
        Room.organisation_id == organisation_id,
        Room.deleted_at.is_not(None) if is_archived else Room.deleted_at.is_(None),
    )
    if site_ids is not None:
        query = query.where(Room.site_id.in_(site_ids))
    if zone_ids is not None:
        query = query.where(Room.zone_id.in_(zone_ids))
    return cut_out(query, cut, by=(Room.site_id, *ORDERS["position"]), key=Room.id)


def find_room(organisation_id: str, site_id: str, room_id: str, *, lock: bool = False) -> Room:
    """A room of this site, an archived one too; raises NotFound."""
    query = sa.select(Room).where(
        Room.organisation_id == organisation_id, Room.site_id == site_id, Room.id == room_id
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = db.session.scalar(query)
    if row is None:
        raise NotFound("We couldn't find that room.")
    return row


def room_values(room: Room) -> dict[str, Any]:
    """What the editor of a room shows and saves."""
    return {name: getattr(room, name) or ("" if name == "zone_id" else 0) for name in ROOM_FIELDS}


def add_room(
    organisation_id: str,
    site_id: str,
    wanted: Mapping[str, Any],
    *,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Another room, last in order; its id. Raises RuleBroken with the field."""

    def deed() -> str:
        load_site(organisation_id, site_id, lock=True)
        tidy = _check(organisation_id, site_id, wanted)
        last = db.session.scalar(
            sa.select(sa.func.max(Room.position)).where(
                Room.organisation_id == organisation_id, Room.site_id == site_id
            )
        )
        room = Room(
            id=new_object_id(),
            organisation_id=organisation_id,
            site_id=site_id,
            position=0 if last is None else last + 1,
            **{**tidy, "zone_id": tidy["zone_id"] or None},
        )
        db.session.add(room)
        db.session.flush()
        return room.id

    return once(organisation_id, key, {"room": dict(wanted), "site": site_id}, deed, now)


def save_room(
    organisation_id: str, site_id: str, room_id: str, wanted: Mapping[str, Any], *, seen: str | None
) -> None:
    """Keep these values; sessions stay as they are, whatever the cap.

    Absent ones stay as they are (D4, R3). Raises RuleBroken, EditedMeanwhile, NotFound.
    """
    with transaction():
        # The site first (ADR 9): nobody puts a series or a session there meanwhile.
        lock_sites(organisation_id, [site_id])
        room = find_room(organisation_id, site_id, room_id, lock=True)
        kept = room_values(room)
        tidy = _check(organisation_id, site_id, {**kept, **wanted})
        check_edit(kept, tidy, seen)
        if tidy == kept:
            return
        for name, value in tidy.items():
            setattr(room, name, value)
        room.zone_id = tidy["zone_id"] or None
        db.session.flush()
        raise_site_revisions(organisation_id, [site_id])


def step_room(organisation_id: str, site_id: str, room_id: str, step: int) -> None:
    """Move a room up (below 0) or down in the order of the calendar; raises NotFound."""
    with transaction():
        load_site(organisation_id, site_id, lock=True)
        rows = db.session.scalars(
            sa.select(Room)
            .where(
                Room.organisation_id == organisation_id,
                Room.site_id == site_id,
                Room.deleted_at.is_(None),
            )
            .order_by(*ORDERS["position"])
        ).all()
        if room_id not in {row.id for row in rows}:
            raise NotFound("We couldn't find that room.")
        step_row(rows, room_id, step)


def find_room_use(
    organisation_id: str, site_id: str, room_id: str, *, now: dt.datetime, most: int = 5
) -> Use:
    """The live series and coming sessions that need a room; raises NotFound."""
    find_room(organisation_id, site_id, room_id)
    return use_of(organisation_id, RecurrenceGroup.room_id, Session.room_id, room_id, now, most)


def archive_room(organisation_id: str, site_id: str, room_id: str, *, now: dt.datetime) -> None:
    """No series or session can be put there any more; an archived one stays archived (R11).

    Raises WrongState while coming sessions or live series need it, NotFound.
    """
    with transaction():
        # The site first (ADR 9): nobody puts a series or a session there meanwhile.
        lock_sites(organisation_id, [site_id])
        room = find_room(organisation_id, site_id, room_id, lock=True)
        if room.deleted_at is not None:
            return
        use = find_room_use(organisation_id, site_id, room_id, now=now)
        if not use.is_nothing:
            raise WrongState(
                f"{room.name} is needed by {use.sentence}. Move them to another room first."
            )
        room.deleted_at = now
        db.session.flush()
        raise_site_revisions(organisation_id, [site_id])


def restore_room(organisation_id: str, site_id: str, room_id: str) -> None:
    """An archived room can be used again; a live one stays as it is (R11). Raises NotFound."""
    with transaction():
        # The site first (ADR 9): nobody puts a series or a session there meanwhile.
        lock_sites(organisation_id, [site_id])
        room = find_room(organisation_id, site_id, room_id, lock=True)
        if room.deleted_at is not None:
            room.deleted_at = None
            db.session.flush()
            raise_site_revisions(organisation_id, [site_id])


def list_over_cap(
    organisation_id: str, room: Room, *, now: dt.datetime, most: int = 10
) -> tuple[list[Session], int]:
    """Coming sessions with more places than their room takes: the first ones, and how many (R8)."""
    matches = (
        *_coming(organisation_id, now),
        Session.room_id == room.id,
        Session.capacity > room.cap,
    )
    rows = db.session.scalars(
        sa.select(Session).where(*matches).order_by(Session.start_time, Session.id).limit(most)
    )
    return list(rows), _count(Session.id, *matches)


def use_of(
    organisation_id: str,
    of_group: Any,
    of_session: Any,
    row_id: str,
    now: dt.datetime,
    most: int,
) -> Use:
    """The live series and coming sessions whose columns name this row."""
    series = db.session.execute(
        sa.select(SessionType.name, RecurrenceGroup.name)
        .join(SessionType, SessionType.id == RecurrenceGroup.session_type_id)
        .where(
            RecurrenceGroup.organisation_id == organisation_id,
            of_group == row_id,
            RecurrenceGroup.deleted_at.is_(None),
            SessionType.deleted_at.is_(None),
            sa.or_(
                RecurrenceGroup.recurrence_end.is_(None),
                RecurrenceGroup.recurrence_end >= (now - dt.timedelta(days=1)).date(),
            ),
        )
        .order_by(SessionType.name, RecurrenceGroup.name)
    )
    matches = (*_coming(organisation_id, now), of_session == row_id)
    sessions = db.session.scalars(
        sa.select(Session).where(*matches).order_by(Session.start_time, Session.id).limit(most)
    )
    return Use(
        tuple(f"{kind}, {name}" if name else str(kind) for kind, name in series),
        tuple(sessions),
        _count(Session.id, *matches),
    )


def list_zones(organisation_id: str, site_id: str) -> list[tuple[Zone, int]]:
    """The zones of a site in order, with how many live rooms lie in each."""
    rooms = (
        sa.select(sa.func.count(Room.id))
        .where(
            Room.organisation_id == organisation_id,
            Room.zone_id == Zone.id,
            Room.deleted_at.is_(None),
        )
        .scalar_subquery()
    )
    rows = db.session.execute(
        sa.select(Zone, rooms)
        .where(Zone.organisation_id == organisation_id, Zone.site_id == site_id)
        .order_by(Zone.position, Zone.name, Zone.id)
    )
    return [(zone, number) for zone, number in rows]


def page_zones(organisation_id: str, site_ids: Collection[str] | None, *, cut: Cut) -> PageOf[Zone]:
    """A page of the zones of these sites (all: None), site by site in their order (R1, R21)."""
    query = sa.select(Zone).where(Zone.organisation_id == organisation_id)
    if site_ids is not None:
        query = query.where(Zone.site_id.in_(site_ids))
    by = (Zone.site_id, Zone.position, Zone.name, Zone.id)
    return cut_out(query, cut, by=by, key=Zone.id)


def find_zone(organisation_id: str, site_id: str, zone_id: str, *, lock: bool = False) -> Zone:
    """A zone of this site; raises NotFound."""
    query = sa.select(Zone).where(
        Zone.organisation_id == organisation_id, Zone.site_id == site_id, Zone.id == zone_id
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    zone = db.session.scalar(query)
    if zone is None:
        raise NotFound("We couldn't find that zone.")
    return zone


def add_zone(
    organisation_id: str, site_id: str, name: str, *, key: str = "", now: dt.datetime
) -> str:
    """Another zone, last in order; its id. Raises RuleBroken."""
    tidy = check_title(name, who="the zone's name")

    def deed() -> str:
        load_site(organisation_id, site_id, lock=True)
        known = list_zones(organisation_id, site_id)
        zone = Zone(
            id=new_object_id(),
            organisation_id=organisation_id,
            site_id=site_id,
            name=tidy,
            position=max((one.position for one, _ in known), default=-1) + 1,
        )
        db.session.add(zone)
        db.session.flush()
        return zone.id

    return once(organisation_id, key, {"zone": tidy, "site": site_id}, deed, now)


def save_zone(
    organisation_id: str, site_id: str, zone_id: str, name: str, *, seen: str | None
) -> None:
    """Another name; raises RuleBroken, EditedMeanwhile, NotFound."""
    tidy = check_title(name, who="the zone's name")
    with transaction():
        lock_sites(organisation_id, [site_id])
        zone = find_zone(organisation_id, site_id, zone_id, lock=True)
        check_edit({"name": zone.name}, {"name": tidy}, seen)
        zone.name = tidy
        db.session.flush()
        raise_site_revisions(organisation_id, [site_id])


def step_zone(organisation_id: str, site_id: str, zone_id: str, step: int) -> None:
    """Move a zone up (below 0) or down; raises NotFound."""
    with transaction():
        load_site(organisation_id, site_id, lock=True)
        zones = [zone for zone, _ in list_zones(organisation_id, site_id)]
        if zone_id not in {zone.id for zone in zones}:
            raise NotFound("We couldn't find that zone.")
        step_row(zones, zone_id, step)


def remove_zone(organisation_id: str, site_id: str, zone_id: str) -> None:
    """The zone is gone, its rooms lie in none; raises NotFound for one that is gone (R11)."""
    with transaction():
        of_zone = (Room.organisation_id == organisation_id, Room.site_id == site_id)
        load_site(organisation_id, site_id, lock=True)
        find_zone(organisation_id, site_id, zone_id)
        db.session.execute(
            sa.update(Room).where(*of_zone, Room.zone_id == zone_id).values(zone_id=None),
            execution_options={"synchronize_session": False},
        )
        db.session.execute(
            sa.delete(Zone).where(
                Zone.organisation_id == organisation_id,
                Zone.site_id == site_id,
                Zone.id == zone_id,
            ),
            execution_options={"synchronize_session": False},
        )
        raise_site_revisions(organisation_id, [site_id])


def _check(organisation_id: str, site_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about a room, tidied; raises RuleBroken for all fields at fault at once."""
    values = {**dict.fromkeys(ROOM_RULES, ""), **wanted}
    zone = _find_zone_problem(organisation_id, site_id, str(values["zone_id"] or ""))
    refuse([*find_problems(ROOM_RULES, values), *zone])
    return check_fields(ROOM_RULES, values)


def _number(field: str, bounds: tuple[int, int], what: str) -> Any:
    return lambda value: check_whole(
        str(value), field=field, least=bounds[0], most=bounds[1], what=what
    )


ROOM_RULES: dict[str, Any] = {
    "name": lambda value: check_title(str(value), who="the room's name"),
    "zone_id": lambda value: str(value or ""),
    "cap": _number("cap", ROOM_CAP, "guests"),
    "turnaround": _number("turnaround", TURNAROUND, "minutes"),
    "colour": _number("colour", COLOURS, ""),
}
"""What each field of a room may be."""


def _find_zone_problem(organisation_id: str, site_id: str, zone_id: str) -> list[RuleBroken]:
    try:
        if zone_id:
            find_zone(organisation_id, site_id, zone_id)
    except NotFound:
        # A field of a form names it, so the form says so (R22).
        return [RuleBroken("Choose a zone of this venue.", code="zone", field="zone_id")]
    return []


def _coming(organisation_id: str, now: dt.datetime) -> Sequence[Any]:
    return (
        Session.organisation_id == organisation_id,
        Session.deleted_at.is_(None),
        Session.end_time > now,
    )


def _count(column: Any, *matches: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count(column)).where(*matches)) or 0
