"""The page of one session type: its month of prices and the chosen day's sessions (P7)."""

import datetime as dt
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.calendar import Month, Offering, build_month, offering
from domain.eligibility import (
    Offer,
    Party,
    Slot,
    Viewer,
    members_pay_less,
    nearest_party,
    refuse_party,
)
from domain.errors import NotFound, RuleBroken
from domain.fees import AGREED_FEES, FeeRules
from domain.local_time import local_day
from domain.pictures import Picture
from models import Session, SessionType, Site, db
from services.facts import (
    TimetableSlot,
    Venue,
    offer_of,
    picture_of,
    timetable_query,
    timetable_slot,
    venue_of,
)
from services.scheduling import load_closed_days
from services.truth import TruthCache

STRIP = 4
"""Months in the strip above the calendar."""
FURTHEST = 24
"""Months ahead that an address may ask for."""


@dataclass(frozen=True, slots=True)
class PageKey:
    """The one small question an unchanged page costs: which rows, at which revision."""

    site_id: str
    site_revision: int
    organisation_id: str
    type_id: str
    type_revision: int


@dataclass(frozen=True, slots=True)
class InBasket:
    """What the viewer's basket holds already, as far as this type's page depends on it."""

    lines: int = 0
    of_type: int = 0
    currency: str = ""
    session_ids: frozenset[str] = frozenset()

    def party(self, guests: int, session_id: str) -> Party:
        """The party of a new line; one for a session held already takes its old line's place."""
        again = session_id in self.session_ids
        others = self.lines - again
        return Party(
            guests=guests,
            lines_in_basket=others,
            of_type_in_basket=self.of_type - again,
            currency_of_basket=self.currency if others else "",
        )


EMPTY = InBasket()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a private link makes of its type's page: one session only, places kept for it.

    `waits`: whether who comes by it may join a waiting list. A place offered from the list is
    none of the link's bookings, so a link with terms of its own leads to no list of its own.
    """

    session_id: str | None = None
    places_kept: int = 0
    waits: bool = True

    def of(self, slots: list[TimetableSlot]) -> list[TimetableSlot]:
        """The sessions that the link is for, what is kept for it being free."""
        if self.session_id is None and self.waits:
            return slots
        return [
            replace(one, facts=self._as_met(one.facts))
            for one in slots
            if self.session_id in (None, one.facts.id)
        ]

    def _as_met(self, slot: Slot) -> Slot:
        kept = self.places_kept if slot.id == self.session_id else 0
        waits = slot.waitlist_enabled and self.waits
        return replace(slot, places_taken=slot.places_taken - kept, waitlist_enabled=waits)


WHOLE_TYPE = Scope()


@dataclass(frozen=True, slots=True)
class DaySlot:
    """One session of the chosen day as this viewer meets it."""

    offering: Offering
    room: str
    room_colour: int
    practitioner: str


@dataclass(frozen=True, slots=True)
class MonthLink:
    """One entry of the month strip."""

    year: int
    month: int
    lowest: int | None
    opens_on: dt.date | None
    state: str


@dataclass(frozen=True, slots=True)
class TypePage:
    """Everything the page shows to one kind of viewer, true until `valid_until`."""

    venue: Venue
    offer: Offer
    slug: str
    name: str
    summary: str
    meta_title: str
    meta_description: str
    description: str
    details: dict[str, Any]
    image: Picture | None
    duration: int
    categories: tuple[tuple[str, str], ...]
    shows_prices: bool
    cancellation: str
    cancellation_limit: str | None
    fees: FeeRules
    rooms: tuple[str, ...]
    most_places: int
    guests: int
    month: Month
    strip: tuple[MonthLink, ...]
    date: dt.date | None
    slots: tuple[DaySlot, ...]
    # The least a member would pay on the chosen day, where that is less than this viewer pays.
    members_pay: int | None
    earlier: tuple[int, int] | None
    later: tuple[int, int] | None
    valid_until: dt.datetime | None

    @property
    def has_benefits(self) -> bool:
        """Whether a date of this month is open thanks to a membership."""
        return any(day.thanks_to for week in self.month.weeks for day in week if day)


_PAGES: TruthCache[TypePage] = TruthCache(256)


_KEY_QUERY = (
    sa.select(
        Site.id,
        Site.revision,
        Site.organisation_id,
        SessionType.id,
        SessionType.revision,
    )
    .join(SessionType, SessionType.site_id == Site.id)
    .where(
        Site.slug == sa.bindparam("site"),
        Site.is_public,
        SessionType.slug == sa.bindparam("type"),
        SessionType.visibility == "public",
        SessionType.offered_online,
        SessionType.deleted_at.is_(None),
    )
)


def find_page_key(site_slug: str, type_slug: str) -> PageKey:
    """What the address names, with revisions; NotFound hides private types as well (D2, R30)."""
    # Asked for every page, most of which then answer 304: no unit of work is opened for it.
    with db.engine.connect() as connection:
        row = connection.execute(_KEY_QUERY, {"site": site_slug, "type": type_slug}).first()
    if row is None:
        raise NotFound("We couldn't find that session. It may no longer be offered.")
    return PageKey(*row)


def find_type_calendar(
    organisation_id: str,
    site_id: str,
    session_type_id: str,
    *,
    month: tuple[int, int] | None,
    guests: int | None,
    now: dt.datetime,
) -> TypePage:
    """What the type's page shows a visitor who may open it, for whoever sees all of the venue's.

    A type of whatever visibility; by its link, where it has one. Raises NotFound, RuleBroken for
    a month that nobody plans and for a party that no booking may have.
    """
    row = db.session.execute(
        sa.select(Site.revision, Site.zone, SessionType.revision)
        .join(SessionType, SessionType.site_id == Site.id)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.id == session_type_id,
        )
    ).first()
    if row is None:
        raise NotFound("We couldn't find that session type.")
    if month and not is_planned_month(*month, local_day(now, ZoneInfo(row[1]))):
        sentence = "Choose a month between a year ago and two years ahead."
        raise RuleBroken(sentence, code="month", field="month")
    page = find_type_page(
        PageKey(site_id, row[0], organisation_id, session_type_id, row[2]),
        viewer=Viewer(came_by_link=True),
        guests=guests,
        month=month,
        date=None,
        now=now,
    )
    refusal = refuse_party(page.offer, page.guests if guests is None else guests)
    if refusal is not None:
        raise RuleBroken(refusal.sentence, code=refusal.code, field="guests")
    return page


def find_type_page(
    key: PageKey,
    *,
    viewer: Viewer,
    guests: int | None,
    month: tuple[int, int] | None,
    date: dt.date | None,
    now: dt.datetime,
    in_basket: InBasket = EMPTY,
    scope: Scope = WHOLE_TYPE,
) -> TypePage:
    """The page for this viewer, party, month and day; from memory while it is still true."""
    return _PAGES.remember(
        (key, *viewer_key(viewer), guests, month, date, in_basket, scope),
        now,
        lambda: _with_moment(_read_page(key, viewer, guests, month, date, now, in_basket, scope)),
    )


def _with_moment(page: TypePage) -> tuple[TypePage, dt.datetime | None]:
    return page, page.valid_until


def _read_page(
    key: PageKey,
    viewer: Viewer,
    guests: int | None,
    month: tuple[int, int] | None,
    date: dt.date | None,
    now: dt.datetime,
    in_basket: InBasket,
    scope: Scope,
) -> TypePage:
    session_type, venue = _load_type(key)
    offer = offer_of(session_type, venue)
    least = max(1, offer.min_guests)
    party = nearest_party(offer, least if guests is None else guests)
    today = local_day(now, venue.zone)
    shown = month or ((date.year, date.month) if date else (today.year, today.month))
    strip = _strip(shown, today)
    of_type, scheduled_until = _load_slots(key, strip)
    slots = scope.of(of_type)
    found = [
        offering(offer, one.facts, in_basket.party(party, one.facts.id), viewer, now)
        for one in slots
    ]
    closed = load_closed_days(key.organisation_id, key.site_id)
    by_month = {
        entry: build_month(
            *entry, found, offer, now=now, scheduled_until=scheduled_until, closed=closed
        )
        for entry in strip
    }
    if month is None and date is None:
        # Land where there is something to book; the calendar opens on it.
        shown = next((entry for entry in strip if by_month[entry].first_bookable), shown)
    current = by_month[shown]
    chosen = date or current.first_bookable
    named = dict(zip([o.slot.id for o in found], zip(found, slots, strict=True), strict=True))
    moments = [built.valid_until for built in by_month.values() if built.valid_until]
    on_day = [pair for pair in named.values() if pair[0].slot.local_start.date() == chosen]
    return TypePage(
        venue=venue,
        offer=offer,
        slug=session_type.slug,
        name=session_type.name,
        summary=session_type.summary,
        meta_title=session_type.meta_title,
        meta_description=session_type.meta_description,
        description=session_type.description,
        details={"spec": [], "bring": [], **session_type.details},
        image=picture_of(session_type.image),
        duration=session_type.duration,
        categories=tuple((c.slug, c.name) for c in session_type.categories),
        shows_prices=session_type.include_pricing_on_calendar,
        cancellation=session_type.customer_cancellation_permitted,
        cancellation_limit=session_type.customer_cancellation_min_duration,
        fees=FeeRules.of({name: getattr(session_type, name) for name in AGREED_FEES}),
        rooms=tuple(dict.fromkeys(slot.room for slot in slots if slot.room)),
        most_places=max((slot.facts.capacity for slot in slots), default=0),
        guests=party,
        month=current,
        strip=tuple(
            MonthLink(
                *entry,
                by_month[entry].lowest,
                by_month[entry].opens_on,
                by_month[entry].nearest_state,
            )
            for entry in strip
        ),
        date=chosen,
        slots=_day_slots(on_day, now),
        members_pay=min(
            (
                less
                for one, _ in on_day
                if (less := members_pay_less(offer, one.slot, viewer)) is not None
            ),
            default=None,
        ),
        earlier=_step(shown, -1) if shown > (today.year, today.month) else None,
        later=_step(shown, 1) if shown < _step((today.year, today.month), FURTHEST) else None,
        valid_until=min(moments) if moments else None,
    )


def _load_type(key: PageKey) -> tuple[SessionType, Venue]:
    session_type, site = (
        db.session.execute(
            sa.select(SessionType, Site)
            .join(Site, SessionType.site_id == Site.id)
            .where(
                SessionType.organisation_id == key.organisation_id, SessionType.id == key.type_id
            )
            .options(
                joinedload(SessionType.image),
                selectinload(SessionType.price_rules),
                joinedload(SessionType.categories),
            )
        )
        .unique()
        .one()
    )
    return session_type, venue_of(site)


def _load_slots(
    key: PageKey, strip: list[tuple[int, int]]
) -> tuple[list[TimetableSlot], dt.date | None]:
    first = dt.datetime.combine(dt.date(*strip[0], 1), dt.time())
    last = dt.datetime.combine(dt.date(*_step(strip[-1], 1), 1), dt.time())
    until = (
        sa.select(sa.func.max(Session.local_start))
        .where(
            Session.organisation_id == key.organisation_id,
            Session.session_type_id == key.type_id,
            Session.deleted_at.is_(None),
        )
        .scalar_subquery()
    )
    rows = db.session.execute(
        timetable_query(key.organisation_id)
        .add_columns(until)
        .where(
            Session.session_type_id == key.type_id,
            Session.local_start >= first,
            Session.local_start < last,
        )
    ).all()
    if rows:
        return [timetable_slot(row) for row in rows], rows[0][-1].date()
    latest = db.session.scalar(
        sa.select(sa.func.max(Session.local_start)).where(
            Session.organisation_id == key.organisation_id,
            Session.session_type_id == key.type_id,
            Session.deleted_at.is_(None),
        )
    )
    return [], latest.date() if latest else None


def _strip(shown: tuple[int, int], today: dt.date) -> list[tuple[int, int]]:
    first = (today.year, today.month)
    if shown < first:
        first = shown
    elif shown > _step(first, STRIP - 1):
        first = _step(shown, 1 - STRIP)
    return [_step(first, number) for number in range(STRIP)]


def _step(month: tuple[int, int], number: int) -> tuple[int, int]:
    year, index = divmod(month[0] * 12 + month[1] - 1 + number, 12)
    return year, index + 1


def is_planned_month(year: int, month: int, today: dt.date) -> bool:
    """Whether an address may ask for this month: a year back to two years ahead."""
    this = (today.year, today.month)
    return 1 <= month <= 12 and _step(this, -12) <= (year, month) <= _step(this, FURTHEST)


def viewer_key(viewer: Viewer) -> tuple[Hashable, ...]:
    """What of a viewer changes the answer: two people alike see one kept page."""
    return (
        viewer.is_signed_in,
        viewer.memberships,
        tuple(sorted(viewer.booked_on.items())),
        viewer.came_by_link,
        viewer.agreed_price,
    )


def _day_slots(
    pairs: list[tuple[Offering, TimetableSlot]], now: dt.datetime
) -> tuple[DaySlot, ...]:
    # What has started only stands in the way, unless nothing else is left of the day.
    coming = [pair for pair in pairs if pair[0].slot.start_time > now]
    return tuple(
        DaySlot(found, slot.room, slot.room_colour, slot.practitioner)
        for found, slot in coming or pairs
    )
