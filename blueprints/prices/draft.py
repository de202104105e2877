"""A list of price rules being edited: the rows as they were sent, kept to the letter."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from domain.errors import RuleBroken
from domain.money import write_amount
from domain.price_rules import MAX_RULES, check_rule, read_price, say_conditions
from domain.pricing import PriceRule
from domain.words import WEEKDAYS
from models import new_object_id

_ID = re.compile(r"[0-9a-f]{24}")
_COLOURS = 7

MOST_ROWS = MAX_RULES + 10
"""Beyond this a request was not made by our page; the rule itself speaks at 101."""


@dataclass(frozen=True, slots=True)
class Row:
    """One rule as it stands in the form, every field a text."""

    id: str
    label: str = ""
    price: str = ""
    date_from: str = ""
    date_to: str = ""
    time_from: str = ""
    time_to: str = ""
    weekdays: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()

    @classmethod
    def of(cls, rule: PriceRule, currency: str) -> "Row":
        return cls(
            rule.id,
            rule.label,
            write_amount(rule.price, currency),
            rule.date_from.isoformat() if rule.date_from else "",
            rule.date_to.isoformat() if rule.date_to else "",
            f"{rule.time_from:%H:%M}" if rule.time_from is not None else "",
            f"{rule.time_to:%H:%M}" if rule.time_to is not None else "",
            rule.weekdays,
            rule.membership_type_ids,
        )

    @classmethod
    def sent(cls, row_id: str, form: "MultiDict[str, str]") -> "Row":
        def text(name: str) -> str:
            return form.get(f"{name}-{row_id}", "").strip()

        return cls(
            row_id,
            text("label"),
            text("price"),
            text("date_from"),
            text("date_to"),
            text("time_from"),
            text("time_to"),
            frozenset(form.getlist(f"weekdays-{row_id}")),
            frozenset(form.getlist(f"members-{row_id}")),
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """Rows with what was made of them: the rules that can be read, and refusals by field id."""

    rows: tuple[Row, ...]
    rules: Mapping[str, PriceRule]
    errors: Mapping[str, str]
    memberships: Mapping[str, str]

    @property
    def readable(self) -> tuple[PriceRule, ...]:
        """The rules that make sense, in order: what a preview can count."""
        return tuple(self.rules[row.id] for row in self.rows if row.id in self.rules)

    def says(self, row: Row) -> tuple[str, ...]:
        """The conditions of a row in a few words each."""
        rule = self.rules.get(row.id)
        return say_conditions(rule, self.memberships) if rule else ()

    def position(self, field: str) -> int:
        """The number, from one, of the rule that a refused field belongs to."""
        ids = [row.id for row in self.rows]
        return ids.index(field.rsplit("-", 1)[1]) + 1


def colour(position: int) -> int:
    """Which of the rule colours the rule at this position has."""
    return position % _COLOURS + 1


def saved_rows(rules: tuple[PriceRule, ...], currency: str) -> tuple[Row, ...]:
    """The rows of rules as they are saved."""
    return tuple(Row.of(rule, currency) for rule in rules)


def sent_rows(form: "MultiDict[str, str]") -> tuple[Row, ...]:
    """The rows of a request, in the order in which they stand on the page."""
    ids = dict.fromkeys(row_id for row_id in form.getlist("row") if _ID.fullmatch(row_id))
    return tuple(Row.sent(row_id, form) for row_id in list(ids)[:MOST_ROWS])


def arranged(rows: tuple[Row, ...], press: str) -> tuple[Row, ...]:
    """The rows after a press of add, remove-<id>, up-<id> or down-<id>; else as they were."""
    if press == "add":
        return (*rows, Row(new_object_id())) if len(rows) < MAX_RULES else rows
    what, _, row_id = press.partition("-")
    found = [at for at, row in enumerate(rows) if row.id == row_id]
    if not found or what not in ("remove", "up", "down"):
        return rows
    at = found[0]
    rest = (*rows[:at], *rows[at + 1 :])
    if what == "remove":
        return rest
    to = max(0, at - 1) if what == "up" else at + 1
    return (*rest[:to], rows[at], *rest[to:])


def read(rows: tuple[Row, ...], currency: str, memberships: Mapping[str, str]) -> Draft:
    """Make rules of the rows; what can't be read is refused at its field."""
    rules, errors = {}, {}
    for row in rows:
        found = _Reader(row, currency)
        rule = found.rule()
        if not found.errors:
            try:
                rules[row.id] = check_rule(rule, memberships)
            except RuleBroken as broken:
                found.refuse(broken)
        errors.update(found.errors)
    return Draft(rows, rules, errors, memberships)


class _Reader:
    """Reads one row's texts, collecting a refusal for each that says nothing."""

    def __init__(self, row: Row, currency: str) -> None:
        self._row = row
        self._currency = currency
        self.errors: dict[str, str] = {}

    def rule(self) -> PriceRule:
        row = self._row
        return PriceRule(
            id=row.id,
            price=self._price(),
            label=row.label,
            date_from=self._parsed("date_from", dt.date.fromisoformat, "a date"),
            date_to=self._parsed("date_to", dt.date.fromisoformat, "a date"),
            time_from=self._parsed("time_from", _read_time, "a time such as 17:00"),
            time_to=self._parsed("time_to", _read_time, "a time such as 17:00"),
            weekdays=row.weekdays if len(row.weekdays) < len(WEEKDAYS) else frozenset(),
            membership_type_ids=row.members,
        )

    def refuse(self, broken: RuleBroken) -> None:
        field = {"membership_type_ids": "members"}.get(broken.field or "", broken.field)
        self.errors[f"{field}-{self._row.id}"] = broken.sentence

    def _price(self) -> int:
        try:
            return read_price(self._row.price, self._currency)
        except RuleBroken as broken:
            self.refuse(broken)
            return 0

    def _parsed(self, name: str, parse: Any, what: str) -> Any:
        text = getattr(self._row, name)
        if not text:
            return None
        try:
            return parse(text)
        except ValueError:
            self.errors[f"{name}-{self._row.id}"] = f"Enter {what}, or leave it empty."
            return None


def _read_time(text: str) -> dt.time:
    """17:00, 17.30, 1730 or 9: as people type times."""
    found = re.fullmatch(r"([0-9]{1,2})(?:[:.]?([0-9]{2}))?", text, re.ASCII)
    if found is None:
        raise ValueError(text)
    return dt.time(int(found[1]), int(found[2] or 0))
