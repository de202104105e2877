"""Dates, times and counts as the shop says them (VISUAL, Writing)."""

import datetime as dt
from collections.abc import Sequence

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_NAMES = tuple(day.capitalize() for day in WEEKDAYS)
MONTH_NAMES = (
    "January February March April May June July August September October November December".split()
)


def say_day(day: dt.date) -> str:
    """Friday 12 June."""
    return f"{DAY_NAMES[day.weekday()]} {day.day} {MONTH_NAMES[day.month - 1]}"


def say_short_day(day: dt.date) -> str:
    """5 Jun."""
    return f"{day.day} {MONTH_NAMES[day.month - 1][:3]}"


def say_weekday_short(day: dt.date) -> str:
    """Fri 12 June."""
    return f"{DAY_NAMES[day.weekday()][:3]} {day.day} {MONTH_NAMES[day.month - 1]}"


def say_time(moment: dt.datetime | dt.time) -> str:
    """18:00."""
    return f"{moment:%H:%M}"


def say_moment(local: dt.datetime) -> str:
    """Friday 5 June at 10:00, by the site's wall clock."""
    return f"{say_day(local.date())} at {say_time(local)}"


def say_month(year: int, month: int) -> str:
    """June 2026."""
    return f"{MONTH_NAMES[month - 1]} {year}"


def count(number: int, one: str, many: str | None = None) -> str:
    """1 place, 2 places."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def say_size(octets: int) -> str:
    """830 bytes, 12.4 kB, 3.1 MB: what a file weighs, in steps of a thousand."""
    size = float(octets)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{octets} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def say_duration(minutes: int) -> str:
    """2 hours, 1 hour 15 minutes, 45 minutes."""
    hours, rest = divmod(minutes, 60)
    parts = []
    if hours:
        parts.append(count(hours, "hour"))
    if rest:
        parts.append(count(rest, "minute"))
    return " ".join(parts) or "0 minutes"


def full_stop(text: str) -> str:
    """What somebody typed as a sentence of its own, before another one."""
    said = text.strip()
    return said if not said or said[-1] in ".!?…" else f"{said}."


def join_names(names: Sequence[str], *, most: int = 5) -> str:
    """Spring Hall, Cave and Terrace; after `most` of them "and 3 more"."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def initials(name: str) -> str:
    """AR for Ana Reyes; at most two letters."""
    letters = [word[0].upper()[0] for word in name.split() if word[0].isalnum()]
    if len(letters) > 1:
        letters = [letters[0], letters[-1]]
    return "".join(letters) or "?"
