"""Rows read from the database, turned into the plain values that `domain` decides on."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.durations import Interval
from domain.eligibility import BookingWindow, Membership, Offer, Slot
from domain.opening import say_week
from domain.pictures import Picture
from domain.pricing import PriceRule
from models import Media, Practitioner, Room, Session, SessionType, Site
from models import Membership as MembershipRow
from models import PriceRule as PriceRuleRow


@dataclass(frozen=True, slots=True)
class Venue:
    """A site as pages and services need it."""

    id: str
    organisation_id: str
    revision: int
    slug: str
    name: str
    place: str
    zone: ZoneInfo
    currency: str
    locale: str
    email: str
    phone: str
    opens_at: dt.time
    closes_at: dt.time
    hold: dt.timedelta
    few_left: int
    opening_hours: dict[str, list[str]] = field(compare=False)
    texts: dict[str, Any] = field(compare=False)
    brand: dict[str, Any] = field(compare=False)

    @property
    def full_name(self) -> str:
        """Name and place, for titles and lists."""
        return f"{self.name} {self.place}".strip()


@dataclass(frozen=True, slots=True)
class TimetableSlot:
    """A slot with the names that are shown beside it."""

    facts: Slot
    room: str
    room_colour: int
    practitioner: str


_NO_TEXTS: dict[str, Any] = {
    "legal": "",
    "headline": "",
    "lede": "",
    "strap": "",
    "description": "",
    "address": [],
    "hours": [],
    "directions": "",
    "hero_art": "",
    "map_art": "",
    "facts": [],
}


def venue_of(site: Site) -> Venue:
    """The values of a site row."""
    return Venue(
        id=site.id,
        organisation_id=site.organisation_id,
        revision=site.revision,
        slug=site.slug,
        name=site.name,
        place=site.place,
        zone=ZoneInfo(site.zone),
        currency=site.currency,
        locale=site.locale,
        email=site.email,
        phone=site.phone,
        opens_at=site.opens_at,
        closes_at=site.closes_at,
        hold=dt.timedelta(minutes=site.hold_minutes),
        few_left=site.few_left,
        opening_hours=site.opening_hours,
        texts={**_NO_TEXTS, **site.texts, "hours": _hours(site)},
        brand=site.brand,
    )


def offer_of(session_type: SessionType, venue: Venue) -> Offer:
    """What a type row and its price rules say about who may book it."""
    windows = {}
    if session_type.membership_booking_windows_enabled:
        windows = {
            window["membership_type_id"]: _window(
                window.get("max_advance_bookings_interval"),
                window.get("min_advance_bookings_interval"),
            )
            for window in session_type.membership_booking_windows
        }
    return Offer(
        id=session_type.id,
        name=session_type.name,
        zone=venue.zone,
        currency=session_type.currency,
        is_live=session_type.deleted_at is None,
        offered_online=session_type.offered_online,
        visibility=session_type.visibility,
        customers_only=session_type.customers_only,
        members_only=session_type.members_only,
        permitted_membership_type_ids=frozenset(session_type.permitted_membership_type_ids),
        window=_window(
            session_type.max_advance_bookings_interval,
            session_type.min_advance_bookings_interval,
        ),
        membership_windows=windows,
        min_guests=session_type.min_guests,
        max_guests=session_type.max_guests,
        max_per_basket=session_type.max_per_basket,
        max_per_guest=session_type.max_per_guest,
        max_bookings_per_member=session_type.max_bookings_per_member,
        rules=tuple(rule_of(rule) for rule in session_type.price_rules),
        phone=venue.phone,
        few_left=venue.few_left,
    )


def rule_of(row: PriceRuleRow) -> PriceRule:
    """The values of a price rule row."""
    return PriceRule(
        id=row.id,
        price=row.price,
        label=row.label,
        date_from=row.date_from,
        date_to=row.date_to,
        time_from=row.time_from,
        time_to=row.time_to,
        weekdays=frozenset(row.weekdays or ()),
        membership_type_ids=frozenset(row.membership_type_ids or ()),
    )


def picture_of(row: Media | None) -> Picture | None:
    """The values of a picture row; None when there is none, or no longer."""
    if row is None or row.deleted_at is not None:
        return None
    return Picture(row.id, row.original_url, row.alt, row.width, row.height)


def slot_of(row: Session) -> Slot:
    """The values of a session row."""
    return Slot(
        id=row.id,
        start_time=row.start_time,
        end_time=row.end_time,
        local_start=row.local_start,
        capacity=row.capacity,
        # Places kept for private links are taken for everybody else.
        places_taken=row.places_taken + row.places_kept,
        max_baskets=row.max_baskets,
        parties_taken=row.parties_taken,
        waitlist_enabled=row.waitlist_enabled,
        price=row.price,
        is_live=row.deleted_at is None,
    )


def membership_of(row: MembershipRow) -> Membership:
    """The values of a membership row."""
    return Membership(row.membership_type_id, row.first_day, row.last_day)


TIMETABLE_COLUMNS = (
    Session.session_type_id,
    Session.id,
    Session.start_time,
    Session.end_time,
    Session.local_start,
    Session.capacity,
    Session.places_taken + Session.places_kept,
    Session.max_baskets,
    Session.parties_taken,
    Session.waitlist_enabled,
    Session.price,
    Room.name,
    Room.colour,
    Practitioner.name,
)


def timetable_query(organisation_id: str) -> sa.Select[Any]:
    """Live sessions in order of start as plain columns, with the names shown beside them."""
    query: Any = (
        sa.select(*TIMETABLE_COLUMNS)
        .join(Room, Session.room_id == Room.id, isouter=True)
        .join(Practitioner, Session.practitioner_id == Practitioner.id, isouter=True)
        .where(Session.organisation_id == organisation_id, Session.deleted_at.is_(None))
        .order_by(Session.local_start, Session.id)
    )
    return cast("sa.Select[Any]", query)


def timetable_slot(row: Any) -> TimetableSlot:
    """One row of `timetable_query`."""
    return TimetableSlot(Slot(*row[1:11]), row[11] or "", row[12] or 1, row[13] or "")


def _hours(site: Site) -> list[str]:
    """What customers read of the hours: the venue's own words, else those of its week."""
    return site.texts.get("hours") or (say_week(site.opening_hours) if site.opening_hours else [])


def _window(opens: str | None, closes: str | None) -> BookingWindow:
    return BookingWindow(
        Interval.parse(opens) if opens else None, Interval.parse(closes) if closes else None
    )
