"""Reading the trail of what was changed, and taking a person out of it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.errors import NotFound
from domain.local_time import to_utc
from domain.trail_words import (
    GRANTS,
    Change,
    Field,
    Said,
    Tongue,
    name_part,
    say_change,
    say_door,
    why_not_undone,
)
from domain.wording import KINDS
from domain.words import say_time, say_weekday_short
from models import (
    Account,
    AuditEntry,
    AuditValues,
    Base,
    Customer,
    FormerCustomer,
    Order,
    Session,
    SessionBooking,
    db,
)
from models.audit import AUDITED, erasing

PAGE = 40
"""Entries on one page; what one transaction did is never torn apart further than that."""

OPENS: dict[str, tuple[str, ...]] = {
    "accounts": ("STAFF_MANAGE",),
    "api_tokens": ("STAFF_MANAGE",),
    "categories": ("SETTINGS_MANAGE",),
    "customers": ("CUSTOMERS_MANAGE",),
    "kiosks": ("RESERVATIONS_MANAGE",),
    "media": ("SETTINGS_MANAGE",),
    "membership_types": ("CUSTOMERS_MANAGE",),
    "orders": ("ORDERS_MANAGE",),
    "organisations": ("SETTINGS_MANAGE",),
    "practitioners": ("SETTINGS_MANAGE",),
    "private_links": ("SETTINGS_MANAGE",),
    "recurrence_groups": ("SETTINGS_MANAGE",),
    "rooms": ("SETTINGS_MANAGE",),
    "session_bookings": ("RESERVATIONS_MANAGE",),
    "session_types": ("SETTINGS_MANAGE",),
    "sessions": ("RESERVATIONS_MANAGE",),
    "sites": ("SETTINGS_MANAGE",),
    "staff_invitations": ("STAFF_MANAGE",),
    "webhooks": ("SETTINGS_MANAGE",),
    "zones": ("SETTINGS_MANAGE",),
}
"""Which right opens the history of what: the one that opens its page."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row that was touched: in words, and why it can't be undone (empty: it can)."""

    id: int
    about: str
    about_id: str
    thing: str
    part: str
    said: tuple[Said, ...]
    stays: str
    site_id: str | None = None
    """The site that it belongs to: its page is under that site's address."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What one transaction did, by whom, from where and why."""

    at: dt.datetime
    who: str
    actor_kind: str
    door: str
    address: str
    why: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """Some deeds, the newest first; `older` asks for those before, None at the end."""

    deeds: tuple[Deed, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: their organisation, their site, its zone, how it says money, their rights.

    `everywhere`: rights that they hold at all sites, so that other sites' entries of what these
    open are theirs to read, too.
    """

    organisation_id: str
    site_id: str
    zone: ZoneInfo
    money: Callable[[int], str]
    rights: Collection[str] = ()
    everywhere: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the log of the whole house is narrowed to; empty asks for nothing."""

    who: str = ""
    kind: str = ""
    day: dt.date | None = None


def may_open(about: str, rights: Collection[str]) -> bool:
    """Whether one of these rights opens the history of such a thing."""
    return bool(set(OPENS.get(about, ())) & set(rights))


def list_trail(
    reader: Reader, things: Sequence[tuple[str, str]], *, before: int | None = None
) -> Trail:
    """What was done to these things (a table and an id each), newest first; constant queries.

    Of an order with its bookings, of a customer with all that were merged into them.
    """
    things = [*things, *_bookings_of(reader, [key for table, key in things if table == "orders"])]
    things += _formers_of(reader, [key for table, key in things if table == "customers"])
    about: dict[str, list[str]] = defaultdict(list)
    for table, row_id in things:
        about[table].append(row_id)
    wanted = sa.or_(
        *(
            sa.and_(AuditEntry.about == table, AuditEntry.about_id.in_(ids))
            for table, ids in about.items()
        )
    )
    return _page(reader, [wanted], before)


def find_thing(reader: Reader, about: str, thing_id: str) -> str:
    """What such a thing is called; NotFound for another site's, or one without the right."""
    if not may_open(about, reader.rights):
        raise NotFound
    seen = sa.select(AuditEntry.id).where(
        *_of_reader(reader), AuditEntry.about == about, AuditEntry.about_id == thing_id
    )
    if db.session.scalar(seen.limit(1)) is None and not _stands(reader, about, thing_id):
        raise NotFound
    return _names(reader.organisation_id, {about: {thing_id}}).get(thing_id, "")


def list_log(reader: Reader, asked: Asked, *, before: int | None = None) -> Trail:
    """Everything that this reader may see of the whole house, newest first."""
    readable = [about for about in OPENS if may_open(about, reader.rights)]
    wanted: list[sa.ColumnElement[bool]] = [AuditEntry.about.in_(readable)]
    if asked.who:
        wanted.append(AuditEntry.actor_id == asked.who)
    if asked.kind:
        wanted.append(AuditEntry.about == asked.kind)
    if asked.day and asked.day < dt.date.max:
        begins, ends = (
            to_utc(dt.datetime.combine(day, dt.time()), reader.zone)
            for day in (asked.day, asked.day + dt.timedelta(days=1))
        )
        wanted += [AuditEntry.at >= begins, AuditEntry.at < ends]
    return _page(reader, wanted, before)


def list_people(reader: Reader) -> list[tuple[str, str]]:
    """Colleagues whose changes the log holds, by name."""
    rows = db.session.execute(
        sa.select(AuditEntry.actor_id, sa.func.max(AuditEntry.actor_name))
        .where(
            AuditEntry.organisation_id == reader.organisation_id,
            AuditEntry.actor_kind == "account",
            AuditEntry.actor_name != "",
        )
        .group_by(AuditEntry.actor_id)
    ).all()
    return sorted(((row[0], row[1]) for row in rows), key=lambda pair: pair[1].casefold())


def erase_trail(organisation_id: str | None, subjects: Mapping[str, Collection[str]]) -> None:
    """Take what is personal about these rows out of the trail; table's name to ids.

    Part of the transaction that erases a person, which calls it before it empties the rows: from
    here to its end nothing personal is written. That something was changed, by whom and when,
    stays. None for the rows of accounts, which belong to no organisation.
    """
    erasing()
    for table, ids in subjects.items():
        entries = sa.select(AuditEntry.id).where(
            AuditEntry.organisation_id == organisation_id,
            sa.or_(
                sa.and_(AuditEntry.about == table, AuditEntry.about_id.in_(list(ids))),
                sa.and_(AuditEntry.subject == table, AuditEntry.subject_id.in_(list(ids))),
            ),
        )
        db.session.execute(
            sa.delete(AuditValues).where(
                AuditValues.organisation_id == organisation_id, AuditValues.entry_id.in_(entries)
            )
        )


def _bookings_of(reader: Reader, order_ids: Sequence[str]) -> list[tuple[str, str]]:
    if not order_ids:
        return []
    found = db.session.scalars(
        sa.select(SessionBooking.id).where(
            SessionBooking.organisation_id == reader.organisation_id,
            SessionBooking.order_id.in_(order_ids),
        )
    )
    return [("session_bookings", booking_id) for booking_id in found]


def _formers_of(reader: Reader, customer_ids: Sequence[str]) -> list[tuple[str, str]]:
    if not customer_ids:
        return []
    found = db.session.scalars(
        sa.select(FormerCustomer.id).where(
            FormerCustomer.organisation_id == reader.organisation_id,
            FormerCustomer.customer_id.in_(customer_ids),
        )
    )
    return [("customers", former_id) for former_id in found]


def _stands(reader: Reader, about: str, thing_id: str) -> bool:
    """Whether there is such a row of this site, or of the organisation where it has no site."""
    if about == "accounts":
        return bool(_account_names(reader.organisation_id, [thing_id]))
    table = Base.metadata.tables[about]
    spec = AUDITED[about]
    wanted = [table.c.id == thing_id]
    if "organisation_id" in table.c:
        wanted.append(table.c.organisation_id == reader.organisation_id)
    else:
        wanted.append(table.c.id == reader.organisation_id)
    if "site_id" in table.c and not spec.site:
        wanted.append(table.c.site_id == reader.site_id)
    elif about == "sites":
        wanted.append(table.c.id == reader.site_id)
    elif "session_type_id" in table.c:
        kinds = Base.metadata.tables["session_types"]
        wanted.append(
            table.c.session_type_id.in_(
                sa.select(kinds.c.id).where(kinds.c.site_id == reader.site_id)
            )
        )
    return db.session.execute(sa.select(table.c.id).where(*wanted)).first() is not None


def _of_reader(reader: Reader) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = [AuditEntry.organisation_id == reader.organisation_id]
    whole = [about for about in OPENS if may_open(about, reader.everywhere)]
    wanted.append(
        sa.or_(
            AuditEntry.site_id.is_(None),
            AuditEntry.site_id == reader.site_id,
            AuditEntry.about.in_(whole),
        )
    )
    return wanted


def _page(reader: Reader, wanted: list[sa.ColumnElement[bool]], before: int | None) -> Trail:
    wanted = [*_of_reader(reader), *wanted]
    if before is not None:
        wanted.append(AuditEntry.id < before)
    rows = db.session.scalars(
        sa.select(AuditEntry)
        .where(*wanted)
        .options(joinedload(AuditEntry.values))
        .order_by(AuditEntry.id.desc())
        .limit(PAGE + 1)
    ).all()
    shown = rows[:PAGE]
    return Trail(_deeds(reader, shown), shown[-1].id if len(rows) > PAGE else None)


def _deeds(reader: Reader, rows: Sequence[AuditEntry]) -> tuple[Deed, ...]:
    changes = {row.id: change_of(row) for row in rows}
    names = say_names(reader.organisation_id, rows, list(changes.values()))
    people = _names_of_actors(rows)
    tongue = Tongue(reader.zone, reader.money, names)
    found = []
    for _, group in groupby(rows, key=lambda row: row.deed_id):
        lines = list(group)
        first = lines[0]
        touched = fold_rows(lines, changes)
        found.append(
            Deed(
                first.at,
                say_who(first, people),
                first.actor_kind,
                say_door(first.door),
                first.address,
                tuple(dict.fromkeys(filter(None, map(reason_of, lines)))),
                _once(_line(row, change, tongue) for row, change in touched),
            )
        )
    return tuple(deed for deed in found if deed.lines)


def _once(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Rows of which the same is said are said once: ten recovery codes, a title on every right."""
    found: dict[object, Line] = {}
    for line in lines:
        said = (line.about, line.about_id, line.part, line.said)
        found.setdefault(said if line.stays else line.id, line)
    return tuple(found.values())


def fold_rows(
    rows: Sequence[AuditEntry], changes: Mapping[int, Change]
) -> list[tuple[AuditEntry, Change]]:
    """Each row once, from its first state to its last; one that is as it was before is left out."""
    found: dict[tuple[str, str], tuple[AuditEntry, Change]] = {}
    for row in reversed(rows):
        key = (row.subject, row.subject_id)
        known = found.get(key)
        found[key] = (row, fold(known[1] if known else None, changes[row.id]))
    return [
        (row, change)
        for row, change in found.values()
        if change.act != "changed" or any(it.before != it.after for it in change.fields)
    ]


def _line(row: AuditEntry, change: Change, tongue: Tongue) -> Line:
    own = tongue.names.get(row.subject_id) or str(row.before.get("name") or "")
    thing = tongue.names.get(row.about_id, "")
    is_part = row.subject != row.about
    named = replace(change, thing=own if is_part else "")
    is_named = change.act == "changed" and row.subject not in GRANTS
    part = name_part(named) if is_part and is_named else ""
    said, stays = say_change(named, tongue), why_not_undone(change)
    return Line(row.id, row.about, row.about_id, thing or own, part, said, stays, row.site_id)


def reason_of(row: AuditEntry) -> str:
    """Why it was done, where somebody said so and it was not erased."""
    return row.why or (row.values.why if row.values else "")


_ACTORS = {
    "worker": "Sundial, by itself",
    "console": "The console",
    "visitor": "A visitor",
    "system": "Sundial",
    "kiosk": "A kiosk",
    "token": "An API token",
}


def say_who(row: AuditEntry, people: Mapping[str, str] = MappingProxyType({})) -> str:
    """Who did it; `people` names accounts of which the entry keeps no name."""
    if row.actor_name:
        return row.actor_name
    return _ACTORS.get(row.actor_kind) or people.get(row.actor_id, "Somebody who is gone")


def _names_of_actors(rows: Iterable[AuditEntry]) -> dict[str, str]:
    ids = {row.actor_id for row in rows if row.actor_kind == "account" and not row.actor_name}
    if not ids:
        return {}
    found = db.session.execute(sa.select(Account.id, Account.name).where(Account.id.in_(ids)))
    return {row[0]: row[1] for row in found}


# Values as they were, out of JSON


def change_of(row: AuditEntry, *, whole: bool = False) -> Change:
    """An entry as the domain speaks of it, personal values among them while they are kept.

    Columns that hold several texts come text by text, unless the `whole` column is asked for.
    """
    own = row.values
    before = {**row.before, **(own.before if own else {})}
    after = {**row.after, **(own.after if own else {})}
    columns = Base.metadata.tables[row.subject].c
    names = sorted({*before, *after}, key=lambda name: _place(columns, name))
    fields = [_field(row.subject, name, before.get(name), after.get(name)) for name in names]
    if not whole:
        fields = [part for field in fields for part in _parts(field)]
    return Change(row.subject, row.act, tuple(fields))


_OF_SEVERAL = ("texts", "brand", "details")


def _parts(field: Field) -> list[Field]:
    """The texts of a column that holds several: those that differ."""
    before, after = field.before, field.after
    if field.name not in _OF_SEVERAL or not (isinstance(before, dict) and isinstance(after, dict)):
        return [field]
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [
        Field(
            name,
            "text" if isinstance(before.get(name, after.get(name)), str) else "json",
            before.get(name),
            after.get(name),
        )
        for name in names
    ]


def _place(columns: Any, name: str) -> int:
    return list(columns.keys()).index(name) if name in columns else len(columns)


def _field(table: str, name: str, before: Any, after: Any) -> Field:
    column = Base.metadata.tables[table].c.get(name)
    if name in AUDITED[table].secret:
        return Field(name, "secret", before, after)
    if column is None:
        # A link between two things: ids that came or went.
        return Field(name, "links", *([one] if one else [] for one in (before, after)))
    kind = kind_of(column)
    return Field(name, kind, read_value(kind, before), read_value(kind, after))


def kind_of(column: sa.Column[Any]) -> str:
    """How the values of a column are read and said."""
    if column.foreign_keys:
        return "ref"
    if isinstance(column.type, sa.types.TypeDecorator):
        return "instant"
    for type_, kind in (
        (sa.BigInteger, "money"),
        (sa.Boolean, "flag"),
        (sa.JSON, "json"),
        (sa.DateTime, "local"),
        (sa.Date, "day"),
        (sa.Time, "time"),
        (sa.Integer, "number"),
    ):
        if isinstance(column.type, type_):
            return kind
    return "text"


def read_value(kind: str, value: Any) -> Any:
    """A value of the trail's JSON as the column has it; both databases write their own way."""
    if value is None:
        return None
    if kind == "instant":
        at = dt.datetime.fromisoformat(value)
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    ways: dict[str, Callable[[Any], Any]] = {
        "flag": bool,
        "local": dt.datetime.fromisoformat,
        "day": dt.date.fromisoformat,
        "time": dt.time.fromisoformat,
    }
    return ways.get(kind, lambda same: same)(value)


def list_folded(entry: AuditEntry, *, whole: bool = False) -> dict[str, Change]:
    """What the deed of an entry did to rows of its kind, each from its first state to its last.

    By the row's id; `whole` as in `change_of`.
    """
    rows = db.session.scalars(
        sa.select(AuditEntry)
        .where(
            AuditEntry.organisation_id == entry.organisation_id,
            AuditEntry.about == entry.about,
            AuditEntry.about_id == entry.about_id,
            AuditEntry.deed_id == entry.deed_id,
            AuditEntry.subject == entry.subject,
        )
        .options(joinedload(AuditEntry.values))
        .order_by(AuditEntry.id)
    )
    found: dict[str, Change] = {}
    for row in rows:
        change = change_of(row, whole=whole)
        found[row.subject_id] = fold(found.get(row.subject_id), change)
    return found


def fold(first: Change | None, then: Change) -> Change:
    """Two changes of one row in a deed as one."""
    if first is None:
        return then
    act = first.act if first.act == "made" else then.act
    fields = {field.name: field for field in first.fields}
    for field in then.fields:
        known = fields.get(field.name)
        if known and field.kind == "links":
            went = [one for one in known.before + field.before if one not in field.after]
            came = [one for one in known.after + field.after if one not in known.before]
            fields[field.name] = replace(field, before=went, after=came)
        else:
            fields[field.name] = replace(field, before=known.before if known else field.before)
    changed = (it for it in fields.values() if it.kind == "secret" or it.before != it.after)
    return Change(then.subject, act, tuple(changed))


# Names of ids


def say_names(
    organisation_id: str, rows: Sequence[AuditEntry], changes: Sequence[Change]
) -> dict[str, str]:
    """The names of everything that these entries and changes speak of, by id."""
    return _names(organisation_id, _named(rows, changes))


def _named(rows: Iterable[AuditEntry], changes: Iterable[Change]) -> dict[str, set[str]]:
    """Which ids of which tables are spoken of."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row.about].add(row.about_id)
        found[row.subject].add(row.subject_id)
    for change in changes:
        for field in change.fields:
            for table, value in _ids_in(change.subject, field):
                found[table].add(value)
    return found


_LISTS = {
    "practitioner_sites": "sites",
    "practitioner_types": "session_types",
    "session_type_categories": "categories",
    "membership_type_ids": "membership_types",
    "permitted_membership_type_ids": "membership_types",
}


def _ids_in(subject: str, field: Field) -> Iterable[tuple[str, str]]:
    column = Base.metadata.tables[subject].c.get(field.name)
    target = _LISTS.get(field.name)
    if column is not None and column.foreign_keys:
        target = next(iter(column.foreign_keys)).column.table.name
    if target is None:
        return
    for value in (field.before, field.after):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield target, one


_NAMED_BY_NAME = {
    *("categories", "media", "membership_types", "organisations", "practitioners", "rooms"),
    *("session_types", "sites", "zones", "customers", "private_links", "recurrence_groups"),
    *("price_rules", "letter_wordings", "closed_days", "guests"),
    *("kiosks", "api_tokens", "staff_invitations", "webhooks"),
}


def _names(organisation_id: str, wanted: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Names by id: a query for each kind of thing, however many there are."""
    found: dict[str, str] = {}
    for table, ids in wanted.items():
        if table in _NAMED_BY_NAME:
            found |= _plain_names(organisation_id, table, ids)
        elif table in _WAYS:
            found |= _WAYS[table](organisation_id, ids)
    return found


_SAYS: dict[str, Callable[[Any], str]] = {
    "letter_wordings": lambda letter: KINDS[letter].title if letter in KINDS else str(letter),
}
_CALLED = {
    "media": "file_name",
    "price_rules": "label",
    "letter_wordings": "letter",
    "staff_invitations": "email",
    "closed_days": "day",
}


def _plain_names(organisation_id: str, name: str, ids: Collection[str]) -> dict[str, str]:
    table = Base.metadata.tables[name]
    owner = table.c.id if name == "organisations" else table.c.organisation_id
    label = table.c[_CALLED.get(name, "name")]
    rows = db.session.execute(
        sa.select(table.c.id, label).where(owner == organisation_id, table.c.id.in_(list(ids)))
    )
    say = _SAYS.get(name, str)
    return {row[0]: say(row[1]) for row in rows}


def _session_names(organisation_id: str, ids: Collection[str]) -> dict[str, str]:
    rows = db.session.execute(
        sa.select(Session.id, Session.session_type_name, Session.local_start).where(
            Session.organisation_id == organisation_id, Session.id.in_(list(ids))
        )
    )
    return {row[0]: f"{row[1]}, {say_weekday_short(row[2])} {say_time(row[2])}" for row in rows}


def _booking_names(organisation_id: str, ids: Collection[str]) -> dict[str, str]:
    rows = db.session.execute(
        sa.select(SessionBooking.id, Order.order_ref, Order.name)
        .join(Order, Order.id == SessionBooking.order_id)
        .where(SessionBooking.organisation_id == organisation_id, SessionBooking.id.in_(list(ids)))
    )
    return {row[0]: f"{row[2]} {row[1]}".strip() for row in rows}


def _order_names(organisation_id: str, ids: Collection[str]) -> dict[str, str]:
    rows = db.session.execute(
        sa.select(Order.id, Order.order_ref).where(
            Order.organisation_id == organisation_id, Order.id.in_(list(ids))
        )
    )
    return {row[0]: row[1] for row in rows}


def _account_names(organisation_id: str, ids: Collection[str]) -> dict[str, str]:
    """Of customers and staff of this organisation only."""
    grants = Base.metadata.tables["staff_grants"]
    theirs = sa.or_(
        Account.id.in_(
            sa.select(Customer.account_id).where(Customer.organisation_id == organisation_id)
        ),
        Account.id.in_(
            sa.select(grants.c.account_id).where(grants.c.organisation_id == organisation_id)
        ),
    )
    rows = db.session.execute(
        sa.select(Account.id, Account.name).where(Account.id.in_(list(ids)), theirs)
    )
    return {row[0]: row[1] for row in rows}


_WAYS: dict[str, Callable[[str, Collection[str]], dict[str, str]]] = {
    "sessions": _session_names,
    "session_bookings": _booking_names,
    "orders": _order_names,
    "accounts": _account_names,
}
