"""What still keeps a session type from being sold, told from facts (R14, R16, R20, R30, P4)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from domain.durations import Interval
from domain.local_time import to_local
from domain.words import DAY_NAMES, count, say_day, say_time


@dataclass(frozen=True, slots=True)
class ComingSession:
    """One session that lies ahead, live; `has_price` is asked as those who may book would."""

    local_start: dt.datetime
    has_price: bool
    is_full: bool = False
    archived_room: str = ""


@dataclass(frozen=True, slots=True)
class SellingFacts:
    """What is known of a type; of `permitted` membership types only the live ones still count."""

    zone: ZoneInfo
    sessions: Sequence[ComingSession] = ()
    is_archived: bool = False
    offered_online: bool = True
    visibility: str = "public"
    members_only: bool = False
    permitted: int = 0
    permitted_live: int = 0
    membership_types: int = 0
    opens_before: Interval | None = None
    closes_before: Interval | None = None
    members_open_before: tuple[Interval, ...] = ()
    live_series: int = 0


@dataclass(frozen=True, slots=True)
class Hurdle:
    """One thing in the way. `stops` all sales, or else only part of them; `page` mends it."""

    code: str
    sentence: str
    stops: bool
    page: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Sessions without a price: those of these weekdays in a time range, or on single dates.

    `time_from` is included and `time_to` excluded, None is open; `starts` are named one by one
    where no range tells them from sessions with a price.
    """

    weekdays: tuple[int, ...] = ()
    time_from: dt.time | None = None
    time_to: dt.time | None = None
    date_from: dt.date | None = None
    date_to: dt.date | None = None
    starts: tuple[dt.datetime, ...] = ()
    sessions: int = 0

    def covers(self, local_start: dt.datetime) -> bool:
        """Whether a coming session that starts then is among them."""
        if self.starts:
            return local_start in self.starts
        day, time = local_start.date(), local_start.time()
        return (
            (not self.weekdays or day.weekday() in self.weekdays)
            and (self.date_from is None or day >= self.date_from)
            and (self.date_to is None or day <= self.date_to)
            and (self.time_from is None or time >= self.time_from)
            and (self.time_to is None or time < self.time_to)
        )


def find_hurdles(facts: SellingFacts, now: dt.datetime) -> list[Hurdle]:
    """Everything that keeps the type from being sold at `now`, what stops all sales first."""
    found = [*_shown(facts), *_people(facts), *_scheduled(facts, now)]
    # An archived type has nothing else to mend first.
    if facts.is_archived:
        return found[:1]
    return sorted(found, key=lambda hurdle: not hurdle.stops)


def find_gaps(sessions: Iterable[ComingSession]) -> list[Gap]:
    """The coming sessions without a price, gathered by dates, weekdays and times (P4)."""
    every = sorted(sessions, key=lambda one: one.local_start)
    missing = [one.local_start for one in every if not one.has_price]
    priced = [one.local_start for one in every if one.has_price]
    if not missing:
        return []
    if not priced:
        return [Gap(sessions=len(missing))]
    by_date = _at_one_end(missing, priced)
    return [by_date] if by_date else _by_weekday(missing, priced)


def say_gap(gap: Gap) -> str:
    """No price on Sundays before 10:00."""
    parts = [part for part in (_weekdays(gap), _times(gap), _dates(gap)) if part]
    return f"No price {' '.join(parts)}" if parts else "No price on any coming session"


def _shown(facts: SellingFacts) -> Iterable[Hurdle]:
    if facts.is_archived:
        yield Hurdle("archived", "Archived", True, "archive")
    if not facts.offered_online:
        yield Hurdle("offered_online", "Not offered online: only staff can book it", True, "access")
    elif facts.visibility == "private":
        yield Hurdle("private", "Staff only: customers can't see it", True, "access")
    elif facts.visibility == "link_only":
        yield Hurdle("link_only", "Hidden: link only", False, "access")


def _people(facts: SellingFacts) -> Iterable[Hurdle]:
    if not facts.members_only:
        return
    if not facts.membership_types:
        said = "Members only, and there is no membership type"
        yield Hurdle("members_only", said, True, "access")
    elif facts.permitted and not facts.permitted_live:
        said = "Members only, and no membership type is permitted any more"
        yield Hurdle("members_only", said, True, "access")


def _scheduled(facts: SellingFacts, now: dt.datetime) -> Iterable[Hurdle]:
    if not facts.sessions:
        said = "No sessions scheduled"
        if facts.live_series:
            said += f", though it has {count(facts.live_series, 'series', 'series')}"
        yield Hurdle("no_sessions", said, True, "times")
        return
    for gap in find_gaps(facts.sessions):
        yield Hurdle("no_price", _with_count(gap), gap.sessions == len(facts.sessions), "prices")
    if all(one.is_full for one in facts.sessions):
        yield Hurdle("full", "No places left on any coming session", True, "times")
    yield from _window(facts, now)
    yield from _rooms(facts)


def _window(facts: SellingFacts, now: dt.datetime) -> Iterable[Hurdle]:
    starts = [one.local_start for one in facts.sessions]
    opens = [_before(facts.opens_before, start, facts.zone) for start in starts]
    if facts.opens_before is not None and min(opens) > now:
        said = f"Booking opens only {_moment(min(opens), facts.zone)}"
        members = [
            window.before(start, facts.zone)
            for window in facts.members_open_before
            for start in starts
        ]
        is_all = not members or min(members) > now
        if members and not is_all:
            said += ", for members it is open"
        yield Hurdle("opens_later", said, is_all, "access")
    if facts.closes_before is not None:
        ends = [_before(facts.closes_before, start, facts.zone) for start in starts]
        if max(ends) < now:
            said = "Booking has closed for every coming session"
            yield Hurdle("closed", said, True, "access")


def _before(interval: Interval | None, start: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return (interval or Interval()).before(start, zone)


def _moment(instant: dt.datetime, zone: ZoneInfo) -> str:
    local = to_local(instant, zone)
    return f"{say_day(local.date())} at {say_time(local)}"


def _rooms(facts: SellingFacts) -> Iterable[Hurdle]:
    rooms: dict[str, int] = defaultdict(int)
    for one in facts.sessions:
        if one.archived_room:
            rooms[one.archived_room] += 1
    for name, number in rooms.items():
        said = f"Its room is archived: {name}, {count(number, 'coming session')}"
        yield Hurdle("room_archived", said, False, "times")


def _with_count(gap: Gap) -> str:
    if len(gap.starts) == 1:
        return say_gap(gap)
    return f"{say_gap(gap)} ({count(gap.sessions, 'session')})"


def _at_one_end(missing: list[dt.datetime], priced: list[dt.datetime]) -> Gap | None:
    """A season that has no price yet, or no longer: everything from a date on, or up to one."""
    first, last = priced[0].date(), priced[-1].date()
    if missing[0].date() > last:
        return Gap(date_from=missing[0].date(), sessions=len(missing))
    if missing[-1].date() < first:
        return Gap(date_to=missing[-1].date(), sessions=len(missing))
    return None


def _by_weekday(missing: list[dt.datetime], priced: list[dt.datetime]) -> list[Gap]:
    always: dict[tuple[dt.time | None, dt.time | None], list[tuple[int, int]]] = defaultdict(list)
    single: list[dt.datetime] = []
    for weekday in range(7):
        gaps = [start for start in missing if start.weekday() == weekday]
        sold = {start.time() for start in priced if start.weekday() == weekday}
        # A time with a price on some dates only has no rule by weekday: it is named by its dates.
        single += [start for start in gaps if start.time() in sold]
        never = [start.time() for start in gaps if start.time() not in sold]
        for span in _spans(sorted(set(never)), sorted(sold)):
            number = sum(_is_in(span, time) for time in never)
            always[span].append((weekday, number))
    found = [
        Gap(
            weekdays=tuple(weekday for weekday, _ in days),
            time_from=span[0],
            time_to=span[1],
            sessions=sum(number for _, number in days),
        )
        for span, days in always.items()
    ]
    if single:
        found.append(Gap(starts=tuple(sorted(single)), sessions=len(single)))
    return found


def _spans(
    never: list[dt.time], sold: list[dt.time]
) -> list[tuple[dt.time | None, dt.time | None]]:
    """Runs of times without a price, each up to the next time that has one."""
    if not never:
        return []
    if not sold:
        return [(None, None)]
    found: list[tuple[dt.time | None, dt.time | None]] = []
    for time in never:
        before = any(one < time for one in sold)
        until = next((one for one in sold if one > time), None)
        if not found or found[-1][1] != until:
            found.append((time if before else None, until))
    return found


def _is_in(span: tuple[dt.time | None, dt.time | None], time: dt.time) -> bool:
    return (span[0] is None or time >= span[0]) and (span[1] is None or time < span[1])


def _weekdays(gap: Gap) -> str:
    if not gap.weekdays or len(gap.weekdays) == 7:
        return ""
    return f"on {_listed([f'{DAY_NAMES[day]}s' for day in gap.weekdays])}"


def _times(gap: Gap) -> str:
    if gap.time_from and gap.time_to:
        return f"from {say_time(gap.time_from)} until {say_time(gap.time_to)}"
    if gap.time_from:
        return f"from {say_time(gap.time_from)} on"
    return f"before {say_time(gap.time_to)}" if gap.time_to else ""


def _dates(gap: Gap) -> str:
    if gap.date_from:
        return f"from {say_day(gap.date_from)} on"
    if gap.date_to:
        return f"up to {say_day(gap.date_to)}"
    if gap.starts:
        named = [f"{say_day(one.date())} at {say_time(one)}" for one in gap.starts[:3]]
        more = len(gap.starts) - len(named)
        return f"on {_listed([*named, *([f'{more} more'] if more else [])])}"
    return ""


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
