"""Wall time at a site and the instants behind it (T1, T2, T5, T7)."""

import datetime as dt
from typing import Literal
from zoneinfo import ZoneInfo

UTC = dt.UTC


def to_utc(local: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The instant of wall time `local` at `zone`.

    A time that does not exist takes the offset before the gap, a repeated one is its first (T2).
    """
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def to_local(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The naive wall time that a clock at `zone` shows at `instant` (T5)."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def local_day(instant: dt.datetime, zone: ZoneInfo) -> dt.date:
    """The site's own date at `instant`; "today" when asked with the present (T5)."""
    return instant.astimezone(zone).date()


def end_of(start: dt.datetime, minutes: int) -> dt.datetime:
    """The instant `minutes` of elapsed time after the instant `start` (T1, R7)."""
    return start.astimezone(UTC) + dt.timedelta(minutes=minutes)


def oddity(local: dt.datetime, zone: ZoneInfo) -> Literal["skipped", "repeated"] | None:
    """Whether the clocks make `local` a time that staff should be told about (T2)."""
    if to_local(to_utc(local, zone), zone) != local:
        return "skipped"
    first = local.replace(tzinfo=zone, fold=0).utcoffset()
    second = local.replace(tzinfo=zone, fold=1).utcoffset()
    return "repeated" if first != second else None
