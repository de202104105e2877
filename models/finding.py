"""The words by which a booking is found, kept by whatever writes a name."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, UOWTransaction, mapped_column

from domain.finding import kept_words
from models.base import Base, ObjectId, new_object_id
from models.order import Guest, Order
from models.people import Customer

# Compared letter by letter, as in Python: a prefix is a range of the index.
Word = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class FindingWord(Base):
    """One folded word of an order's, customer's or guest's name, mail, phone or reference.

    A cache of facts: `rewrite_words` makes them anew, `flask doctor` compares.
    """

    __tablename__ = "finding_words"
    __table_args__ = (
        sa.CheckConstraint(
            "CASE WHEN order_id IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN customer_id IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN guest_id IS NULL THEN 0 ELSE 1 END = 1",
            name="of_one_row",
        ),
        sa.Index(
            "ix_finding_words_word",
            "organisation_id",
            "word",
            "order_id",
            "customer_id",
            "guest_id",
        ),
    )

    id: Mapped[ObjectId]
    # Not `Tenant`: the index that finds words begins with it.
    organisation_id: Mapped[str] = mapped_column(sa.ForeignKey("organisations.id"))
    word: Mapped[str] = mapped_column(Word)
    order_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("orders.id", ondelete="CASCADE"), index=True
    )
    customer_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("customers.id", ondelete="CASCADE"), index=True
    )
    guest_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("guests.id", ondelete="CASCADE"), index=True
    )


AT_ONCE = 1000
WORDS: Any = FindingWord.__table__

NAMED: dict[Any, tuple[str, tuple[str, ...]]] = {
    Order: ("order_id", ("name", "email", "order_ref")),
    Customer: ("customer_id", ("name", "email", "phone")),
    Guest: ("guest_id", ("name", "email")),
}
"""Which rows have words: the column that points at them, and what the words are made of."""


def words_of(row: Any) -> tuple[str, ...]:
    """The words of an order, a customer or a guest, or of a row with the same columns."""
    return kept_words(
        names=[row.name],
        email=row.email,
        phone=getattr(row, "phone", ""),
        reference=getattr(row, "order_ref", ""),
    )


def rewrite_words(connection: Any, kind: type[Any], rows: Iterable[Any]) -> None:
    """Give these rows of one kind the words that they have now, in the caller's transaction."""
    column = NAMED[kind][0]
    rows = list(rows)
    if not rows:
        return
    connection.execute(sa.delete(WORDS).where(WORDS.c[column].in_([row.id for row in rows])))
    fresh = [
        {
            "id": new_object_id(),
            "organisation_id": row.organisation_id,
            "word": word,
            column: row.id,
        }
        for row in rows
        for word in words_of(row)
    ]
    if fresh:
        connection.execute(sa.insert(WORDS), fresh)


def install_finding() -> None:
    """Listen once for all sessions of the application."""
    if not event.contains(Session, "after_flush", _note_names):
        event.listen(Session, "after_flush", _note_names)
        event.listen(Session, "do_orm_execute", _note_many)


def _note_names(session: Session, _flush: UOWTransaction) -> None:
    for kind, (_, names) in NAMED.items():
        rows = [
            row
            for row in (*session.new, *session.dirty)
            if isinstance(row, kind) and _is_changed(row, names)
        ]
        if rows:
            rewrite_words(session.connection(), kind, rows)


def _is_changed(row: Any, names: tuple[str, ...]) -> bool:
    state = sa.inspect(row)
    return any(state.attrs[name].history.has_changes() for name in names)


def _note_many(state: ORMExecuteState) -> Any:
    """A statement that writes or renames many rows at once writes their words, too."""
    kind: Any = state.bind_mapper.class_ if state.bind_mapper is not None else None
    if kind not in NAMED or not (state.is_insert or state.is_update):
        return None
    if state.is_insert:
        return _insert_many(state, kind)
    return _rename_many(state, kind)


def _insert_many(state: ORMExecuteState, kind: type[Any]) -> Any:
    sent: Any = state.parameters or {}
    ids = [row["id"] for row in (sent if isinstance(sent, list) else [sent]) if "id" in row]
    result = state.invoke_statement()
    _rewrite_by_ids(state.session, kind, ids)
    return result


def _rename_many(state: ORMExecuteState, kind: type[Any]) -> Any:
    statement: Any = state.statement
    changed = {getattr(column, "key", column) for column in statement._values or ()}
    if changed.isdisjoint(NAMED[kind][1]):
        return None
    table = kind.__table__
    which = sa.select(table.c.id)
    if statement.whereclause is not None:
        which = which.where(statement.whereclause)
    ids = list(state.session.connection().scalars(which))
    result = state.invoke_statement()
    _rewrite_by_ids(state.session, kind, ids)
    return result


def _rewrite_by_ids(session: Session, kind: type[Any], ids: list[str]) -> None:
    connection, table = session.connection(), kind.__table__
    for first in range(0, len(ids), AT_ONCE):
        chunk = ids[first : first + AT_ONCE]
        rows = connection.execute(sa.select(table).where(table.c.id.in_(chunk)))
        rewrite_words(connection, kind, rows)
