"""An organisation as one file: every row as a line of JSON, tables to read, calendars, pictures."""

import datetime as dt
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import sqlalchemy as sa

from domain.archive import FORMAT, MANIFEST, write_json, write_value
from domain.errors import NotFound
from models import Base
from services.archive_calendars import calendar_of, list_calendars
from services.archive_rows import count_rows, rows_of, snapshot, stream, sums_of
from services.archive_sheets import SHEETS, sheet_lines
from services.archive_spec import LEFT_OUT, columns_of, files_of, travelling

VERSION = "0.1.0"
PULSE = 2000
"""After so many rows, or one file, whoever waits hears that it goes on."""

GATHERED = 1 << 16
"""Octets that are packed at once: a line at a time takes long."""

ENDINGS = {"image/avif": "avif", "image/webp": "webp", "image/jpeg": "jpg"}

Part = Callable[["Writing"], None]


def _nothing() -> None:
    """Nobody waits."""


@dataclass
class Packer:
    """A ZIP file that is written member by member, and knows the digest of each."""

    target: IO[bytes]
    made_at: dt.datetime
    pulse: Callable[[], None] = _nothing
    members: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._zip = zipfile.ZipFile(self.target, "w", zipfile.ZIP_DEFLATED)
        self._beats = 0

    @contextmanager
    def member(self, name: str, *, is_squeezed: bool = True) -> Iterator[Callable[[bytes], None]]:
        """Gives what writes into a new member."""
        info = zipfile.ZipInfo(name, self.made_at.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED if is_squeezed else zipfile.ZIP_STORED
        info.external_attr = 0o100600 << 16
        digest, size, gathered = hashlib.sha256(), 0, bytearray()
        with self._zip.open(info, "w", force_zip64=True) as file:

            def flush() -> None:
                nonlocal size
                digest.update(gathered)
                size += len(gathered)
                file.write(bytes(gathered))
                gathered.clear()

            def write(piece: bytes) -> None:
                gathered.extend(piece)
                if len(gathered) >= GATHERED:
                    flush()
                self.beat()

            yield write
            flush()
        self.members[name] = {"bytes": size, "sha256": digest.hexdigest()}

    def beat(self) -> None:
        """One row more."""
        self._beats += 1
        if self._beats % PULSE == 0:
            self.pulse()

    def end(self, manifest: dict[str, Any]) -> None:
        """Write the manifest, which names all others, and the end of the file."""
        text = json.dumps({**manifest, "members": self.members}, indent=1, ensure_ascii=False)
        with self.member(MANIFEST) as write:
            write(text.encode())
        self._zip.close()


@dataclass
class Writing:
    """What the parts of one archive share."""

    connection: sa.Connection
    organisation_id: str
    packer: Packer
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """What an archive holds: rows by table and the ledger's sums, as its manifest says."""

    counts: dict[str, int]
    ledger: dict[str, dict[str, int]]

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def list_parts(organisation_id: str) -> list[str]:
    """What is written one after the other, in words."""
    with snapshot() as connection:
        return [name for name, _ in _parts(connection, organisation_id)]


def write_archive(
    organisation_id: str,
    target: IO[bytes],
    *,
    now: dt.datetime,
    reach: Callable[[int, str], None] = lambda _number, _name: None,
    pulse: Callable[[], None] = _nothing,
) -> Made:
    """Write the organisation's archive into `target`, all of one moment; raises NotFound.

    `reach` hears the number and name of each part before it is written, `pulse` now and then
    while it is; either may raise to stop it. No more than some rows are in memory at once.
    """
    with snapshot() as connection:
        writing = Writing(connection, organisation_id, Packer(target, now, pulse))
        organisation = _organisation(connection, organisation_id)
        for number, (name, part) in enumerate(_parts(connection, organisation_id)):
            reach(number, name)
            part(writing)
        ledger = read_sums(connection, organisation_id)
        writing.packer.end(
            {
                "format": FORMAT,
                "product": "Sundial",
                "version": VERSION,
                "schema": read_schema(connection),
                "organisation": organisation,
                "made_at": write_value("instant", now),
                "rows": writing.counts,
                "ledger": ledger,
                "left_out": LEFT_OUT,
            }
        )
    return Made(writing.counts, ledger)


def read_schema(connection: sa.Connection) -> str:
    """The revision that the database is migrated to."""
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    return ", ".join(sorted(found))


def read_sums(connection: sa.Connection, organisation_id: str) -> dict[str, dict[str, int]]:
    """The ledger by currency: the sum of each kind, and the balance of all, in minor units."""
    found: dict[str, dict[str, int]] = {}
    for currency, kind, amount in connection.execute(sums_of(organisation_id)):
        sums = found.setdefault(currency, {"balance": 0})
        sums[kind] = int(amount)
        sums["balance"] += int(amount)
    return found


def read_counts(connection: sa.Connection, organisation_id: str) -> dict[str, int]:
    """How many rows of each table are the organisation's."""
    return {
        table.name: connection.execute(count_rows(table, organisation_id)).scalar_one()
        for table in travelling()
    }


def _organisation(connection: sa.Connection, organisation_id: str) -> dict[str, str]:
    table = Base.metadata.tables["organisations"]
    query = sa.select(table.c.id, table.c.name, table.c.code).where(table.c.id == organisation_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such organisation.")
    return dict(row._mapping)


def _parts(connection: sa.Connection, organisation_id: str) -> list[tuple[str, Part]]:
    tables: list[tuple[str, Part]] = [
        (table.name.replace("_", " ").capitalize(), _TablePart(table)) for table in travelling()
    ]
    sheets: list[tuple[str, Part]] = [(f"{name}.csv", _SheetPart(name)) for name in SHEETS]
    calendars: list[tuple[str, Part]] = [
        (f"Calendar of {calendar.name}", _CalendarPart(calendar.slug))
        for calendar in list_calendars(connection, organisation_id)
    ]
    return [*tables, *sheets, *calendars]


@dataclass(frozen=True, slots=True)
class _TablePart:
    table: sa.Table

    def __call__(self, writing: Writing) -> None:
        files = {name: _write_files(writing, self.table, name) for name in files_of(self.table)}
        columns = columns_of(self.table)
        plain = [name for name in columns if name not in files]
        kinds = [(name, columns[name].kind) for name in plain]
        number = 0
        with writing.packer.member(f"data/{self.table.name}.jsonl") as write:
            query = rows_of(self.table, writing.organisation_id, *plain)
            for number, row in enumerate(stream(writing.connection, query), 1):  # noqa: B007
                values = dict(zip(plain, row, strict=True))
                line = {name: write_value(kind, values[name]) for name, kind in kinds}
                for name, members in files.items():
                    line[name] = members[values["id"]]
                write(write_json({name: line[name] for name in columns}))
        writing.counts[self.table.name] = number


def _write_files(writing: Writing, table: sa.Table, name: str) -> dict[str, str | None]:
    """A member for the bytes of each row; their names by the row's id."""
    more = ["mime_type"] if "mime_type" in table.c else []
    query = rows_of(table, writing.organisation_id, "id", name, *more)
    members: dict[str, str | None] = {}
    row: Any
    for row in stream(writing.connection, query, at_a_time=1):
        row_id, content = str(row[0]), row[1]
        members[row_id] = None
        if content is None:
            continue
        ending = ENDINGS.get(row[2], "bin") if more else "bin"
        members[row_id] = f"media/{table.name}-{row_id}-{name}.{ending}"
        with writing.packer.member(str(members[row_id]), is_squeezed=False) as write:
            write(content)
        writing.packer.pulse()
    return members


@dataclass(frozen=True, slots=True)
class _SheetPart:
    name: str

    def __call__(self, writing: Writing) -> None:
        with writing.packer.member(f"csv/{self.name}.csv") as write:
            for line in sheet_lines(writing.connection, self.name, writing.organisation_id):
                write(line)


@dataclass(frozen=True, slots=True)
class _CalendarPart:
    slug: str

    def __call__(self, writing: Writing) -> None:
        with writing.packer.member(f"calendar/{self.slug}.ics") as write:
            for piece in calendar_of(writing.connection, writing.organisation_id, self.slug):
                write(piece)
