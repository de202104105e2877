"""What speaks against taking an archive in: damage, bad lines, clashes with what is here."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from domain.archive import ArchiveFault, read_line
from domain.errors import RuleBroken
from domain.people import email_key
from domain.venue_rules import check_slug
from domain.words import count
from models import Account, Organisation, Site, db, unbound
from services.archive_reading import OpenArchive, check_digests
from services.archive_rows import count_rows
from services.archive_spec import columns_of, files_of, travelling
from services.archive_writing import read_schema
from services.founding import SITE_RULES

MOST_FAULTS = 50
"""So many are named; one that is found has many of its kind."""

_EVERYWHERE = unbound("slugs and addresses are unique in the whole installation")

_SITE_RULES = {name: SITE_RULES[name] for name in ("slug", "zone", "currency", "locale")}
_RULES: dict[str, dict[str, Callable[[str], Any]]] = {
    "sites": _SITE_RULES,
    "session_types": {"slug": check_slug, "currency": SITE_RULES["currency"]},
}
"""Values that pages can't be shown without: they obey the rules of their forms."""


@dataclass
class Findings:
    """What a look through the whole archive found."""

    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    slugs: list[str] = field(default_factory=list)
    # By the archive's id the normalised address, and the account here that has it already.
    accounts: dict[str, str] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    joined: dict[str, str] = field(default_factory=dict)
    joined_addresses: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Note a fault, unless there are enough."""
        if len(self.faults) == MOST_FAULTS:
            self.faults.append("There are more. These come first.")
        elif len(self.faults) < MOST_FAULTS:
            self.faults.append(sentence)


def look_through(archive: OpenArchive, say: Callable[[str], None]) -> Findings:
    """Read every byte and line of the archive, and compare it with what is here."""
    found = Findings()
    if not _check_versions(archive, found):
        return found
    tables = {f"data/{table.name}.jsonl": table for table in travelling()}

    def heard(name: str, parts: Iterator[bytes]) -> None:
        if name in tables:
            _read_table(archive, tables[name], name, parts, found)
            say(f"checked {name}: {count(found.counts[tables[name].name], 'row')}")
        else:
            for _part in parts:
                pass

    for sentence in check_digests(archive, heard):
        found.add(sentence)
    _check_counts(archive, found)
    _check_clashes(archive, found)
    return found


def _check_versions(archive: OpenArchive, found: Findings) -> bool:
    here, manifest = read_schema(db.session.connection()), archive.manifest
    if manifest.schema != here:
        found.add(
            f"The archive was made by version {manifest.version} with tables {manifest.schema}; "
            f"this installation has tables {here}. Install that version, import, then upgrade."
        )
        return False
    names = {table.name for table in travelling()}
    listed = {name for name in manifest.members if name.startswith("data/")}
    for name in sorted(listed - {f"data/{it}.jsonl" for it in names}):
        found.add(f"{name}: this installation has no such table.")
    for name in sorted(names - {it[5:-6] for it in listed}):
        found.add(f"data/{name}.jsonl is missing.")
    return not found.faults


def _read_table(
    archive: OpenArchive, table: sa.Table, name: str, lines: Iterator[bytes], found: Findings
) -> None:
    columns = columns_of(table)
    for number, line in enumerate(lines, 1):
        found.counts[table.name] += 1
        try:
            row = read_line(line, columns)
            _check_row(archive, table, row)
            _note(table, row, found)
        except ArchiveFault as fault:
            found.add(f"{name}, line {number}: {fault.sentence}")


def _check_row(archive: OpenArchive, table: sa.Table, row: Mapping[str, Any]) -> None:
    own = "id" if table.name == "organisations" else "organisation_id"
    if own in row and row[own] != archive.manifest.organisation["id"]:
        raise ArchiveFault("it belongs to another organisation.")
    for column, rule in _RULES.get(table.name, {}).items():
        try:
            is_tidy = rule(row[column]) == row[column]
        except RuleBroken as broken:
            raise ArchiveFault(f"column {column}: {broken.sentence}") from broken
        if not is_tidy:
            raise ArchiveFault(f"column {column}: it is not as we write it.")
    for column in files_of(table):
        if row[column] is not None and row[column] not in archive.manifest.members:
            raise ArchiveFault(f"column {column}: the file {row[column]} is missing.")
    if table.name == "accounts" and email_key(row["email"]) != row["email_key"]:
        raise ArchiveFault("column email_key: it is not that of the address.")


def _note(table: sa.Table, row: Mapping[str, Any], found: Findings) -> None:
    if table.name == "sites":
        found.slugs.append(row["slug"])
    elif table.name == "accounts":
        if row["id"] in found.accounts or row["email_key"] in found.addresses:
            raise ArchiveFault("it stands there twice.")
        found.accounts[row["id"]] = row["email_key"]
        found.addresses.add(row["email_key"])


def _check_counts(archive: OpenArchive, found: Findings) -> None:
    for table in travelling():
        said, there = archive.manifest.rows.get(table.name), found.counts[table.name]
        if said != there:
            found.add(f"data/{table.name}.jsonl has {there} rows, the manifest says {said}.")
    if found.counts["organisations"] != 1:
        found.add("data/organisations.jsonl is about one organisation.")


def _check_clashes(archive: OpenArchive, found: Findings) -> None:
    own = archive.manifest.organisation
    named = db.session.scalars(
        sa.select(Organisation).where(
            sa.or_(Organisation.id == own["id"], Organisation.code == own["code"])
        )
    ).all()
    for row in named:
        same = "This organisation is" if row.id == own["id"] else "One with the same code is"
        found.add(f"{same} here already: {row.name}, {row.code}.")
    taken = db.session.scalars(
        sa.select(Site.slug).where(Site.slug.in_(found.slugs)), execution_options=_EVERYWHERE
    )
    for slug in sorted(taken):
        found.add(f"The address /{slug} is taken by another venue here.")
    for table in travelling():
        if "organisation_id" in table.c and not named:
            number = db.session.connection().execute(count_rows(table, own["id"])).scalar_one()
            if number:
                found.add(f"There are {number} rows of this organisation in {table.name} already.")
    _join_accounts(found)


def _join_accounts(found: Findings) -> None:
    """Whoever has an account here keeps it: theirs and the archive's become one."""
    by_key = {key: row_id for row_id, key in found.accounts.items()}
    for names in _chunks(list(by_key)):
        for row_id, key, email in db.session.execute(
            sa.select(Account.id, Account.email_key, Account.email).where(
                Account.email_key.in_(names)
            )
        ):
            found.joined[by_key[key]] = row_id
            found.joined_addresses.append(email)
    for ids in _chunks([it for it in found.accounts if it not in found.joined]):
        for row_id in db.session.scalars(sa.select(Account.id).where(Account.id.in_(ids))):
            found.add(f"The account {row_id} of the archive is somebody else's here.")


def _chunks(values: list[str], size: int = 500) -> Iterator[list[str]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
