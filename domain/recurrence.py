"""From a weekly pattern to dated sessions at the site's wall time (R23, R24, T1, T2, S1)."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from domain.local_time import end_of, to_utc
from domain.words import WEEKDAYS

HORIZON = dt.timedelta(weeks=13)
"""How far ahead an open-ended series is produced; beyond it "not yet scheduled" (S5)."""


@dataclass(frozen=True, slots=True)
class StartTime:
    """A start time of a series; its id is part of a session's identity (S1)."""

    id: str
    value: dt.time


@dataclass(frozen=True, slots=True)
class Series:
    """What a recurrence group says; incomplete ones produce nothing (C36).

    Without a first day it starts on the day it was made (2.3): nothing is made in the past.
    """

    group_id: str
    weekdays: frozenset[str]
    start_times: Sequence[StartTime]
    first_day: dt.date | None
    last_day: dt.date | None
    duration: int
    zone: ZoneInfo
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One dated slot: identity (group, date, start time id) and its times."""

    group_id: str
    recurrence_date: dt.date
    start_time_id: str
    local_start: dt.datetime
    start_time: dt.datetime
    end_time: dt.datetime

    @property
    def identity(self) -> tuple[str, dt.date, str]:
        """Producing the same series twice gives the same identities (S1)."""
        return (self.group_id, self.recurrence_date, self.start_time_id)


def has_all(series: Series) -> bool:
    """Whether nothing is missing that its sessions need (R23, C36)."""
    return bool(series.is_complete and series.weekdays and series.start_times)


def produce(series: Series, *, today: dt.date) -> Iterator[Occurrence]:
    """Every occurrence from the first day to the last, or to the horizon when open (R24, S5)."""
    if not has_all(series):
        return
    last = series.last_day if series.last_day is not None else today + HORIZON
    day = series.first_day if series.first_day is not None else today
    while day <= last:
        if WEEKDAYS[day.weekday()] in series.weekdays:
            for start in series.start_times:
                yield occurrence_on(series, day, start)
        day += dt.timedelta(days=1)


def occurrence_on(series: Series, day: dt.date, start: StartTime) -> Occurrence:
    """The occurrence of one start time on one day, whether or not the pattern has it."""
    local = dt.datetime.combine(day, start.value)
    instant = to_utc(local, series.zone)
    return Occurrence(
        group_id=series.group_id,
        recurrence_date=day,
        start_time_id=start.id,
        local_start=local,
        start_time=instant,
        end_time=end_of(instant, series.duration),
    )
