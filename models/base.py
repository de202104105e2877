"""The database handle, the base of every table, and the one transaction of a use case."""

import datetime as dt
import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any
from uuid import uuid4

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from models.acting import find_actor, read_fact, read_facts, restated, stated

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(sa.types.TypeDecorator[dt.datetime]):
    """An instant: aware in Python, UTC in the database (T7)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: dt.datetime | None, dialect: sa.Dialect
    ) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(dt.UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self, value: dt.datetime | None, dialect: sa.Dialect
    ) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """Declared with its own registry: Flask-SQLAlchemy copies the class body otherwise."""

    registry = registry(
        metadata=sa.MetaData(naming_convention=NAMING),
        type_annotation_map={dt.datetime: UTCDateTime, str: sa.Text(), dict[str, Any]: sa.JSON()},
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})

_counter = itertools.count(int.from_bytes(os.urandom(3)))
_process = os.urandom(5).hex()


def new_object_id() -> str:
    """24 hex digits that sort by the second they were made in (MODEL, Ids)."""
    return f"{int(time.time()):08x}{_process}{next(_counter) & 0xFFFFFF:06x}"


def new_uuid() -> str:
    """A random uuid as text."""
    return str(uuid4())


def fresh_process_id() -> None:
    """Give a forked worker its own part of the object ids."""
    global _process
    _process = os.urandom(5).hex()


os.register_at_fork(after_in_child=fresh_process_id)

ObjectId = Annotated[str, mapped_column(sa.String(24), primary_key=True, default=new_object_id)]
Uuid = Annotated[str, mapped_column(sa.String(36), primary_key=True, default=new_uuid)]
LocalDateTime = Annotated[dt.datetime, mapped_column(sa.DateTime(timezone=False))]
Minor = Annotated[int, mapped_column(sa.BigInteger)]


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """A named CHECK that a text column holds one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f'"{column}" IN ({listed})', name=f"{column}_known")


class Tenant:
    """Every table of an organisation; `models.walls` refuses statements that forget it (D1)."""

    @sa.orm.declared_attr
    def organisation_id(cls) -> Mapped[str]:  # noqa: N805 - SQLAlchemy passes the class
        return mapped_column(sa.ForeignKey("organisations.id"), index=True)


_LAST: list[Callable[[], None]] = []


def before_commit(deed: Callable[[], None]) -> None:
    """From now on `deed` is done at the end of every transaction of ours, as its last part."""
    if deed not in _LAST:
        _LAST.append(deed)


@contextmanager
def transaction(why: str = "") -> Iterator[None]:
    """Commit everything the block did, or nothing of it; `why` is kept with every change of it.

    SQLite takes its write lock here, before the first read: reading first and writing later
    dies with "database is locked" under load.
    """
    if _joined.get():
        with restated(why) as facts:
            _state(facts)
            yield
            db.session.flush()
        _state(read_facts())
        return
    actor = find_actor()
    db.session.rollback()
    with stated(actor, why, new_object_id()) as facts:
        db.session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        try:
            _state(facts)
            yield
            for last in _LAST:
                last()
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise


_STATE = sa.text("SELECT set_config('sundial.acting', :facts, true)")
_joined: ContextVar[bool] = ContextVar("sundial_joined", default=False)


@contextmanager
def joining() -> Iterator[None]:
    """Inside a transaction: those that the block begins are part of it, none commits by itself.

    What several services do is then one deed, or none of it is done.
    """
    token = _joined.set(True)
    try:
        yield
    finally:
        _joined.reset(token)


def is_joined() -> bool:
    """Whether an outer transaction decides: then nobody inside tries anything again."""
    return _joined.get()


def _state(facts: str) -> None:
    """Tell PostgreSQL's triggers what SQLite's ask for themselves."""
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(_STATE, {"facts": facts})


def install_sqlite(engine: sa.Engine, busy_ms: int = 15000) -> None:
    """Write-ahead log, real foreign keys and explicit BEGIN on every SQLite connection."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "do_connect")
    def _ask(_dialect: Any, _record: Any, _given: Any, options: dict[str, Any]) -> None:
        # Pages and operations know some hundreds of statements; a writing one takes half a
        # millisecond to prepare with its triggers, and the driver would keep 128 of them.
        options["cached_statements"] = 1000

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        # What the trail's triggers ask: who acts, and why.
        connection.create_function("sundial_acting", 1, read_fact)
        for pragma in (
            f"busy_timeout={busy_ms}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            # What was erased leaves no copy in the file's free pages.
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        raw: Any = connection.connection.dbapi_connection
        raw.execute(f"BEGIN {mode}")


def refresh_statistics() -> None:
    """Let SQLite look at how rows are spread, as PostgreSQL does by itself.

    Without that it takes the first index that fits, and that is often the organisation's: every
    row of the house, for each row of a page. A sample of each index is enough.
    """
    if db.engine.dialect.name != "sqlite":
        return
    with db.engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
        connection.exec_driver_sql("PRAGMA analysis_limit = 1000")
        connection.exec_driver_sql("ANALYZE")
