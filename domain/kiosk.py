"""Checking in at the door without staff: which booking, when, and how often one may try."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import RuleBroken
from domain.people import check_name
from domain.words import say_day, say_time

OPENS = dt.timedelta(minutes=60)
"""So long before its start a session can be checked in to."""
SHOWS = dt.timedelta(seconds=60)
"""So long a booking stays on the screen when nobody touches it."""
SHOWS_DONE = dt.timedelta(seconds=20)
"""The same once there is nothing left to do but to read where to go."""
MOST_TRIES = 10
WINDOW = dt.timedelta(minutes=5)

MOST_NAME = 60

ASK = "Please ask at the desk."


class KioskEnded(RuleBroken):
    """The device is no kiosk of this venue, or not any more."""

    code = "kiosk_ended"

    def __init__(self) -> None:
        super().__init__("This device isn't signed in as a kiosk here.")


class KioskPaused(RuleBroken):
    """Too many tries that found nothing; `seconds` until the next one."""

    code = "too_many_tries"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"That was a lot of tries. Wait a moment, or ask at the desk: {_wait(seconds)}."
        )
        self.seconds = seconds


class NoArrival(RuleBroken):
    """Deliberately the same for a reference that isn't known and a name that doesn't fit it."""

    code = "not_found"

    def __init__(self) -> None:
        super().__init__(
            "We couldn't find that booking. Check the reference and the last name,"
            " or ask at the desk."
        )


class OtherVenue(RuleBroken):
    """The booking is at another venue of the same organisation; said only to who proved it."""

    code = "other_venue"

    def __init__(self, venue: str) -> None:
        super().__init__(f"This booking is for {venue}. {ASK}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What decides whether a party can check itself in; local times are the venue's."""

    start: dt.datetime
    end: dt.datetime
    local_start: dt.datetime
    is_waiting: bool = False
    is_cancelled: bool = False
    is_session_cancelled: bool = False
    is_no_show: bool = False
    has_arrived: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the kiosk says of a booking: ready, arrived, or why not in `sentence`."""

    code: str
    sentence: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether pressing "Check in" would check the party in."""
        return self.code == "ready"

    @property
    def has_arrived(self) -> bool:
        """Whether the party is checked in already."""
        return self.code == "arrived"


def judge(arrival: Arrival, *, now: dt.datetime, today: dt.date) -> Verdict:
    """Whether this party can check in now; `today` is the venue's date."""
    day, time = arrival.local_start.date(), say_time(arrival.local_start)
    opens = say_time(arrival.local_start - OPENS)
    reasons = (
        (
            arrival.is_waiting,
            "waiting",
            f"You're on the waiting list, so no place is yours yet. {ASK}",
        ),
        (arrival.is_session_cancelled, "session_cancelled", f"This session was cancelled. {ASK}"),
        (arrival.is_cancelled, "cancelled", f"This booking was cancelled. {ASK}"),
        (
            day != today and now < arrival.start - OPENS,
            "not_today",
            f"This booking is for {say_day(day)} at {time}. See you then.",
        ),
        (now >= arrival.end, "over", f"This session has ended. {ASK}"),
        (arrival.has_arrived, "arrived", ""),
        (arrival.is_no_show, "no_show", f"We didn't expect you any more. {ASK}"),
        (
            now < arrival.start - OPENS,
            "too_early",
            f"You're early, which is lovely. Check-in opens at {opens}.",
        ),
    )
    found = next(((code, sentence) for is_so, code, sentence in reasons if is_so), ("ready", ""))
    return Verdict(*found)


def choose(arrivals: Sequence[Arrival], *, now: dt.datetime, today: dt.date) -> int | None:
    """Which of one order's bookings is meant: what is ready, else what is closest to it.

    Its place in the list; None for none.
    """
    order = ("ready", "arrived", "too_early", "no_show", "not_today")

    def rank(place: int) -> tuple[int, float]:
        code = judge(arrivals[place], now=now, today=today).code
        away = abs((arrivals[place].start - now).total_seconds())
        return (order.index(code) if code in order else len(order), away)

    return min(range(len(arrivals)), key=rank, default=None)


def check_kiosk_name(text: str) -> str:
    """A tidy short name for a device, or RuleBroken (D5)."""
    name = check_name(text, who="a name for this kiosk")
    if len(name) > MOST_NAME:
        raise RuleBroken(f"Use at most {MOST_NAME} characters.", code="name_too_long", field="name")
    return name


def check_kiosk_tries(failed_at: Sequence[dt.datetime], now: dt.datetime) -> None:
    """Raise KioskPaused when the last `WINDOW` has seen `MOST_TRIES` failures."""
    recent = sorted(moment for moment in failed_at if moment > now - WINDOW)
    if len(recent) >= MOST_TRIES:
        again = recent[-MOST_TRIES] + WINDOW
        raise KioskPaused(max(1, int((again - now).total_seconds() + 0.999)))


def _wait(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return "it goes on in a minute" if minutes == 1 else f"it goes on in {minutes} minutes"
