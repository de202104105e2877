"""Adding a single session by hand: looked at first, then made once (R6-R9, R22, S4)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.clashes import Busy
from domain.errors import ImpactChanged, RuleBroken
from domain.local_time import end_of, oddity, to_local, to_utc
from domain.new_sessions import Making, NewSession, check_new, say_outside_hours
from domain.pricing import price_of
from domain.session_edits import Clear
from models import Room, Session, SessionType, Site, db, new_object_id
from services.clashes import list_clashes
from services.facts import rule_of
from services.idempotency import once
from services.places import lock_site, raise_revision
from services.schedule import find_closed_reason
from services.session_edits import check_practitioner, find_room


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """A type that sessions can be made of, with what a new session takes from it."""

    id: str
    name: str
    duration: int
    max_baskets: int | None
    waitlist_enabled: bool
    currency: str


def list_types_to_schedule(organisation_id: str, site_id: str) -> tuple[TypeChoice, ...]:
    """The site's live types by name, those too that the schedule hides."""
    rows = db.session.execute(
        sa.select(
            SessionType.id,
            SessionType.name,
            SessionType.duration,
            SessionType.max_baskets_per_session,
            SessionType.waitlist_enabled,
            SessionType.currency,
        )
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.deleted_at.is_(None),
        )
        .order_by(SessionType.name, SessionType.id)
    )
    return tuple(TypeChoice(*row) for row in rows)


class LookFirst(ImpactChanged):
    """Something speaks against the session that the page has not shown, or not so (S3)."""

    def __init__(self, making: Making) -> None:
        super().__init__()
        self.making = making


def make_session(
    organisation_id: str,
    site_id: str,
    wanted: NewSession,
    *,
    seen: str | None,
    key: str,
    problems: Sequence[RuleBroken] = (),
    now: dt.datetime,
) -> str:
    """Make one session; its id. The same `key` makes it once (H6).

    Raises LookFirst when clashes, a closed day, the hours or the clocks speak against it and
    `seen` is not their mark (S3, S4, T2; None lets them through, R6), RuleBroken under the field
    at fault (R6-R9, R22), told with the `problems` that were found before.
    """
    body = {"deed": "make session", "site": site_id, **asdict(wanted)}
    body["local_start"] = wanted.local_start.isoformat()
    body["max_baskets"] = None if wanted.max_baskets is None else str(wanted.max_baskets)

    def deed() -> str:
        lock_site(organisation_id, site_id, shared=True)
        making, row = _look(organisation_id, site_id, wanted, problems, now)
        if seen is not None and making.asks and making.mark != seen:
            raise LookFirst(making)
        db.session.add(row)
        db.session.flush()
        raise_revision(organisation_id, [row.session_type_id])
        return row.id

    return once(organisation_id, key, body, deed, now)


def _look(
    organisation_id: str,
    site_id: str,
    wanted: NewSession,
    problems: Sequence[RuleBroken],
    now: dt.datetime,
) -> tuple[Making, Session]:
    kind = _find_type(organisation_id, site_id, wanted.session_type_id)
    site = db.session.scalars(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    ).one()
    row = _row(site, kind, wanted, problems, now)
    zone = ZoneInfo(site.zone)
    local_end = to_local(row.end_time, zone)
    rules = [rule_of(rule) for rule in kind.price_rules]
    making = Making(
        name=kind.name,
        local_start=row.local_start,
        local_end=local_end,
        clashes=list_clashes(organisation_id, [_busy(row)]),
        begins=to_local(row.start_time, zone),
        closed=find_closed_reason(organisation_id, site_id, row.local_start.date()),
        hours=say_outside_hours(site.opening_hours, row.local_start, local_end),
        oddity=oddity(wanted.local_start, zone),
        lacks_price=price_of(row.local_start, rules, override=row.price).amount is None,
    )
    return making, row


def _find_type(organisation_id: str, site_id: str, session_type_id: str) -> SessionType:
    kind = db.session.scalar(
        sa.select(SessionType).where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.id == session_type_id,
            SessionType.deleted_at.is_(None),
        )
    )
    if kind is None:
        raise RuleBroken("Choose one of this venue's session types.", code="type", field="type")
    return kind


def _find_means(site: Site, wanted: NewSession) -> tuple[Room | None, list[RuleBroken]]:
    """Its room, and what is wrong with its room and its practitioner (R6, R22)."""
    room, problems = None, []
    try:
        room = find_room(site.organisation_id, site.id, wanted.room_id)
    except RuleBroken as broken:
        problems.append(broken)
    try:
        check_practitioner(site.organisation_id, site.id, wanted.practitioner_id)
    except RuleBroken as broken:
        problems.append(broken)
    return room, problems


def _row(
    site: Site,
    kind: SessionType,
    wanted: NewSession,
    problems: Sequence[RuleBroken],
    now: dt.datetime,
) -> Session:
    """The row that would be made; not yet of any database session."""
    room, found = _find_means(site, wanted)
    zone = ZoneInfo(site.zone)
    start = to_utc(wanted.local_start, zone)
    duration = kind.duration if wanted.duration is None else wanted.duration
    capacity = wanted.capacity if wanted.capacity is not None else room.cap if room else None
    places = check_new(
        wanted,
        duration=duration,
        capacity=capacity,
        room=room.name if room else "",
        room_cap=room.cap if room else None,
        starts=start,
        now=now,
        problems=[*problems, *found],
    )
    waits = wanted.waitlist_enabled
    return Session(
        id=new_object_id(),
        organisation_id=site.organisation_id,
        site_id=site.id,
        session_type_id=kind.id,
        # Names are kept (R31).
        session_type_name=kind.name,
        # Wall time is the truth, also where the clocks skip it, as for a series (T1, T2).
        local_start=wanted.local_start,
        start_time=start,
        end_time=end_of(start, duration),
        capacity=places,
        max_baskets=_parties(kind, wanted),
        waitlist_enabled=kind.waitlist_enabled if waits is None else waits,
        practitioner_id=wanted.practitioner_id,
        room_id=room.id if room else None,
        price=wanted.price,
        overridden=[],
        created_at=now,
        updated_at=now,
    )


def _parties(kind: SessionType, wanted: NewSession) -> int | None:
    if wanted.max_baskets is None:
        return kind.max_baskets_per_session
    return None if isinstance(wanted.max_baskets, Clear) else wanted.max_baskets


def _busy(row: Session) -> Busy:
    return Busy(
        # Not its id, which is another at every look: the mark would be too.
        "new",
        row.session_type_name,
        row.start_time,
        row.end_time,
        row.local_start,
        row.room_id,
        row.practitioner_id,
    )
