"""What of the database belongs into an organisation's archive, and what stays behind and why.

A table with `organisation_id` travels whole unless it is named here; one without it must be named.
`find_undecided` says what nobody has decided yet, and a test holds it empty: whoever adds a table
or a column that looks like a secret decides here.
"""

import re
from functools import cache
from typing import Any

import sqlalchemy as sa

from domain.archive import Column
from models import Base
from models.base import UTCDateTime

LEFT_OUT: dict[str, str] = {
    "account_links": "links in mails that work once, and not for long",
    "api_token_grants": "what access tokens may do",
    "api_tokens": "a token opens this installation; a new one is made there",
    "archive_parts": "the archives themselves",
    "archives": "the archives themselves",
    "authenticators": "second factors are a person's own, for all organisations",
    "finding_words": "made anew from the names that travel",
    "idempotency_keys": "answers to forms that were open, kept for a week",
    "jobs": "mails that wait are sent from where they wait, so that nobody gets one twice; "
    "reminders are planned anew",
    "kiosks": "a tablet signs in anew",
    "long_works": "work under way is done where it began",
    "passkeys": "they open this address and no other",
    "recovery_codes": "second factors are a person's own, for all organisations",
    "sign_in_tries": "failed tries at this door",
    "sign_ins": "browsers that are signed in here",
    "spent_challenges": "what passkeys have answered here",
    "staff_invitations": "links in mails that work once; who is wanted is invited anew",
    "webhook_deliveries": "the log of what was sent from here",
    "webhooks": "other programs are told by where it happens; a new one is set up there",
}
"""Tables that stay behind, with the reason."""

THROUGH: dict[str, tuple[str, str]] = {
    "practitioner_sites": ("practitioner_id", "practitioners"),
    "practitioner_types": ("practitioner_id", "practitioners"),
    "session_type_categories": ("session_type_id", "session_types"),
}
"""Tables that belong to the organisation of the row that a column of theirs names."""

SHARED = ("organisations", "accounts")
"""Tables of the whole installation of which some rows travel."""

WITHOUT: dict[str, dict[str, str]] = {
    "accounts": {
        "password_hash": "a password opens this installation; people choose one by mail",
        "session_token": "signs a browser in; made anew",
    },
    "orders": dict.fromkeys(
        ("charged", "adjusted", "balance"), "the database sums the ledger as it comes in"
    ),
}
"""Columns that stay behind, with the reason."""

ACCOUNT_COLUMNS = ("id", "email", "email_key", "name", "feed_key", "created_at")
"""What an account takes along. A column that is added to accounts is left behind only by name."""

SECRETS_KEPT: dict[str, str] = {
    "accounts.feed_key": "the calendar address goes on; for people of this organisation alone",
    "guests.form_secret": "links in mails to guests go on",
    "orders.secret": "links in mails to customers go on",
    "session_bookings.check_in_code": "codes in mails go on",
    "private_links.key": "addresses that were handed out go on",
    "session_types.link_key": "addresses that were handed out go on",
}
"""Unguessable parts of addresses that travel, so that what was mailed goes on working."""

NO_SECRETS = (
    "accounts.email_key",
    "customers.address_key",
    "customers.email_key",
    "customers.name_key",
    "customers.phone_key",
    "former_customers.email_key",
    "session_types.product_code",
)
"""Columns that only sound like it."""

ACCOUNT_NAMES = (("notes", "author_id"),)
"""Columns that name an account without a foreign key, as those called `…_by_id` do: it may be
gone."""

ACCOUNT_TEXTS = {"audit_entries": ("actor_id", "about_id", "subject_id")}
"""Columns in which the id of an account may stand: the account does not travel for their sake."""

_SOUNDS_SECRET = re.compile(r"hash|secret|token|key$|password|_code$|^code_|seal", re.I)
_IS_NAME = re.compile(
    r"name|title|label|place|slug|zone|currency|locale|email|phone|code|order_ref|address_key"
)


def travelling() -> list[sa.Table]:
    """The tables of an archive, each after those that its rows point to."""
    return [table for table in Base.metadata.sorted_tables if _travels(table)]


def _travels(table: sa.Table) -> bool:
    if table.name in LEFT_OUT:
        return False
    return "organisation_id" in table.c or table.name in THROUGH or table.name in SHARED


@cache
def columns_of(table: sa.Table) -> dict[str, Column]:
    """The columns of a table that stand in the archive, in their order."""
    chosen = ACCOUNT_COLUMNS if table.name == "accounts" else tuple(table.c.keys())
    left = WITHOUT.get(table.name, {})
    return {name: _column(table.c[name]) for name in chosen if name not in left}


def self_references(table: sa.Table) -> tuple[str, ...]:
    """Columns that name another row of the same table."""
    return tuple(key.parent.name for key in table.foreign_keys if key.column.table is table)


@cache
def account_columns(table: sa.Table) -> dict[str, bool]:
    """Columns that name an account, and whether it has to travel along."""
    named = {it: False for name, it in ACCOUNT_NAMES if name == table.name}
    named |= {it.name: False for it in table.c if _names_whoever(it)}
    firm = {it.parent.name: True for it in table.foreign_keys if it.column.table.name == "accounts"}
    kept = columns_of(table)
    return {name: is_firm for name, is_firm in (named | firm).items() if name in kept}


def _names_whoever(column: sa.Column[Any]) -> bool:
    return column.name.endswith("_by_id") and not column.foreign_keys


@cache
def numbered(table: sa.Table) -> str | None:
    """The column by which the database counts a table's rows; None where ids are unguessable."""
    keys = list(table.primary_key.columns)
    if len(keys) != 1 or keys[0].foreign_keys or not isinstance(keys[0].type, sa.Integer):
        return None
    return keys[0].name


@cache
def files_of(table: sa.Table) -> tuple[str, ...]:
    """Columns whose bytes are members of their own."""
    return tuple(column.name for column in columns_of(table).values() if column.kind == "file")


def find_undecided() -> list[str]:
    """A sentence for every table, column or reference that nobody has decided about."""
    found = []
    for table in Base.metadata.sorted_tables:
        if table.name in LEFT_OUT:
            continue
        if not _travels(table):
            found.append(
                f"{table.name} has no organisation_id: name it in LEFT_OUT, THROUGH or SHARED."
            )
            continue
        found += [
            f"{table.name}.{name} looks like a secret: name it in WITHOUT, SECRETS_KEPT or "
            "NO_SECRETS."
            for name in columns_of(table)
            if _SOUNDS_SECRET.search(name) and not _is_decided(table.name, name)
        ]
        found += [
            f"{table.name}.{key.parent.name} points to {key.column.table.name}, which stays "
            "behind: name the column in WITHOUT."
            for key in table.foreign_keys
            if key.parent.name in columns_of(table) and not _travels(key.column.table)
        ]
    accounts = Base.metadata.tables["accounts"]
    decided = {*ACCOUNT_COLUMNS, *WITHOUT["accounts"]}
    found += [
        f"accounts.{name}: name it in ACCOUNT_COLUMNS or WITHOUT."
        for name in sorted(set(accounts.c.keys()) - decided)
    ]
    return found


def _is_decided(table: str, column: str) -> bool:
    return f"{table}.{column}" in SECRETS_KEPT or f"{table}.{column}" in NO_SECRETS


def _column(column: sa.Column[Any]) -> Column:
    kind, most = _kind(column.type)
    is_text = kind == "text"
    return Column(
        column.name,
        kind,
        may_be_empty=bool(column.nullable),
        most=most,
        shape=_shape(column) if kind == "json" else None,
        is_name=is_text and bool(_IS_NAME.search(column.name)),
    )


def _kind(type_: sa.types.TypeEngine[Any]) -> tuple[str, int | None]:
    """How its values stand in a line, and how large one may be."""
    for known, kind in _KINDS:
        if isinstance(type_, known):
            if kind == "whole":
                return kind, 64 if isinstance(type_, sa.BigInteger) else 32
            return kind, getattr(type_, "length", None) if kind == "text" else None
    raise TypeError(f"the archive has no way to write {type_!r}")


_KINDS: tuple[tuple[type, str], ...] = (
    (UTCDateTime, "instant"),
    (sa.JSON, "json"),
    (sa.LargeBinary, "file"),
    (sa.DateTime, "wall"),
    (sa.Date, "day"),
    (sa.Time, "time"),
    (sa.Boolean, "truth"),
    (sa.Integer, "whole"),
    (sa.String, "text"),
)


def _shape(column: sa.Column[Any]) -> type | None:
    """A list or a dict, as the default of the column is one."""
    default = getattr(column.default, "arg", None)
    made = default(None) if callable(default) else default
    return type(made) if isinstance(made, (list, dict)) else None
