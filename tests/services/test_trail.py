"""The database writes the trail, for every table, whoever changes it; nothing unwrites it."""

import datetime as dt
import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import app_on
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_customer,
    make_organisation,
    make_room,
    make_session,
    make_site,
    make_type,
)
from sqlalchemy.exc import DBAPIError

from domain.eligibility import Viewer
from models import (
    Actor,
    AuditEntry,
    Base,
    Customer,
    Room,
    Session,
    acting_as,
    because,
    db,
    transaction,
)
from models.audit import AUDITED, HIDDEN, NOT_AUDITED
from services.basket import hold_places
from services.trail import erase_trail

TABLES = Base.metadata.tables
PERSONAL = {"name", "email", "email_key", "address_key", "phone", "answers", "typed", "note"}


def test_every_table_is_in_the_trail_or_named_with_the_reason_why_not():
    assert set(TABLES) == set(AUDITED) | set(NOT_AUDITED)
    assert not set(AUDITED) & set(NOT_AUDITED)
    assert all(NOT_AUDITED.values())


@pytest.mark.parametrize("name", AUDITED)
def test_what_the_trail_leaves_out_are_columns_of_the_table(name):
    spec, columns = AUDITED[name], set(TABLES[name].c.keys())
    named = (*spec.skipped, *spec.personal, *spec.secret)
    assert set(named) <= columns
    assert len(named) == len(set(named))
    if spec.of_person and not spec.made_only:
        assert PERSONAL & columns <= set(spec.personal)


# Every table, row by row.

READY = {
    "orders": {"state": "confirmed", "sold_by": "shop"},
    "session_bookings": {"status": "confirmed", "cancelled_by": None, "offered_from_id": None},
    "ledger_entries": {"amount": 5, "kind": "charge", "refund_of_id": None},
    "sessions": {"recurrence_group_id": None},
    "notes": {"session_booking_id": None},
}


def sample(table: sa.Table, organisation_id: str) -> dict[str, Any]:
    """A row that the table's own checks let through."""
    row = {column.name: _value(column) for column in table.columns}
    for check in table.constraints:
        if isinstance(check, sa.CheckConstraint) and '" IN (' in str(check.sqltext):
            column, _, values = str(check.sqltext).partition('" IN (')
            row[column.strip('"')] = values.split("'")[1]
    row |= {"organisation_id": organisation_id} if "organisation_id" in row else {}
    return row | READY.get(table.name, {})


def _value(column: sa.Column[Any]) -> Any:
    kind = column.type
    if column.name in ("end_time", "local_end"):
        return dt.datetime(2026, 6, 5, tzinfo=dt.UTC if column.name == "end_time" else None)
    if column.name in ("time_to",):
        return dt.time(9)
    for type_, value in (
        (sa.JSON, {"a": ["b"]}),
        (sa.LargeBinary, b"xxx"),
        (sa.Boolean, False),
        (sa.Integer, 1 if column.name != "hold_minutes" else 15),
        (sa.Date, dt.date(2026, 6, 4)),
        (sa.Time, dt.time(8)),
    ):
        if isinstance(kind, type_):
            return OFFSETS.get(column.name, value)
    if isinstance(kind, sa.types.TypeDecorator):
        return dt.datetime(2026, 6, 4, tzinfo=dt.UTC)
    if isinstance(kind, sa.DateTime):
        return dt.datetime(2026, 6, 4)  # noqa: DTZ001 - wall time
    return "x" * 3


OFFSETS = {"capacity": 9, "total": 9, "offer_minutes": 120}


def another(column: sa.Column[Any], value: Any) -> Any:
    if isinstance(column.type, sa.JSON):
        return {"a": "changed"}
    return {"email": "other@x"}.get(column.name, value)


@pytest.fixture(scope="module")
def loose(databases):
    """A database without foreign keys, so that one table's rows can stand alone."""
    app = app_on(databases.make())
    with app.app_context():
        with db.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                for table, name in connection.exec_driver_sql(
                    "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'f'"
                ).all():
                    connection.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
                connection.commit()
            else:
                connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")
            yield connection
        db.engine.dispose()


def _written(connection: sa.Connection) -> list[Any]:
    return list(
        connection.execute(sa.select(TABLES["audit_entries"]).order_by(sa.column("id"))).all()
    )


def changeable(table: sa.Table, row: dict[str, Any]) -> tuple[str, Any]:
    """A column that may change in such a row, with another value."""
    spec = AUDITED[table.name]
    kept = [
        column for column in table.columns if column.name not in (*spec.skipped, "organisation_id")
    ]
    for column in kept:
        if (
            isinstance(column.type, sa.Text)
            and not column.primary_key
            and not any(
                column.name in str(getattr(check, "sqltext", "")) for check in table.constraints
            )
        ):
            return column.name, "another"
    for column in kept:
        if isinstance(column.type, sa.Time | sa.Date | sa.JSON):
            other = {sa.Time: dt.time(7), sa.Date: dt.date(2026, 6, 1)}
            return column.name, next(
                (value for kind, value in other.items() if isinstance(column.type, kind)),
                {"a": "changed"},
            )
    name = next(c.name for c in kept if not c.primary_key)
    return name, row[name] + 1 if isinstance(row[name], int) else "another"


@pytest.mark.parametrize("name", AUDITED)
def test_each_tables_rows_are_written_when_made_changed_and_removed(loose, name):
    table, spec = TABLES[name], AUDITED[name]
    loose.rollback()
    row = sample(table, "an organisation")
    loose.execute(table.insert().values(**row))
    [made] = _written(loose)
    told = {column: row[column] for column in spec.told}
    assert (made.act, made.after) == (
        ("changed", {name: row[spec.links]}) if spec.links else ("made", told)
    )
    if not spec.links and not spec.made_only:
        column, value = changeable(table, row)
        loose.execute(table.update().values({column: value}))
        [changed] = _written(loose)[1:]
        apart = loose.execute(sa.select(TABLES["audit_values"])).all()
        kept = apart[-1] if column in spec.personal else changed
        assert (changed.act, changed.about_id != "") == ("changed", True)
        shown = HIDDEN if column in spec.secret else value
        assert set(kept.before) == set(kept.after) == {column}
        assert str(kept.after[column]).startswith(str(shown))
        for skipped in spec.skipped:
            loose.execute(table.update().values({skipped: table.c[skipped]}))
        assert len(_written(loose)) == 2
    if not spec.made_only:
        loose.execute(table.delete())
        removed = _written(loose)[-1]
        assert removed.act == ("changed" if spec.links else "removed")
        kept_row = {*table.c.keys()} - {*spec.skipped} - {*spec.personal}
        assert set(removed.before) == ({name} if spec.links else kept_row)
    loose.rollback()
    assert _written(loose) == []


# Who, when, why, and together or not at all.


@pytest.fixture
def room(ctx):
    return make_room(make_site(make_organisation()))


MAREN = Actor("account", "a1", "Maren Ellis", "setup.save", "10.0.0.7", "r1", lambda: NOW)


def entries(organisation_id: str | None) -> list[AuditEntry]:
    db.session.rollback()
    return list(
        db.session.scalars(
            sa.select(AuditEntry)
            .where(AuditEntry.organisation_id == organisation_id)
            .order_by(AuditEntry.id)
        )
    )


def change(model: Any, row_id: str, why: str = "", **values: Any) -> None:
    with transaction(why):
        row = db.session.get_one(model, row_id, populate_existing=True, execution_options=ANYWHERE)
        for name, value in values.items():
            setattr(row, name, value)


def test_an_entry_names_who_when_from_where_what_and_why(room):
    with acting_as(MAREN):
        change(Room, room.id, "it was too warm", name="Cool Hall", cap=20)
    last = entries(room.organisation_id)[-1]
    assert (last.actor_kind, last.actor_id, last.actor_name) == ("account", "a1", "Maren Ellis")
    assert (last.door, last.address, last.request_id) == ("setup.save", "10.0.0.7", "r1")
    assert (last.at, last.why) == (NOW, "it was too warm")
    assert (last.about, last.about_id, last.act) == ("rooms", room.id, "changed")
    assert last.before == {"name": "Spring Hall", "cap": 50}
    assert last.after == {"name": "Cool Hall", "cap": 20}


def test_one_transaction_is_one_deed_and_another_one_another(room):
    with because("spring cleaning"), transaction():
        db.session.execute(
            sa.update(Room).where(Room.organisation_id == room.organisation_id).values(cap=9)
        )
        make_up = Room(organisation_id=room.organisation_id, site_id=room.site_id, name="B", cap=1)
        db.session.add(make_up)
    change(Room, room.id, cap=10)
    one, two, three = entries(room.organisation_id)[-3:]
    assert one.deed_id == two.deed_id != three.deed_id
    assert {one.why, two.why, three.why} == {"spring cleaning", ""}
    assert three.actor_kind == "system"


def test_what_is_undone_leaves_no_entry(room):
    before = len(entries(room.organisation_id))
    with pytest.raises(DBAPIError):
        change(Room, room.id, name="Not for long", cap=0)
    assert len(entries(room.organisation_id)) == before


def test_saving_the_same_again_writes_nothing(room):
    before = len(entries(room.organisation_id))
    with transaction():
        db.session.execute(
            sa.update(Room)
            .where(Room.organisation_id == room.organisation_id)
            .values(cap=50, name="Spring Hall")
        )
    assert len(entries(room.organisation_id)) == before


def test_counters_of_places_are_no_change_of_a_session(ctx):
    row = make_session()
    before = len(entries(row.organisation_id))
    change(Session, row.id, places_taken=3, parties_taken=1)
    assert len(entries(row.organisation_id)) == before


@pytest.mark.parametrize("table", ["audit_entries", "audit_values"])
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE {table} SET why = 'never'",
        "DELETE FROM {table}",
        "TRUNCATE {table} CASCADE",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
    ],
)
def test_the_database_refuses_to_change_or_delete_an_entry(ctx, table, sql):
    is_sqlite = db.engine.dialect.name == "sqlite"
    if sql.startswith("TRUNCATE" if is_sqlite else "INSERT OR"):
        return  # the other database's way
    customer = make_customer(make_organisation().id)
    change(Customer, customer.id, name="Bea")
    with (
        pytest.raises(DBAPIError, match="the trail is append only"),
        db.engine.connect() as connection,
    ):
        connection.exec_driver_sql(sql.format(table=table))


def test_a_shell_without_the_shop_cannot_change_what_is_in_the_trail(room):
    if db.engine.dialect.name != "sqlite":
        return  # psql's changes are written, with nobody's name
    import sqlite3

    with pytest.raises(sqlite3.OperationalError, match="sundial_acting"):
        sqlite3.connect(db.engine.url.database).execute("UPDATE rooms SET cap = 1")


def test_what_is_personal_stands_apart_and_goes_with_the_person(ctx):
    organisation = make_organisation()
    one = make_customer(organisation.id)
    two = make_customer(organisation.id, name="Bea", email="bea@example.com")
    for row in (one, two):
        change(Customer, row.id, "asked on the phone", name="Cleo", phone="07700 900123")
    with transaction():
        person = db.session.get_one(Customer, one.id, execution_options=ANYWHERE)
        person.name = person.phone = person.email = ""
        erase_trail(organisation.id, {"customers": [one.id]})
    told = json.dumps(
        [
            [row.about_id, row.before, row.after, row.why]
            + ([row.values.before, row.values.after, row.values.why] if row.values else [])
            for row in entries(organisation.id)
        ]
    )
    # Of one person nothing is left, of the other all of it.
    assert told.count("Cleo") == told.count("07700 900123") == told.count("on the phone") == 1
    assert told.count(one.id) == 3


def test_an_erasure_ends_with_its_transaction(ctx):
    customer = make_customer(make_organisation().id)
    change(Customer, customer.id, name="Bea")
    with transaction():
        erase_trail(customer.organisation_id, {"customers": ["nobody"]})
    with pytest.raises(DBAPIError), transaction():
        db.session.execute(sa.text("DELETE FROM audit_values"))


def test_a_secret_is_never_written(ctx):
    account = make_account()
    with transaction():
        row = db.session.get_one(type(account), account.id)
        row.password_hash = "a new hash"
    last = entries(None)[-1]
    assert (last.before, last.after) == ({"password_hash": HIDDEN}, {"password_hash": HIDDEN})


def test_what_a_series_makes_is_told_by_the_series(ctx):
    kind = make_type()
    made = make_session(kind)
    assert [
        row.subject_id for row in entries(kind.organisation_id) if row.subject == "sessions"
    ] == [made.id]


def test_counters_and_marks_call_no_trigger(ctx):
    """Claims of places are the hot path: the database itself passes the trail by."""
    is_sqlite = db.engine.dialect.name == "sqlite"
    if is_sqlite:
        rows = db.session.execute(
            sa.text("SELECT tbl_name, sql FROM sqlite_master WHERE name GLOB 'trail_*_changed'")
        )
        found = {
            table: set(re.findall(r'"(\w+)"', sql.split(" OF ")[1].split(" ON ")[0]))
            for table, sql in rows
        }
    else:
        found = {}
        for table, column in db.session.execute(
            sa.text(
                "SELECT event_object_table, event_object_column"
                " FROM information_schema.triggered_update_columns"
                " WHERE trigger_schema = current_schema() AND starts_with(trigger_name, 'trail_')"
            )
        ):
            found.setdefault(table, set()).add(column)
    for name, spec in AUDITED.items():
        if spec.links or spec.made_only:
            assert name not in found
        else:
            assert found[name] == set(TABLES[name].c.keys()) - set(spec.skipped), name


def test_holding_places_writes_nothing(ctx):
    row = make_session()
    before = len(entries(row.organisation_id))
    for _ in range(2):
        hold_places(
            row.organisation_id, row.id, session_type_id=row.session_type_id, guests=2,
            viewer=Viewer(), basket_secret=None, now=NOW,
        )  # fmt: skip
    assert fetch(Session, row.id).places_taken == 4
    assert len(entries(row.organisation_id)) == before


SECRETIVE = re.compile(r"hash|secret|token|key$|password|_code$|^code_|seal|hint|credential")
HARMLESS = {
    "api_token_grants": {"token_id"},
    "session_types": {"product_code"},
    "media": {"key"},
}


def test_no_secret_is_written():
    """Every column that sounds like one is kept out, or says nothing that opens anything."""
    for name, spec in AUDITED.items():
        kept = set(TABLES[name].c.keys()) - {*spec.skipped, *spec.secret, *spec.personal}
        sounding = {column for column in kept if SECRETIVE.search(column)}
        assert sounding <= HARMLESS.get(name, set()), (name, sounding)
