"""What coming late, or not at all, costs: by the rules that were agreed at booking (M1, M8).

A fee is for each guest, on top of the price. Nothing is charged by a rule that is not set. At most
one fee stands on a booking at a time: a guest who stayed away and comes after all pays one for
being late, not two.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import RuleBroken
from domain.visits import Visit
from domain.words import count

LATE, NO_SHOW = "late", "no_show"

TITLES = {LATE: "Late fee", NO_SHOW: "No-show fee"}
"""What a fee is called on pages and in the ledger."""

AGREED_FEES = ("late_after_minutes", "late_fee", "no_show_fee", "fees_waivable_hours")
"""What of a type is kept with a line: later edits change nothing that was sold (M8)."""

TOLD_AFTER = dt.timedelta(minutes=30)
"""A fee is told so long after it was charged: nobody hears of a slip that was undone."""

MAX_LATE_MINUTES = 240
MAX_WAIVABLE_HOURS = 720


@dataclass(frozen=True, slots=True)
class FeeRules:
    """What was agreed: sums for one guest in minor units, None or 0 where nothing is charged."""

    late_after: int = 0
    """Minutes after the start within which nobody is late."""
    late: int = 0
    no_show: int = 0
    waivable_hours: int | None = None
    """How long after it was charged a fee can be waived; None: at any time."""

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> "FeeRules":
        """From an order line's policy, or a type's fields; what is missing charges nothing."""
        return cls(
            late_after=policy.get("late_after_minutes") or 0,
            late=policy.get("late_fee") or 0,
            no_show=policy.get("no_show_fee") or 0,
            waivable_hours=policy.get("fees_waivable_hours"),
        )

    @property
    def charges(self) -> bool:
        """Whether anything can be charged at all."""
        return bool(self.late or self.no_show)


@dataclass(frozen=True, slots=True)
class Coming:
    """What a fee depends on beside the visit: when it was to begin, and who was to come."""

    start: dt.datetime
    booked_at: dt.datetime
    places: int
    given_up: int = 0
    """Places that were given to the waiting list in time to tell."""
    is_walk_in: bool = False


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee as it would be charged, in minor units."""

    kind: str
    amount: int


@dataclass(frozen=True, slots=True)
class Charged:
    """A fee that stands on a booking: its entry in the ledger, and since when."""

    entry_id: str
    kind: str
    amount: int
    at: dt.datetime

    @property
    def title(self) -> str:
        """Late fee, No-show fee."""
        return TITLES[self.kind]


@dataclass(frozen=True, slots=True)
class Settling:
    """What a tap does to the money: whether the standing fee goes, and what is charged."""

    takes_back: bool = False
    charge: Fee | None = None


def late_from(rules: FeeRules, start: dt.datetime) -> dt.datetime:
    """The last moment at which a guest is still in time; the instants are aware (T7)."""
    return start.astimezone(dt.UTC) + dt.timedelta(minutes=rules.late_after)


def is_late(rules: FeeRules, coming: Coming, arrived_at: dt.datetime) -> bool:
    """Whether who arrived then was late. Walk-ins, and who booked after the start, never are."""
    if coming.is_walk_in or coming.booked_at >= coming.start:
        return False
    return arrived_at > late_from(rules, coming.start)


def fee_of(rules: FeeRules, coming: Coming, visit: Visit, now: dt.datetime) -> Fee | None:
    """What a visit costs beside its price, None for nothing.

    Before the start nobody has stayed away; places that were given up cost nothing more.
    """
    if visit.is_no_show:
        places = coming.places - coming.given_up
        amount = rules.no_show * places if now >= coming.start else 0
        return Fee(NO_SHOW, amount) if amount else None
    if visit.checked_in_at is None or not is_late(rules, coming, visit.checked_in_at):
        return None
    return Fee(LATE, rules.late * coming.places) if rules.late else None


def settle(
    before: Fee | None, after: Fee | None, standing: Charged | None, *, may_waive: bool
) -> Settling:
    """What a change of the visit does to its fee; a change that makes no other fee does nothing.

    A standing fee of another kind is taken back while it may be waived, and stays after that:
    then nothing more is charged.
    """
    if (before and before.kind) == (after and after.kind):
        return Settling()
    if standing is None:
        return Settling(charge=after)
    if after is not None and after.kind == standing.kind:
        return Settling()
    return Settling(takes_back=True, charge=after) if may_waive else Settling()


def waivable_until(rules: FeeRules, charged_at: dt.datetime) -> dt.datetime | None:
    """The last moment at which a fee can be waived; None: there is no end."""
    if rules.waivable_hours is None:
        return None
    return charged_at.astimezone(dt.UTC) + dt.timedelta(hours=rules.waivable_hours)


def may_waive(rules: FeeRules, charged_at: dt.datetime, now: dt.datetime) -> bool:
    """Whether a fee that was charged then can still be waived."""
    until = waivable_until(rules, charged_at)
    return until is None or now <= until


def check_waivable(rules: FeeRules, standing: Charged | None, now: dt.datetime) -> Charged:
    """The fee that is to be waived, or RuleBroken: there is none, or its time has passed."""
    if standing is None:
        raise RuleBroken("No fee stands on this booking any more.", code="no_fee")
    if not may_waive(rules, standing.at, now):
        hours = count(rules.waivable_hours or 0, "hour")
        raise RuleBroken(
            f"This fee could be waived for {hours} only. Take it off on the order’s page.",
            code="fee_too_old",
        )
    return standing


def say_fees(rules: FeeRules, say: Callable[[int], str]) -> str:
    """What a customer is told before booking, "" where nothing is charged; `say` writes a sum."""
    said = []
    if rules.late:
        more = f"more than {count(rules.late_after, 'minute')} " if rules.late_after else ""
        said.append(f"Coming {more}late costs {say(rules.late)} a guest.")
    if rules.no_show:
        said.append(f"Not coming costs {say(rules.no_show)} a guest, on top of the price.")
    return " ".join(said)
