"""Adding a single session: what it is, and what staff are told before they make it (R6-R9, T2)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from domain.clashes import Clash
from domain.errors import RuleBroken, raise_all
from domain.opening import is_open
from domain.session_changes import MAX_CAPACITY, mark_of
from domain.session_edits import LONGEST, MOST_PRICE, Clear, find_party_problems
from domain.words import DAY_NAMES, WEEKDAYS, count, say_day, say_time


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be made: None is the type's duration, parties and waiting list, the room's cap.

    Duration in minutes, price in minor units of the type's currency, None for the price rules'.
    CLEAR is any number of parties, whatever the type says.
    """

    session_type_id: str
    local_start: dt.datetime
    duration: int | None = None
    room_id: str | None = None
    practitioner_id: str | None = None
    capacity: int | None = None
    max_baskets: int | Clear | None = None
    waitlist_enabled: bool | None = None
    price: int | None = None


@dataclass(frozen=True, slots=True)
class Making:
    """A session as it would be made, with all that speaks against it; nothing of it forbids."""

    name: str
    local_start: dt.datetime
    local_end: dt.datetime
    clashes: tuple[Clash, ...] = ()
    closed: str | None = None
    """Why the venue is shut on the day, None on other days."""
    begins: dt.datetime | None = None
    """What clocks show at its start, where they skip `local_start`."""
    hours: str = ""
    """That it lies outside the opening hours, in a sentence."""
    oddity: Literal["skipped", "repeated"] | None = None
    lacks_price: bool = False

    @property
    def asks(self) -> bool:
        """Whether staff have to say that they mean it."""
        return bool(self.clashes or self.closed is not None or self.hours or self.oddity)

    @property
    def mark(self) -> str:
        """What a page showed of it (S3)."""
        facts = sorted(clash.fact for clash in self.clashes)
        return mark_of([repr(self.local_start), str(self.closed), self.hours, *facts])


def check_new(
    wanted: NewSession,
    *,
    duration: int,
    capacity: int | None,
    room: str,
    room_cap: int | None,
    starts: dt.datetime,
    now: dt.datetime,
    problems: Sequence[RuleBroken] = (),
) -> int:
    """The places it gets; RuleBroken under the field at fault, of several for all (R7, R8, R9).

    `problems` were found before, and are told with these.
    """
    found = list(problems)
    if starts <= now:
        said = f"{say_day(wanted.local_start.date())}, {say_time(wanted.local_start)}"
        found.append(
            RuleBroken(f"{said} has passed. Choose a later time.", code="past", field="time")
        )
    if not 1 <= duration <= LONGEST:
        said = "A session lasts 1 minute to 7 days."
        found.append(RuleBroken(said, code="duration", field="duration"))
    if isinstance(wanted.max_baskets, int):
        found += find_party_problems(wanted.max_baskets)
    if wanted.price is not None and not 0 <= wanted.price <= MOST_PRICE:
        found.append(RuleBroken("Enter a price of 0 or more.", code="price", field="price"))
    refusal = _refuse_capacity(capacity, room, room_cap)
    raise_all([*found, refusal] if refusal else found)
    return capacity or 0


def _refuse_capacity(capacity: int | None, room: str, room_cap: int | None) -> RuleBroken | None:
    if capacity is None:
        said = "Enter how many places it has, or choose a room."
    elif not 1 <= capacity <= MAX_CAPACITY:
        said = f"A session has 1 to {MAX_CAPACITY} places."
    elif room_cap is not None and capacity > room_cap:
        said = f"{room} takes {count(room_cap, 'place')}. Enter fewer."
        return RuleBroken(said, code="capacity_above_room", field="capacity")
    else:
        return None
    return RuleBroken(said, code="capacity", field="capacity")


def say_outside_hours(
    opening_hours: Mapping[str, Sequence[str]], local_start: dt.datetime, local_end: dt.datetime
) -> str:
    """A sentence when a session lies outside the opening hours of its day; else empty.

    Without any hours set the venue has none to lie outside of.
    """
    if not opening_hours:
        return ""
    day = local_start.date()
    hours = opening_hours.get(WEEKDAYS[day.weekday()])
    if hours is None:
        return f"The venue is closed on {DAY_NAMES[day.weekday()]}s."
    if is_open(opening_hours, local_start, local_end):
        return ""
    return f"The venue is open from {hours[0]} to {hours[1]} on {DAY_NAMES[day.weekday()]}s."
