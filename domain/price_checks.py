"""What a list of price rules does, before it is saved: dead rules, gaps and changes (R16-R18)."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from domain.price_rules import say_year_day
from domain.pricing import Price, PriceRule, price_of
from domain.words import DAY_NAMES, WEEKDAYS, count, say_time, say_weekday_short

VISITOR: frozenset[str] = frozenset()
"""Holds no membership (P10)."""

_DAY = 24 * 60 * 60 * 1_000_000

Why = Literal["ended", "no_day", "no_time", "hidden"]


@dataclass(frozen=True, slots=True)
class PricedSlot:
    """A session as far as its price goes; `own_price` is one set on the session itself (R16)."""

    id: str
    local_start: dt.datetime
    own_price: int | None = None


@dataclass(frozen=True, slots=True)
class DeadRule:
    """A rule that can never set a price.

    `hidden_by` is the position of the first rule that covers it alone, else those of all that set
    the price in its place.
    """

    position: int
    rule: PriceRule
    why: Why
    hidden_by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What coming sessions cost before and after, counted for one kind of viewer.

    `own` are those with a price of their own, which no rule touches.
    """

    sessions: int = 0
    up: int = 0
    down: int = 0
    newly_priced: int = 0
    no_longer_priced: int = 0
    own: int = 0

    @property
    def changed(self) -> int:
        """Sessions whose price is another afterwards, or that gain or lose one."""
        return self.up + self.down + self.newly_priced + self.no_longer_priced


@dataclass(frozen=True, slots=True)
class Gap:
    """Sessions of one weekday and time that have no price, with the first and last of them."""

    weekday: int
    time: dt.time
    sessions: int
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True)
class DayPrice:
    """One day of the month: its lowest price, which rule sets it, and what stands there at all."""

    day: dt.date
    amount: int | None
    position: int | None
    sessions: int
    gaps: int


class PriceBook:
    """Prices of many sessions by one list of rules; each question is asked of `price_of` (P9)."""

    def __init__(self, rules: Sequence[PriceRule], held: frozenset[str] = VISITOR) -> None:
        self._rules = tuple(rules)
        self._held = held
        self._by_day: dict[dt.date, list[PriceRule]] = {}
        self._known: dict[dt.datetime, Price] = {}

    def price(self, slot: PricedSlot) -> Price:
        """What one place in this session costs."""
        if slot.own_price is not None:
            return price_of(slot.local_start, (), override=slot.own_price)
        known = self._known.get(slot.local_start)
        if known is None:
            rules = self._rules_on(slot.local_start.date())
            known = price_of(slot.local_start, rules, membership_type_ids=self._held)
            self._known[slot.local_start] = known
        return known

    def _rules_on(self, day: dt.date) -> list[PriceRule]:
        # Leaving out what can't match on this day changes no first match.
        if day not in self._by_day:
            weekday = WEEKDAYS[day.weekday()]
            self._by_day[day] = [it for it in self._rules if _covers(it, day, weekday)]
        return self._by_day[day]


def never_match(rules: Sequence[PriceRule], *, since: dt.date | None = None) -> list[DeadRule]:
    """The rules that set nobody's price on any day, from `since` on if given (R17).

    Exact over all days, times and sets of memberships: dates and times are cut where a rule
    begins or ends, so each piece is decided once.
    """
    winners: set[int] = set()
    hiders: dict[int, set[int]] = {at: set() for at in range(len(rules))}
    reached: set[int] = set()
    for active in _days_alike(rules, since):
        reached.update(active)
        _play(rules, active, winners, hiders)
    return [
        _dead(rules, at, since, at in reached, hiders[at])
        for at in range(len(rules))
        if at not in winners
    ]


def find_gaps(
    rules: Sequence[PriceRule],
    slots: Iterable[PricedSlot],
    audiences: Sequence[frozenset[str]] = (VISITOR,),
) -> list[PricedSlot]:
    """The sessions for which somebody of `audiences` finds no price (P4)."""
    books = [PriceBook(rules, held) for held in audiences]
    return [slot for slot in slots if any(book.price(slot).amount is None for book in books)]


def summarise_gaps(gaps: Iterable[PricedSlot]) -> list[Gap]:
    """The same by weekday and time, Monday morning first."""
    found: dict[tuple[int, dt.time], list[dt.date]] = {}
    for slot in gaps:
        key = (slot.local_start.weekday(), slot.local_start.time())
        found.setdefault(key, []).append(slot.local_start.date())
    return [
        Gap(weekday, time, len(days), min(days), max(days))
        for (weekday, time), days in sorted(found.items())
    ]


def compare(
    before: Sequence[PriceRule],
    after: Sequence[PriceRule],
    slots: Iterable[PricedSlot],
    held: frozenset[str] = VISITOR,
) -> Comparison:
    """How the prices of `slots` change for whoever holds the memberships `held`."""
    old, new = PriceBook(before, held), PriceBook(after, held)
    found: Counter[str] = Counter()
    for slot in slots:
        found["sessions"] += 1
        found["own"] += slot.own_price is not None
        change = _change(old.price(slot).amount, new.price(slot).amount)
        if change:
            found[change] += 1
    return Comparison(**found)


def cheapest_by_day(
    rules: Sequence[PriceRule], slots: Iterable[PricedSlot], held: frozenset[str] = VISITOR
) -> dict[dt.date, DayPrice]:
    """Each day's lowest price over all of its sessions, full ones too, and how many have none."""
    book = PriceBook(rules, held)
    places = {rule.id: at for at, rule in enumerate(rules)}
    days: dict[dt.date, list[Price]] = {}
    for slot in slots:
        days.setdefault(slot.local_start.date(), []).append(book.price(slot))
    return {day: _day_price(day, prices, places) for day, prices in days.items()}


def count_by_rule(
    rules: Sequence[PriceRule], slots: Iterable[PricedSlot], held: frozenset[str] = VISITOR
) -> Mapping[str, int]:
    """For how many of the sessions each rule sets the price, by rule id."""
    book = PriceBook(rules, held)
    return Counter(found for slot in slots if (found := book.price(slot).rule_id))


def say_rule(position: int, rule: PriceRule) -> str:
    """Rule 2, Quiet Tuesdays."""
    return f"rule {position + 1}{', ' if rule.label else ''}{rule.label}"


def say_dead(
    dead: DeadRule, rules: Sequence[PriceRule], places: Mapping[str, int] | None = None
) -> str:
    """Why a rule never applies, as a sentence; `places` are the positions to name, by rule id."""
    if dead.why == "ended" and dead.rule.date_to:
        return f"Never applies: it ended on {say_year_day(dead.rule.date_to)}."
    if dead.why == "no_day":
        return "Never applies: none of its weekdays lies between its first and last day."
    if dead.why == "no_time":
        return "Never applies: no session starts before 00:00."
    shown = places or {rule.id: at for at, rule in enumerate(rules)}
    hiders = [rules[at] for at in dead.hidden_by]
    names = [say_rule(shown[rule.id], rule) for rule in hiders[:3]]
    if len(hiders) > len(names):
        names.append(count(len(hiders) - len(names), "other rule"))
    # Commas would part a name from its number, so names are joined by "and".
    verb = "comes" if len(names) == 1 else "come"
    return f"Never applies: hidden by {' and by '.join(names)}, which {verb} first."


def say_gap(gap: Gap) -> str:
    """Sundays at 09:30: 12 sessions from Sun 7 June to Sun 30 August."""
    first, last = say_weekday_short(gap.first), say_weekday_short(gap.last)
    if gap.sessions == 1:
        return f"{first} at {say_time(gap.time)}"
    when = f"{DAY_NAMES[gap.weekday]}s at {say_time(gap.time)}"
    if gap.first == gap.last:
        return f"{first} at {say_time(gap.time)}: {gap.sessions} sessions"
    return f"{when}: {gap.sessions} sessions from {first} to {last}"


def say_comparison(found: Comparison) -> str:
    """47 coming sessions change, 12 up, 35 down."""
    if not found.changed:
        return "No coming session changes its price"
    verb = "changes" if found.changed == 1 else "change"
    parts = [
        (found.up, "up"),
        (found.down, "down"),
        (found.newly_priced, "with a price at last"),
        (found.no_longer_priced, "without a price"),
    ]
    said = ", ".join(f"{number} {word}" for number, word in parts if number)
    return f"{count(found.changed, 'coming session')} {verb}, {said}"


def members_of(rules: Iterable[PriceRule]) -> list[str]:
    """The membership types that some rule names."""
    return sorted({it for rule in rules for it in rule.membership_type_ids})


def _covers(rule: PriceRule, day: dt.date, weekday: str) -> bool:
    return (
        (rule.date_from is None or rule.date_from <= day)
        and (rule.date_to is None or day <= rule.date_to)
        and (not rule.weekdays or weekday in rule.weekdays)
    )


def _days_alike(rules: Sequence[PriceRule], since: dt.date | None) -> set[tuple[int, ...]]:
    """Which rules stand on a day, once for each kind of day that there is."""
    kinds = set()
    for first, days in _stretches(rules, since):
        for step in range(min(days, 7)):
            day = first + dt.timedelta(days=step)
            weekday = WEEKDAYS[day.weekday()]
            kinds.add(tuple(at for at, it in enumerate(rules) if _covers(it, day, weekday)))
    return kinds


def _stretches(rules: Sequence[PriceRule], since: dt.date | None) -> Iterator[tuple[dt.date, int]]:
    """Runs of days between which no rule begins or ends: first day and length."""
    first, last = since or dt.date.min, dt.date.max
    cuts = {first}
    for rule in rules:
        if rule.date_from:
            cuts.add(rule.date_from)
        if rule.date_to and rule.date_to < last:
            cuts.add(rule.date_to + dt.timedelta(days=1))
    inside = sorted(cut for cut in cuts if cut >= first)
    for at, cut in enumerate(inside):
        is_last = at + 1 == len(inside)
        yield cut, (last - cut).days + 1 if is_last else (inside[at + 1] - cut).days


def _play(
    rules: Sequence[PriceRule],
    active: tuple[int, ...],
    winners: set[int],
    hiders: dict[int, set[int]],
) -> None:
    """One kind of day: go through its rules in order, keeping which times are taken by whom."""
    cuts = sorted({0, _DAY} | {_clock(time) for at in active for time in _bounds(rules[at])})
    spans = {at: _span(rules[at], cuts) for at in active}
    # By viewer: None is the visitor, who is also everybody without a membership in question.
    taken: dict[str | None, dict[int, int]] = {}
    viewers = [None, *members_of(rules[at] for at in active)]
    for viewer in viewers:
        free = (1 << (len(cuts) - 1)) - 1
        won = {}
        for at in active:
            if rules[at].membership_type_ids and viewer not in rules[at].membership_type_ids:
                continue
            won[at] = spans[at] & free
            free &= ~spans[at]
        winners.update(at for at, span in won.items() if span)
        taken[viewer] = won
    for at in active:
        for viewer in rules[at].membership_type_ids or (None,):
            hiders[at].update(
                it for it, won in taken[viewer].items() if it < at and won & spans[at]
            )


def _bounds(rule: PriceRule) -> list[dt.time]:
    return [time for time in (rule.time_from, rule.time_to) if time is not None]


def _span(rule: PriceRule, cuts: Sequence[int]) -> int:
    """The pieces of the day that a rule covers, one bit each."""
    begins = _clock(rule.time_from) if rule.time_from else 0
    ends = _DAY if rule.time_to is None else _clock(rule.time_to)
    return sum(1 << at for at, cut in enumerate(cuts[:-1]) if begins <= cut < ends)


def _clock(time: dt.time) -> int:
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond


def _dead(
    rules: Sequence[PriceRule],
    at: int,
    since: dt.date | None,
    is_reached: bool,
    hidden_by: set[int],
) -> DeadRule:
    rule = rules[at]
    if is_reached:
        named = tuple(sorted(hidden_by))
        alone = [it for it in named if _covers_all_of(rules[it], rule, since)]
        return DeadRule(at, rule, "hidden" if named else "no_time", tuple(alone[:1]) or named)
    has_ended = since is not None and rule.date_to is not None and rule.date_to < since
    return DeadRule(at, rule, "ended" if has_ended else "no_day")


def _covers_all_of(earlier: PriceRule, rule: PriceRule, since: dt.date | None) -> bool:
    winners: set[int] = set()
    for active in _days_alike((earlier, rule), since):
        _play((earlier, rule), active, winners, {0: set(), 1: set()})
    return 1 not in winners


def _change(
    old: int | None, new: int | None
) -> Literal["", "up", "down", "newly_priced", "no_longer_priced"]:
    if old == new:
        return ""
    if old is None:
        return "newly_priced"
    if new is None:
        return "no_longer_priced"
    return "up" if new > old else "down"


def _day_price(day: dt.date, prices: Sequence[Price], places: Mapping[str, int]) -> DayPrice:
    priced = [price for price in prices if price.amount is not None]
    lowest = min(priced, key=lambda it: it.amount or 0, default=None)
    return DayPrice(
        day=day,
        amount=lowest.amount if lowest else None,
        position=places.get(lowest.rule_id or "") if lowest else None,
        sessions=len(prices),
        gaps=len(prices) - len(priced),
    )
