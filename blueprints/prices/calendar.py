"""The month of prices beside the rules, and why one session costs what it does."""

import calendar
import datetime as dt
import re
from dataclasses import dataclass
from functools import cached_property

from domain.price_checks import (
    VISITOR,
    DayPrice,
    PriceBook,
    PricedSlot,
    cheapest_by_day,
    count_by_rule,
    members_of,
)
from domain.pricing import PriceRule, PriceTrace, trace_price

_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Look:
    """What the person looks at: a month, as which viewer, a day, one of its sessions."""

    month: str = ""
    viewer: str = ""
    day: str = ""
    slot: str = ""

    def pressed(self, press: str) -> "Look":
        """The same after a press of month-…, day-… or slot-…."""
        what, _, value = press.partition("-")
        if what == "month" and _MONTH.fullmatch(value):
            return Look(value, self.viewer)
        if what == "day":
            return Look(self.month, self.viewer, value)
        return Look(self.month, self.viewer, self.day, value) if what == "slot" else self


class Shown:
    """What a Look finds among the coming sessions under a list of rules."""

    def __init__(
        self,
        look: Look,
        slots: tuple[PricedSlot, ...],
        rules: tuple[PriceRule, ...],
        memberships: frozenset[str],
        today: dt.date,
    ) -> None:
        self._slots, self._rules, self._today = slots, rules, today
        self.viewer = look.viewer if look.viewer in memberships else ""
        self._held = frozenset({self.viewer}) if self.viewer else VISITOR
        self.first = self._first_day(look.month)
        self._look = look

    def _first_day(self, month: str) -> dt.date:
        if found := _MONTH.fullmatch(month):
            return dt.date(int(found[1]), int(found[2]), 1)
        return (self._slots[0].local_start.date() if self._slots else self._today).replace(day=1)

    @cached_property
    def slots(self) -> list[PricedSlot]:
        """The month's coming sessions."""
        ym = (self.first.year, self.first.month)
        return [it for it in self._slots if (it.local_start.year, it.local_start.month) == ym]

    @cached_property
    def days(self) -> dict[dt.date, DayPrice]:
        return cheapest_by_day(self._rules, self.slots, self._held)

    @cached_property
    def hits(self) -> dict[str, int]:
        """For how many of them each rule sets the price; a members' rule as its members see it."""
        found = dict(count_by_rule(self._rules, self.slots, self._held))
        for type_id in members_of(self._rules):
            seen = count_by_rule(self._rules, self.slots, frozenset({type_id}))
            for rule in self._rules:
                if type_id in rule.membership_type_ids and self.viewer != type_id:
                    found[rule.id] = max(found.get(rule.id, 0), seen.get(rule.id, 0))
        return found

    @property
    def weeks(self) -> list[list[dt.date | None]]:
        days = calendar.Calendar().monthdatescalendar(self.first.year, self.first.month)
        return [[day if day.month == self.first.month else None for day in week] for week in days]

    @property
    def month(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def earlier(self) -> str:
        """The month before; empty where nothing lies ahead of it."""
        before = self.first - dt.timedelta(days=1)
        return f"{before:%Y-%m}" if self.first > self._today else ""

    @property
    def later(self) -> str:
        after = self.first + dt.timedelta(days=31)
        return f"{after:%Y-%m}" if after.year < 2099 else ""

    @cached_property
    def day(self) -> dt.date | None:
        """The chosen day, else the first one of the month that has a session."""
        chosen = next((it for it in self.days if it.isoformat() == self._look.day), None)
        return chosen or min(self.days, default=None)

    @cached_property
    def on_day(self) -> list[tuple[PricedSlot, int | None]]:
        """The day's sessions with what each costs."""
        book = PriceBook(self._rules, self._held)
        return [
            (it, book.price(it).amount) for it in self.slots if it.local_start.date() == self.day
        ]

    @cached_property
    def slot(self) -> PricedSlot | None:
        found = [it for it, _ in self.on_day]
        return next((it for it in found if it.id == self._look.slot), found[0] if found else None)

    @cached_property
    def trace(self) -> PriceTrace | None:
        """Each rule on the way to the chosen session's price (P9)."""
        if self.slot is None:
            return None
        return trace_price(
            self.slot.local_start,
            self._rules,
            override=self.slot.own_price,
            membership_type_ids=self._held,
        )
