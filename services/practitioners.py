"""Who leads sessions: what they lead, where they work, when they are away."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.editing import check_edit
from domain.errors import NotFound, RuleBroken, WrongState
from domain.local_time import to_local, to_utc
from domain.venue_rules import (
    check_address,
    check_fields,
    check_line,
    check_text,
    check_title,
    find_problems,
    refuse,
)
from domain.words import count
from models import (
    Practitioner,
    RecurrenceGroup,
    Session,
    SessionType,
    Site,
    TimeOff,
    db,
    new_object_id,
    practitioner_sites,
    practitioner_types,
)
from services.idempotency import once, retrying
from services.paging import Cut, PageOf, cut_out
from services.rooms import Use, use_of
from services.venue_settings import lock_sites, raise_site_revisions

PAGE = 50
LONGEST_AWAY = dt.timedelta(days=732)
TEXT_FIELDS = ("name", "title", "email", "bio")


@dataclass(frozen=True, slots=True)
class PersonLine:
    """A practitioner in the list: what they lead here, what is coming, when they are away next."""

    person: Practitioner
    leads: tuple[str, ...]
    coming: int
    away: TimeOff | None


@dataclass(frozen=True, slots=True)
class Team:
    """One page of practitioners."""

    lines: tuple[PersonLine, ...]
    total: int
    page: int
    pages: int
    archived: int


@dataclass(frozen=True, slots=True)
class Away:
    """A time off with the coming sessions of this site that it hits: the first ones, how many."""

    row: TimeOff
    sessions: tuple[Session, ...]
    total: int


def list_team(
    organisation_id: str,
    site_id: str,
    *,
    search: str = "",
    type_id: str = "",
    is_archived: bool = False,
    order: str = "name",
    page: int = 1,
    size: int = PAGE,
    local_now: dt.datetime,
    now: dt.datetime,
) -> Team:
    """Who works at a site; `order` "-name" runs from Z to A."""
    of_site = (
        Practitioner.organisation_id == organisation_id,
        Practitioner.id.in_(_at(site_id)),
    )
    is_gone = Practitioner.deleted_at.is_not(None)
    matches = [*of_site, is_gone if is_archived else ~is_gone]
    if search:
        matches.append(sa.func.lower(Practitioner.name).contains(search.lower(), autoescape=True))
    if type_id:
        matches.append(Practitioner.id.in_(_leading(type_id)))
    total = _count(Practitioner.id, *matches)
    pages = max(1, -(-total // size))
    page = min(max(1, page), pages)
    name = sa.func.lower(Practitioner.name)
    rows = db.session.scalars(
        sa.select(Practitioner)
        .where(*matches)
        .order_by(name.desc() if order == "-name" else name, Practitioner.id)
        .limit(size)
        .offset((page - 1) * size)
    ).all()
    ids = [row.id for row in rows]
    leads, coming = _led_names(organisation_id, site_id, ids), _coming(organisation_id, ids, now)
    away = _next_away(organisation_id, ids, local_now)
    lines = tuple(
        PersonLine(row, tuple(leads.get(row.id, ())), coming.get(row.id, 0), away.get(row.id))
        for row in rows
    )
    return Team(lines, total, page, pages, _count(Practitioner.id, *of_site, is_gone))


def page_practitioners(
    organisation_id: str,
    site_ids: Collection[str] | None,
    *,
    is_archived: bool = False,
    cut: Cut,
) -> PageOf[Practitioner]:
    """A page of who works at one of these sites (all: None), by name (R1, R21)."""
    gone = Practitioner.deleted_at
    query = sa.select(Practitioner).where(
        Practitioner.organisation_id == organisation_id,
        gone.is_not(None) if is_archived else gone.is_(None),
    )
    if site_ids is not None:
        query = query.where(Practitioner.id.in_(_at_one_of(site_ids)))
    by = (sa.func.lower(Practitioner.name), Practitioner.id)
    return cut_out(query, cut, by=by, key=Practitioner.id)


def list_links(
    organisation_id: str, person_ids: Collection[str], site_ids: Collection[str]
) -> dict[str, tuple[list[str], list[str]]]:
    """By person, of these sites, where they work and the types they lead there (two statements)."""
    works, leads = practitioner_sites.c, practitioner_types.c
    found: dict[str, tuple[list[str], list[str]]] = {one: ([], []) for one in person_ids}
    rows = db.session.execute(
        sa.select(works.practitioner_id, works.site_id)
        .join(Practitioner, Practitioner.id == works.practitioner_id)
        .where(
            Practitioner.organisation_id == organisation_id,
            works.practitioner_id.in_(found),
            works.site_id.in_(site_ids),
        )
        .order_by(works.site_id)
    )
    for person_id, site_id in rows:
        found[person_id][0].append(site_id)
    rows = db.session.execute(
        sa.select(leads.practitioner_id, leads.session_type_id)
        .join(SessionType, SessionType.id == leads.session_type_id)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id.in_(site_ids),
            leads.practitioner_id.in_(found),
        )
        .order_by(leads.session_type_id)
    )
    for person_id, type_id in rows:
        found[person_id][1].append(type_id)
    return found


def find_practitioner(
    organisation_id: str, site_id: str, person_id: str, *, lock: bool = False
) -> Practitioner:
    """Somebody who works at this site, archived or not; raises NotFound."""
    query = sa.select(Practitioner).where(
        Practitioner.organisation_id == organisation_id,
        Practitioner.id == person_id,
        Practitioner.id.in_(_at(site_id)),
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = db.session.scalar(query)
    if row is None:
        raise NotFound("We couldn't find that person.")
    return row


def practitioner_values(person: Practitioner, may_set: Collection[str]) -> dict[str, Any]:
    """What the editor shows and saves: their sites and types at the sites of `may_set`."""
    return {
        **{name: getattr(person, name) for name in TEXT_FIELDS},
        "sites": sorted(_site_ids(person.id) & set(may_set)),
        "types": sorted(_type_ids(person.organisation_id, person.id, may_set)),
    }


def list_leadable(organisation_id: str, site_ids: Collection[str]) -> list[tuple[str, str, str]]:
    """Id, name and site of the live types that somebody may be said to lead."""
    rows = db.session.execute(
        sa.select(SessionType.id, SessionType.name, SessionType.site_id)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id.in_(site_ids),
            SessionType.deleted_at.is_(None),
        )
        .order_by(SessionType.site_id, SessionType.position, SessionType.name)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def add_practitioner(
    organisation_id: str,
    wanted: Mapping[str, Any],
    *,
    may_set: Collection[str],
    key: str = "",
    now: dt.datetime,
) -> str:
    """Somebody who works at least at one of the sites of `may_set`; their id.

    Raises RuleBroken with the field.
    """

    def deed() -> str:
        _check_named(organisation_id, wanted, may_set)
        tidy = _tidy(wanted)
        person = Practitioner(
            id=new_object_id(),
            organisation_id=organisation_id,
            **{name: tidy[name] for name in TEXT_FIELDS},
        )
        db.session.add(person)
        db.session.flush()
        _link(person, tidy, may_set)
        return person.id

    return once(organisation_id, key, {"person": dict(wanted)}, deed, now)


def save_practitioner(
    organisation_id: str,
    site_id: str,
    person_id: str,
    wanted: Mapping[str, Any],
    *,
    may_set: Collection[str],
    seen: str | None,
    now: dt.datetime,
) -> None:
    """Keep these values; absent ones stay, and so does what concerns other sites (D4, R3).

    Raises RuleBroken with the field, for a site too where they lead coming sessions (R6),
    EditedMeanwhile, NotFound.
    """

    def deed() -> None:
        # Sites first (ADR 9): nobody puts them in charge of a session there meanwhile.
        lock_sites(organisation_id)
        person = find_practitioner(organisation_id, site_id, person_id, lock=True)
        kept = practitioner_values(person, may_set)
        elsewhere = _site_ids(person_id) - set(may_set)
        led = _type_ids(organisation_id, person_id, elsewhere)
        values = {**kept, **wanted}
        # What they have elsewhere stays, named or not.
        values["sites"] = set(values["sites"]) - elsewhere
        values["types"] = set(values["types"]) - led
        _check_named(organisation_id, values, may_set, elsewhere)
        tidy = _tidy(values)
        check_edit(kept, tidy, seen)
        if tidy == kept:
            return
        _check_leaving(organisation_id, person_id, set(kept["sites"]) - set(tidy["sites"]), now)
        for name in TEXT_FIELDS:
            setattr(person, name, tidy[name])
        db.session.flush()
        before = _site_ids(person_id)
        _link(person, tidy, may_set)
        raise_site_revisions(organisation_id, before | _site_ids(person_id))

    retrying(deed)


def find_practitioner_use(
    organisation_id: str, site_id: str, person_id: str, *, now: dt.datetime, most: int = 5
) -> Use:
    """The live series and coming sessions, at any site, that they lead; raises NotFound."""
    find_practitioner(organisation_id, site_id, person_id)
    return use_of(
        organisation_id,
        RecurrenceGroup.practitioner_id,
        Session.practitioner_id,
        person_id,
        now,
        most,
    )


def archive_practitioner(
    organisation_id: str, site_id: str, person_id: str, *, now: dt.datetime
) -> None:
    """They lead nothing more; somebody archived stays archived (R6, R11).

    Raises WrongState while they lead coming sessions or live series, NotFound.
    """

    def deed() -> None:
        lock_sites(organisation_id)
        person = find_practitioner(organisation_id, site_id, person_id, lock=True)
        if person.deleted_at is not None:
            return
        use = find_practitioner_use(organisation_id, site_id, person_id, now=now)
        if not use.is_nothing:
            raise WrongState(
                f"{person.name} leads {use.sentence}. Give them to somebody else first."
            )
        person.deleted_at = now
        db.session.flush()
        raise_site_revisions(organisation_id, _site_ids(person_id))

    retrying(deed)


def restore_practitioner(organisation_id: str, site_id: str, person_id: str) -> None:
    """They may lead again; somebody active stays active (R11). Raises NotFound."""

    def deed() -> None:
        find_practitioner(organisation_id, site_id, person_id, lock=True).deleted_at = None

    retrying(deed)


def add_time_off(
    organisation_id: str,
    site_id: str,
    person_id: str,
    *,
    local_start: dt.datetime,
    local_end: dt.datetime,
    reason: str = "",
    now: dt.datetime,
) -> str:
    """From when to when somebody is away, in wall time; its id, the same for the same times.

    Sessions stay as they are: the page shows those that it hits. Raises RuleBroken, NotFound.
    """
    if local_end <= local_start:
        raise RuleBroken("They come back after they leave.", code="away", field="local_end")
    if local_end - local_start > LONGEST_AWAY:
        raise RuleBroken("Use at most two years.", code="away", field="local_end")
    tidy = check_line(reason, field="reason")

    def deed() -> str:
        find_practitioner(organisation_id, site_id, person_id, lock=True)
        known = db.session.scalar(
            _away_of(organisation_id, person_id).where(
                TimeOff.local_start == local_start, TimeOff.local_end == local_end
            )
        )
        if known is not None:
            return str(known.id)
        row = TimeOff(
            id=new_object_id(),
            organisation_id=organisation_id,
            practitioner_id=person_id,
            local_start=local_start,
            local_end=local_end,
            reason=tidy,
            created_at=now,
        )
        db.session.add(row)
        db.session.flush()
        return row.id

    return retrying(deed)


def find_time_off(organisation_id: str, site_id: str, person_id: str, away_id: str) -> TimeOff:
    """One time off of somebody at this site; raises NotFound."""
    find_practitioner(organisation_id, site_id, person_id)
    row: TimeOff | None = db.session.scalar(
        _away_of(organisation_id, person_id).where(TimeOff.id == away_id)
    )
    if row is None:
        raise NotFound("We couldn't find that time off.")
    return row


def remove_time_off(organisation_id: str, site_id: str, person_id: str, away_id: str) -> None:
    """They are here after all; what is gone already stays gone. Raises NotFound."""

    def deed() -> None:
        find_practitioner(organisation_id, site_id, person_id)
        db.session.execute(
            sa.delete(TimeOff).where(
                TimeOff.organisation_id == organisation_id,
                TimeOff.practitioner_id == person_id,
                TimeOff.id == away_id,
            ),
            execution_options={"synchronize_session": False},
        )

    retrying(deed)


def list_time_off(
    organisation_id: str, site: Site, person_id: str, *, now: dt.datetime, most: int = 5
) -> list[Away]:
    """Their present and coming times off, each with the coming sessions of this site it hits."""
    local_now = to_local(now, site.zoneinfo)
    rows = db.session.scalars(
        _away_of(organisation_id, person_id)
        .where(TimeOff.local_end > local_now)
        .order_by(TimeOff.local_start, TimeOff.id)
    ).all()
    if not rows:
        return []
    last = max(row.local_end for row in rows)
    sessions = db.session.scalars(
        sa.select(Session)
        .where(
            *_of_sessions(organisation_id, now),
            Session.site_id == site.id,
            Session.practitioner_id == person_id,
            Session.local_start < last,
        )
        .order_by(Session.start_time, Session.id)
    ).all()
    return [_away(row, sessions, site, most) for row in rows]


def _away(row: TimeOff, sessions: Sequence[Session], site: Site, most: int) -> Away:
    # By instants: a session over a clock change ends later than its wall times say.
    first = to_utc(row.local_start, site.zoneinfo)
    last = to_utc(row.local_end, site.zoneinfo)
    hit = [one for one in sessions if one.start_time < last and one.end_time > first]
    return Away(row, tuple(hit[:most]), len(hit))


def _tidy(wanted: Mapping[str, Any]) -> dict[str, Any]:
    tidy = check_fields(PERSON_RULES, {**dict.fromkeys(PERSON_RULES, ""), **wanted})
    return {
        **tidy,
        "sites": sorted(set(wanted.get("sites", ()))),
        "types": sorted(set(wanted.get("types", ()))),
    }


PERSON_RULES: dict[str, Any] = {
    "name": lambda value: check_title(str(value), who="their name"),
    "title": lambda value: check_line(str(value), field="title"),
    "email": lambda value: check_address(str(value)),
    "bio": lambda value: check_text(str(value), field="bio"),
}
"""What each text about somebody may be."""


def _check_named(
    organisation_id: str,
    wanted: Mapping[str, Any],
    may_set: Collection[str],
    elsewhere: Collection[str] = (),
) -> None:
    """Every text is fit, sites and types are the organisation's own, somebody works somewhere.

    Raises RuleBroken for all fields at fault at once (R22).
    """
    texts = {name: wanted.get(name, "") for name in PERSON_RULES}
    problems = find_problems(PERSON_RULES, texts)
    sites, types = set(wanted.get("sites", ())), set(wanted.get("types", ()))
    if not sites <= set(may_set):
        problems.append(RuleBroken("Choose venues of your own.", code="sites", field="sites"))
    elif not sites and not elsewhere:
        problems.append(RuleBroken("Choose at least one venue.", code="sites", field="sites"))
    known = set(
        db.session.scalars(
            sa.select(SessionType.id).where(
                SessionType.organisation_id == organisation_id,
                SessionType.site_id.in_(may_set),
                SessionType.id.in_(types),
            )
        )
    )
    if types - known:
        problems.append(
            RuleBroken("Choose session types of your own.", code="types", field="types")
        )
    refuse(problems)


def _check_leaving(
    organisation_id: str, person_id: str, site_ids: Collection[str], now: dt.datetime
) -> None:
    if not site_ids:
        return
    number = _count(
        Session.id,
        *_of_sessions(organisation_id, now),
        Session.practitioner_id == person_id,
        Session.site_id.in_(site_ids),
    )
    if number:
        raise RuleBroken(
            f"They lead {count(number, 'coming session')} there. Give them to somebody else first.",
            code="leads_there",
            field="sites",
        )


def _link(person: Practitioner, tidy: Mapping[str, Any], may_set: Collection[str]) -> None:
    """Their links to sites and types, as far as `may_set` goes."""
    sites, types = practitioner_sites, practitioner_types
    of_types = sa.select(SessionType.id).where(
        SessionType.organisation_id == person.organisation_id, SessionType.site_id.in_(may_set)
    )
    db.session.execute(
        sites.delete().where(
            sites.c.practitioner_id == person.id, sites.c.site_id.in_(list(may_set))
        )
    )
    db.session.execute(
        types.delete().where(
            types.c.practitioner_id == person.id, types.c.session_type_id.in_(of_types)
        )
    )
    for table, column, ids in (
        (sites, "site_id", tidy["sites"]),
        (types, "session_type_id", tidy["types"]),
    ):
        if ids:
            db.session.execute(
                table.insert(), [{"practitioner_id": person.id, column: one} for one in ids]
            )
    db.session.expire(person, ["sites"])


def _site_ids(person_id: str) -> set[str]:
    table = practitioner_sites
    return set(
        db.session.scalars(sa.select(table.c.site_id).where(table.c.practitioner_id == person_id))
    )


def _type_ids(organisation_id: str, person_id: str, site_ids: Collection[str]) -> set[str]:
    table = practitioner_types
    return set(
        db.session.scalars(
            sa.select(table.c.session_type_id)
            .join(SessionType, SessionType.id == table.c.session_type_id)
            .where(
                SessionType.organisation_id == organisation_id,
                SessionType.site_id.in_(site_ids),
                table.c.practitioner_id == person_id,
            )
        )
    )


def _at(site_id: str) -> sa.Select[tuple[str]]:
    table = practitioner_sites
    return sa.select(table.c.practitioner_id).where(table.c.site_id == site_id)


def _at_one_of(site_ids: Collection[str]) -> sa.Select[tuple[str]]:
    table = practitioner_sites
    return sa.select(table.c.practitioner_id).where(table.c.site_id.in_(site_ids))


def _leading(type_id: str) -> sa.Select[tuple[str]]:
    table = practitioner_types
    return sa.select(table.c.practitioner_id).where(table.c.session_type_id == type_id)


def _led_names(
    organisation_id: str, site_id: str, person_ids: Collection[str]
) -> dict[str, list[str]]:
    table = practitioner_types
    rows = db.session.execute(
        sa.select(table.c.practitioner_id, SessionType.name)
        .join(SessionType, SessionType.id == table.c.session_type_id)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.deleted_at.is_(None),
            table.c.practitioner_id.in_(person_ids),
        )
        .order_by(SessionType.position, SessionType.name)
    )
    named: dict[str, list[str]] = {}
    for person_id, name in rows:
        named.setdefault(person_id, []).append(name)
    return named


def _coming(organisation_id: str, person_ids: Collection[str], now: dt.datetime) -> dict[str, int]:
    rows = db.session.execute(
        sa.select(Session.practitioner_id, sa.func.count())
        .where(*_of_sessions(organisation_id, now), Session.practitioner_id.in_(person_ids))
        .group_by(Session.practitioner_id)
    )
    return {str(row[0]): row[1] for row in rows}


def _next_away(
    organisation_id: str, person_ids: Collection[str], local_now: dt.datetime
) -> dict[str, TimeOff]:
    rows = db.session.scalars(
        sa.select(TimeOff)
        .where(
            TimeOff.organisation_id == organisation_id,
            TimeOff.practitioner_id.in_(person_ids),
            TimeOff.local_end > local_now,
        )
        .order_by(TimeOff.local_start.desc(), TimeOff.id)
    )
    return {row.practitioner_id: row for row in rows}


def _away_of(organisation_id: str, person_id: str) -> sa.Select[Any]:
    return sa.select(TimeOff).where(
        TimeOff.organisation_id == organisation_id, TimeOff.practitioner_id == person_id
    )


def _of_sessions(organisation_id: str, now: dt.datetime) -> Sequence[Any]:
    return (
        Session.organisation_id == organisation_id,
        Session.deleted_at.is_(None),
        Session.end_time > now,
    )


def _count(column: Any, *matches: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count(column)).where(*matches)) or 0
