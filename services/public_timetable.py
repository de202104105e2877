"""The timetable that anybody may read: a site's coming sessions, as a visitor meets them (D2)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.calendar import Offering, offering
from domain.eligibility import Offer, Party, Viewer, nearest_party
from domain.local_time import local_day, to_local, to_utc
from domain.words import say_short_day, say_time
from models import Session, SessionType, db
from services.facts import Venue, offer_of, slot_of
from services.truth import TruthCache

DAYS = 14
"""Days that the feed looks ahead."""

KEPT = dt.timedelta(days=14)
"""How long a cancelled session stays in the feed, marked as such."""

VISITOR = Viewer()


@dataclass(frozen=True, slots=True)
class Entry:
    """One session of the timetable; `state` says in words what a visitor can do about it."""

    id: str
    name: str
    slug: str
    local_start: dt.datetime
    start_time: dt.datetime
    end_time: dt.datetime
    room: str
    practitioner: str
    state: str
    is_bookable: bool
    price: int | None
    currency: str
    is_cancelled: bool
    reason: str
    version: int
    changed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Timetable:
    """The sessions from one local date to another (not included); true until `valid_until`."""

    first: dt.date
    last: dt.date
    entries: tuple[Entry, ...]
    scheduled_until: dt.date | None
    valid_until: dt.datetime

    @property
    def by_day(self) -> dict[dt.date, list[Entry]]:
        """Sessions that take place, by date."""
        days: dict[dt.date, list[Entry]] = {}
        for entry in self.entries:
            if not entry.is_cancelled:
                days.setdefault(entry.local_start.date(), []).append(entry)
        return days


_KEPT: TruthCache[Timetable] = TruthCache(64)


def read_timetable(venue: Venue, *, first: dt.date, days: int, now: dt.datetime) -> Timetable:
    """The public sessions offered online from `first` on, `days` days of them (R30, D2).

    Kept in memory under the revisions of the site and its listed types: an unchanged one costs
    one question.
    """
    revisions = db.session.execute(
        sa.select(SessionType.id, SessionType.revision)
        .where(*_is_listed(venue))
        .order_by(SessionType.id)
    ).all()
    key = (venue.id, venue.revision, tuple(map(tuple, revisions)), first, days)
    type_ids = [row[0] for row in revisions]
    last = first + dt.timedelta(days=days)
    return _KEPT.remember(key, now, lambda: _with_moment(_read(venue, type_ids, first, last, now)))


def _with_moment(found: Timetable) -> tuple[Timetable, dt.datetime]:
    return found, found.valid_until


def _is_listed(venue: Venue) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        SessionType.organisation_id == venue.organisation_id,
        SessionType.site_id == venue.id,
        SessionType.visibility == "public",
        SessionType.offered_online.is_(True),
        SessionType.deleted_at.is_(None),
    )


def _read(
    venue: Venue, type_ids: Sequence[str], first: dt.date, last: dt.date, now: dt.datetime
) -> Timetable:
    types = {
        row.id: row
        for row in db.session.scalars(
            sa.select(SessionType)
            .where(
                SessionType.organisation_id == venue.organisation_id, SessionType.id.in_(type_ids)
            )
            .options(selectinload(SessionType.price_rules))
        )
    }
    offers = {row.id: offer_of(row, venue) for row in types.values()}
    rows = db.session.scalars(
        sa.select(Session)
        .where(
            Session.organisation_id == venue.organisation_id,
            Session.session_type_id.in_(type_ids),
            Session.local_start >= dt.datetime.combine(first, dt.time()),
            Session.local_start < dt.datetime.combine(last, dt.time()),
            sa.or_(Session.deleted_at.is_(None), Session.deleted_at > now - KEPT),
        )
        .options(joinedload(Session.room), joinedload(Session.practitioner))
        .order_by(Session.local_start, Session.session_type_name, Session.id)
    ).all()
    entries, moments = [], [_next_midnight(venue, now)]
    for row in rows:
        offer = offers[row.session_type_id]
        found = offering(offer, slot_of(row), Party(nearest_party(offer, 1)), VISITOR, now)
        entries.append(_entry(row, types[row.session_type_id], offer, found, venue))
        moments += [at for at in (found.changes_at, row.end_time) if at is not None and at > now]
    return Timetable(first, last, tuple(entries), _scheduled_until(venue, type_ids), min(moments))


def _scheduled_until(venue: Venue, type_ids: Sequence[str]) -> dt.date | None:
    latest = db.session.scalar(
        sa.select(sa.func.max(Session.local_start)).where(
            Session.organisation_id == venue.organisation_id,
            Session.session_type_id.in_(type_ids),
            Session.deleted_at.is_(None),
        )
    )
    return latest.date() if latest else None


def _entry(row: Session, kind: SessionType, offer: Offer, found: Offering, venue: Venue) -> Entry:
    shows = kind.include_pricing_on_calendar
    return Entry(
        id=row.id,
        name=kind.name,
        slug=kind.slug,
        local_start=row.local_start,
        start_time=row.start_time,
        end_time=row.end_time,
        room=row.room.name if row.room else "",
        practitioner=row.practitioner.name if row.practitioner else "",
        state=_say_state(found, venue),
        is_bookable=found.is_bookable,
        price=found.price.amount if shows else None,
        currency=offer.currency,
        is_cancelled=row.deleted_at is not None,
        reason=row.cancel_reason,
        # Whole seconds of its life: every change by hand, cancelling and restoring raises it.
        version=max(0, int((row.updated_at - row.created_at).total_seconds())),
        changed_at=row.updated_at,
    )


def _say_state(found: Offering, venue: Venue) -> str:
    """Words without numbers: how many places there are is told where one books (D7)."""
    if found.is_few:
        return "Few places left"
    if found.state == "opens_later" and found.opens_at is not None:
        opens = to_local(found.opens_at, venue.zone)
        return f"Opens {say_short_day(opens.date())}, {say_time(opens)}"
    if found.refusal is not None and found.refusal.code == "window_closed":
        return "Booking has closed"
    return {
        "bookable": "Places free",
        "waiting_list": "Full, with a waitlist",
        "full": "Full",
        "members_only": "For members",
        "sign_in": "Sign in to book",
    }.get(found.state, "Ask at the venue")


def _next_midnight(venue: Venue, now: dt.datetime) -> dt.datetime:
    tomorrow = local_day(now, venue.zone) + dt.timedelta(days=1)
    return to_utc(dt.datetime.combine(tomorrow, dt.time()), venue.zone)
