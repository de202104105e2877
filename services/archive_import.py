"""An archive taken into this installation: all of it or nothing, in one transaction."""

import datetime as dt
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from domain.archive import ArchiveFault, read_line
from domain.errors import RuleBroken
from domain.words import count
from models import (
    AuditEntry,
    IntakeForm,
    Order,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    refresh_statistics,
    transaction,
)
from models.audit import AUDITED, taking_in, write_arrival
from services.accounts import fresh_token
from services.archive_checking import Findings, look_through
from services.archive_owner import Owner, give_all_rights
from services.archive_reading import OpenArchive, open_archive
from services.archive_rows import AT_A_TIME, is_own
from services.archive_spec import (
    ACCOUNT_TEXTS,
    account_columns,
    columns_of,
    files_of,
    numbered,
    self_references,
    travelling,
)
from services.archive_writing import read_counts, read_sums
from services.facts import offer_of, venue_of
from services.finding import rebuild_words
from services.intake import fields_of
from services.reminders import Planned, replan_reminders

Say = Callable[[str], None]
Row = dict[str, Any]

SAID_EVERY = 10_000
FEW = 10
"""Rows with pictures are in memory together."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was taken in, or would be; with `faults`, nothing was and nothing would."""

    organisation: str = ""
    made_at: str = ""
    slugs: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    ledger: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    joined: tuple[str, ...] = ()
    owner: str = ""
    faults: tuple[str, ...] = ()
    is_done: bool = False


class _Rehearsed(Exception):
    """Everything went well, and is taken back."""


@dataclass
class _Numbers:
    """The numbers that the database gave the rows of a table, in the archive and here.

    Both rise, so that a history stays in its order.
    """

    there: "array[int]" = field(default_factory=lambda: array("q"))
    here: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, there: int, here: int) -> None:
        """One more."""
        if self.there and there <= self.there[-1]:
            raise ArchiveFault("its number does not follow that of the line before")
        self.there.append(there)
        self.here.append(here)

    def find(self, there: int) -> int:
        """The number that a row of the archive has here."""
        place = bisect_left(self.there, there)
        if place == len(self.there) or self.there[place] != there:
            raise ArchiveFault("it names a row that the archive has not")
        return self.here[place]


@dataclass
class _Taking:
    """What the tables of one archive share while they are taken in."""

    archive: OpenArchive
    # By the archive's id the id here; those that were here before are not made again.
    accounts: dict[str, str]
    joined: frozenset[str]
    say: Say
    numbers: dict[str, _Numbers] = field(default_factory=dict)

    @property
    def organisation_id(self) -> str:
        return self.archive.manifest.organisation["id"]


def import_archive(
    source: IO[bytes],
    *,
    owner: Owner | None = None,
    is_rehearsal: bool = False,
    now: dt.datetime,
    say: Say = lambda _text: None,
) -> Report:
    """Take an archive in, or nothing of it; a rehearsal does all of it and takes it back.

    `say` hears how far it is. Whatever speaks against it stands in the report's `faults`, as many
    as can be found at once; no exception leaves for anything that an archive may hold.
    """
    try:
        with open_archive(source) as archive:
            found = look_through(archive, say)
            if found.faults:
                return _report(archive, found, faults=tuple(found.faults))
            said = _take(archive, found, owner, is_rehearsal=is_rehearsal, now=now, say=say)
            if not is_rehearsal:
                refresh_statistics()
            return _report(archive, found, owner=said, is_done=not is_rehearsal)
    except RuleBroken as fault:
        return Report(faults=(fault.sentence,))


def _take(
    archive: OpenArchive,
    found: Findings,
    owner: Owner | None,
    *,
    is_rehearsal: bool,
    now: dt.datetime,
    say: Say,
) -> str:
    accounts = {row_id: found.joined.get(row_id, row_id) for row_id in found.accounts}
    taking, said = _Taking(archive, accounts, frozenset(found.joined), say), ""
    try:
        with transaction():
            with taking_in():
                for table in travelling():
                    _take_table(taking, table)
            _check_walls(taking)
            _check_same(taking)
            _check_readable(taking.organisation_id)
            rebuild_words(taking.organisation_id)
            _plan_reminders(taking.organisation_id, now)
            write_arrival(
                taking.organisation_id,
                f"From an archive made {archive.manifest.made_at}",
                now=now,
            )
            if owner is not None:
                made = frozenset(found.accounts.values()) - {
                    found.accounts[row_id] for row_id in found.joined
                }
                said = give_all_rights(taking.organisation_id, owner, made, now=now)
            if is_rehearsal:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return said


def _report(archive: OpenArchive, found: Findings, **more: Any) -> Report:
    manifest = archive.manifest
    return Report(
        organisation=manifest.organisation["name"],
        made_at=manifest.made_at,
        slugs=tuple(found.slugs),
        counts=dict(found.counts),
        ledger=manifest.ledger,
        joined=tuple(sorted(found.joined_addresses)),
        **more,
    )


def _take_table(taking: _Taking, table: sa.Table) -> None:
    key = numbered(table)
    size, number = (FEW if files_of(table) else AT_A_TIME), 0
    rows = _in_order(table, _rows(taking, table))
    while batch := list(islice(rows, size)):
        if key:
            _give_numbers(taking, table, key, batch)
        _insert(table, batch)
        number += len(batch)
        if number >= SAID_EVERY and number % SAID_EVERY < size:
            taking.say(f"{table.name}: {number:,} of {taking.archive.manifest.rows[table.name]:,}")
    taking.say(f"{table.name}: {count(number, 'row')}")


def _rows(taking: _Taking, table: sa.Table) -> Iterator[tuple[int, Row]]:
    """Each row with its line, as it is to stand here; accounts that are here already have none."""
    columns, counts = columns_of(table), _counting(table)
    for number, line in enumerate(taking.archive.lines(f"data/{table.name}.jsonl"), 1):
        row = read_line(line, columns)
        try:
            _fill_in(taking, table, row)
            for column, owner in counts.items():
                if row[column] is not None:
                    row[column] = taking.numbers[owner].find(row[column])
        except ArchiveFault as fault:
            raise ArchiveFault(f"{_place(table, number)}: {fault.sentence}.") from fault
        if table.name != "accounts" or row["id"] not in taking.joined:
            yield number, row


def _fill_in(taking: _Taking, table: sa.Table, row: Row) -> None:
    for column, is_firm in account_columns(table).items():
        row[column] = _account(taking, row[column], is_firm=is_firm)
    for column in ACCOUNT_TEXTS.get(table.name, ()):
        row[column] = taking.accounts.get(row[column], row[column])
    for column in files_of(table):
        row[column] = taking.archive.file(row[column]) if row[column] else None
    if table.name == "accounts":
        row["session_token"] = fresh_token()


def _counting(table: sa.Table) -> dict[str, str]:
    """Columns that name a row by the number which the database gave it, with its table."""
    return {
        reference.parent.name: reference.column.table.name
        for reference in table.foreign_keys
        if numbered(reference.column.table) == reference.column.name
    }


def _give_numbers(taking: _Taking, table: sa.Table, key: str, batch: list[tuple[int, Row]]) -> None:
    """Numbers of this database instead of the archive's, in the same order."""
    numbers = taking.numbers.setdefault(table.name, _Numbers())
    fresh = _fresh_numbers(table, key, len(batch))
    for (number, row), one in zip(batch, fresh, strict=True):
        try:
            numbers.add(row[key], one)
        except ArchiveFault as fault:
            raise ArchiveFault(f"{_place(table, number)}: {fault.sentence}.") from fault
        row[key] = one


def _fresh_numbers(table: sa.Table, key: str, many: int) -> list[int]:
    """Numbers that nobody else gets: others write meanwhile on PostgreSQL, on SQLite nobody."""
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        sequence = sa.func.pg_get_serial_sequence(table.name, key)
        taken = sa.select(sa.func.nextval(sequence)).select_from(sa.func.generate_series(1, many))
        return sorted(connection.execute(taken).scalars())
    highest = connection.execute(sa.select(sa.func.max(table.c[key]))).scalar() or 0
    return list(range(highest + 1, highest + many + 1))


def _account(taking: _Taking, row_id: str | None, *, is_firm: bool) -> str | None:
    if row_id is None or row_id in taking.accounts:
        return taking.accounts[row_id] if row_id else None
    if is_firm:
        raise ArchiveFault("it names an account that the archive has not")
    return row_id


def _in_order(table: sa.Table, rows: Iterator[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    """Rows that name another row of their table come after it, wherever they stood."""
    references = self_references(table)
    if not references:
        yield from rows
        return
    (key,) = table.primary_key.columns.keys()
    there: set[Any] = set()
    waiting: dict[Any, list[tuple[int, Row]]] = {}
    for one in rows:
        ready = [one]
        while ready:
            number, row = ready.pop()
            missing = _first_missing(row, references, there)
            if missing is not None and missing != row[key]:
                waiting.setdefault(missing, []).append((number, row))
                continue
            there.add(row[key])
            yield number, row
            ready += reversed(waiting.pop(row[key], []))
    for number, _row in sorted((it for group in waiting.values() for it in group), key=_line_of):
        raise ArchiveFault(f"{_place(table, number)}: it names a row that the archive has not.")


def _line_of(one: tuple[int, Row]) -> int:
    return one[0]


def _first_missing(row: Row, references: tuple[str, ...], there: set[Any]) -> Any:
    return next(
        (row[it] for it in references if row[it] is not None and row[it] not in there), None
    )


def _insert(table: sa.Table, batch: list[tuple[int, Row]]) -> None:
    try:
        with db.session.begin_nested():
            db.session.execute(table.insert(), [row for _, row in batch])
    except DBAPIError as error:
        # One of them it is: which, is found by asking for each.
        for number, row in batch:
            _insert_one(table, number, row)
        raise ArchiveFault(f"data/{table.name}.jsonl: {_say_error(error)}") from error


def _insert_one(table: sa.Table, number: int, row: Row) -> None:
    try:
        with db.session.begin_nested():
            db.session.execute(table.insert(), [row])
    except DBAPIError as error:
        raise ArchiveFault(f"{_place(table, number)}: {_say_error(error)}") from error


def _say_error(error: DBAPIError) -> str:
    state, text = str(getattr(error.orig, "sqlstate", "") or ""), str(error.orig)
    for known, word, sentence in _ERRORS:
        if state == known or (not state and word in text):
            return sentence
    return f"the database refuses it: {text.splitlines()[0][:200]}."


_ERRORS = (
    ("23505", "UNIQUE", "it clashes with another row, of the archive or here already."),
    ("23503", "FOREIGN KEY", "it names a row that the archive has not."),
    ("23502", "NOT NULL", "something is missing that a row must have."),
    ("23514", "CHECK", "its values don't go together."),
)


def _place(table: sa.Table, number: int) -> str:
    return f"data/{table.name}.jsonl, line {number}"


def _check_walls(taking: _Taking) -> None:
    """No row of the archive may name a row of another organisation that lives here (D1)."""
    own, connection = taking.organisation_id, db.session.connection()
    for table in travelling():
        for reference in table.foreign_keys:
            other = reference.column.table.alias()
            if table.name == "accounts" or "organisation_id" not in other.c:
                continue
            strange = (
                sa.select(sa.func.count())
                .select_from(
                    table.join(
                        other, table.c[reference.parent.name] == other.c[reference.column.name]
                    )
                )
                .where(is_own(table, own), other.c.organisation_id != own)
            )
            if connection.execute(strange).scalar_one():
                raise ArchiveFault(
                    f"data/{table.name}.jsonl, column {reference.parent.name}: "
                    "a row names one of another organisation."
                )


def _check_same(taking: _Taking) -> None:
    """As many rows, and the same sums, as the manifest says."""
    manifest, connection = taking.archive.manifest, db.session.connection()
    for name, number in read_counts(connection, taking.organisation_id).items():
        said = manifest.rows[name]
        if number != said:
            raise ArchiveFault(f"{name}: {number} rows would be here, the manifest says {said}.")
    if read_sums(connection, taking.organisation_id) != manifest.ledger:
        raise ArchiveFault("The sums of the ledger are not those that the manifest says.")


def _check_readable(organisation_id: str) -> None:
    """Sites, types and forms can be read as pages read them."""
    sites = db.session.scalars(sa.select(Site).where(Site.organisation_id == organisation_id))
    what = "sites"
    try:
        venues = {site.id: venue_of(site) for site in sites}
        what = "session_types"
        for kind in db.session.scalars(
            sa.select(SessionType).where(SessionType.organisation_id == organisation_id)
        ):
            offer_of(kind, venues[kind.site_id])
        what = "intake_forms"
        for form in db.session.scalars(
            sa.select(IntakeForm).where(IntakeForm.organisation_id == organisation_id)
        ):
            fields_of(form)
        what = "audit_entries"
        _check_told(organisation_id)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ArchiveFault(f"data/{what}.jsonl: a row can't be read by the shop.") from error
    finally:
        db.session.expunge_all()


def _check_told(organisation_id: str) -> None:
    """The trail tells of tables that there are; raises KeyError."""
    for names in db.session.execute(
        sa.select(AuditEntry.about, AuditEntry.subject)
        .where(AuditEntry.organisation_id == organisation_id)
        .distinct()
    ):
        for name in names:
            AUDITED[name]


def _plan_reminders(organisation_id: str, now: dt.datetime) -> None:
    """Those that wait stay where the archive was made: here they are planned anew (E2)."""
    for site_id, hours in db.session.execute(
        sa.select(Site.id, Site.reminder_hours).where(Site.organisation_id == organisation_id)
    ).all():
        coming = db.session.execute(
            sa.select(
                SessionBooking.id, SessionBooking.organisation_id, SessionBooking.site_id,
                SessionBooking.sequence, Session.start_time, Order.email != "",
            )
            .join(Session, SessionBooking.session_id == Session.id)
            .join(Order, SessionBooking.order_id == Order.id)
            .where(
                SessionBooking.organisation_id == organisation_id,
                SessionBooking.site_id == site_id,
                SessionBooking.status == "confirmed",
                SessionBooking.cancelled_at.is_(None),
                Session.start_time > now,
            )
            .order_by(SessionBooking.id)
        )  # fmt: skip
        planned = [Planned(*row[:5], has_address=bool(row[5])) for row in coming]
        if planned:
            replan_reminders(planned, hours, now=now)
