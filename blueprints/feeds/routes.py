import datetime as dt
import re

from flask import Blueprint, Response, request

from blueprints.clock import utcnow
from blueprints.feed_files import answer_feed, feed_file
from blueprints.feeds.presenting import Week, booking_event, session_event, subscribe_urls
from blueprints.rendering import render
from blueprints.security import PUBLIC, needs
from blueprints.visits import basket_secret
from domain.errors import NotFound
from domain.local_time import local_day
from services.basket import find_basket_badge
from services.feeds import read_feed
from services.public_timetable import DAYS, read_timetable
from services.venues import find_venue

bp = Blueprint("feeds", __name__)

WEEKS_AHEAD = 26
"""Weeks from now that the page's address may ask for."""


@bp.get("/feeds/<key>.ics")
@needs(PUBLIC)
def own(key: str) -> Response:
    events = [booking_event(row) for row in read_feed(key, now=utcnow())]
    return answer_feed(feed_file("My bookings", events), is_private=True)


@bp.get("/<site>/timetable.ics")
@needs(PUBLIC)
def timetable_file(site: str) -> Response:
    venue, now = find_venue(site), utcnow()
    today = local_day(now, venue.zone)
    found = read_timetable(venue, first=today, days=DAYS, now=now)
    events = [session_event(entry, venue) for entry in found.entries]
    return answer_feed(feed_file(f"{venue.full_name}, timetable", events), is_private=False)


@bp.get("/<site>/timetable")
@needs(PUBLIC)
def timetable(site: str) -> Response:
    venue, now = find_venue(site), utcnow()
    today = local_day(now, venue.zone)
    monday = _read_week(request.args.get("week"), today)
    found = read_timetable(venue, first=max(monday, today), days=_days_left(monday, today), now=now)
    return render(
        "feeds/timetable.html",
        venue=venue,
        week=Week(found, monday, today, now),
        subscribe=subscribe_urls("feeds.timetable_file", site=site),
        badge=find_basket_badge(basket_secret(venue.id), now=now),
    )


def _days_left(monday: dt.date, today: dt.date) -> int:
    """Days that are over are not listed."""
    return 7 - max(0, (today - monday).days)


def _read_week(text: str | None, today: dt.date) -> dt.date:
    """The Monday of the week that any of its dates names; this week without one."""
    if text is None:
        return _monday(today)
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError(text)
        day = dt.date.fromisoformat(text)
        monday = _monday(day)
    except (ValueError, OverflowError) as error:
        raise NotFound("That isn't a date we know. Dates look like 2026-06-12.") from error
    weeks = (monday - _monday(today)).days // 7
    if not 0 <= weeks <= WEEKS_AHEAD:
        raise NotFound("The timetable shows this week and those to come. Choose a nearer date.")
    return monday


def _monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())
