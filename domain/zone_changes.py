"""A site moves to another zone: its clocks keep what they show, the instants are others (T6)."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from domain.local_time import UTC, oddity, to_utc
from domain.session_changes import mark_of


@dataclass(frozen=True, slots=True)
class Coming:
    """A session that has not begun: its wall time and the instants behind it."""

    id: str
    name: str
    local_start: dt.datetime
    start_time: dt.datetime
    end_time: dt.datetime
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Moved:
    """A session whose instants are others in the new zone."""

    session: Coming
    start_time: dt.datetime
    end_time: dt.datetime

    @property
    def later(self) -> dt.timedelta:
        """How much later it begins for the world; below zero for earlier."""
        return self.start_time - self.session.start_time


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """What another zone does to a site's coming sessions (T6)."""

    zone: str
    moved: tuple[Moved, ...]
    same: int
    begun: tuple[Moved, ...]
    odd: tuple[tuple[Coming, str], ...]
    bookings: int = 0
    waiting: int = 0
    mark: str = ""

    @property
    def shifts(self) -> tuple[dt.timedelta, ...]:
        """By how much sessions move, each once, from earlier to later."""
        return tuple(sorted({one.later for one in self.moved if one.session.is_live}))

    @property
    def sessions(self) -> int:
        """How many sessions that take place get another instant."""
        return sum(one.session.is_live for one in self.moved)


def rederive(session: Coming, zone: ZoneInfo) -> Moved:
    """The same wall time in another zone; it lasts as long as it did (T1, T2, T6)."""
    start = to_utc(session.local_start, zone)
    lasts = session.end_time.astimezone(UTC) - session.start_time.astimezone(UTC)
    return Moved(session, start, start + lasts)


def plan_zone_change(
    sessions: Iterable[Coming],
    zone: ZoneInfo,
    *,
    bookings: Sequence[str] = (),
    waiting: int = 0,
    now: dt.datetime,
) -> ZoneChange:
    """What changes when the site of these coming sessions moves to `zone` (T6).

    `begun` are sessions whose time would have passed already, `odd` those at a wall time that
    the new zone's clocks skip or repeat (T2). The mark stands for the sessions, and for the
    bookings on those that move.
    """
    every = [rederive(one, zone) for one in sessions]
    moved = tuple(one for one in every if one.start_time != one.session.start_time)
    live = [one for one in every if one.session.is_live]
    odd = [(one.session, oddity(one.session.local_start, zone)) for one in live]
    facts = [f"{one.session.id}:{one.session.start_time.isoformat()}" for one in every]
    return ZoneChange(
        zone=zone.key,
        moved=moved,
        same=sum(one.start_time == one.session.start_time for one in live),
        begun=tuple(one for one in live if one.start_time <= now),
        odd=tuple((session, said) for session, said in odd if said is not None),
        bookings=len(bookings),
        waiting=waiting,
        mark=mark_of([zone.key, *sorted(facts), *sorted(bookings), str(waiting)]),
    )
