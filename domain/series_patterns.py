"""A series as staff write it down: what may be saved, and what it still lacks (R8, R23, C36)."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import RuleBroken
from domain.session_changes import MAX_CAPACITY
from domain.words import DAY_NAMES, WEEKDAYS, count, say_time

MAX_NAME = 120
MAX_TIMES = 48
FIRST_YEAR, LAST_YEAR = 1990, 2199
"""Days beyond are typing errors, and no calendar of a venue reaches them."""
MAX_SESSIONS = 20_000
"""The most sessions of a series with a last day: all of them are made when it is saved."""


@dataclass(frozen=True, slots=True)
class TimeWish:
    """A start time: with the id it has already, or "" for one that is added."""

    id: str
    value: dt.time


@dataclass(frozen=True, slots=True)
class SeriesWish:
    """Everything of a series that staff can change; None is "not chosen yet", and as the first
    day the day on which the series is made."""

    name: str = ""
    weekdays: tuple[str, ...] = ()
    start_times: tuple[TimeWish, ...] = ()
    room_id: str | None = None
    practitioner_id: str | None = None
    capacity: int | None = None
    recurrence_start: dt.date | None = None
    recurrence_end: dt.date | None = None

    @property
    def values(self) -> dict[str, Any]:
        """As plain values, to be compared with what somebody else saved (D4)."""
        return {
            "name": self.name,
            "weekdays": [day for day in WEEKDAYS if day in self.weekdays],
            "start_times": sorted(say_time(time.value) for time in self.start_times),
            "room_id": self.room_id,
            "practitioner_id": self.practitioner_id,
            "capacity": self.capacity,
            "recurrence_start": self.recurrence_start,
            "recurrence_end": self.recurrence_end,
        }

    @property
    def missing(self) -> tuple[str, ...]:
        """What it lacks to make sessions, in words (C36)."""
        parts = {
            "a day of the week": self.weekdays,
            "a start time": self.start_times,
            "a room": self.room_id,
            "places": self.capacity,
        }
        return tuple(name for name, value in parts.items() if not value)


_DAYS = ("recurrence_start", "recurrence_end")


class SeriesRefused(RuleBroken):
    """A series can't be saved like this; `problems` are all of them, by field."""

    code = "series_refused"

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(problems[0][1], field=problems[0][0])
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """A room that may be chosen."""

    name: str
    cap: int


def list_problems(
    wish: SeriesWish, room: RoomFacts | None, today: dt.date
) -> list[tuple[str, str]]:
    """Every rule that the wish breaks, as field and sentence; nothing missing is a problem.

    `today` is the site's: a series without a first day starts now.
    """
    return [
        *_name(wish),
        *_times(wish),
        *_places(wish, room),
        *_days(wish, today),
    ]


def _name(wish: SeriesWish) -> Iterable[tuple[str, str]]:
    if len(wish.name) > MAX_NAME:
        yield "name", f"Use at most {MAX_NAME} characters."
    elif "<" in wish.name:
        yield "name", "Use letters, numbers and ordinary signs only."


def _times(wish: SeriesWish) -> Iterable[tuple[str, str]]:
    values = [time.value for time in wish.start_times]
    if len(values) > MAX_TIMES:
        yield "times", f"A series has at most {MAX_TIMES} start times."
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        yield "times", f"{say_time(twice)} is there twice. Take one away."
    ids = [time.id for time in wish.start_times if time.id]
    if len(set(ids)) < len(ids):
        yield "times", "One start time is there twice. Take one away."


def _places(wish: SeriesWish, room: RoomFacts | None) -> Iterable[tuple[str, str]]:
    if wish.capacity is None:
        return
    if wish.capacity < 1:
        yield "capacity", "A session has at least 1 place."
    elif room is not None and wish.capacity > room.cap:
        yield "capacity", f"{room.name} takes {count(room.cap, 'place')}. Enter fewer."
    elif wish.capacity > MAX_CAPACITY:
        yield "capacity", f"A session has at most {MAX_CAPACITY} places."


def _days(wish: SeriesWish, today: dt.date) -> Iterable[tuple[str, str]]:
    first, last = wish.recurrence_start, wish.recurrence_end
    odd = [name for name in _DAYS if not _is_likely(getattr(wish, name))]
    for name in odd:
        yield name, f"Choose a day from {FIRST_YEAR} to {LAST_YEAR}."
    if last is None or odd:
        return
    if first is not None and last < first:
        yield "recurrence_end", "The last day lies before the first."
    elif _number(wish, first or today, last) > MAX_SESSIONS:
        yield (
            "recurrence_end",
            (
                f"That would be more than {MAX_SESSIONS:,} sessions. Choose an earlier last day, "
                "or none: then the series goes on by itself."
            ),
        )


def _is_likely(day: dt.date | None) -> bool:
    return day is None or FIRST_YEAR <= day.year <= LAST_YEAR


def _number(wish: SeriesWish, first: dt.date, last: dt.date) -> int:
    """About how many sessions: a week more does no harm."""
    weeks = (last - first).days // 7 + 1
    return weeks * len(wish.weekdays) * len(wish.start_times)


def list_early_and_late(
    wish: SeriesWish, opening_hours: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Starts outside the opening hours, one sentence a weekday; none where no hours are set."""
    if not opening_hours:
        return ()
    return tuple(
        sentence
        for number, day in enumerate(WEEKDAYS)
        if day in wish.weekdays
        and (sentence := _outside(DAY_NAMES[number], opening_hours.get(day), wish))
    )


def _outside(day: str, hours: Sequence[str] | None, wish: SeriesWish) -> str:
    if hours is None:
        return f"The venue is closed on {day}s."
    # As text, for an end at midnight is 24:00, which no time of the day is.
    early = sorted(
        {time.value for time in wish.start_times if not hours[0] <= say_time(time.value) < hours[1]}
    )
    if not early:
        return ""
    said = ", ".join(say_time(value) for value in early)
    return f"{day}: {said} {'is' if len(early) == 1 else 'are'} outside {hours[0]} to {hours[1]}."
