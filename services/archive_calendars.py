"""A site's sessions, past and to come, as one calendar file (E3)."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from icalendar import Calendar, Event

from models import Practitioner, Room, Session, Site
from services.archive_rows import stream

_END = b"END:VCALENDAR\r\n"


@dataclass(frozen=True, slots=True)
class SiteCalendar:
    """Whose sessions: the site's slug, which names the file, and its name."""

    slug: str
    name: str


def list_calendars(connection: sa.Connection, organisation_id: str) -> list[SiteCalendar]:
    """One for each site."""
    found = connection.execute(
        sa.select(Site.slug, sa.func.trim(Site.name + " " + Site.place).label("name"))
        .where(Site.organisation_id == organisation_id)
        .order_by(Site.slug)
    )
    return [SiteCalendar(row.slug, row.name) for row in found]


def calendar_of(connection: sa.Connection, organisation_id: str, slug: str) -> Iterator[bytes]:
    """The file piece by piece; times in UTC, the UID that the public feed has."""
    calendar = Calendar()
    calendar.add("prodid", "-//Sundial//Archive//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    yield bytes(calendar.to_ical()).removesuffix(_END)
    query: Any = (
        sa.select(
            Session.id, Session.session_type_name, Session.start_time, Session.end_time,
            Session.updated_at, Session.deleted_at, Session.places_taken, Session.capacity,
            Room.name.label("room"), Practitioner.name.label("practitioner"),
            Site.name.label("site"), Site.place,
        )
        .join(Site, Session.site_id == Site.id)
        .join(Room, Session.room_id == Room.id, isouter=True)
        .join(Practitioner, Session.practitioner_id == Practitioner.id, isouter=True)
        .where(Session.organisation_id == organisation_id, Site.slug == slug)
        .order_by(Session.start_time, Session.id)
    )  # fmt: skip
    for row in stream(connection, query):
        yield bytes(_event(row).to_ical())
    yield _END


def _event(row: Any) -> Event:
    event = Event()
    is_off = row.deleted_at is not None
    venue = f"{row.site} {row.place}".strip()
    event.add("uid", f"session-{row.id}@sundial")
    event.add("dtstamp", _whole(row.updated_at))
    event.add("dtstart", _whole(row.start_time))
    event.add("dtend", _whole(row.end_time))
    event.add("summary", row.session_type_name)
    event.add("location", f"{row.room}, {venue}" if row.room else venue)
    led = f"Led by {row.practitioner}.\n" if row.practitioner else ""
    event.add("description", f"{led}{row.places_taken} of {row.capacity} places taken.")
    event.add("status", "CANCELLED" if is_off else "CONFIRMED")
    return event


def _whole(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(microsecond=0)
