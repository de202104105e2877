"""Sessions as programs read them: pages of them and one alone, with counts and bookings (2.4)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.capacity import is_full, places_left
from domain.local_time import local_day
from domain.pricing import Price, price_of
from models import Room, Session, SessionBooking, SessionType, Site, db
from services.booking_rows import BookingRow, bookings_of_sessions
from services.facts import rule_of
from services.lines import load_session_at
from services.paging import Cut, PageOf, cut_out

DayOrMoment = dt.date | dt.datetime
"""A day, or an instant whose day at each session's own site is meant (C19)."""

_FURTHEST = dt.timedelta(days=1)
"""No wall clock is further from UTC than this."""


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions are wanted; what is None or empty is no condition.

    `ids` are those of the session and of what it belongs to, by the names of `IDS`, or of the
    zone of its room as `zone_id`; one that nothing has matches nothing (C15). Days count by the
    wall clock of each session's own site, both ends included (C19, T5); starts are instants, both
    included (C18). `site_ids` None is every site.
    """

    ids: Mapping[str, Collection[str]] = field(default_factory=dict)
    site_ids: Collection[str] | None = None
    cancelled: bool = False
    include_cancelled: bool = False
    first_day: Sequence[DayOrMoment] = ()
    last_day: Sequence[DayOrMoment] = ()
    starts_from: dt.datetime | None = None
    starts_to: dt.datetime | None = None


IDS = {
    "id": Session.id,
    "session_type_id": Session.session_type_id,
    "recurrence_group_id": Session.recurrence_group_id,
    "practitioner_id": Session.practitioner_id,
    "room_id": Session.room_id,
}
"""What sessions are found by."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Bookings of a session that are not cancelled, by what has become of them (C23)."""

    checked_in: int = 0
    no_show: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session with all that is told of it; `bookings` are None unless asked for."""

    row: Session
    price: Price
    counts: Counts
    bookings: Sequence[BookingRow] | None = None

    @property
    def minutes(self) -> int:
        """From start to end (C39)."""
        return int((self.row.end_time - self.row.start_time) / dt.timedelta(minutes=1))

    @property
    def places_left(self) -> int:
        """Places that anybody may still book; those kept for private links are not (R8)."""
        return places_left(self.row.capacity, self.row.places_taken + self.row.places_kept)

    @property
    def is_full(self) -> bool:
        """Whether nobody may book any more, by places or by parties (C24)."""
        row, taken = self.row, self.row.places_taken + self.row.places_kept
        return is_full(row.capacity, taken, row.max_baskets, row.parties_taken)


def list_sessions(
    organisation_id: str, wanted: SessionFilter, *, with_bookings: bool = False, cut: Cut
) -> PageOf[ShownSession]:
    """A page of sessions by start, cancelled ones only when asked for (R21)."""
    query = sa.select(Session).where(
        Session.organisation_id == organisation_id, *_conditions(organisation_id, wanted)
    )
    found = cut_out(
        query,
        cut,
        by=(Session.start_time, Session.id),
        key=Session.id,
        options=(
            joinedload(Session.room),
            joinedload(Session.practitioner),
            selectinload(Session.session_type).selectinload(SessionType.price_rules),
        ),
    )
    rows = _show(organisation_id, found.rows, with_bookings=with_bookings)
    return PageOf(rows, found.total, found.cut)


def find_session(
    organisation_id: str, site_id: str, session_id: str, *, with_bookings: bool = False
) -> ShownSession:
    """One session, a cancelled one too (R11); raises NotFound."""
    row = load_session_at(organisation_id, site_id, session_id)
    return _show(organisation_id, [row], with_bookings=with_bookings)[0]


def price_now(row: Session) -> Price:
    """What a visitor pays for a place now (R16, P10)."""
    rules = [rule_of(rule) for rule in row.session_type.price_rules]
    return price_of(row.local_start, rules, override=row.price)


def _show(
    organisation_id: str, rows: Sequence[Session], *, with_bookings: bool
) -> tuple[ShownSession, ...]:
    ids = [row.id for row in rows]
    counts = _count(organisation_id, ids) if ids else {}
    bookings = bookings_of_sessions(organisation_id, ids) if with_bookings and ids else None
    return tuple(
        ShownSession(
            row,
            price_now(row),
            counts.get(row.id, Counts()),
            None if bookings is None else bookings[row.id],
        )
        for row in rows
    )


def _count(organisation_id: str, session_ids: Sequence[str]) -> dict[str, Counts]:
    def number(condition: Any) -> Any:
        return sa.func.count(sa.case((condition, 1)))

    rows = db.session.execute(
        sa.select(
            SessionBooking.session_id,
            number(SessionBooking.checked_in_at.is_not(None)),
            number(SessionBooking.is_no_show),
            number(SessionBooking.status == "waitlisted"),
        )
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id.in_(session_ids),
            SessionBooking.cancelled_at.is_(None),
        )
        .group_by(SessionBooking.session_id)
    )
    return {row[0]: Counts(*row[1:]) for row in rows}


def _conditions(organisation_id: str, wanted: SessionFilter) -> Iterable[Any]:
    for name, ids in wanted.ids.items():
        if ids:
            yield _among(organisation_id, name, sorted(set(ids)))
    if wanted.site_ids is not None:
        yield Session.site_id.in_(sorted(wanted.site_ids))
    # Cancelled alone outranks cancelled too (R21).
    if wanted.cancelled:
        yield Session.deleted_at.is_not(None)
    elif not wanted.include_cancelled:
        yield Session.deleted_at.is_(None)
    yield from _when(organisation_id, wanted)


def _among(organisation_id: str, name: str, ids: Sequence[str]) -> Any:
    if name != "zone_id":
        return IDS[name].in_(ids)
    rooms = sa.select(Room.id).where(Room.organisation_id == organisation_id, Room.zone_id.in_(ids))
    return Session.room_id.in_(rooms)


def _when(organisation_id: str, wanted: SessionFilter) -> Iterable[Any]:
    if wanted.starts_from is not None:
        yield Session.start_time >= wanted.starts_from
    if wanted.starts_to is not None:
        yield Session.start_time <= wanted.starts_to
    for one in wanted.first_day:
        yield _by_site(organisation_id, one, _since)
    for one in wanted.last_day:
        yield _by_site(organisation_id, one, _until)


def _by_site(organisation_id: str, wanted: DayOrMoment, bound: Any) -> Any:
    """The bound for a day; for an instant at each site the one for the day it falls on there."""
    if not isinstance(wanted, dt.datetime):
        return bound(wanted)
    sites = db.session.execute(
        sa.select(Site.id, Site.zone).where(Site.organisation_id == organisation_id)
    )
    by_day: dict[dt.date, list[str]] = defaultdict(list)
    for site_id, zone in sites:
        by_day[local_day(wanted, ZoneInfo(zone))].append(site_id)
    return sa.or_(
        *(sa.and_(Session.site_id.in_(sorted(ids)), bound(day)) for day, ids in by_day.items())
    )


def _since(day: dt.date) -> Any:
    # The instant says no more than the wall time, but an index is in its order.
    begin = dt.datetime.combine(day, dt.time())
    if day.year < 2:
        return Session.local_start >= begin
    instant = begin.replace(tzinfo=dt.UTC) - _FURTHEST
    return sa.and_(Session.local_start >= begin, Session.start_time >= instant)


def _until(day: dt.date) -> Any:
    end = dt.datetime.combine(day, dt.time.max)
    if day.year > 9998:
        return Session.local_start <= end
    instant = end.replace(tzinfo=dt.UTC) + _FURTHEST
    return sa.and_(Session.local_start <= end, Session.start_time <= instant)
