"""Which rows are an organisation's own, as statements, and one unmoving view of all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from models import Base, db
from services.archive_spec import (
    THROUGH,
    account_columns,
    columns_of,
    self_references,
    travelling,
)

AT_A_TIME = 500
"""Rows in memory at once."""


@contextmanager
def snapshot() -> Iterator[sa.Connection]:
    """A connection on which the database stands still: what others commit meanwhile isn't seen.

    SQLite has that by its write-ahead log, PostgreSQL by REPEATABLE READ.
    """
    with db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


def stream(
    connection: sa.Connection, query: sa.Select[Any], *, at_a_time: int = AT_A_TIME
) -> Iterator[sa.Row[Any]]:
    """The rows of a query, a few in memory at once."""
    with connection.execution_options(yield_per=at_a_time).execute(query) as found:
        yield from found


def rows_of(table: sa.Table, organisation_id: str, *names: str) -> sa.Select[Any]:
    """A table's rows of the organisation in a lasting order, with these columns.

    Rows that name another row of the table come after those that name none.
    """
    order: list[sa.ColumnElement[Any]] = [
        table.c[name].is_not(None) for name in self_references(table)
    ]
    chosen = [_column(table, name, organisation_id) for name in names]
    return (
        sa.select(*chosen)
        .where(is_own(table, organisation_id))
        .order_by(*order, *table.primary_key.columns)
    )


def count_rows(table: sa.Table, organisation_id: str) -> sa.Select[Any]:
    """How many rows of a table are the organisation's."""
    return sa.select(sa.func.count()).select_from(table).where(is_own(table, organisation_id))


def is_own(table: sa.Table, organisation_id: str) -> sa.ColumnElement[bool]:
    """Whether a row belongs to the organisation; of accounts, whether a row of it names them."""
    if table.name == "organisations":
        return table.c.id == organisation_id
    if table.name == "accounts":
        return _is_known(table, organisation_id)
    if table.name in THROUGH:
        column, owner = THROUGH[table.name]
        own = Base.metadata.tables[owner]
        ids = sa.select(own.c.id).where(own.c.organisation_id == organisation_id)
        return table.c[column].in_(ids)
    return table.c.organisation_id == organisation_id


def sums_of(organisation_id: str) -> sa.Select[Any]:
    """The ledger's sums by currency and kind, in minor units."""
    ledger = Base.metadata.tables["ledger_entries"]
    return (
        sa.select(ledger.c.currency, ledger.c.kind, sa.func.sum(ledger.c.amount))
        .where(ledger.c.organisation_id == organisation_id)
        .group_by(ledger.c.currency, ledger.c.kind)
        .order_by(ledger.c.currency, ledger.c.kind)
    )


def _column(table: sa.Table, name: str, organisation_id: str) -> sa.ColumnElement[Any]:
    if (table.name, name) != ("accounts", "feed_key"):
        return table.c[name]
    # It opens the calendar of all organisations: only who is known nowhere else takes it along.
    elsewhere = [
        sa.exists().where(other.c.account_id == table.c.id, other.c.organisation_id != own)
        for own in (organisation_id,)
        for other in (Base.metadata.tables["customers"], Base.metadata.tables["staff_grants"])
    ]
    return sa.case((sa.or_(*elsewhere), sa.null()), else_=table.c.feed_key).label(name)


def _is_known(accounts: sa.Table, organisation_id: str) -> sa.ColumnElement[bool]:
    named = [
        sa.select(table.c[name]).where(
            table.c.organisation_id == organisation_id, table.c[name].is_not(None)
        )
        for table in travelling()
        for name in account_columns(table)
        if "organisation_id" in table.c and name in columns_of(table)
    ]
    return accounts.c.id.in_(sa.union(*named))
