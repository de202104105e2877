"""What a schedule says of its sessions: which meet in a room or a person, which lack one (S4)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Use:
    """A session's use of a room, with the minutes to turn it round after, and of a person."""

    id: str
    start: dt.datetime
    end: dt.datetime
    room_id: str | None = None
    turnaround: int = 0
    practitioner_id: str | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """A practitioner's time off, in wall time; the end is not part of it."""

    practitioner_id: str
    local_start: dt.datetime
    local_end: dt.datetime


def find_overlaps(uses: Iterable[Use]) -> dict[str, dict[str, set[str]]]:
    """By session the others it meets, each with "room", "practitioner" or both (S4).

    Half-open: a session may begin at the moment at which a room is ready again, or a person free.
    """
    rooms: dict[str, list[tuple[dt.datetime, dt.datetime, str]]] = defaultdict(list)
    people: dict[str, list[tuple[dt.datetime, dt.datetime, str]]] = defaultdict(list)
    for use in uses:
        if use.room_id is not None:
            ready = use.end + dt.timedelta(minutes=use.turnaround)
            rooms[use.room_id].append((use.start, ready, use.id))
        if use.practitioner_id is not None:
            people[use.practitioner_id].append((use.start, use.end, use.id))
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for why, groups in (("room", rooms), ("practitioner", people)):
        for spans in groups.values():
            for one, other in _meeting(spans):
                found[one][other].add(why)
                found[other][one].add(why)
    return {one: dict(others) for one, others in found.items()}


def is_away(
    practitioner_id: str, local_start: dt.datetime, local_end: dt.datetime, times: Sequence[Away]
) -> bool:
    """Whether a person's time off touches these hours of wall time."""
    return any(
        time.practitioner_id == practitioner_id
        and time.local_start < local_end
        and local_start < time.local_end
        for time in times
    )


def _meeting(
    spans: list[tuple[dt.datetime, dt.datetime, str]],
) -> Iterable[tuple[str, str]]:
    """Pairs of spans that overlap; those that have ended are dropped on the way."""
    running: list[tuple[dt.datetime, str]] = []
    for start, end, name in sorted(spans):
        running = [(until, other) for until, other in running if until > start]
        for _, other in running:
            yield other, name
        running.append((end, name))
