"""What the venue may do to a dated session, and what that touches (R5, R8, R9, R12, R13, S3)."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from domain.errors import RuleBroken, WrongState
from domain.words import count

MAX_CAPACITY = 1000
"""The most places of a session without a room to limit it."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What cancelling a session touches; money in minor units of the site's currency.

    `no_longer_due` is taken off what is owed, `owed_back` is what was paid and comes back (M4).
    `mark` stands for all of it: another booking, hold or sum makes another mark.
    """

    bookings: int
    guests: int
    holds: int
    held_places: int
    waiting: int
    checked_in: int
    no_longer_due: int
    owed_back: int
    mark: str

    @property
    def is_nothing(self) -> bool:
        """Whether nobody would notice."""
        return not (self.bookings or self.holds or self.waiting)


@dataclass(frozen=True, slots=True)
class Places:
    """The places of a session as they are: what a change must not go below, or above."""

    capacity: int
    max_baskets: int | None
    waitlist_enabled: bool
    taken: int
    kept: int
    parties: int
    waiting: int
    room: str = ""
    room_cap: int | None = None

    @property
    def least(self) -> int:
        """The fewest places it can have now."""
        return max(1, self.taken + self.kept)

    @property
    def most(self) -> int:
        """The most places it can have: those of its room (R8)."""
        return MAX_CAPACITY if self.room_cap is None else self.room_cap

    @property
    def mark(self) -> str:
        """What a page showed of them."""
        return mark_of(
            str(part)
            for part in (
                self.capacity, self.max_baskets, self.waitlist_enabled,
                self.taken, self.kept, self.parties, self.waiting,
            )
        )  # fmt: skip


def mark_of(facts: Iterable[str]) -> str:
    """A short text that differs when the facts do (S3)."""
    return hashlib.sha256("|".join(facts).encode()).hexdigest()[:24]


def check_cancelling(*, end_time: dt.datetime, checked_in: int, now: dt.datetime) -> None:
    """A session that is over, or whose guests are here, is not cancelled; raises WrongState."""
    if end_time <= now:
        raise WrongState("This session is over, so it can't be cancelled.")
    if checked_in:
        verb = "is" if checked_in == 1 else "are"
        raise WrongState(
            f"{count(checked_in, 'guest')} {verb} here already. Undo the check-in first."
        )


def check_restoring(*, start_time: dt.datetime, is_type_live: bool, now: dt.datetime) -> None:
    """Only what still lies ahead and is still offered comes back (R13); raises WrongState."""
    if not is_type_live:
        raise WrongState("Its session type is archived. Restore the type first.")
    if start_time <= now:
        raise WrongState("Its time has come and gone, so it can't be restored.")


def check_places(found: Places, *, capacity: int, max_baskets: int | None) -> None:
    """Never below what is taken or kept, never above the room (R8, R9); raises RuleBroken."""
    if capacity < found.least:
        raise refuse_too_few(found.taken, found.kept)
    # A room made smaller later does not stop another change of the same session.
    if capacity > found.most and capacity > found.capacity:
        most = count(found.most, "place")
        where = f"{found.room} takes {most}" if found.room else f"A session has at most {most}"
        raise RuleBroken(f"{where}. Enter fewer.", code="capacity_above_room", field="capacity")
    if max_baskets is not None and max_baskets < max(1, found.parties):
        sentence = (
            f"{_are(found.parties, 'party', 'parties')} booked already. "
            f"Enter {found.parties} or more, or leave it empty."
            if found.parties
            else "Enter 1 or more, or leave it empty for no limit."
        )
        raise RuleBroken(sentence, code="parties_below_taken", field="max_baskets")


def refuse_too_few(places_taken: int, places_kept: int) -> RuleBroken:
    """Fewer places than are taken or kept (R8)."""
    return RuleBroken(
        _say_least(places_taken, places_kept), code="capacity_below_taken", field="capacity"
    )


def _say_least(places_taken: int, places_kept: int) -> str:
    least = places_taken + places_kept
    if not least:
        return "A session has at least 1 place."
    taken = f"{_are(places_taken, 'place')} taken" if places_taken else ""
    kept = f"{_are(places_kept, 'place')} kept for private links" if places_kept else ""
    return f"{' and '.join(part for part in (taken, kept) if part)}. Enter {least} or more."


def _are(number: int, one: str, many: str | None = None) -> str:
    return f"{count(number, one, many)} {'is' if number == 1 else 'are'}"
