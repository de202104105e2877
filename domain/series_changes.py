"""What saving a series does to its sessions, decided once for preview and deed (R24, R25, S1)."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from domain.local_time import end_of, oddity
from domain.recurrence import Occurrence, Series, has_all, occurrence_on, produce
from domain.session_changes import mark_of
from domain.words import WEEKDAYS

WithdrawnBy = Literal["series", "archive", "closed_day"]
LeftBecause = Literal["past", "booked", "by_hand", "cancelled"]


@dataclass(frozen=True, slots=True)
class Slot:
    """When and where a session is, and for how many."""

    local_start: dt.datetime
    start_time: dt.datetime
    end_time: dt.datetime
    room_id: str | None
    practitioner_id: str | None
    capacity: int

    @property
    def minutes(self) -> int:
        """How long it lasts, in elapsed minutes (T1)."""
        return int((self.end_time - self.start_time).total_seconds() // 60)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A series as it shall be: its pattern and what it gives each session.

    `is_live` is False while the series or its type is archived; `closed` are the site's closed
    days with their reasons.
    """

    series: Series
    room_id: str | None = None
    practitioner_id: str | None = None
    capacity: int | None = None
    room_cap: int | None = None
    is_live: bool = True
    closed: Mapping[dt.date, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """A session of the series as it stands, live or not.

    `withdrawn_by` says who took it away, None for a person. `is_sold`: a live booking, hold,
    offer or waiting entry, or places kept. `overridden` are the fields changed by hand (R5).
    """

    id: str
    recurrence_date: dt.date
    start_time_id: str
    slot: Slot
    is_live: bool = True
    withdrawn_by: str | None = None
    is_sold: bool = False
    overridden: frozenset[str] = frozenset()
    own_room_cap: int | None = None

    @property
    def key(self) -> tuple[dt.date, str]:
        """Its identity within the series (S1)."""
        return (self.recurrence_date, self.start_time_id)


@dataclass(frozen=True, slots=True)
class Made:
    """A session that does not stand yet."""

    recurrence_date: dt.date
    start_time_id: str
    slot: Slot


@dataclass(frozen=True, slots=True)
class Moved:
    """A session that keeps its id and gets the values of `slot`; or comes back with them."""

    standing: Standing
    slot: Slot

    @property
    def changes(self) -> tuple[str, ...]:
        """The names of the fields that differ."""
        was, will = self.standing.slot, self.slot
        pairs = {
            "start_time": (was.local_start, was.start_time) != (will.local_start, will.start_time),
            "duration": was.minutes != will.minutes,
            "room_id": was.room_id != will.room_id,
            "practitioner_id": was.practitioner_id != will.practitioner_id,
            "capacity": was.capacity != will.capacity,
        }
        return tuple(name for name, differs in pairs.items() if differs)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A session that is no longer wanted, and that nobody booked."""

    standing: Standing
    by: WithdrawnBy


@dataclass(frozen=True, slots=True)
class Left:
    """A session that stays as it is though the series says otherwise; `slot` is what it says,
    None when the series no longer wants the session at all."""

    standing: Standing
    because: LeftBecause
    slot: Slot | None

    @property
    def changes(self) -> tuple[str, ...]:
        """What would differ if it went along."""
        return Moved(self.standing, self.slot).changes if self.slot else ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A closed day on which the series would have had `sessions`."""

    day: dt.date
    reason: str
    sessions: int


@dataclass(frozen=True, slots=True)
class Odd:
    """A wall time that the clocks skip or repeat: staff are told (T2)."""

    local_start: dt.datetime
    kind: Literal["skipped", "repeated"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that saving does, and everything that it leaves alone."""

    made: tuple[Made, ...] = ()
    moved: tuple[Moved, ...] = ()
    brought_back: tuple[Moved, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()
    left: tuple[Left, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    odd: tuple[Odd, ...] = ()
    unchanged: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether no session would be written."""
        return not (self.made or self.moved or self.brought_back or self.withdrawn)

    @property
    def booked(self) -> tuple[Left, ...]:
        """Those that staff decide about, one by one (S2)."""
        return tuple(one for one in self.left if one.because == "booked")

    def left_because(self, why: str) -> tuple[Left, ...]:
        """Those left for one reason."""
        return tuple(one for one in self.left if one.because == why)

    @property
    def slots(self) -> tuple[tuple[str, Slot], ...]:
        """Where sessions will newly be, with their id, empty for those to be made."""
        return (
            *(("", one.slot) for one in self.made),
            *((one.standing.id, one.slot) for one in self.moved),
            *((one.standing.id, one.slot) for one in self.brought_back),
        )

    @property
    def mark(self) -> str:
        """Stands for all of it: what a page showed, and what is asked again before saving (S3)."""
        return mark_of(self._facts())

    def _facts(self) -> Iterator[str]:
        for made in self.made:
            yield f"made {made.recurrence_date} {made.start_time_id} {made.slot}"
        for moved in self.moved:
            yield f"moved {moved.standing.id} {moved.slot}"
        for back in self.brought_back:
            yield f"back {back.standing.id} {back.slot}"
        for gone in self.withdrawn:
            yield f"withdrawn {gone.standing.id} {gone.by}"
        for left in self.left:
            if left.because != "past":
                yield f"left {left.standing.id} {left.because} {left.slot}"


def plan_series(
    wanted: Wanted,
    standing: Sequence[Standing],
    *,
    now: dt.datetime,
    today: dt.date,
    makes_past: bool = False,
) -> Plan:
    """What becomes of the sessions of a series when it is saved as `wanted`.

    `today` is the site's date at `now`. Past, sold and hand-cancelled sessions are left alone,
    hand-changed ones follow in their other fields only (R24, S2, CONTRACT 9). `makes_past`
    makes sessions whose time is over too, for a history that is loaded.
    """
    found = _Findings()
    for one in sorted(standing, key=lambda it: (it.slot.local_start, it.id)):
        _judge(found, wanted, one, now)
    known = {one.key: one for one in standing}
    skipped: Counter[dt.date] = Counter()
    for occurrence in _occurrences(wanted, today):
        if occurrence.start_time <= now and not makes_past:
            continue
        stands = known.get((occurrence.recurrence_date, occurrence.start_time_id))
        if occurrence.recurrence_date in wanted.closed:
            skipped[occurrence.recurrence_date] += stands is None or not stands.is_live
        elif stands is None:
            slot = _slot_of(wanted, occurrence)
            found.made.append(Made(occurrence.recurrence_date, occurrence.start_time_id, slot))
    found.made.sort(key=lambda it: (it.slot.local_start, it.start_time_id))
    return Plan(
        made=tuple(found.made),
        moved=tuple(found.moved),
        brought_back=tuple(found.brought_back),
        withdrawn=tuple(found.withdrawn),
        left=tuple(found.left),
        skipped=tuple(
            Skipped(day, wanted.closed[day], number)
            for day, number in sorted(skipped.items())
            if number
        ),
        odd=tuple(_odd([*found.made, *found.moved, *found.brought_back], wanted)),
        unchanged=found.unchanged,
    )


@dataclass(slots=True)
class _Findings:
    made: list[Made] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    brought_back: list[Moved] = field(default_factory=list)
    withdrawn: list[Withdrawn] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    unchanged: int = 0


def _judge(found: _Findings, wanted: Wanted, one: Standing, now: dt.datetime) -> None:
    target, by = _target(wanted, one, now)
    if not one.is_live:
        _judge_gone(found, one, target, now)
    elif target == one.slot:
        found.unchanged += 1
    elif one.slot.start_time <= now:
        found.left.append(Left(one, "past", target))
    elif one.is_sold:
        found.left.append(Left(one, "booked", target))
    elif target is not None:
        found.moved.append(Moved(one, target))
    elif one.overridden and by != "archive":
        found.left.append(Left(one, "by_hand", None))
    else:
        found.withdrawn.append(Withdrawn(one, by))


def _judge_gone(found: _Findings, one: Standing, target: Slot | None, now: dt.datetime) -> None:
    if target is None or one.slot.start_time <= now:
        return
    if one.withdrawn_by is None:
        found.left.append(Left(one, "cancelled", target))
    else:
        found.brought_back.append(Moved(one, target))


def _target(wanted: Wanted, one: Standing, now: dt.datetime) -> tuple[Slot | None, WithdrawnBy]:
    """Where the series wants this session, or None with who takes it away."""
    if not wanted.is_live:
        return None, "archive"
    occurrence = _occurrence_of(wanted.series, one)
    if occurrence is None:
        return None, "series"
    slot = _followed(wanted, one, _slot_of(wanted, occurrence))
    if slot.local_start.date() in wanted.closed:
        return None, "closed_day"
    if slot.start_time <= now < one.slot.start_time:
        # Its new time is over already: there is nothing left to move it to.
        return None, "series"
    return slot, "series"


def _occurrence_of(series: Series, one: Standing) -> Occurrence | None:
    """What the pattern says of it; sessions beyond the horizon of an open series are wanted."""
    start = next((it for it in series.start_times if it.id == one.start_time_id), None)
    if start is None or not has_all(series):
        return None
    day = one.recurrence_date
    is_early = series.first_day is not None and day < series.first_day
    is_late = series.last_day is not None and day > series.last_day
    if is_early or is_late or WEEKDAYS[day.weekday()] not in series.weekdays:
        return None
    return occurrence_on(series, day, start)


def _slot_of(wanted: Wanted, occurrence: Occurrence) -> Slot:
    return Slot(
        local_start=occurrence.local_start,
        start_time=occurrence.start_time,
        end_time=occurrence.end_time,
        room_id=wanted.room_id,
        practitioner_id=wanted.practitioner_id,
        capacity=wanted.capacity or 1,
    )


def _followed(wanted: Wanted, one: Standing, slot: Slot) -> Slot:
    """The slot with what was changed by hand left as it is (R5, CONTRACT 9)."""
    own, by_hand = one.slot, one.overridden
    if "start_time" in by_hand:
        slot = replace(slot, local_start=own.local_start, start_time=own.start_time)
    minutes = own.minutes if "duration" in by_hand else wanted.series.duration
    slot = replace(slot, end_time=end_of(slot.start_time, minutes))
    if "practitioner_id" in by_hand:
        slot = replace(slot, practitioner_id=own.practitioner_id)
    return _with_places(wanted, one, slot)


def _with_places(wanted: Wanted, one: Standing, slot: Slot) -> Slot:
    """Room and places together: never more places than the room takes (R8)."""
    own, by_hand = one.slot, one.overridden
    if "capacity" in by_hand:
        slot = replace(slot, capacity=own.capacity)
        if wanted.room_cap is not None and own.capacity > wanted.room_cap:
            return replace(slot, room_id=own.room_id)
    if "room_id" in by_hand:
        most = own.capacity if one.own_room_cap is None else one.own_room_cap
        places = own.capacity if "capacity" in by_hand else min(slot.capacity, max(1, most))
        return replace(slot, room_id=own.room_id, capacity=places)
    return slot


def _occurrences(wanted: Wanted, today: dt.date) -> Iterator[Occurrence]:
    return produce(wanted.series, today=today) if wanted.is_live else iter(())


def _odd(slots: Iterable[Made | Moved], wanted: Wanted) -> Iterator[Odd]:
    for one in slots:
        kind = oddity(one.slot.local_start, wanted.series.zone)
        if kind is not None:
            yield Odd(one.slot.local_start, kind)
