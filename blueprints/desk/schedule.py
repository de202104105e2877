"""The day schedule as a grid of five-minute rows."""

import datetime as dt
from dataclasses import dataclass, replace

from domain.local_time import to_local
from services.facts import Venue
from services.schedule import Block, Lane

ROW = 5
"""Minutes a row (static/css/staff-time.css)."""
SHORT = 11
"""Under so many rows a block is drawn more tightly."""
TINY = 7
"""Under so many its time and name share a line."""
LONG = 18
"""From so many on a name may take two lines."""
MOST_COLUMNS = 6
"""So many overlapping blocks lie side by side; more share the last column."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A block with its rows, its column among those it overlaps, and what it looks like now."""

    block: Block
    at: int
    rows: int
    turnaround: int
    css: str
    percent: int
    column: int = 1
    columns: int = 1


class Grid:
    """Lanes of placed blocks between the first and the last hour of the day."""

    def __init__(self, lanes: list[Lane], venue: Venue, day: dt.date, now: dt.datetime) -> None:
        starts = [block.local_start.hour for lane in lanes for block in lane.blocks]
        ends = [
            (b.local_start + dt.timedelta(minutes=b.minutes + 59))
            for lane in lanes
            for b in lane.blocks
        ]
        self.first = min([venue.opens_at.hour, *starts])
        self.last = max(
            [venue.closes_at.hour]
            + [24 if end.date() > day else end.hour for end in ends if end.date() >= day]
        )
        self.hours = range(self.first, max(self.last, self.first + 1))
        self.lanes = lanes
        self.now = now
        local = to_local(now, venue.zone)
        self.is_today = local.date() == day
        at = self._row(local.hour, local.minute)
        self.now_at = at if self.is_today and self.first <= local.hour < self.last else None
        self.now_time = local

    def placed(self, lane: Lane) -> list[Placed]:
        return _side_by_side([self._place(block, lane) for block in lane.blocks])

    @property
    def guests(self) -> int:
        return sum(lane.places[0] for lane in self.lanes)

    @property
    def sessions(self) -> int:
        return sum(not b.is_cancelled for lane in self.lanes for b in lane.blocks)

    def _row(self, hour: int, minute: int) -> int:
        return ((hour - self.first) * 60 + minute) // ROW + 1

    def _place(self, block: Block, lane: Lane) -> Placed:
        at = self._row(block.local_start.hour, block.local_start.minute)
        room = len(self.hours) * 60 // ROW + 1 - at
        rows = min(room, max(1, -(-block.minutes // ROW)))
        return Placed(
            block=block,
            at=at,
            rows=rows,
            turnaround=0 if block.is_cancelled else min(lane.turnaround // ROW, room - rows),
            css=" ".join(_states(block, rows, self.now)),
            percent=round(100 * block.places_taken / block.capacity),
        )


def _states(block: Block, rows: int, now: dt.datetime) -> list[str]:
    """The classes of a block."""
    time = {
        "is-off": block.is_cancelled,
        "is-past": block.end_time <= now,
        "is-now": block.start_time <= now,
    }
    looks = {
        "is-private": block.is_private,
        "is-amiss": bool(block.clashes or block.lacks),
        "is-short": rows < SHORT,
        "is-tiny": rows < TINY,
        "is-long": rows >= LONG,
    }
    first = [name for name, holds in time.items() if holds][:1]
    return first + [name for name, holds in looks.items() if holds]


def _side_by_side(placed: list[Placed]) -> list[Placed]:
    """Blocks that overlap, directly or by way of others, share the width of their lane."""
    done: list[Placed] = []
    group: list[Placed] = []
    ends: list[int] = []
    for one in sorted(placed, key=lambda one: one.at):
        if ends and one.at >= max(ends):
            done += [replace(it, columns=len(ends)) for it in group]
            group, ends = [], []
        free = (n for n, end in enumerate(ends) if end <= one.at)
        column = next(free, min(len(ends), MOST_COLUMNS - 1))
        if column == len(ends):
            ends.append(0)
        ends[column] = max(ends[column], one.at + one.rows)
        group.append(replace(one, column=column + 1))
    return done + [replace(it, columns=len(ends)) for it in group]
