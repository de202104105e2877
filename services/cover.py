"""Who or what stands in: a practitioner falls ill, a room is out of use (R6, S3, S4)."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.errors import NotFound
from domain.local_time import to_utc
from domain.replacing import Candidate, Person, Place, Range, Slot, assign, rank_replacements
from domain.session_changes import Impact
from models import (
    Practitioner,
    Room,
    Session,
    Site,
    TimeOff,
    db,
    practitioner_sites,
    practitioner_types,
)
from services.clashes import list_away, list_busy
from services.session_changes import find_impacts

MOST = 100
"""So many sessions are shown and changed at once; the rest comes after them."""

LATELY = dt.timedelta(weeks=8)
"""Who led a series or type within this time knows it."""

Kind = Literal["practitioner", "room"]


@dataclass(frozen=True, slots=True)
class Absence:
    """Who or what is away, from one wall time of the site up to another."""

    kind: Kind
    id: str
    begins: dt.datetime
    ends: dt.datetime


@dataclass(frozen=True, slots=True)
class Affected:
    """A session that needs somebody: who could, the best first, and who is proposed."""

    session: Session
    slot: Slot
    options: Sequence[Candidate]
    proposed: str
    impact: Impact


@dataclass(frozen=True, slots=True)
class Cover:
    """Everything the page shows; `elsewhere` counts the sessions by name of another site."""

    absence: Absence
    name: str
    affected: Sequence[Affected]
    more: int
    elsewhere: Sequence[tuple[str, int]]
    is_recorded: bool

    @property
    def slots(self) -> dict[str, Slot]:
        """The slots by session."""
        return {one.slot.id: one.slot for one in self.affected}

    @property
    def candidates(self) -> dict[str, Candidate]:
        """Everybody who could take one of them."""
        return {option.id: option for one in self.affected for option in one.options}


@dataclass(frozen=True, slots=True)
class Choice:
    """A practitioner or room that the page offers."""

    id: str
    name: str


def list_absent(organisation_id: str, site_id: str, kind: Kind) -> list[Choice]:
    """The practitioners who work at a site, or its rooms, by name."""
    table: Any = Practitioner if kind == "practitioner" else Room
    query = sa.select(table.id, table.name).where(
        table.organisation_id == organisation_id, table.deleted_at.is_(None)
    )
    if kind == "practitioner":
        query = query.where(Practitioner.sites.any(Site.id == site_id))
    else:
        query = query.where(Room.site_id == site_id)
    return [Choice(*row) for row in db.session.execute(query.order_by(table.name, table.id))]


def find_cover(organisation_id: str, site_id: str, absence: Absence, *, now: dt.datetime) -> Cover:
    """The coming sessions that an absence touches, with ranked proposals that don't clash.

    Raises NotFound for a practitioner or room of elsewhere.
    """
    site = _site(organisation_id, site_id)
    name = _name(organisation_id, site_id, absence)
    rows = _touched(organisation_id, site, absence, now)
    shown = rows[:MOST]
    slots = [slot_for(row) for row in shown]
    candidates = find_candidates(organisation_id, site, absence.kind, slots, now=now)
    options = [
        (slot, rank_replacements(slot, (one for one in candidates if one.id != absence.id)))
        for slot in slots
    ]
    proposed = assign(options)
    impacts = find_impacts(organisation_id, [row.id for row in shown], now=now)
    return Cover(
        absence,
        name,
        [
            Affected(row, slot, able, proposed.get(row.id, ""), impacts[row.id])
            for row, (slot, able) in zip(shown, options, strict=True)
        ],
        max(0, len(rows) - MOST),
        _elsewhere(organisation_id, site_id, absence, now),
        absence.kind == "practitioner" and _is_recorded(organisation_id, absence),
    )


def slot_for(row: Session) -> Slot:
    """A session as what has to be filled."""
    return Slot(
        row.id,
        row.start_time,
        row.end_time,
        row.local_start,
        type_id=row.session_type_id,
        series_id=row.recurrence_group_id,
        capacity=row.capacity,
        needed=row.places_taken + row.places_kept,
        zone_id=row.room.zone_id if row.room else None,
    )


def find_candidates(
    organisation_id: str, site: Site, kind: Kind, slots: Collection[Slot], *, now: dt.datetime
) -> Sequence[Candidate]:
    """Active practitioners of the site who lead one of the types, or its rooms, with what
    they are busy with around the slots."""
    if not slots:
        return []
    if kind == "room":
        return _rooms(organisation_id, site.id, slots)
    return _people(organisation_id, site.id, slots, now)


def _site(organisation_id: str, site_id: str) -> Site:
    return db.session.scalars(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    ).one()


def _name(organisation_id: str, site_id: str, absence: Absence) -> str:
    if absence.kind == "room":
        query = sa.select(Room.name).where(
            Room.organisation_id == organisation_id,
            Room.site_id == site_id,
            Room.id == absence.id,
        )
    else:
        # One who has left may still be named by sessions to come.
        query = sa.select(Practitioner.name).where(
            Practitioner.organisation_id == organisation_id,
            Practitioner.id == absence.id,
            Practitioner.sites.any(Site.id == site_id),
        )
    name = db.session.scalar(query)
    if name is None:
        kinds = {"room": "room", "practitioner": "practitioner"}
        raise NotFound(f"We couldn't find that {kinds[absence.kind]} here.")
    return name


def _touched(
    organisation_id: str, site: Site, absence: Absence, now: dt.datetime
) -> Sequence[Session]:
    column = Session.room_id if absence.kind == "room" else Session.practitioner_id
    return db.session.scalars(
        sa.select(Session)
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site.id,
            column == absence.id,
            Session.deleted_at.is_(None),
            Session.start_time > now,
            Session.start_time < to_utc(absence.ends, site.zoneinfo),
            Session.end_time > to_utc(absence.begins, site.zoneinfo),
        )
        .options(
            joinedload(Session.room),
            joinedload(Session.practitioner),
            joinedload(Session.session_type),
        )
        .order_by(Session.start_time, Session.id)
        .execution_options(populate_existing=True)
    ).all()


def _elsewhere(
    organisation_id: str, site_id: str, absence: Absence, now: dt.datetime
) -> list[tuple[str, int]]:
    """How many of a practitioner's sessions at other sites fall into the same wall time there."""
    if absence.kind == "room":
        return []
    rows = db.session.execute(
        sa.select(Session.start_time, Session.end_time, Site)
        .join(Site, Session.site_id == Site.id)
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id != site_id,
            Session.practitioner_id == absence.id,
            Session.deleted_at.is_(None),
            Session.start_time > now,
            Session.local_start < absence.ends,
        )
    )
    found = Counter(
        site.full_name
        for _, end, site in rows
        if end > to_utc(absence.begins, site.zoneinfo)
    )  # fmt: skip
    return sorted(found.items())


def _is_recorded(organisation_id: str, absence: Absence) -> bool:
    query = sa.select(TimeOff.id).where(
        TimeOff.organisation_id == organisation_id,
        TimeOff.practitioner_id == absence.id,
        TimeOff.local_start <= absence.begins,
        TimeOff.local_end >= absence.ends,
    )
    return db.session.scalar(query.limit(1)) is not None


def _people(
    organisation_id: str, site_id: str, slots: Collection[Slot], now: dt.datetime
) -> list[Person]:
    names, leads = _who_leads(organisation_id, site_id, {slot.type_id for slot in slots})
    week = dt.timedelta(days=8)
    busy: defaultdict[str, list[Range]] = defaultdict(list)
    days: defaultdict[str, Counter[dt.date]] = defaultdict(Counter)
    for one in list_busy(
        organisation_id,
        people=names,
        first=min(slot.start for slot in slots) - week,
        last=max(slot.end for slot in slots) + week,
    ):
        busy[one.practitioner_id or ""].append((one.start, one.end))
        days[one.practitioner_id or ""][one.local_start.date()] += 1
    away: defaultdict[str, list[Range]] = defaultdict(list)
    for absence in list_away(organisation_id, names):
        away[absence.practitioner_id].append((absence.local_start, absence.local_end))
    types, series = _led_lately(organisation_id, names, now)
    return [
        Person(
            who,
            name,
            tuple(busy[who]),
            away=tuple(away[who]),
            leads=frozenset(leads[who]),
            led_types=frozenset(types[who]),
            led_series=frozenset(series[who]),
            days=days[who],
        )
        for who, name in names.items()
    ]


def _who_leads(
    organisation_id: str, site_id: str, type_ids: Iterable[str]
) -> tuple[dict[str, str], dict[str, set[str]]]:
    names: dict[str, str] = {}
    leads: defaultdict[str, set[str]] = defaultdict(set)
    for who, name, type_id in db.session.execute(
        sa.select(Practitioner.id, Practitioner.name, practitioner_types.c.session_type_id)
        .join(practitioner_types, practitioner_types.c.practitioner_id == Practitioner.id)
        .join(practitioner_sites, practitioner_sites.c.practitioner_id == Practitioner.id)
        .where(
            Practitioner.organisation_id == organisation_id,
            Practitioner.deleted_at.is_(None),
            practitioner_sites.c.site_id == site_id,
            practitioner_types.c.session_type_id.in_(set(type_ids)),
        )
    ):
        names[who] = name
        leads[who].add(type_id)
    return names, leads


def _led_lately(
    organisation_id: str, people: Iterable[str], now: dt.datetime
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    types: defaultdict[str, set[str]] = defaultdict(set)
    series: defaultdict[str, set[str]] = defaultdict(set)
    rows = db.session.execute(
        sa.select(Session.practitioner_id, Session.session_type_id, Session.recurrence_group_id)
        .where(
            Session.organisation_id == organisation_id,
            Session.practitioner_id.in_(list(people)),
            Session.deleted_at.is_(None),
            Session.start_time >= now - LATELY,
            Session.start_time < now,
        )
        .distinct()
    )
    for who, type_id, series_id in rows:
        types[str(who)].add(type_id)
        if series_id is not None:
            series[str(who)].add(series_id)
    return types, series


def _rooms(organisation_id: str, site_id: str, slots: Collection[Slot]) -> list[Place]:
    rooms = db.session.scalars(
        sa.select(Room).where(
            Room.organisation_id == organisation_id,
            Room.site_id == site_id,
            Room.deleted_at.is_(None),
        )
    ).all()
    rest = dt.timedelta(minutes=max((room.turnaround for room in rooms), default=0))
    busy: defaultdict[str, list[Range]] = defaultdict(list)
    for one in list_busy(
        organisation_id,
        rooms=[room.id for room in rooms],
        first=min(slot.start for slot in slots) - rest,
        last=max(slot.end for slot in slots) + rest,
    ):
        busy[one.room_id or ""].append((one.start, one.end))
    return [
        Place(
            room.id,
            room.name,
            tuple(busy[room.id]),
            cap=room.cap,
            zone_id=room.zone_id,
            turnaround=room.turnaround,
        )
        for room in rooms
    ]
