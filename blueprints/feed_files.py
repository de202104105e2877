"""Calendar feeds as files: stable UIDs, times in UTC, the same bytes while nothing changed (E3)."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from flask import Response, request
from icalendar import Event

from blueprints.calendars import PUBLISH, new_calendar

FRESH = dt.timedelta(hours=1)
"""How often a calendar program should ask again."""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One entry of a feed, `sequence` rising with each change."""

    uid: str
    sequence: int
    changed_at: dt.datetime
    starts: dt.datetime
    ends: dt.datetime
    summary: str
    location: str
    description: str
    url: str
    is_cancelled: bool = False


def feed_file(name: str, events: Iterable[FeedEvent]) -> bytes:
    """The feed; nothing in it depends on the moment at which it is asked for."""
    feed = new_calendar(PUBLISH, name)
    feed.add("refresh-interval", FRESH, parameters={"value": "DURATION"})
    feed.add("x-published-ttl", "PT1H")
    for one in events:
        feed.add_component(_event(one))
    return bytes(feed.to_ical())


def answer_feed(body: bytes, *, is_private: bool) -> Response:
    """The feed with an ETag; 304 for whoever has just that."""
    response = Response(body, mimetype="text/calendar")
    response.set_etag(hashlib.sha256(body).hexdigest()[:32])
    response.headers["Cache-Control"] = f"{'private' if is_private else 'public'}, no-cache"
    response.headers["X-Robots-Tag"] = "noindex"
    response.make_conditional(request)
    return response


def _event(one: FeedEvent) -> Event:
    event = Event()
    event.add("uid", one.uid)
    # When it was last changed, not when it is read: a feed that is alike stays alike.
    event.add("dtstamp", one.changed_at.replace(microsecond=0))
    event.add("last-modified", one.changed_at.replace(microsecond=0))
    event.add("sequence", one.sequence)
    event.add("dtstart", one.starts)
    event.add("dtend", one.ends)
    event.add("summary", f"Cancelled: {one.summary}" if one.is_cancelled else one.summary)
    event.add("location", one.location)
    event.add("description", one.description)
    event.add("url", one.url)
    event.add("status", "CANCELLED" if one.is_cancelled else "CONFIRMED")
    if one.is_cancelled:
        event.add("transp", "TRANSPARENT")
    return event
