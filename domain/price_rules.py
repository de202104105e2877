"""What a price rule may say, and how its conditions read (2.2, R17, R18, P8, D5)."""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain.errors import RuleBroken, SeveralBroken
from domain.money import exponent, read_amount
from domain.pricing import PriceRule
from domain.words import DAY_NAMES, WEEKDAYS, say_short_day, say_time

MAX_RULES = 100
MAX_LABEL = 200
MAX_PRICE = 1_000_000_000
"""In minor units. The most for one place; far beyond any offer, well within the ledger."""

_MARKUP = re.compile(r"<[A-Za-z/!?]|&#?\w+;")


class TooManyRules(RuleBroken):
    """A type has at most MAX_RULES price rules."""

    code = "too_many_rules"

    def __init__(self) -> None:
        super().__init__(f"A session type has at most {MAX_RULES} price rules.", field="rules")


def check_label(text: str) -> str:
    """A rule's label, trimmed; raises RuleBroken for markup and when it is too long (D5)."""
    label = " ".join(text.split())
    if len(label) > MAX_LABEL:
        raise RuleBroken(f"Use at most {MAX_LABEL} characters.", field="label")
    if _MARKUP.search(label) or any(not letter.isprintable() for letter in label):
        raise RuleBroken("Use plain words: no HTML.", field="label")
    return label


def read_price(text: str, currency: str) -> int:
    """The minor units of a price as typed, 0 for a free one; raises RuleBroken (P4, P8)."""
    if not text.strip():
        raise RuleBroken("Enter a price, or 0 if it is free.", field="price")
    try:
        amount = read_amount(text, currency)
    except ValueError as error:
        raise RuleBroken(_say_how(currency), field="price") from error
    return check_price(amount)


def check_price(amount: int) -> int:
    """A price from 0 to MAX_PRICE minor units; raises RuleBroken."""
    if not 0 <= amount <= MAX_PRICE:
        raise RuleBroken("That price is too high. Look at its zeros again.", field="price")
    return amount


def check_rule(rule: PriceRule, membership_type_ids: Collection[str]) -> PriceRule:
    """The rule made tidy; raises SeveralBroken naming every field at fault (R18, R22).

    `membership_type_ids` are those that a rule of this organisation may name.
    """
    problems = find_problems(rule, membership_type_ids)
    if problems:
        raise SeveralBroken(problems)
    return replace(rule, label=check_label(rule.label))


def find_problems(rule: PriceRule, membership_type_ids: Collection[str] | None) -> list[RuleBroken]:
    """Everything that is wrong with a rule, each naming its field; None asks about no members."""
    problems = []
    for ask in (lambda: check_price(rule.price), lambda: check_label(rule.label)):
        try:
            ask()
        except RuleBroken as broken:
            problems.append(broken)
    if rule.date_from and rule.date_to and rule.date_to < rule.date_from:
        problems.append(RuleBroken("The last day is before the first one.", field="date_to"))
    if rule.time_to is not None and rule.time_to <= (rule.time_from or dt.time.min):
        problems.append(RuleBroken("The end must be later than the start.", field="time_to"))
    if rule.weekdays - set(WEEKDAYS):
        problems.append(RuleBroken("Choose days from Monday to Sunday.", field="weekdays"))
    if membership_type_ids is not None and rule.membership_type_ids - set(membership_type_ids):
        sentence = "Choose one of your membership types."
        problems.append(RuleBroken(sentence, field="membership_type_ids"))
    return problems


def check_rules(
    rules: Sequence[PriceRule], membership_type_ids: Collection[str]
) -> tuple[PriceRule, ...]:
    """The whole list made tidy; raises RuleBroken whose field is `price-<rule id>` and the like."""
    if len(rules) > MAX_RULES:
        raise TooManyRules
    tidy = []
    for rule in rules:
        try:
            tidy.append(check_rule(rule, membership_type_ids))
        except RuleBroken as broken:
            field = f"{broken.field}-{rule.id}"
            raise RuleBroken(broken.sentence, code=broken.code, field=field) from broken
    return tuple(tidy)


def may_apply(
    rule: PriceRule,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    weekdays: frozenset[str] = frozenset(),
) -> bool:
    """Whether a rule can apply on one of these days: from `since` to `until`, on `weekdays`."""
    if since is not None and rule.date_to is not None and rule.date_to < since:
        return False
    if until is not None and rule.date_from is not None and rule.date_from > until:
        return False
    return not weekdays or not rule.weekdays or bool(weekdays & rule.weekdays)


def values_of(rules: Sequence[PriceRule]) -> dict[str, Any]:
    """What an editor saw: each rule under its id, and their order (D4)."""
    values: dict[str, Any] = {rule.id: _kept(rule) for rule in rules}
    return {**values, "order": [rule.id for rule in rules]}


def say_conditions(rule: PriceRule, memberships: Mapping[str, str]) -> tuple[str, ...]:
    """When and for whom a rule applies, each condition in a few words; "Always" without any."""
    parts = [
        _say_weekdays(rule.weekdays),
        _say_times(rule.time_from, rule.time_to),
        _say_dates(rule.date_from, rule.date_to),
        _say_members(rule.membership_type_ids, memberships),
    ]
    return tuple(part for part in parts if part) or ("Always",)


def say_year_day(day: dt.date) -> str:
    """5 Jun 2026."""
    return f"{say_short_day(day)} {day.year}"


def join_words(words: Iterable[str]) -> str:
    """Monday, Friday and Sunday."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def say_holders(names: Sequence[str]) -> str:
    """Gold and River members; a name that says so itself is left as it is: River membership."""
    says_so = any("member" in name.casefold() for name in names)
    return join_words(names) if says_so else f"{join_words(names)} members"


def _say_how(currency: str) -> str:
    decimals = exponent(currency)
    if not decimals:
        return f"{currency} has no decimals: enter a price such as 1500."
    return f"Enter a price such as 48 or 48.{'5'.ljust(decimals, '0')}."


def _kept(rule: PriceRule) -> dict[str, Any]:
    return {
        "label": rule.label,
        "price": rule.price,
        "date_from": rule.date_from,
        "date_to": rule.date_to,
        "time_from": rule.time_from,
        "time_to": rule.time_to,
        "weekdays": sorted(rule.weekdays),
        "membership_type_ids": sorted(rule.membership_type_ids),
    }


def _say_weekdays(weekdays: frozenset[str]) -> str:
    if not weekdays or len(weekdays) == len(WEEKDAYS):
        return ""
    at = [WEEKDAYS.index(day) for day in WEEKDAYS if day in weekdays]
    if len(at) > 2 and at[-1] - at[0] == len(at) - 1:
        return f"{DAY_NAMES[at[0]]} to {DAY_NAMES[at[-1]]}"
    return join_words(f"{DAY_NAMES[day]}s" for day in at)


def _say_times(first: dt.time | None, end: dt.time | None) -> str:
    if first is not None and end is not None:
        return f"{say_time(first)} to {say_time(end)}"
    if first is not None:
        return f"from {say_time(first)}"
    return f"before {say_time(end)}" if end is not None else ""


def _say_dates(first: dt.date | None, last: dt.date | None) -> str:
    if first and last:
        if first == last:
            return say_year_day(first)
        start = say_short_day(first) if first.year == last.year else say_year_day(first)
        return f"{start} to {say_year_day(last)}"
    if first:
        return f"from {say_year_day(first)}"
    return f"until {say_year_day(last)}" if last else ""


def _say_members(type_ids: frozenset[str], memberships: Mapping[str, str]) -> str:
    if not type_ids:
        return ""
    return say_holders(sorted(memberships.get(it, "unknown") for it in type_ids))
