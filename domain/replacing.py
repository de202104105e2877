"""Who or what can stand in when a practitioner is away or a room out of use (R6, S4)."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from domain.errors import RuleBroken

Range = tuple[dt.datetime, dt.datetime]
"""Instants from the first up to, not with, the second."""

NO_REST = dt.timedelta(0)

One = TypeVar("One", bound="Candidate")


@dataclass(frozen=True, slots=True)
class Slot:
    """A session that needs somebody, or another room; `local_start` is its wall time."""

    id: str
    start: dt.datetime
    end: dt.datetime
    local_start: dt.datetime
    type_id: str = ""
    series_id: str | None = None
    capacity: int = 0
    needed: int = 0
    zone_id: str | None = None

    @property
    def day(self) -> dt.date:
        """Its date at the site."""
        return self.local_start.date()

    @property
    def local_range(self) -> Range:
        """Its wall times, as absences are kept: the clocks' change makes none longer."""
        return self.local_start, self.local_start + (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody or something with what it is busy with; `rest` is kept free around it (S4)."""

    id: str
    name: str
    busy: tuple[Range, ...] = ()

    @property
    def rest(self) -> dt.timedelta:
        """How long it stays free between two sessions."""
        return NO_REST

    def can_take(self, slot: Slot) -> bool:
        """Whether it is of the right kind, free or not."""
        raise NotImplementedError

    def rank(self, slot: Slot, given: Sequence[dt.date] = ()) -> tuple[object, ...]:
        """What sorts the better one first, when it has been given sessions on these days too."""
        raise NotImplementedError

    def is_free(self, slot: Slot) -> bool:
        """Whether nothing that it is busy with meets the slot, as half-open ranges (S4)."""
        return not any(self._meet((slot.start, slot.end), taken) for taken in self.busy)

    def clashes(self, one: Slot, other: Slot) -> bool:
        """Whether it can't take both."""
        return self._meet((one.start, one.end), (other.start, other.end))

    def _meet(self, one: Range, other: Range) -> bool:
        return one[0] < other[1] + self.rest and other[0] < one[1] + self.rest


@dataclass(frozen=True, slots=True)
class Person(Candidate):
    """A practitioner: when they are away in wall time, what they lead and led lately, how much
    they do on a day."""

    away: tuple[Range, ...] = ()
    leads: frozenset[str] = frozenset()
    led_types: frozenset[str] = frozenset()
    led_series: frozenset[str] = frozenset()
    days: Mapping[dt.date, int] = field(default_factory=dict)

    def can_take(self, slot: Slot) -> bool:
        """Whether they lead this type and aren't away."""
        first, last = slot.local_range
        return slot.type_id in self.leads and not any(
            first < until and since < last for since, until in self.away
        )

    def rank(self, slot: Slot, given: Sequence[dt.date] = ()) -> tuple[object, ...]:
        """Who led the series or the type lately, then who has least to do, then by name."""
        return (
            not self.knows_series(slot),
            slot.type_id not in self.led_types,
            self.on_day(slot) + sum(day == slot.day for day in given),
            self.in_week(slot) + sum(_monday(day) == _monday(slot.day) for day in given),
            self.name.casefold(),
            self.id,
        )

    def knows_series(self, slot: Slot) -> bool:
        """Whether they led this series lately."""
        return slot.series_id is not None and slot.series_id in self.led_series

    def knows_type(self, slot: Slot) -> bool:
        """Whether they led this type lately."""
        return slot.type_id in self.led_types

    def on_day(self, slot: Slot) -> int:
        """How many sessions they lead on the slot's day."""
        return self.days.get(slot.day, 0)

    def in_week(self, slot: Slot) -> int:
        """How many sessions they lead from Monday to Sunday of the slot's week."""
        monday = _monday(slot.day)
        return sum(self.days.get(monday + dt.timedelta(days=n), 0) for n in range(7))


@dataclass(frozen=True, slots=True)
class Place(Candidate):
    """A room: how many it takes, where it lies, the minutes to turn it round."""

    cap: int = 0
    zone_id: str | None = None
    turnaround: int = 0

    @property
    def rest(self) -> dt.timedelta:
        """The time to turn it round."""
        return dt.timedelta(minutes=self.turnaround)

    def can_take(self, slot: Slot) -> bool:
        """Whether it is large enough for the places that are taken or kept (R8)."""
        return self.cap >= max(1, slot.needed)

    def holds_all(self, slot: Slot) -> bool:
        """Whether all places stay on sale in it."""
        return self.cap >= slot.capacity

    def rank(self, slot: Slot, given: Sequence[dt.date] = ()) -> tuple[object, ...]:
        """Rooms that hold every place, then of the same zone, then the smallest, then by name."""
        fits = self.holds_all(slot)
        return (
            not fits,
            slot.zone_id is None or self.zone_id != slot.zone_id,
            self.cap if fits else -self.cap,
            self.name.casefold(),
            self.id,
        )


def _monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())


def rank_replacements(slot: Slot, candidates: Iterable[One]) -> list[One]:
    """Those who are of the right kind and free for the slot, the best first."""
    able = [one for one in candidates if one.can_take(slot) and one.is_free(slot)]
    return sorted(able, key=lambda one: one.rank(slot))


def assign(ranked: Sequence[tuple[Slot, Sequence[Candidate]]]) -> dict[str, str]:
    """A proposal for as many slots as possible, by slot: nobody is proposed for two at once, and
    what they are given on the way counts as theirs.

    Slots come by start; one that finds all of its candidates given away asks whether those
    slots can be led by others. A slot is left out only when its candidates are all needed by
    slots that overlap it.
    """
    given = _Given({slot.id: (slot, list(candidates)) for slot, candidates in ranked})
    for slot, _ in sorted(ranked, key=lambda pair: (pair[0].start, pair[0].id)):
        given.place(slot.id, set())
    return given.chosen


class _Given:
    def __init__(self, known: dict[str, tuple[Slot, list[Candidate]]]) -> None:
        self._known = known
        self.chosen: dict[str, str] = {}

    def place(self, slot_id: str, asked: set[str]) -> bool:
        """Give the slot to its best candidate who is free, else free one by moving others."""
        slot = self._known[slot_id][0]
        candidates = self._ranked(slot)
        for one in candidates:
            if not self._in_the_way(one, slot):
                self.chosen[slot_id] = one.id
                return True
        return any(one.id not in asked and self._make_free(one, slot, asked) for one in candidates)

    def _ranked(self, slot: Slot) -> list[Candidate]:
        """With what has been given so far, so that the work is shared."""
        days: dict[str, list[dt.date]] = {}
        for other, who in self.chosen.items():
            days.setdefault(who, []).append(self._known[other][0].day)
        able = self._known[slot.id][1]
        return sorted(able, key=lambda one: one.rank(slot, days.get(one.id, ())))

    def _in_the_way(self, one: Candidate, slot: Slot) -> list[str]:
        return [
            other
            for other, given in self.chosen.items()
            if given == one.id and other != slot.id and one.clashes(slot, self._known[other][0])
        ]

    def _make_free(self, one: Candidate, slot: Slot, asked: set[str]) -> bool:
        asked.add(one.id)
        before = dict(self.chosen)
        # While the others look for somebody else, the slot has this one.
        self.chosen[slot.id] = one.id
        for other in self._in_the_way(one, slot):
            self.chosen.pop(other, None)
            if not self.place(other, asked):
                self.chosen = before
                return False
        return True


def check_chosen(
    slots: Mapping[str, Slot],
    chosen: Mapping[str, str],
    candidates: Mapping[str, Candidate],
    field_of: Callable[[str], str] = str,
) -> None:
    """Nobody is chosen for two slots at once; raises RuleBroken with the second slot's field."""
    taken: dict[str, list[Slot]] = {}
    for slot_id, who in sorted(chosen.items(), key=lambda pair: (slots[pair[0]].start, pair[0])):
        slot, one = slots[slot_id], candidates[who]
        if any(one.clashes(slot, other) for other in taken.get(who, ())):
            raise RuleBroken(
                f"{one.name} is chosen for two sessions at once. Choose somebody else for one."
                if isinstance(one, Person)
                else f"{one.name} is chosen for two sessions at once. Choose another room for one.",
                code="chosen_twice",
                field=field_of(slot_id),
            )
        taken.setdefault(who, []).append(slot)
