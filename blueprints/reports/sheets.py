"""Tables of a report: one description for the page and for the file, so that they can't differ."""

import csv
import datetime as dt
import io
from dataclasses import dataclass
from decimal import Decimal

from blueprints.rendering import say_amount
from domain.member_file import harmless
from domain.money import Money, exponent
from domain.reporting import say_share
from domain.words import say_short_day

BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets take a file without it for one of their own old encodings."""


@dataclass(frozen=True, slots=True)
class Share:
    """A cell in tenths of a percent; None where there is nothing to divide by."""

    tenths: int | None


Cell = str | int | Money | Share | dt.date | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table with its heading, its columns, and the row of sums below it."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] = ()
    note: str = ""

    @property
    def is_empty(self) -> bool:
        """Nothing was counted."""
        return not self.rows

    @property
    def numeric(self) -> tuple[bool, ...]:
        """By column whether it is set at the end, as numbers are."""
        sample = self.rows[0] if self.rows else self.total
        return tuple(isinstance(cell, int | Money | Share) or cell is None for cell in sample)


def say_cell(cell: Cell) -> str:
    """As the page shows it."""
    if cell is None:
        return "–"
    if isinstance(cell, Money):
        return say_amount(cell.amount, cell.currency)
    if isinstance(cell, Share):
        return say_share(cell.tenths)
    if isinstance(cell, dt.date):
        return f"{cell:%a} {say_short_day(cell)}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def write_file(sheet: Sheet) -> bytes:
    """The sheet as CSV in UTF-8: texts harmless (D5), numbers plain, days as 2026-06-12.

    A column of money is followed by its currency; a share is a number of percent.
    """
    has_money = [
        any(isinstance(row[number], Money) for row in (*sheet.rows, sheet.total) if row)
        for number in range(len(sheet.columns))
    ]
    out = io.StringIO()
    writer = csv.writer(out)
    head: list[str] = []
    for title, is_money in zip(sheet.columns, has_money, strict=True):
        head += [title, f"{title}, currency"] if is_money else [title]
    writer.writerow(harmless(title) for title in head)
    for row in (*sheet.rows, sheet.total):
        cells: list[str] = []
        for cell, is_money in zip(row, has_money, strict=False):
            cells += _money(cell) if is_money else [_plain(cell)]
        if cells:
            writer.writerow(cells)
    return (BYTE_ORDER_MARK + out.getvalue()).encode()


def _money(cell: Cell) -> list[str]:
    if not isinstance(cell, Money):
        return [_plain(cell), ""]
    decimals = exponent(cell.currency)
    return [f"{Decimal(cell.amount).scaleb(-decimals):.{decimals}f}", cell.currency]


def _plain(cell: Cell) -> str:
    if isinstance(cell, Share):
        return "" if cell.tenths is None else f"{Decimal(cell.tenths).scaleb(-1):.1f}"
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, str):
        return harmless(cell)
    return "" if cell is None else str(cell)
