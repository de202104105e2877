"""Changing one dated session: what is wished, what comes of it, and who is touched (R5-R9, S3)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal
from zoneinfo import ZoneInfo

from domain.clashes import Clash
from domain.errors import RuleBroken
from domain.local_time import end_of, oddity, to_utc
from domain.session_changes import MAX_CAPACITY, mark_of
from domain.words import count, say_day, say_time

LONGEST = 7 * 24 * 60
"""Minutes of the longest session."""
MOST_PRICE = 100_000_000
"""Minor units of the dearest place."""

NOTICED = frozenset(("local_start", "duration", "room_id"))
"""A change of these is one that a guest would notice on arriving."""


class Clear(Enum):
    """A wish for nothing at all, where None says "leave it"."""

    CLEAR = "clear"


CLEAR = Clear.CLEAR


@dataclass(frozen=True, slots=True)
class SessionValues:
    """What can be changed of a session; duration in minutes, price in minor units or by rules."""

    local_start: dt.datetime
    duration: int
    room_id: str | None
    practitioner_id: str | None
    capacity: int
    max_baskets: int | None
    waitlist_enabled: bool
    price: int | None

    def instants(self, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
        """Start and end as instants (T1, R7)."""
        start = to_utc(self.local_start, zone)
        return start, end_of(start, self.duration)


@dataclass(frozen=True, slots=True)
class SessionWish:
    """What should be different; None leaves a field as it is (R3). `cancels` ends the session."""

    local_start: dt.datetime | None = None
    duration: int | None = None
    room_id: str | Clear | None = None
    practitioner_id: str | Clear | None = None
    capacity: int | None = None
    max_baskets: int | Clear | None = None
    waitlist_enabled: bool | None = None
    price: int | Clear | None = None
    cancels: bool = False

    def applied_to(self, values: SessionValues) -> SessionValues:
        """The session as it would be; a start alone moves the end with it (R7)."""
        found: dict[str, Any] = {
            name: None if wished is CLEAR else wished
            for name in EDITABLE
            if (wished := getattr(self, name)) is not None
        }
        return replace(values, **found)


EDITABLE = (
    "local_start",
    "duration",
    "room_id",
    "practitioner_id",
    "capacity",
    "max_baskets",
    "waitlist_enabled",
    "price",
)
"""The fields of SessionValues, in the order in which a form shows them."""

OVERRIDES = {"local_start": "start_time"}
"""Under which name a session keeps that a field was changed by hand (R5)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of one touched booking: it stays, moves to another session, or ends."""

    kind: Literal["keep", "move", "cancel"]
    to_session_id: str = ""


KEEP, CANCEL = Choice("keep"), Choice("cancel")


@dataclass(frozen=True, slots=True)
class TouchedBooking:
    """A booking that would notice: money in minor units of its order's currency."""

    id: str
    name: str
    email: str
    order_ref: str
    places: int
    worth: int
    paid: int
    currency: str
    is_here: bool
    """Checked in: it can be kept only."""


@dataclass(frozen=True, slots=True)
class EditImpact:
    """What an edit does and whom it touches; `mark` stands for all that the page showed (S3)."""

    before: SessionValues
    after: SessionValues
    changed: tuple[str, ...]
    cancels: bool
    touched: tuple[TouchedBooking, ...]
    holds: int
    waiting: int
    places_taken: int
    """Sold, held, offered, or kept for private links."""
    clashes: tuple[Clash, ...]
    oddity: Literal["skipped", "repeated"] | None
    mark: str

    @property
    def is_nothing(self) -> bool:
        """Whether nothing would change."""
        return not self.changed and not self.cancels

    @property
    def asks(self) -> bool:
        """Whether somebody has to say what becomes of bookings, or that a clash is meant."""
        return bool(self.touched or self.clashes) and not self.is_nothing

    @property
    def places_short(self) -> int:
        """Places that have to be given back before the new capacity holds all who remain."""
        return max(0, self.places_taken - self.after.capacity) if not self.cancels else 0

    @property
    def guests(self) -> int:
        """Guests of the touched bookings."""
        return sum(booking.places for booking in self.touched)


def changed_fields(before: SessionValues, after: SessionValues) -> tuple[str, ...]:
    """The names of the fields that differ, in a form's order."""
    return tuple(name for name in EDITABLE if getattr(before, name) != getattr(after, name))


def mark_of_edit(before: SessionValues, lines: Mapping[str, str], clashes: object) -> str:
    """The mark of a session as it stands, with its lines' facts by id and what it would meet."""
    return mark_of([repr(before), *(f"{key}={lines[key]}" for key in sorted(lines)), str(clashes)])


def find_value_problems(
    before: SessionValues,
    after: SessionValues,
    *,
    room: str,
    room_cap: int | None,
    parties_taken: int,
    starts: dt.datetime,
    started: bool,
    now: dt.datetime,
) -> list[RuleBroken]:
    """Every field that can't be like this, each under its name (R7, R8, R9)."""
    changed = changed_fields(before, after)
    found: list[RuleBroken] = []
    if not 1 <= after.duration <= LONGEST:
        said = "A session lasts 1 minute to 7 days."
        found.append(RuleBroken(said, code="duration", field="duration"))
    if "local_start" in changed and not started and starts <= now:
        said = f"{say_day(after.local_start.date())}, {say_time(after.local_start)} has passed."
        found.append(RuleBroken(f"{said} Choose a later time.", code="past", field="local_start"))
    if not 1 <= after.capacity <= MAX_CAPACITY:
        said = f"A session has 1 to {MAX_CAPACITY} places."
        found.append(RuleBroken(said, code="capacity", field="capacity"))
    if after.price is not None and not 0 <= after.price <= MOST_PRICE:
        found.append(RuleBroken("Enter a price of 0 or more.", code="price", field="price"))
    if "max_baskets" in changed:
        found += find_party_problems(after.max_baskets, parties_taken)
    return [*found, *_find_room_problems(changed, before, after, room, room_cap)]


def find_party_problems(max_baskets: int | None, parties_taken: int = 0) -> list[RuleBroken]:
    """What is wrong with a limit of parties; nothing with none (R9)."""
    if max_baskets is None or max(1, parties_taken) <= max_baskets <= MAX_CAPACITY:
        return []
    if max_baskets > MAX_CAPACITY:
        sentence = f"Enter at most {MAX_CAPACITY}, or leave it empty for no limit."
        return [RuleBroken(sentence, code="parties", field="max_baskets")]
    if max_baskets < 1:
        sentence = "Enter 1 or more, or leave it empty for no limit."
        return [RuleBroken(sentence, code="parties", field="max_baskets")]
    are = f"{count(parties_taken, 'party', 'parties')} {'is' if parties_taken == 1 else 'are'}"
    sentence = f"{are} booked already. Enter {parties_taken} or more, or leave it empty."
    return [RuleBroken(sentence, code="parties_below_taken", field="max_baskets")]


def _find_room_problems(
    changed: tuple[str, ...],
    before: SessionValues,
    after: SessionValues,
    room: str,
    room_cap: int | None,
) -> list[RuleBroken]:
    if room_cap is None or after.capacity <= room_cap:
        return []
    takes, code = f"{room} takes {count(room_cap, 'place')}", "capacity_above_room"
    if "capacity" in changed and after.capacity > before.capacity:
        return [RuleBroken(f"{takes}. Enter fewer.", code=code, field="capacity")]
    if "room_id" in changed:
        said = f"{takes}, and this session has {after.capacity}. "
        said += "Choose another room, or fewer places."
        return [RuleBroken(said, code=code, field="room_id")]
    return []


def oddity_of(
    before: SessionValues, after: SessionValues, zone: ZoneInfo
) -> Literal["skipped", "repeated"] | None:
    """Whether the clocks make the new start a time that staff should be told about (T2)."""
    return oddity(after.local_start, zone) if after.local_start != before.local_start else None


def check_choices(
    impact: EditImpact, choices: Mapping[str, Choice], default: Choice
) -> dict[str, Choice]:
    """What becomes of each touched booking; raises RuleBroken for one that can't be like this."""
    settled = {}
    for booking in impact.touched:
        choice = choices.get(booking.id, default)
        if booking.is_here:
            choice = KEEP
        if choice.kind == "move" and not choice.to_session_id:
            raise RuleBroken(
                f"Choose where {booking.name} moves to.", code="no_target", field=booking.id
            )
        settled[booking.id] = choice
    stay = sum(booking.places for booking in impact.touched if settled[booking.id].kind == "keep")
    others = impact.places_taken - impact.guests
    if not impact.cancels and impact.places_short and stay + others > impact.after.capacity:
        short = stay + others - impact.after.capacity
        raise RuleBroken(
            f"{count(short, 'place')} too many would stay. Move or cancel more bookings, "
            "or leave more places.",
            code="capacity_below_taken",
            field="capacity",
        )
    return settled
