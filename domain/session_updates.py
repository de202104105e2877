"""A session as a program sends it: what is wished, and every field at fault (R3, R7, C16)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from domain.errors import RuleBroken
from domain.local_time import to_local, to_utc
from domain.new_sessions import NewSession
from domain.session_changes import MAX_CAPACITY
from domain.session_edits import (
    CLEAR,
    LONGEST,
    MOST_PRICE,
    SessionValues,
    SessionWish,
    find_party_problems,
)
from domain.words import say_moment

Sent = Mapping[str, Any]
"""Fields by name, of the right kinds; absent ones are absent (R3)."""

IDENTITY = (
    "id",
    "organisation_id",
    "site_id",
    "session_type_id",
    "recurrence_group_id",
    "currency",
)
"""What may be sent back with its present value; another one is refused (C16)."""

_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Stands:
    """A session as it stands: what can be changed of it, and what a program was shown of it."""

    values: SessionValues
    start: dt.datetime
    zone: ZoneInfo
    price: int
    """What it was shown to cost, in minor units: by R16, 0 without a price."""
    identity: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Times:
    """When a session begins, in wall time, and its minutes; None where nothing was said."""

    local_start: dt.datetime | None = None
    duration: int | None = None


def read_update(stands: Stands, sent: Sent) -> tuple[SessionWish, list[RuleBroken]]:
    """What should be different, and what of it can't be said like this.

    The price that it was shown to have is no price of its own (CONTRACT 9); a room can be
    another one, but not none.
    """
    times, problems = read_times(sent, stands.zone, begins=stands.start)
    for name in IDENTITY:
        if name in sent and not _is_same(name, sent[name], stands.identity[name]):
            problems.append(RuleBroken("This can't be changed.", code="fixed", field=name))
    room_id = sent.get("room_id")
    if "room_id" in sent and room_id is None and stands.values.room_id is not None:
        problems.append(RuleBroken("May not be null.", field="room_id"))
    wish = SessionWish(
        local_start=times.local_start,
        duration=times.duration,
        room_id=room_id,
        practitioner_id=_or_clear(sent, "practitioner_id"),
        capacity=sent.get("capacity"),
        max_baskets=_or_clear(sent, "max_baskets"),
        waitlist_enabled=sent.get("waitlist_enabled"),
        price=None if sent.get("price") == stands.price else _or_clear(sent, "price"),
    )
    return wish, problems


def _is_same(name: str, sent: str | None, stands: str | None) -> bool:
    if name == "currency" and sent is not None and stands is not None:
        # Read in any case (C38).
        return sent.lower() == stands.lower()
    return sent == stands


def read_new(sent: Sent, zone: ZoneInfo) -> tuple[NewSession, list[RuleBroken]]:
    """A session to be made, and what of it can't be said like this; `start_time` was sent."""
    times, problems = read_times(sent, zone)
    wanted = NewSession(
        session_type_id=sent["session_type_id"],
        local_start=times.local_start or to_local(sent["start_time"], zone),
        duration=times.duration,
        room_id=sent.get("room_id"),
        practitioner_id=sent.get("practitioner_id"),
        capacity=sent.get("capacity"),
        max_baskets=_or_clear(sent, "max_baskets"),
        waitlist_enabled=sent.get("waitlist_enabled"),
        price=sent.get("price"),
    )
    return wanted, problems


def find_problems(sent: Sent) -> list[RuleBroken]:
    """What is wrong with the fields by themselves, whatever the session is."""
    _, found = read_times(sent, ZoneInfo("UTC"), begins=sent.get("start_time"))
    if sent.get("capacity", 1) > MAX_CAPACITY:
        said = f"A session has 1 to {MAX_CAPACITY} places."
        found.append(RuleBroken(said, code="capacity", field="capacity"))
    if (sent.get("price") or 0) > MOST_PRICE:
        said = f"Enter a price of at most {MOST_PRICE}."
        found.append(RuleBroken(said, code="price", field="price"))
    return found + find_party_problems(sent.get("max_baskets"))


def _or_clear(sent: Sent, name: str) -> Any:
    return CLEAR if name in sent and sent[name] is None else sent.get(name)


def read_times(
    sent: Sent, zone: ZoneInfo, *, begins: dt.datetime | None = None
) -> tuple[Times, list[RuleBroken]]:
    """Start, end and minutes brought into one form (R7), and what contradicts in them.

    `begins` is when the session begins so far: a start that says the same changes nothing.
    Instants become wall time of the site (T1); one that its clocks can't name is refused (T2).
    """
    start, end = sent.get("start_time"), sent.get("end_time")
    problems: list[RuleBroken] = []
    local = None
    if start is not None and start != begins:
        local = to_local(start, zone)
        problems += _find_start_problems(start, local, zone)
    duration = sent.get("duration")
    if duration is not None and not 1 <= duration <= LONGEST:
        problems.append(_refuse_length("duration"))
        return Times(local), problems
    begins = start or begins
    if end is None or begins is None:
        return Times(local, duration), problems
    problem = _refuse_end(begins, end, duration)
    if problem is not None:
        return Times(local), [*problems, problem]
    return Times(local, int((end - begins) / _MINUTE)), problems


def _find_start_problems(
    start: dt.datetime, local: dt.datetime, zone: ZoneInfo
) -> list[RuleBroken]:
    if local.second or local.microsecond:
        said = "A session begins on a whole minute."
    elif to_utc(local, zone) != start:
        said = f"Clocks show {say_moment(local)} twice. A session begins at the first of the two."
    else:
        return []
    return [RuleBroken(said, code="time", field="start_time")]


def _refuse_end(start: dt.datetime, end: dt.datetime, duration: int | None) -> RuleBroken | None:
    lasts = end - start
    if lasts <= dt.timedelta():
        return RuleBroken("The end must be later than the start.", field="end_time")
    if lasts % _MINUTE:
        return RuleBroken("A session lasts whole minutes.", code="duration", field="end_time")
    if lasts > LONGEST * _MINUTE:
        return _refuse_length("end_time")
    if duration is not None and duration * _MINUTE != lasts:
        said = f"From start to end it is {int(lasts / _MINUTE)} minutes."
        return RuleBroken(said, code="duration", field="duration")
    return None


def _refuse_length(field: str) -> RuleBroken:
    return RuleBroken("A session lasts 1 minute to 7 days.", code="duration", field=field)
