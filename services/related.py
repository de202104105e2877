"""Offers that a type names beside itself; none that cannot be booked is ever shown."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.calendar import Offering, offerings
from domain.eligibility import Party, Viewer, nearest_party
from domain.local_time import local_day
from domain.pictures import Picture
from models import Order, Session, SessionBooking, SessionType, db
from services.facts import Venue, offer_of, picture_of, timetable_query, timetable_slot
from services.lines import party_of

LOOK_AHEAD = dt.timedelta(days=31)
"""How far a suggestion may lie after the first session of the visit."""
MOST = 3


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An offer that goes with a visit: its best session for this person and this party."""

    slug: str
    name: str
    summary: str
    image: Picture | None
    session_id: str
    local_start: dt.datetime
    guests: int
    unit_price: int
    currency: str
    is_same_day: bool


def suggest_cross_sell(
    venue: Venue, order: Order, lines: Sequence[SessionBooking], *, viewer: Viewer, now: dt.datetime
) -> list[Suggestion]:
    """What the types in a basket name to go with them (cross_sell_offerings)."""
    named = [ref for line in lines for ref in line.session.session_type.cross_sell_offerings]
    return _suggest(venue, named, order, lines, viewer, now)


def suggest_upsell(
    venue: Venue, order: Order, lines: Sequence[SessionBooking], *, viewer: Viewer, now: dt.datetime
) -> list[Suggestion]:
    """What the types of a confirmed order name to follow it (upsell_offerings)."""
    named = [ref for line in lines for ref in line.session.session_type.upsell_offerings]
    return _suggest(venue, named, order, lines, viewer, now)


def _suggest(
    venue: Venue,
    named: Iterable[Mapping[str, Any]],
    order: Order,
    lines: Sequence[SessionBooking],
    viewer: Viewer,
    now: dt.datetime,
) -> list[Suggestion]:
    here = {line.session_type_id for line in lines}
    wanted = list(
        dict.fromkeys(
            str(ref.get("offering_id", ""))
            for ref in named
            if ref.get("offering_type") == "session" and ref.get("offering_id") not in here
        )
    )
    if not wanted or not lines:
        return []
    types = {row.id: row for row in _load_types(venue, wanted)}
    found = _load_offerings(venue, types, order, lines, viewer, now)
    suggestions = (
        _suggestion(types[type_id], found[type_id], lines) for type_id in wanted if type_id in types
    )
    return [one for one in suggestions if one is not None][:MOST]


def _load_types(venue: Venue, type_ids: Sequence[str]) -> Sequence[SessionType]:
    return db.session.scalars(
        sa.select(SessionType)
        .where(
            SessionType.organisation_id == venue.organisation_id,
            SessionType.site_id == venue.id,
            SessionType.id.in_(type_ids),
            SessionType.visibility == "public",
            SessionType.offered_online,
            SessionType.deleted_at.is_(None),
        )
        .options(joinedload(SessionType.image), selectinload(SessionType.price_rules))
    ).all()


def _load_offerings(
    venue: Venue,
    types: Mapping[str, SessionType],
    order: Order,
    lines: Sequence[SessionBooking],
    viewer: Viewer,
    now: dt.datetime,
) -> dict[str, list[tuple[Offering, int]]]:
    """The bookable sessions of each type with the party they are for, soonest first."""
    visit = min(line.session.local_start for line in lines)
    first = max(
        dt.datetime.combine(visit.date(), dt.time()),
        dt.datetime.combine(local_day(now, venue.zone), dt.time()),
    )
    rows = db.session.execute(
        timetable_query(venue.organisation_id).where(
            Session.session_type_id.in_(list(types)),
            Session.local_start >= first,
            Session.local_start < first + LOOK_AHEAD,
        )
    ).all()
    slots = defaultdict(list)
    for dated in rows:
        slots[dated[0]].append(timetable_slot(dated).facts)
    guests = max(line.places for line in lines)
    held = [] if order.state == "confirmed" else lines
    found: dict[str, list[tuple[Offering, int]]] = {}
    for type_id, row in types.items():
        offer = offer_of(row, venue)
        party: Party = party_of(nearest_party(offer, guests), row.id, held, order)
        found[type_id] = [
            (one, party.guests)
            for one in offerings(offer, slots[type_id], party, viewer, now)
            if one.is_bookable
        ]
    return found


def _suggestion(
    row: SessionType, found: Sequence[tuple[Offering, int]], lines: Sequence[SessionBooking]
) -> Suggestion | None:
    """The same day beside the visit if there is room in it, else the next time."""
    days = {line.session.local_start.date() for line in lines}
    free = [one for one in found if not any(_meets(one[0], line) for line in lines)]
    same_day = [one for one in free if one[0].slot.local_start.date() in days]
    best = next(iter([*same_day, *free]), None)
    if best is None or best[0].price.amount is None:
        return None
    offering, guests = best
    return Suggestion(
        slug=row.slug,
        name=row.name,
        summary=row.summary,
        image=picture_of(row.image),
        session_id=offering.slot.id,
        local_start=offering.slot.local_start,
        guests=guests,
        unit_price=offering.price.amount or 0,
        currency=row.currency,
        is_same_day=offering.slot.local_start.date() in days,
    )


def _meets(one: Offering, line: SessionBooking) -> bool:
    return (
        one.slot.start_time < line.session.end_time and line.session.start_time < one.slot.end_time
    )
