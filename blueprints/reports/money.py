"""Revenue by centre: its table, its bars, and round sums for an axis."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blueprints.rendering import say_price
from blueprints.reports.charts import TONES, Series
from blueprints.reports.sheets import Cell, Share, Sheet
from domain.money import Money, exponent
from domain.reporting import Step, share, step_of
from services.reports import Loose, Tally, Worth

NO_CENTRE = "No revenue centre"
NOT_TIED = "Not tied to a session"


@dataclass(frozen=True, slots=True)
class Centres:
    """Sums by revenue centre and currency, and what is tied to no session."""

    worth: Mapping[tuple[str, str], Worth]
    loose: Mapping[str, Worth]

    @classmethod
    def of(cls, found: Mapping[tuple[Any, ...], Tally], loose: Sequence[Loose]) -> "Centres":
        """From tallies whose key ends with the centre."""
        worth: dict[tuple[str, str], Worth] = defaultdict(Worth)
        for key, one in found.items():
            for currency, sums in one.worth.items():
                _add(worth[key[-1] or NO_CENTRE, currency], sums.recognised, sums.ahead)
        rest: dict[str, Worth] = defaultdict(Worth)
        for extra in loose:
            _add(rest[extra.currency], extra.recognised, extra.ahead)
        return cls(dict(worth), dict(rest))

    def currencies(self, main: str) -> list[str]:
        """The venue's own first."""
        others = {currency for _, currency in self.worth} | set(self.loose)
        return [main, *sorted(others - {main})]

    def total(self, currency: str) -> Worth:
        """All of a currency, with what is tied to no session."""
        whole = Worth()
        for (_, one), sums in self.worth.items():
            if one == currency:
                _add(whole, sums.recognised, sums.ahead)
        rest = self.loose.get(currency, Worth())
        _add(whole, rest.recognised, rest.ahead)
        return whole

    def rows(self, currency: str) -> list[tuple[str, Worth]]:
        """The centres of a currency, most first, then what is tied to no session."""
        known = [(name, sums) for (name, one), sums in self.worth.items() if one == currency]
        known.sort(key=lambda pair: (-pair[1].total, pair[0]))
        rest = self.loose.get(currency)
        return [*known, (NOT_TIED, rest)] if rest else known

    def sheet(self, main: str) -> Sheet:
        """Its table; the row of sums is there when all is in one currency."""
        currencies = self.currencies(main)
        rows: list[tuple[Cell, ...]] = []
        for currency in currencies:
            whole = self.total(currency)
            rows += [_row(name, one, whole, currency) for name, one in self.rows(currency)]
            if len(currencies) > 1:
                rows.append(_row(f"All in {currency}", whole, whole, currency))
        whole = self.total(main)
        total = _row("All", whole, whole, main) if rows and len(currencies) == 1 else ()
        columns = ("Revenue centre", "Recognised", "Ahead", "Together", "Share")
        return Sheet("centres", "By revenue centre", columns, tuple(rows), total)


def series_of_centres(
    found: Mapping[tuple[Any, ...], Tally], currency: str, all_steps: tuple[Step, ...]
) -> list[Series]:
    """A layer of bars for each centre by name; those beyond the colours are one layer."""
    names = sorted({key[-1] or NO_CENTRE for key, one in found.items() if currency in one.worth})
    shown = names if len(names) <= TONES else [*names[: TONES - 1], "Other centres"]
    sums = {name: [0] * len(all_steps) for name in shown}
    for (day, centre), one in found.items():
        if currency in one.worth:
            name = centre or NO_CENTRE
            mine = sums[name if name in sums else shown[-1]]
            mine[step_of(all_steps, day)] += one.worth[currency].total
    return [
        Series(name, f"c{number}", tuple(values))
        for number, (name, values) in enumerate(sums.items(), 1)
    ]


def say_tick(amount: int, currency: str) -> str:
    """£2k, £500, 0: a sum beside a line of an axis."""
    thousand = 1000 * 10 ** exponent(currency)
    if amount == 0:
        return "0"
    if amount % thousand == 0:
        return f"{say_price(amount // 1000, currency)}k"
    return say_price(amount, currency)


def _row(name: str, one: Worth, whole: Worth, currency: str) -> tuple[Cell, ...]:
    money = (Money(value, currency) for value in (one.recognised, one.ahead, one.total))
    return (name, *money, Share(share(one.total, whole.total)))


def _add(mine: Worth, recognised: int, ahead: int) -> None:
    mine.recognised += recognised
    mine.ahead += ahead
