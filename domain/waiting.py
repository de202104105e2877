"""The waiting list: who may wait, who is offered what comes free, and until when (W1-W3)."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from domain.eligibility import Check, Offer, Party, Slot, Viewer, can_book, window_for
from domain.errors import RuleBroken
from domain.words import count

ROOM = ("party_left", "places_left")
"""The checks that may fail for who wants to wait: there is no room, and nothing else is wrong."""

BY_HAND = "The desk offered a place to another party, out of turn."


class NoWaitlist(RuleBroken):
    """This session takes nobody on a waiting list."""

    code = "no_waitlist"

    def __init__(self, sentence: str = "This session has no waitlist.") -> None:
        super().__init__(sentence)


class StillFree(RuleBroken):
    """There is room for the party: waiting would only lose the place."""

    code = "still_free"

    def __init__(self) -> None:
        super().__init__("There is room for you now, so there is no need to wait.")


class AlreadyWaiting(RuleBroken):
    """One person waits once for one session."""

    code = "already_waiting"

    def __init__(self) -> None:
        super().__init__(
            "This address is on the waitlist already. The link to its place is in the mail "
            "that we sent to it.",
            field="email",
        )


class OfferOver(RuleBroken):
    """The offer ran out, was declined or went; the sentence says which, and what can be done."""

    code = "offer_over"


@dataclass(frozen=True, slots=True)
class Room:
    """What is free for somebody new; `parties` None = any number may come (R9)."""

    places: int
    parties: int | None = None


@dataclass(frozen=True, slots=True)
class Waiter:
    """A party on the list, in its turn."""

    id: str
    places: int


@dataclass(frozen=True, slots=True)
class Source:
    """A booking that gives places up: `left` of them are promised to nobody yet."""

    id: str
    places: int
    left: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a party's turn came to: an offer (of a source's places, if named) or why not (W5)."""

    waiter: Waiter
    is_offered: bool
    source_id: str | None = None
    reason: str = ""


def waiting_refusal(
    offer: Offer, slot: Slot, guests: int, viewer: Viewer, now: dt.datetime
) -> Check | None:
    """Why this party could not book even if there were room; None when only room is missing."""
    return next(
        (
            check
            for check in can_book(offer, slot, Party(guests=guests), viewer, now)
            if not check.passed and check.code not in ROOM
        ),
        None,
    )


def has_room(offer: Offer, slot: Slot, guests: int, viewer: Viewer, now: dt.datetime) -> bool:
    """Whether the party fits as things stand (R8, R9)."""
    checks = can_book(offer, slot, Party(guests=guests), viewer, now)
    return all(check.passed for check in checks if check.code in ROOM)


def offer_deadline(
    offer: Offer, slot: Slot, viewer: Viewer, now: dt.datetime, lasts: dt.timedelta
) -> dt.datetime | None:
    """When an offer made at `now` ends: never after the booking cut-off or the start (W2).

    None when there is no time left to answer, so that nothing is offered.
    """
    _, closes = window_for(offer, slot, viewer, now)
    ends = min(moment for moment in (now + lasts, slot.start_time, closes) if moment is not None)
    return ends if ends > now else None


def plan_offers(
    room: Room,
    waiters: Sequence[Waiter],
    sources: Sequence[Source] = (),
    refuse: Callable[[Waiter], str] = lambda _waiter: "",
) -> list[Verdict]:
    """Who is offered what, in the order of the list, and why others are passed over (W1, W5).

    Free places first, then those that a booking gives up. `refuse` says why a party that fits
    may not book, and is asked of nobody else. Who comes after the last place has no verdict.
    """
    places, parties = room.places, room.parties
    left = {source.id: source for source in sources if source.left > 0}
    verdicts = []
    for waiter in waiters:
        if places <= 0 and not left:
            break
        has_party = parties is None or parties > 0
        is_free = has_party and places >= waiter.places
        source = None if is_free else _source_for(waiter, left.values(), has_party=has_party)
        if not is_free and source is None:
            reason = say_unfit(waiter.places, Room(places, parties), list(left.values()))
            verdicts.append(Verdict(waiter, False, reason=reason))
            continue
        if reason := refuse(waiter):
            verdicts.append(Verdict(waiter, False, reason=reason))
            continue
        if source is None:
            places -= waiter.places
        else:
            rest = source.left - waiter.places
            del left[source.id]
            if rest:
                left[source.id] = Source(source.id, source.places - waiter.places, rest)
        # Who takes over a whole booking takes its place among the parties too.
        takes_party = source is None or source.places > waiter.places
        parties = parties - 1 if parties is not None and takes_party else parties
        verdicts.append(Verdict(waiter, True, source.id if source else None))
    return verdicts


def _source_for(waiter: Waiter, sources: Iterable[Source], *, has_party: bool) -> Source | None:
    return next(
        (
            source
            for source in sources
            if source.left >= waiter.places and (has_party or source.places == waiter.places)
        ),
        None,
    )


def say_unfit(places: int, room: Room, sources: Sequence[Source] = ()) -> str:
    """Why a party of this size gets none of what is free, for staff (W5)."""
    most = max((source.left for source in sources), default=0)
    free = max(room.places, most)
    is_are = "is" if free == 1 else "are"
    if places <= free:
        return f"{count(free, 'place')} {is_are} free, but no other party is taken."
    return f"Needs {count(places, 'place')}, {free} {is_are} free."
