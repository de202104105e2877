"""When a site is open in an ordinary week; hours warn, and never forbid a session."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from domain.errors import RuleBroken
from domain.words import DAY_NAMES, WEEKDAYS

Hours = Mapping[str, Sequence[str]]
"""By weekday "07:00" and "22:00"; a day that is not named is closed every week."""

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)
_MIDNIGHT = "24:00"


def check_day(weekday: str, opens: str, closes: str) -> list[str]:
    """Both times of one open day as kept, or RuleBroken on `<weekday>`.

    A site may be open until midnight: 00:00 as the end is kept as 24:00.
    """
    name = weekday.capitalize()
    opens, closes = opens.strip(), closes.strip()
    closes = _MIDNIGHT if closes == "00:00" else closes
    if not _TIME.fullmatch(opens) or not _TIME.fullmatch(closes) or opens == _MIDNIGHT:
        raise RuleBroken(
            f"{name}: enter both times, like 07:00 and 22:00.", code="hours", field=weekday
        )
    if closes <= opens:
        raise RuleBroken(
            f"{name}: closing comes after opening. Enter a later end.", code="hours", field=weekday
        )
    return [opens, closes]


def check_hours(hours: Hours) -> dict[str, list[str]]:
    """The week as kept, Monday first, or RuleBroken on the day at fault."""
    return {day: check_day(day, *hours[day][:2]) for day in WEEKDAYS if day in hours}


def is_open(hours: Hours, local_start: dt.datetime, local_end: dt.datetime) -> bool:
    """Whether a session from start to end, wall times of the site, lies within its hours.

    Where no hours are set for any day, nothing is outside them. A session over midnight is
    inside when the first day stays open until midnight and the next one opens with it.
    """
    if not hours:
        return True
    day, start, end = local_start.date(), local_start, local_end
    while start < end:
        midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time())
        if not _covers(hours.get(WEEKDAYS[day.weekday()]), start, min(end, midnight)):
            return False
        day, start = midnight.date(), midnight
    return True


def hours_of(hours: Hours, day: dt.date) -> tuple[int, int] | None:
    """Minutes after midnight at which a date opens and closes; None when it is closed."""
    named = hours.get(WEEKDAYS[day.weekday()])
    return (_minutes(named[0]), _minutes(named[1])) if named else None


def say_week(hours: Hours) -> list[str]:
    """The week in lines for customers: "Monday to Friday, 07:00 to 22:00"."""
    lines = []
    days = [(number, tuple(hours.get(day) or ())) for number, day in enumerate(WEEKDAYS)]
    for named, group in groupby(days, key=lambda pair: pair[1]):
        numbers = [number for number, _ in group]
        who = DAY_NAMES[numbers[0]]
        if len(numbers) == len(WEEKDAYS):
            who = "Daily"
        elif len(numbers) > 1:
            who = f"{who} {'to' if len(numbers) > 2 else 'and'} {DAY_NAMES[numbers[-1]]}"
        lines.append(f"{who}, {f'{named[0]} to {named[1]}' if named else 'closed'}")
    return lines


def _covers(named: Sequence[str] | None, start: dt.datetime, end: dt.datetime) -> bool:
    if not named:
        return False
    midnight = dt.datetime.combine(start.date(), dt.time())
    from_, to = (midnight + dt.timedelta(minutes=_minutes(text)) for text in named)
    return from_ <= start and end <= to


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:5])
