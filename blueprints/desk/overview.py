"""The schedule in its four views; what it shows stands in its address."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from flask import Response, request, url_for

from blueprints.clock import utcnow
from blueprints.desk.routes import DESK, bp
from blueprints.desk.schedule import Grid
from blueprints.keeping import keep_today
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from domain.errors import NotFound
from domain.local_time import local_day, to_utc
from domain.words import say_day, say_month, say_short_day, say_weekday_short
from services.facts import Venue
from services.schedule import (
    Choices,
    Chosen,
    count_days,
    lanes_of,
    list_choices,
    list_coming,
    list_days,
    say_state,
)

VIEWS = {"day": "Day", "week": "Week", "month": "Month", "agenda": "Agenda"}
KINDS = {"room": "rooms", "zone": "zones", "practitioner": "practitioners", "type": "types"}
"""The filters as the address names them, and as `Chosen` and `Choices` do."""
MOST_FILTERS = 60


@dataclass(frozen=True, slots=True)
class Address:
    """Where a schedule is, and its neighbours: the filters go along."""

    site: str
    view: str
    day: dt.date
    filters: dict[str, tuple[str, ...]]

    def to(self, **other: Any) -> str:
        """The same schedule with another view, day or page."""
        values: dict[str, Any] = {
            **self.filters, "view": self.view, "date": self.day.isoformat(), **other,
        }  # fmt: skip
        if values["view"] == "day":
            values["view"] = None
        return url_for("desk.schedule", site=self.site, **values)

    def without(self, kind: str, value: str) -> str:
        """The same with one filter less."""
        left = tuple(one for one in self.filters.get(kind, ()) if one != value)
        return Address(self.site, self.view, self.day, {**self.filters, kind: left}).to()

    @property
    def unfiltered(self) -> str:
        return Address(self.site, self.view, self.day, {}).to()


@dataclass(frozen=True, slots=True)
class Chip:
    name: str
    kind: str
    url: str


@bp.get("/<site>/")
@needs(DESK)
def schedule(site: str) -> Response:
    venue = current_desk().venue
    today = local_day(utcnow(), venue.zone)
    view = request.args.get("view", "day")
    if view not in VIEWS:
        raise NotFound("That isn't a view of the schedule. Choose day, week, month or agenda.")
    here = Address(site, view, _read_day(request.args.get("date"), today), _read_filters())
    chosen = Chosen(**{KINDS[kind]: frozenset(ids) for kind, ids in here.filters.items()})
    choices = list_choices(venue.organisation_id, venue.id)
    page = render(
        "desk/schedule.html",
        block="schedule",
        desk=current_desk(),
        venue=venue,
        here=here,
        views=VIEWS,
        today=today,
        choices=choices,
        kinds=KINDS,
        chosen=chosen,
        chips=_chips(here, choices),
        say_state=say_state,
        **_VIEWS[view](venue, here, chosen, choices),
    )
    return keep_today(page, here.day)


def _day_view(venue: Venue, here: Address, chosen: Chosen, choices: Choices) -> dict[str, Any]:
    now = utcnow()
    (day,) = list_days(venue.organisation_id, venue.id, here.day, 1, chosen=chosen, now=now)
    before, after = here.day - dt.timedelta(days=1), here.day + dt.timedelta(days=1)
    return {
        "title": say_day(here.day),
        "day": day,
        "grid": Grid(lanes_of(day, choices.rooms, chosen), venue, here.day, now),
        "steps": _steps(here, before, after, say_day(before), say_day(after)),
    }


def _week_view(venue: Venue, here: Address, chosen: Chosen, choices: Choices) -> dict[str, Any]:
    week = dt.timedelta(days=7)
    first = here.day - dt.timedelta(days=here.day.weekday())
    days = list_days(venue.organisation_id, venue.id, first, 7, chosen=chosen, now=utcnow())
    last = days[-1].day
    today = local_day(utcnow(), venue.zone)
    return {
        "title": f"{_first_of_range(first, last)} to {_long(last)}",
        "days": days,
        # What is left of this week; what has been stays a card's tap away.
        "listed": [day for day in days if day.day >= today or last < today],
        "full": _percent(days),
        "steps": _steps(
            here,
            first - week,
            first + week,
            f"Week of {_long(first - week)}",
            f"Week of {_long(first + week)}",
        ),
    }


def _month_view(venue: Venue, here: Address, chosen: Chosen, choices: Choices) -> dict[str, Any]:
    first = here.day.replace(day=1)
    before = (first - dt.timedelta(days=1)).replace(day=1)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    begin = first - dt.timedelta(days=first.weekday())
    weeks = -(-(after - begin).days // 7)
    days = count_days(venue.organisation_id, venue.id, begin, weeks * 7, chosen=chosen)
    inside = [day for day in days if first <= day.day < after]
    return {
        "title": say_month(first.year, first.month),
        "weeks": [days[at : at + 7] for at in range(0, len(days), 7)],
        "month": first.month,
        "full": _percent(inside),
        "sessions": sum(day.sessions for day in inside),
        "steps": _steps(
            here,
            before,
            after,
            say_month(before.year, before.month),
            say_month(after.year, after.month),
        ),
    }


def _agenda_view(venue: Venue, here: Address, chosen: Chosen, choices: Choices) -> dict[str, Any]:
    now = utcnow()
    begins = to_utc(dt.datetime.combine(here.day, dt.time()), venue.zone)
    is_today = here.day == local_day(now, venue.zone)
    found = list_coming(
        venue.organisation_id,
        venue.id,
        now if is_today else begins,
        chosen=chosen,
        page=_read_page(),
        now=now,
    )
    return {
        "title": "What is coming" if is_today else f"From {say_weekday_short(here.day)}",
        "found": found,
        "listed": found.days,
        "steps": {
            "before": here.to(page=found.page - 1 if found.page > 2 else None)
            if found.page > 1
            else None,
            "before_title": "Earlier sessions",
            "after": here.to(page=found.page + 1) if found.page < found.pages else None,
            "after_title": "Later sessions",
        },
    }


_VIEWS = {"day": _day_view, "week": _week_view, "month": _month_view, "agenda": _agenda_view}


def _steps(
    here: Address, before: dt.date, after: dt.date, before_title: str, after_title: str
) -> dict[str, str]:
    return {
        "before": here.to(date=before.isoformat()),
        "before_title": before_title,
        "after": here.to(date=after.isoformat()),
        "after_title": after_title,
    }


def _chips(here: Address, choices: Choices) -> list[Chip]:
    found = []
    for kind, plural in KINDS.items():
        names = {one.id: one.name for one in getattr(choices, plural)}
        found += [
            Chip(names.get(value, f"Another {kind}"), kind, here.without(kind, value))
            for value in here.filters.get(kind, ())
        ]
    return found


def _percent(days: Any) -> int | None:
    most = sum(day.capacity for day in days)
    return round(100 * sum(day.guests for day in days) / most) if most else None


def _long(day: dt.date) -> str:
    """12 June."""
    return say_day(day).split(" ", 1)[1]


def _first_of_range(first: dt.date, last: dt.date) -> str:
    """8, or 29 June when the week ends in another month."""
    return str(first.day) if first.month == last.month else say_short_day(first)


def _read_filters() -> dict[str, tuple[str, ...]]:
    """Ids as they were sent, each once; what is too long to be one matches nothing either way."""
    return {
        kind: tuple(dict.fromkeys(value[:64] for value in sent[:MOST_FILTERS] if value))
        for kind in KINDS
        if (sent := request.args.getlist(kind))
    }


def _read_page() -> int:
    text = request.args.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _read_day(text: str | None, today: dt.date) -> dt.date:
    if not text:
        return today
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise NotFound("That isn't a date we know. Dates look like 2026-06-12.") from error
    if not dt.date(2000, 1, 1) <= day <= dt.date(2100, 1, 1):
        raise NotFound("We don't plan that far. Choose a date nearer to today.")
    return day
