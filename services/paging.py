"""Pages of a list: cut in the database, with how many there are in all (R21)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from models import db

Row = TypeVar("Row")

PER_PAGE = 15
MOST_PER_PAGE = 100
_FURTHEST = 2**31
"""Rows skipped at the most: beyond it is nothing, and a database would refuse the number."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which page of a list is wanted, from 1; more than MOST_PER_PAGE a page is lowered (R21)."""

    page: int = 1
    per_page: int = PER_PAGE

    @property
    def size(self) -> int:
        """Rows on the page at the most."""
        return min(self.per_page, MOST_PER_PAGE)

    @property
    def offset(self) -> int:
        """Rows before the page."""
        return min((self.page - 1) * self.size, _FURTHEST)


@dataclass(frozen=True, slots=True)
class PageOf(Generic[Row]):
    """One page of rows and how many rows there are in all."""

    rows: Sequence[Row]
    total: int
    cut: Cut

    @property
    def last_page(self) -> int:
        """The number of the last page, 1 for an empty list."""
        return max(1, -(-self.total // self.cut.size))


def cut_out(
    query: sa.Select[Any], cut: Cut, *, by: Sequence[Any], key: Any, options: Sequence[Any] = ()
) -> PageOf[Any]:
    """One page of the entities of `query` in the order `by`, which ends in a unique column.

    `key` is the entities' id: the page is found by ids alone, so that an index can serve far
    pages, too, and only its own rows are read whole, with what `options` load beside them.
    """
    total = db.session.scalar(
        query.order_by(None).with_only_columns(sa.func.count(key), maintain_column_froms=True)
    )
    if not total or cut.offset >= total:
        return PageOf((), total or 0, cut)
    ids = (
        query.with_only_columns(key, maintain_column_froms=True)
        .order_by(*by)
        .limit(cut.size)
        .offset(cut.offset)
    )
    found = list(db.session.scalars(ids))
    rows = db.session.scalars(
        query.where(key.in_(found))
        .order_by(*by)
        .options(*options)
        .execution_options(populate_existing=True)
    ).unique()
    return PageOf(tuple(rows), total, cut)
