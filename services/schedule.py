"""The staff's schedule: a day by room, days in a row, a month in numbers, what comes next.

Plain columns and a fixed number of statements, however many sessions and bookings there are.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from domain.clashes import Away, Busy, Clash, find_clashes
from domain.words import count
from models import (
    ClosedDay,
    Practitioner,
    RecurrenceGroup,
    Room,
    Session,
    SessionBooking,
    SessionType,
    Site,
    TimeOff,
    Zone,
    db,
    practitioner_sites,
)

PER_PAGE = 50
"""Sessions on a page of the agenda."""

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a schedule is narrowed to, by ids; an empty set is no condition."""

    rooms: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    practitioners: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.rooms or self.zones or self.practitioners or self.types)

    def takes(self, block: "Block") -> bool:
        """Whether a session is among what was chosen."""
        return all(
            not wanted or has in wanted
            for wanted, has in (
                (self.rooms, block.room_id),
                (self.zones, block.zone_id),
                (self.practitioners, block.practitioner_id),
                (self.types, block.type_id),
            )
        )


@dataclass(frozen=True, slots=True)
class RoomChoice:
    """A room to choose, archived ones too: an old day still has its sessions."""

    id: str
    name: str
    colour: int
    turnaround: int
    cap: int
    zone_id: str | None
    zone: str
    is_live: bool


@dataclass(frozen=True, slots=True)
class NamedChoice:
    """A zone, practitioner or type to choose."""

    id: str
    name: str
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that a schedule of a site can be narrowed to."""

    rooms: tuple[RoomChoice, ...]
    zones: tuple[NamedChoice, ...]
    practitioners: tuple[NamedChoice, ...]
    types: tuple[NamedChoice, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One session of a schedule."""

    id: str
    type_id: str
    name: str
    local_start: dt.datetime
    start_time: dt.datetime
    end_time: dt.datetime
    minutes: int
    capacity: int
    places_taken: int
    practitioner: str
    practitioner_id: str | None
    room: str
    room_id: str | None
    colour: int
    zone_id: str | None
    is_private: bool
    is_cancelled: bool
    waiting: int = 0
    lacks: str = ""
    """Why somebody has to step in: "No one leads it yet", "Ines is away"; empty for most."""
    clashes: tuple[str, ...] = ()
    """With what it shares its room or its practitioner at the time, in words (S4)."""

    @property
    def local_end(self) -> dt.datetime:
        """When it ends by the wall clock, unless the clocks change meanwhile."""
        return self.local_start + dt.timedelta(minutes=self.minutes)

    @property
    def percent(self) -> int:
        """How full it is."""
        return round(100 * self.places_taken / self.capacity)


@dataclass(frozen=True, slots=True)
class Lane:
    """A room with its sessions of one day; the last lane holds sessions without a room."""

    name: str
    colour: int
    turnaround: int
    blocks: tuple[Block, ...]
    room_id: str | None = None

    @property
    def places(self) -> tuple[int, int]:
        """Places taken and places in all, of sessions that take place."""
        return _places(self.blocks)


@dataclass(frozen=True, slots=True)
class Day:
    """A date of the schedule; `closed` is the reason why the venue is shut, or None."""

    day: dt.date
    closed: str | None = None
    blocks: tuple[Block, ...] = ()
    sessions: int = 0
    guests: int = 0
    capacity: int = 0

    @property
    def percent(self) -> int:
        """How full its sessions are."""
        return round(100 * self.guests / self.capacity) if self.capacity else 0


@dataclass(frozen=True, slots=True)
class ComingPage:
    """A page of the agenda, by days; `total` counts all that comes."""

    days: tuple[Day, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class _Window:
    """Wall time from `first` up to, not including, `last`."""

    first: dt.datetime
    last: dt.datetime
    closed: dict[dt.date, str] = field(default_factory=dict)


def list_choices(organisation_id: str, site_id: str) -> Choices:
    """Rooms by zone and position, zones, practitioners and types by name."""
    rooms = db.session.execute(
        sa.select(
            Room.id, Room.name, Room.colour, Room.turnaround, Room.cap, Room.zone_id,
            sa.func.coalesce(Zone.name, ""), Room.deleted_at.is_(None),
        )
        .join(Zone, Room.zone_id == Zone.id, isouter=True)
        .where(Room.organisation_id == organisation_id, Room.site_id == site_id)
        .order_by(Room.position, Room.name)
    )  # fmt: skip
    zones = db.session.execute(
        sa.select(Zone.id, Zone.name)
        .where(Zone.organisation_id == organisation_id, Zone.site_id == site_id)
        .order_by(Zone.position, Zone.name)
    )
    people = db.session.execute(
        sa.select(Practitioner.id, Practitioner.name, Practitioner.deleted_at.is_(None))
        .join(practitioner_sites, practitioner_sites.c.practitioner_id == Practitioner.id)
        .where(
            Practitioner.organisation_id == organisation_id,
            practitioner_sites.c.site_id == site_id,
        )
        .order_by(Practitioner.name, Practitioner.id)
    )
    types = db.session.execute(
        sa.select(SessionType.id, SessionType.name, SessionType.deleted_at.is_(None))
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            sa.not_(SessionType.hidden_on_schedule),
        )
        .order_by(SessionType.name, SessionType.id)
    )
    return Choices(
        rooms=tuple(RoomChoice(*row) for row in rooms),
        zones=tuple(NamedChoice(*row) for row in zones),
        practitioners=tuple(NamedChoice(*row) for row in people),
        types=tuple(NamedChoice(*row) for row in types),
    )


def list_days(
    organisation_id: str,
    site_id: str,
    first: dt.date,
    days: int,
    *,
    chosen: Chosen,
    now: dt.datetime,
) -> tuple[Day, ...]:
    """Each of `days` days from `first` with its sessions, hidden types left out (R30, S4)."""
    window = _window(organisation_id, site_id, first, days)
    by_day: dict[dt.date, list[Block]] = defaultdict(list)
    for block in _blocks_between(organisation_id, site_id, window, now):
        if chosen.takes(block):
            by_day[block.local_start.date()].append(block)
    return tuple(
        _day(day, window.closed.get(day), by_day[day])
        for day in (first + n * _DAY for n in range(days))
    )


def lanes_of(day: Day, rooms: Iterable[RoomChoice], chosen: Chosen) -> list[Lane]:
    """A day's sessions by room: the rooms in use, and archived ones that still have sessions."""
    by_room: dict[str | None, list[Block]] = defaultdict(list)
    for block in day.blocks:
        by_room[block.room_id].append(block)
    lanes = []
    for room in rooms:
        blocks = tuple(by_room.pop(room.id, ()))
        is_wanted = (not chosen.rooms or room.id in chosen.rooms) and (
            not chosen.zones or room.zone_id in chosen.zones
        )
        if blocks or (room.is_live and is_wanted):
            lanes.append(Lane(room.name, room.colour, room.turnaround, blocks, room.id))
    loose = [block for blocks in by_room.values() for block in blocks]
    if loose:
        lanes.append(Lane("No room", 6, 0, tuple(loose)))
    return lanes


def count_days(
    organisation_id: str, site_id: str, first: dt.date, days: int, *, chosen: Chosen
) -> tuple[Day, ...]:
    """Sessions, guests and places of each day, counted by the database."""
    window = _window(organisation_id, site_id, first, days)
    on = sa.func.date(Session.local_start)
    rows = db.session.execute(
        sa.select(
            on,
            sa.func.count(Session.id),
            sa.func.sum(Session.places_taken),
            sa.func.sum(Session.capacity),
        )
        .join(SessionType, Session.session_type_id == SessionType.id)
        .join(Room, Session.room_id == Room.id, isouter=True)
        .where(
            *_shown(organisation_id, site_id, chosen),
            Session.local_start >= window.first,
            Session.local_start < window.last,
            Session.deleted_at.is_(None),
        )
        .group_by(on)
    )
    numbers = {str(day)[:10]: (int(n), int(taken), int(most)) for day, n, taken, most in rows}
    return tuple(
        Day(day, window.closed.get(day), (), *numbers.get(day.isoformat(), (0, 0, 0)))
        for day in (first + n * _DAY for n in range(days))
    )


def list_coming(
    organisation_id: str,
    site_id: str,
    since: dt.datetime,
    *,
    chosen: Chosen,
    page: int,
    now: dt.datetime,
) -> ComingPage:
    """Sessions that end after `since`, one list; cancelled ones stand among them."""
    wanted = (
        *_shown(organisation_id, site_id, chosen),
        # The index is on the wall clock; a session of more than a day is not known.
        Session.local_start >= (since - 2 * _DAY).replace(tzinfo=None),
        Session.end_time > since,
    )
    total = db.session.scalar(
        sa.select(sa.func.count(Session.id))
        .join(SessionType, Session.session_type_id == SessionType.id)
        .join(Room, Session.room_id == Room.id, isouter=True)
        .where(*wanted)
    )
    pages = max(1, -(-(total or 0) // PER_PAGE))
    at = min(max(page, 1), pages)
    rows = db.session.execute(
        _columns()
        .where(*wanted)
        .order_by(Session.local_start, Session.id)
        .offset((at - 1) * PER_PAGE)
        .limit(PER_PAGE)
    ).all()
    if not rows:
        return ComingPage((), total or 0, at, pages)
    first, last = rows[0].local_start.date(), rows[-1].local_start.date()
    window = _window(organisation_id, site_id, first, (last - first).days + 1)
    absent = _by_session(
        find_clashes(
            [Busy(row.id, "", row.start_time, row.end_time, row.local_start, None,
                  row.practitioner_id) for row in rows],
            [],
            away=_time_off(organisation_id, window),
        )
    )  # fmt: skip
    by_day: dict[dt.date, list[Block]] = defaultdict(list)
    for row in rows:
        only_away = [clash for clash in absent.get(row.id, []) if clash.kind == "away"]
        by_day[row.local_start.date()].append(_block(row, only_away, now, {}))
    days = tuple(_day(day, window.closed.get(day), blocks) for day, blocks in by_day.items())
    return ComingPage(days, total or 0, at, pages)


def find_closed_reason(organisation_id: str, site_id: str, day: dt.date) -> str | None:
    """Why the venue is shut on `day`; None when it is not a closed day."""
    return _window(organisation_id, site_id, day, 1).closed.get(day)


def _window(organisation_id: str, site_id: str, first: dt.date, days: int) -> _Window:
    closed = db.session.execute(
        sa.select(ClosedDay.day, ClosedDay.reason).where(
            ClosedDay.organisation_id == organisation_id,
            ClosedDay.site_id == site_id,
            ClosedDay.day.between(first, first + (days - 1) * _DAY),
        )
    )
    begin = dt.datetime.combine(first, dt.time())
    return _Window(begin, begin + days * _DAY, {row.day: row.reason for row in closed})


def _columns() -> sa.Select[Any]:
    """What a block is made of, in one statement; its type, room, person and series beside it."""
    waiting = (
        sa.select(sa.func.count(SessionBooking.id))
        .where(
            SessionBooking.organisation_id == Session.organisation_id,
            SessionBooking.session_id == Session.id,
            SessionBooking.status == "waitlisted",
            SessionBooking.cancelled_at.is_(None),
        )
        .correlate(Session)
        .scalar_subquery()
    )
    columns = (
        Session.id, Session.site_id, Session.session_type_id, Session.session_type_name,
        Session.local_start, Session.start_time, Session.end_time, Session.capacity,
        Session.places_taken, Session.room_id, Session.practitioner_id,
        Session.deleted_at, SessionType.visibility, SessionType.hidden_on_schedule,
        Practitioner.name.label("practitioner"),
        Practitioner.deleted_at.label("practitioner_left"),
        RecurrenceGroup.practitioner_id.label("usual_practitioner_id"),
        Room.name.label("room"), Room.colour, Room.turnaround, Room.zone_id,
        waiting.label("waiting"),
    )  # fmt: skip
    return (
        sa.select(*columns)
        .join(SessionType, Session.session_type_id == SessionType.id)
        .join(Room, Session.room_id == Room.id, isouter=True)
        .join(Practitioner, Session.practitioner_id == Practitioner.id, isouter=True)
        .join(RecurrenceGroup, Session.recurrence_group_id == RecurrenceGroup.id, isouter=True)
    )


def _shown(organisation_id: str, site_id: str, chosen: Chosen) -> list[Any]:
    """The conditions of what this page lists."""
    wanted: list[Any] = [
        Session.organisation_id == organisation_id,
        Session.site_id == site_id,
        sa.not_(SessionType.hidden_on_schedule),
    ]
    for ids, column in (
        (chosen.rooms, Session.room_id),
        (chosen.zones, Room.zone_id),
        (chosen.practitioners, Session.practitioner_id),
        (chosen.types, Session.session_type_id),
    ):
        if ids:
            wanted.append(column.in_(sorted(ids)))
    return wanted


def _blocks_between(
    organisation_id: str, site_id: str, window: _Window, now: dt.datetime
) -> list[Block]:
    """The site's sessions in the window, each with those it clashes with.

    A day more on both sides, and the same people at other sites, are asked for: a session that
    began yesterday, or in another town, is in the way all the same. So are types that the
    schedule hides.
    """
    sites = sa.select(Site.id).where(Site.organisation_id == organisation_id)
    ours = sa.select(practitioner_sites.c.practitioner_id).where(
        practitioner_sites.c.site_id == site_id
    )
    rows = db.session.execute(
        _columns()
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id.in_(sites),
            Session.local_start >= window.first - _DAY,
            Session.local_start < window.last + _DAY,
            sa.or_(Session.site_id == site_id, Session.practitioner_id.in_(ours)),
        )
        .order_by(Session.local_start, Session.id)
    ).all()
    live = {row.id: row for row in rows if row.deleted_at is None}
    shown = [
        row
        for row in rows
        if row.site_id == site_id
        and window.first <= row.local_start < window.last
        and not row.hidden_on_schedule
    ]
    asked = {row.id for row in shown}
    found = find_clashes(
        [_busy(live[id]) for id in asked if id in live],
        [_busy(row) for row in live.values() if row.id not in asked],
        turnaround={
            row.room_id: dt.timedelta(minutes=row.turnaround) for row in rows if row.room_id
        },
        away=_time_off(organisation_id, window),
    )
    clashes = _by_session(found)
    return [_block(row, clashes.get(row.id, []), now, live) for row in shown]


def _busy(row: Any) -> Busy:
    return Busy(
        row.id, row.session_type_name, row.start_time, row.end_time, row.local_start,
        row.room_id, row.practitioner_id,
    )  # fmt: skip


def _by_session(found: Iterable[Clash]) -> dict[str, list[Clash]]:
    by_session: dict[str, list[Clash]] = defaultdict(list)
    for clash in found:
        by_session[clash.wanted.key].append(clash)
    return by_session


def _time_off(organisation_id: str, window: _Window) -> list[Away]:
    rows = db.session.execute(
        sa.select(
            TimeOff.practitioner_id, TimeOff.local_start, TimeOff.local_end, TimeOff.reason
        ).where(
            TimeOff.organisation_id == organisation_id,
            TimeOff.local_start < window.last + _DAY,
            TimeOff.local_end > window.first,
        )
    )
    return [Away(*row) for row in rows]


def _block(row: Any, clashes: Sequence[Clash], now: dt.datetime, others: dict[str, Any]) -> Block:
    return Block(
        id=row.id,
        type_id=row.session_type_id,
        name=row.session_type_name,
        local_start=row.local_start,
        start_time=row.start_time,
        end_time=row.end_time,
        minutes=int((row.end_time - row.start_time).total_seconds() // 60),
        capacity=row.capacity,
        places_taken=row.places_taken,
        practitioner=row.practitioner or "",
        practitioner_id=row.practitioner_id,
        room=row.room or "",
        room_id=row.room_id,
        colour=row.colour or 6,
        zone_id=row.zone_id,
        is_private=row.visibility != "public",
        is_cancelled=row.deleted_at is not None,
        waiting=row.waiting,
        lacks=_say_lack(row, any(clash.kind == "away" for clash in clashes), now),
        clashes=_say_clashes(clashes, others),
    )


def _say_lack(row: Any, is_away: bool, now: dt.datetime) -> str:
    """Why a coming session needs somebody else to lead it; empty when it does not."""
    if row.deleted_at is not None or row.end_time <= now:
        return ""
    if row.practitioner_id is None:
        return "No one leads it yet" if row.usual_practitioner_id is not None else ""
    if row.practitioner_left is not None:
        return f"{row.practitioner} no longer works here"
    return f"{row.practitioner} is away" if is_away else ""


def _say_clashes(clashes: Sequence[Clash], others: dict[str, Any]) -> tuple[str, ...]:
    """One sentence part for each session that is met, with what the two share."""
    shared: dict[str, list[str]] = {}
    for clash in clashes:
        if clash.other is not None:
            row = others[clash.other.key]
            name = row.room if clash.kind == "room" else row.practitioner
            shared.setdefault(clash.other.key, []).append(name or "")
    return tuple(
        f"{others[key].session_type_name}, {others[key].local_start:%H:%M} ({' and '.join(names)})"
        for key, names in shared.items()
    )


def _day(day: dt.date, closed: str | None, blocks: Sequence[Block]) -> Day:
    taken, most = _places(blocks)
    live = sum(not block.is_cancelled for block in blocks)
    return Day(day, closed, tuple(blocks), live, taken, most)


def _places(blocks: Iterable[Block]) -> tuple[int, int]:
    live = [block for block in blocks if not block.is_cancelled]
    return sum(block.places_taken for block in live), sum(block.capacity for block in live)


def say_state(block: Block) -> str:
    """What stands in the badge of a listed session: most have none."""
    if block.is_cancelled:
        return "Cancelled"
    if block.lacks:
        return "Needs cover"
    if block.clashes:
        return "Clash"
    return f"{count(block.waiting, 'party', 'parties')} waiting" if block.waiting else ""
