"""Two sessions that want one room or one person at once (S4): shown to staff, never forbidden."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["room", "practitioner", "away"]
_NONE = dt.timedelta()


@dataclass(frozen=True, slots=True)
class Busy:
    """A session as far as it takes up a room and a person; `key` is what the asker calls it."""

    key: str
    name: str
    start: dt.datetime
    end: dt.datetime
    local_start: dt.datetime
    room_id: str | None = None
    practitioner_id: str | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """When a person is not there, in wall time."""

    practitioner_id: str
    local_start: dt.datetime
    local_end: dt.datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """`wanted` meets `other` in its room or with its practitioner, or the latter is away."""

    kind: Kind
    wanted: Busy
    other: Busy | None = None
    reason: str = ""

    @property
    def fact(self) -> str:
        """What a page showed of it, for its mark (S3)."""
        return f"{self.kind}:{self.wanted.key}:{self.other.key if self.other else self.reason}"


def find_clashes(
    wanted: Sequence[Busy],
    standing: Sequence[Busy],
    *,
    turnaround: Mapping[str, dt.timedelta] | None = None,
    away: Iterable[Away] = (),
) -> tuple[Clash, ...]:
    """Every clash of a wanted session with a standing one, with another wanted one, with absence.

    Ranges are half open: touching is no clash, but a room needs its `turnaround` between two
    sessions. In order of the wanted session's start.
    """
    rests = turnaround or {}
    found = [
        *_over(wanted, standing, "room", rests),
        *_over(wanted, standing, "practitioner", {}),
        *_absences(wanted, away),
    ]
    return tuple(sorted(found, key=lambda it: (it.wanted.start, it.wanted.key, it.kind)))


def _over(
    wanted: Sequence[Busy],
    standing: Sequence[Busy],
    kind: Literal["room", "practitioner"],
    rests: Mapping[str, dt.timedelta],
) -> Iterable[Clash]:
    asked = {id(one) for one in wanted}
    by_thing: dict[str, list[Busy]] = defaultdict(list)
    for one in (*wanted, *standing):
        thing = one.room_id if kind == "room" else one.practitioner_id
        if thing is not None:
            by_thing[thing].append(one)
    for thing, all_of_it in by_thing.items():
        rest = rests.get(thing, _NONE)
        open_ones: list[Busy] = []
        for one in sorted(all_of_it, key=lambda it: (it.start, it.end)):
            open_ones = [other for other in open_ones if one.start < other.end + rest]
            for other in open_ones:
                if id(one) in asked:
                    yield Clash(kind, one, other)
                if id(other) in asked:
                    yield Clash(kind, other, one)
            open_ones.append(one)


def _absences(wanted: Sequence[Busy], away: Iterable[Away]) -> Iterable[Clash]:
    by_person: dict[str, list[Away]] = defaultdict(list)
    for absence in away:
        by_person[absence.practitioner_id].append(absence)
    for one in wanted:
        for absence in by_person.get(one.practitioner_id or "", ()):
            # In wall time, as absences are kept: the clocks' change makes no shift longer.
            local_end = one.local_start + (one.end - one.start)
            if one.local_start < absence.local_end and absence.local_start < local_end:
                yield Clash("away", one, reason=absence.reason)
