"""An outlook in words: what saving a series does, meets and leaves alone."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from domain.clashes import Clash
from domain.series_changes import Left, Made, Moved, Slot
from domain.words import count, full_stop, say_time, say_weekday_short
from services.series import Outlook
from services.session_targets import MoveTarget
from services.touched import Touched

MOST_LINES = 60
OPEN_LINES = 6
"""So many are shown without unfolding."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of thing that happens, with its dates."""

    glyph: str
    tone: str
    title: str
    lines: tuple[str, ...] = ()
    more: int = 0
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class BookedLine:
    """A booked session that the series no longer fits, for staff to decide."""

    id: str
    said: str
    change: str
    touched: Touched
    is_wanted: bool
    nearest: str = ""
    """Where all its guests could go, in words."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything the page says of an outlook."""

    parts: tuple[Part, ...]
    booked: tuple[BookedLine, ...]
    booked_more: int
    missing: str
    until: dt.date | None
    mark: str
    is_nothing: bool


def show_outlook(outlook: Outlook, names: Mapping[str, str]) -> Shown:
    """Words for an outlook; `names` are those of rooms and people by id."""
    plan, booked = outlook.plan, outlook.plan.booked
    back = _by_day(plan.brought_back)
    parts = [
        _part("plus", "ok", len(plan.made), "made", _by_day(plan.made)),
        _part("arrow-right", "info", len(plan.moved), "changed", _changes(plan.moved, names)),
        _part("rotate-ccw", "ok", len(plan.brought_back), "brought back", back),
        _part("minus", "warn", len(plan.withdrawn), "taken away",
              _days(one.standing.slot for one in plan.withdrawn)),
        *_clashes(outlook.clashes, names),
        *_skips(outlook),
        *_odd(outlook),
        *_outside(outlook),
        _part("lock", "", len(plan.left_because("by_hand")), "left, changed by hand",
              _days(one.standing.slot for one in plan.left_because("by_hand"))),
        _part("circle-x", "", len(plan.left_because("cancelled")), "left, cancelled by hand",
              _days(one.standing.slot for one in plan.left_because("cancelled"))),
        _part("check", "", plan.unchanged, "unchanged", []),
    ]  # fmt: skip
    return Shown(
        parts=tuple(part for part in parts if part is not None),
        booked=tuple(_booked(one, outlook, names) for one in booked[:MOST_LINES]),
        booked_more=max(0, len(booked) - MOST_LINES),
        missing=_listed(outlook.missing),
        until=outlook.until,
        mark=outlook.mark,
        is_nothing=plan.is_nothing,
    )


def _part(glyph: str, tone: str, number: int, what: str, lines: list[str]) -> Part | None:
    if not number:
        return None
    title = f"{count(number, 'session')} {what}"
    return Part(glyph, tone, title, tuple(lines[:MOST_LINES]), max(0, len(lines) - MOST_LINES))


def _by_day(found: Iterable[Made | Moved]) -> list[str]:
    return _days(one.slot for one in found)


def _days(slots: Iterable[Slot]) -> list[str]:
    """One line a day: Fri 12 June: 09:00, 18:00."""
    found = sorted(slots, key=lambda it: it.local_start)
    return [
        f"{_day(day)}: {', '.join(say_time(it.local_start) for it in of_day)}"
        for day, of_day in groupby(found, key=lambda it: it.local_start.date())
    ]


def _day(day: dt.date) -> str:
    return f"{say_weekday_short(day)} {day.year}"


def _changes(moved: Iterable[Moved], names: Mapping[str, str]) -> list[str]:
    return [
        f"{_when(was)}: {say_changes(was, one.slot, one.changes, names)}"
        for one in moved
        for was in (one.standing.slot,)
    ]


def _when(slot: Slot) -> str:
    return f"{_day(slot.local_start.date())}, {say_time(slot.local_start)}"


def say_changes(was: Slot, will: Slot, changes: Iterable[str], names: Mapping[str, str]) -> str:
    """What differs: "starts 18:30, Cold room, 6 places"."""
    is_other_day = was.local_start.date() != will.local_start.date()
    said = {
        "start_time": f"starts {_when(will) if is_other_day else say_time(will.local_start)}",
        "duration": f"lasts {will.minutes} minutes",
        "room_id": names.get(will.room_id or "", "no room"),
        "practitioner_id": f"with {names.get(will.practitioner_id or '', 'nobody')}",
        "capacity": count(will.capacity, "place"),
    }
    return ", ".join(said[name] for name in changes)


def _clashes(clashes: tuple[Clash, ...], names: Mapping[str, str]) -> list[Part]:
    if not clashes:
        return []
    lines = tuple(_clash(one, names) for one in clashes[:MOST_LINES])
    more = max(0, len(clashes) - MOST_LINES)
    title = count(len(clashes), "clash", "clashes")
    return [Part("triangle-alert", "warn", title, lines, more, len(lines) <= OPEN_LINES)]


def _clash(one: Clash, names: Mapping[str, str]) -> str:
    when = f"{_day(one.wanted.local_start.date())}, {say_time(one.wanted.local_start)}"
    if one.other is None:
        away = f"{names.get(one.wanted.practitioner_id or '', 'The practitioner')} is away"
        return f"{when}: {away}{f' ({one.reason})' if one.reason else ''}"
    thing = one.wanted.room_id if one.kind == "room" else one.wanted.practitioner_id
    return (
        f"{when}: {names.get(thing or '', 'the room')} is taken at "
        f"{say_time(one.other.local_start)} by {one.other.name}"
    )


def _skips(outlook: Outlook) -> list[Part]:
    skipped = outlook.plan.skipped
    if not skipped:
        return []
    lines = tuple(
        f"{_day(one.day)}: {full_stop(one.reason)} {count(one.sessions, 'session')} left out."
        for one in skipped[:MOST_LINES]
    )
    return [
        Part(
            "calendar-x", "", count(len(skipped), "closed day"), lines, 0, len(lines) <= OPEN_LINES
        )
    ]


def _odd(outlook: Outlook) -> list[Part]:
    said = {
        "skipped": "the clocks skip that time, so it starts an hour later by the clock",
        "repeated": "that time comes twice, so it starts the first time",
    }
    lines = tuple(
        f"{_day(one.local_start.date())}, {say_time(one.local_start)}: {said[one.kind]}."
        for one in outlook.plan.odd[:MOST_LINES]
    )
    return [Part("clock", "warn", "The clocks change", lines, 0, True)] if lines else []


def _outside(outlook: Outlook) -> list[Part]:
    if not outlook.outside:
        return []
    return [Part("door-open", "warn", "Outside opening hours", outlook.outside, 0, True)]


def _booked(one: Left, outlook: Outlook, names: Mapping[str, str]) -> BookedLine:
    was = one.standing.slot
    return BookedLine(
        id=one.standing.id,
        said=_when(was),
        change=say_changes(was, one.slot, one.changes, names) if one.slot else "no longer wanted",
        touched=outlook.touched.get(one.standing.id, Touched(one.standing.id)),
        is_wanted=one.slot is not None,
        nearest=_where(outlook.nearest.get(one.standing.id)),
    )


def _where(target: MoveTarget | None) -> str:
    if target is None:
        return ""
    start = target.local_start
    return f"Move all to {say_weekday_short(start.date())}, {say_time(start)} ({target.left} left)"


def _listed(parts: tuple[str, ...]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
