"""What a place in a session costs: one function for every door (R16-R18, P1-P4, P9, P10)."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from domain.words import WEEKDAYS

PriceSource = Literal["link", "override", "rule", "none"]


BY_INVITATION = "By invitation"
"""What customers read beside a private link's own price."""


@dataclass(frozen=True, slots=True)
class PriceRule:
    """One rule of a type; `None` or empty means "no condition" (2.2, R18)."""

    id: str
    price: int
    label: str = ""
    date_from: dt.date | None = None
    date_to: dt.date | None = None
    time_from: dt.time | None = None
    time_to: dt.time | None = None
    weekdays: frozenset[str] = frozenset()
    membership_type_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Price:
    """`amount` minor units for one place, or None when nothing sets a price (P4)."""

    amount: int | None
    source: PriceSource
    rule_id: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One line of the explanation of a price: the rule, and why it did not apply."""

    rule: PriceRule
    matched: bool
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class PriceTrace:
    """The price and every rule that was looked at on the way to it (P9)."""

    price: Price
    steps: tuple[TraceStep, ...] = field(default=())


def price_of(
    local_start: dt.datetime,
    rules: Sequence[PriceRule],
    *,
    override: int | None = None,
    membership_type_ids: Iterable[str] = (),
    agreed: int | None = None,
) -> Price:
    """The price of a place in a session that starts at wall time `local_start` (R16).

    `agreed` is the price of its own that a private link has: it comes before all others.
    `membership_type_ids` are the viewer's memberships valid on the session's date; without any
    the price is a visitor's (P10).
    """
    if agreed is not None:
        return Price(agreed, "link", label=BY_INVITATION)
    if override is not None:
        return Price(override, "override")
    held = frozenset(membership_type_ids)
    for rule in rules:
        if _why_not(rule, local_start, held) is None:
            return Price(rule.price, "rule", rule.id, rule.label)
    return Price(None, "none")


def trace_price(
    local_start: dt.datetime,
    rules: Sequence[PriceRule],
    *,
    override: int | None = None,
    membership_type_ids: Iterable[str] = (),
    agreed: int | None = None,
) -> PriceTrace:
    """The same price with each rule in order, matched or why not (P9)."""
    held = frozenset(membership_type_ids)
    price = price_of(local_start, rules, override=override, membership_type_ids=held, agreed=agreed)
    if price.source in ("link", "override"):
        return PriceTrace(price)
    steps = []
    for rule in rules:
        reason = _why_not(rule, local_start, held)
        steps.append(TraceStep(rule, reason is None, reason or ""))
        if reason is None:
            break
    return PriceTrace(price, tuple(steps))


def _why_not(rule: PriceRule, local_start: dt.datetime, held: frozenset[str]) -> str | None:
    day, time = local_start.date(), local_start.time()
    if rule.date_from is not None and day < rule.date_from:
        return "starts on a later date"
    if rule.date_to is not None and day > rule.date_to:
        return "has ended by then"
    if rule.weekdays and WEEKDAYS[day.weekday()] not in rule.weekdays:
        return "is for other weekdays"
    if rule.time_from is not None and time < rule.time_from:
        return "is for later in the day"
    if rule.time_to is not None and time >= rule.time_to:
        return "is for earlier in the day"
    if rule.membership_type_ids and not rule.membership_type_ids & held:
        return "is for members"
    return None
