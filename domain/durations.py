"""ISO 8601 durations in which days are not hours (T3)."""

import calendar
import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.errors import RuleBroken
from domain.local_time import UTC, to_utc

EARLIEST = dt.datetime(1, 1, 2, tzinfo=UTC)
"""Stands for anything before it: a day above Python's own limit, so that any zone can tell it."""

_PATTERN = re.compile(
    r"P(?=.)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,4})M)?(?:(?P<weeks>\d{1,4})W)?"
    r"(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,7})S)?)?"
)


@dataclass(frozen=True, slots=True)
class Interval:
    """Calendar steps (`months`, `days`) and real `seconds`, kept apart."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Read "P1M", "PT24H", "P1DT2H"; raises RuleBroken for anything else."""
        match = _PATTERN.fullmatch(text.strip().upper())
        if match is None:
            raise RuleBroken(f"“{text}” is not a duration like P1D or PT24H.", code="duration")
        part = {name: int(value or 0) for name, value in match.groupdict().items()}
        return cls(
            months=part["years"] * 12 + part["months"],
            days=part["weeks"] * 7 + part["days"],
            seconds=part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"],
        )

    def before(self, local_start: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        """The instant this long before `local_start`: calendar steps first, then real time."""
        return _before(self, local_start, zone)


@lru_cache(maxsize=16384)
def _before(interval: Interval, local_start: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    index = local_start.year * 12 + local_start.month - 1 - interval.months
    year, month = divmod(index, 12)
    if year < 1:
        return EARLIEST
    day = min(local_start.day, calendar.monthrange(year, month + 1)[1])
    stepped = local_start.replace(year=year, month=month + 1, day=day)
    try:
        stepped -= dt.timedelta(days=interval.days)
        instant = to_utc(stepped, zone) - dt.timedelta(seconds=interval.seconds)
    except OverflowError:
        return EARLIEST
    return max(EARLIEST, instant)
