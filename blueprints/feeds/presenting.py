"""The words of feeds and of the timetable page, from what the services found."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from blueprints.feed_files import FeedEvent
from blueprints.links import public_url
from blueprints.rendering import say_price
from domain.words import MONTH_NAMES
from models import SessionBooking
from services.facts import Venue, venue_of
from services.public_timetable import Entry, Timetable


@dataclass(frozen=True, slots=True)
class Week:
    """A week of the timetable and its neighbours, as far as an address may ask for them."""

    found: Timetable
    monday: dt.date
    today: dt.date
    now: dt.datetime

    @property
    def days(self) -> list[tuple[dt.date, list[Entry]]]:
        """Each date with the sessions that have not ended."""
        return [
            (day, coming)
            for day, entries in self.found.by_day.items()
            if (coming := [entry for entry in entries if entry.end_time > self.now])
        ]

    @property
    def is_unscheduled(self) -> bool:
        """Whether it lies beyond what is planned: that is not the same as closed (S5)."""
        until = self.found.scheduled_until
        return until is None or until < self.found.first

    @property
    def title(self) -> str:
        sunday = self.monday + dt.timedelta(days=6)
        month = MONTH_NAMES[sunday.month - 1]
        if self.monday.month == sunday.month:
            return f"{self.monday.day} to {sunday.day} {month}"
        return f"{self.monday.day} {MONTH_NAMES[self.monday.month - 1]} to {sunday.day} {month}"

    @property
    def before(self) -> dt.date | None:
        earlier = self.monday - dt.timedelta(days=7)
        return earlier if self.monday > self.today else None

    @property
    def after(self) -> dt.date:
        return self.monday + dt.timedelta(days=7)


def booking_event(row: SessionBooking) -> FeedEvent:
    """One's own booking: one UID for ever, the version that its mails have too (E3)."""
    venue, session = venue_of(row.order.site), row.session
    url = public_url("bookings.booking", secret=row.order.secret)
    off = row.cancelled_at is not None or session.deleted_at is not None
    return FeedEvent(
        uid=f"{row.id}@sundial",
        sequence=row.sequence,
        changed_at=max(row.updated_at, session.updated_at),
        starts=session.start_time,
        ends=session.end_time,
        summary=f"{row.session_type_name}, {venue.name}",
        location=_place(venue, session.room.name if session.room else ""),
        description=f"Booking reference {row.order.order_ref}.\n{url}",
        url=url,
        is_cancelled=off,
    )


def session_event(entry: Entry, venue: Venue) -> FeedEvent:
    """A session that anybody may book."""
    url = public_url(
        "shop.session_type",
        site=venue.slug,
        type_slug=entry.slug,
        date=entry.local_start.date().isoformat(),
    )
    price = say_price(entry.price, entry.currency, venue.locale) if entry.price is not None else ""
    lines = [
        f"With {entry.practitioner}." if entry.practitioner else "",
        entry.reason if entry.is_cancelled else entry.state + ".",
        f"{price} for each guest." if entry.price and not entry.is_cancelled else "",
        url,
    ]
    return FeedEvent(
        uid=f"session-{entry.id}@sundial",
        sequence=entry.version,
        changed_at=entry.changed_at,
        starts=entry.start_time,
        ends=entry.end_time,
        summary=f"{entry.name}, {venue.name}",
        location=_place(venue, entry.room),
        description="\n".join(line for line in lines if line),
        url=url,
        is_cancelled=entry.is_cancelled,
    )


def subscribe_urls(endpoint: str, **values: Any) -> tuple[str, str]:
    """The address that calendar programs open by themselves, and the one to copy."""
    url = public_url(endpoint, **values)
    return "webcal://" + url.partition("://")[2], url


def _place(venue: Venue, room: str) -> str:
    return ", ".join(part for part in (room, venue.name, *venue.texts.get("address", [])) if part)
