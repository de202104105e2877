"""Refuses every statement on an organisation's tables that is not bound to one (D1)."""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.sql import visitors

from models.base import Base, db


class Unbound(RuntimeError):
    """A statement on a tenant's table names no organisation."""


def unbound(reason: str) -> dict[str, Any]:
    """Execution options of a statement that may cross organisations, with the reason why."""
    return {"unbound": reason}


def install_walls() -> None:
    """Listen once for all sessions of the application."""
    if not event.contains(Session, "do_orm_execute", _check_bound):
        event.listen(Session, "do_orm_execute", _check_bound)


@lru_cache(maxsize=1)
def _tenant_tables() -> frozenset[sa.FromClause]:
    return frozenset(
        table for table in Base.metadata.tables.values() if "organisation_id" in table.c
    )


def _check_bound(state: ORMExecuteState) -> None:
    # A relationship or refresh starts from a row that was found inside the walls.
    if state.is_relationship_load or state.is_column_load:
        return
    if state.execution_options.get("unbound") or not (
        state.is_select or state.is_update or state.is_delete
    ):
        return
    statement: Any = state.statement
    tables = {
        element
        for element in visitors.iterate(statement)
        if isinstance(element, sa.Table) and element in _tenant_tables()
    }
    if tables and not _names_an_organisation(statement):
        names = ", ".join(sorted(table.name for table in tables))
        raise Unbound(f"A statement on {names} is bound to no organisation")


def _names_an_organisation(statement: Any) -> bool:
    where = getattr(statement, "whereclause", None)
    return where is not None and any(
        isinstance(element, sa.Column) and element.name == "organisation_id"
        for element in visitors.iterate(where)
    )


def is_database_ready() -> bool:
    """Whether the database answers."""
    return db.session.execute(sa.text("SELECT 1")).scalar_one() == 1
