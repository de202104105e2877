"""Session types as programs read and write them: in lists, and a field at a time (2.1, R3, R21)."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.errors import NotFound, RuleBroken
from domain.session_types import (
    ACCESS,
    DETAILS,
    OFFERINGS,
    SESSION,
    WrongFields,
    find_other_identity,
)
from models import SessionType, db
from services import session_types
from services.facts import rule_of
from services.idempotency import retrying
from services.paging import Cut, PageOf, cut_out
from services.price_rules import Placed
from services.series_rows import SeriesLine, load_series_of_types
from services.type_archiving import archive_type
from services.type_copying import copy_type

WRITTEN = (*DETAILS, *ACCESS, "private")
"""Every field that can be written, with the older word for where a type shows (C2)."""

_LOADED = (
    joinedload(SessionType.image),
    selectinload(SessionType.categories),
    selectinload(SessionType.price_rules),
)


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A session type with everything that a program reads of it.

    `series` is None where nobody asked for it; `names` are the types that it offers beside
    itself, by their ids.
    """

    kind: SessionType
    series: tuple[SeriesLine, ...] | None
    names: Mapping[str, str]

    @property
    def values(self) -> dict[str, Any]:
        """Every field that can be written."""
        return session_types.values_of(self.kind)

    @property
    def rules(self) -> list[Placed]:
        """Its price rules in the order tried."""
        rows = enumerate(self.kind.price_rules, start=1)
        return [Placed(self.kind.id, rule_of(row), number) for number, row in rows]


@dataclass(frozen=True, slots=True)
class TypeFilter:
    """Which types are wanted; None covers all sites."""

    site_ids: Collection[str] | None = None
    text: str = ""
    with_archived: bool = False
    with_series: bool = True


def list_type_rows(organisation_id: str, wanted: TypeFilter, cut: Cut) -> PageOf[TypeRow]:
    """A page of types by name (R21); a constant number of queries. Foreign sites have none (R1)."""
    query = sa.select(SessionType).where(SessionType.organisation_id == organisation_id)
    if wanted.site_ids is not None:
        query = query.where(SessionType.site_id.in_(wanted.site_ids))
    if wanted.text.strip():
        query = query.where(SessionType.name.icontains(wanted.text.strip(), autoescape=True))
    if not wanted.with_archived:
        query = query.where(SessionType.deleted_at.is_(None))
    found = cut_out(
        query,
        cut,
        by=(sa.func.lower(SessionType.name), SessionType.id),
        key=SessionType.id,
        options=_LOADED,
    )
    rows = _rows(
        organisation_id,
        found.rows,
        with_series=wanted.with_series,
        with_archived=wanted.with_archived,
    )
    return PageOf(rows, found.total, cut)


def find_type_row(organisation_id: str, site_id: str, type_id: str) -> TypeRow:
    """One type of this site, live or archived, with its live series; raises NotFound."""
    kind = db.session.scalar(
        sa.select(SessionType)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.id == type_id,
        )
        .options(*_LOADED)
        .execution_options(populate_existing=True)
    )
    if kind is None:
        raise NotFound("We couldn't find that session type.")
    return _rows(organisation_id, [kind], with_series=True, with_archived=False)[0]


def list_wrong_fields(
    organisation_id: str, site_id: str, given: Mapping[str, Any], *, type_id: str = ""
) -> list[RuleBroken]:
    """Everything that is wrong with what is `given` for a type; nothing is written.

    `type_id` is that of the type that is changed, or copied.
    """
    own = {"organisation_id": organisation_id}
    if type_id:
        own = _identity(organisation_id, site_id, type_id)
    return [
        *find_other_identity(given, own),
        *session_types.list_wrong_fields(organisation_id, site_id, given, type_id=type_id),
    ]


def add_type(
    organisation_id: str, site_id: str, given: Mapping[str, Any], *, now: dt.datetime
) -> str:
    """Make a type of what is `given`; its id. Raises WrongFields, NotFound for the site."""

    def deed() -> str:
        with _named_with(find_other_identity(given, {"organisation_id": organisation_id})):
            return session_types.make_type(
                organisation_id, site_id, _written(given), key="", now=now
            )

    return retrying(deed)


def change_type(
    organisation_id: str, site_id: str, type_id: str, given: Mapping[str, Any], *, now: dt.datetime
) -> None:
    """Write the fields `given` and nothing else (R3); raises NotFound, WrongFields."""

    def deed() -> None:
        own = _identity(organisation_id, site_id, type_id)
        with _named_with(find_other_identity(given, own)):
            session_types.save_type(
                organisation_id,
                site_id,
                type_id,
                _written(given),
                part=WRITTEN,
                seen=None,
                now=now,
            )

    retrying(deed)


def add_copy(
    organisation_id: str,
    site_id: str,
    type_id: str,
    given: Mapping[str, Any],
    *,
    with_rules: bool,
    with_series: bool,
    now: dt.datetime,
) -> str:
    """Copy a type with the fields `given` in place of its own (R15); the copy's id.

    Raises NotFound, WrongFields.
    """

    def deed() -> str:
        own = _identity(organisation_id, site_id, type_id)
        with _named_with(find_other_identity(given, own)):
            return copy_type(
                organisation_id,
                site_id,
                type_id,
                _written(given),
                with_rules=with_rules,
                with_series=with_series,
                key="",
                now=now,
            )

    return retrying(deed)


def archive_live_type(
    organisation_id: str, site_id: str, type_id: str, *, now: dt.datetime
) -> None:
    """Archive a type whatever it touches (R14); raises NotFound, a second time too (R11)."""
    if not archive_type(organisation_id, site_id, type_id, seen=None, now=now):
        raise NotFound("This session type is archived already.")


def _written(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in WRITTEN}


def _identity(organisation_id: str, site_id: str, type_id: str) -> dict[str, str]:
    return {"id": type_id, "site_id": site_id, "organisation_id": organisation_id}


@contextmanager
def _named_with(problems: Sequence[RuleBroken]) -> Iterator[None]:
    """Name `problems` together with what the fields themselves are refused for (CONTRACT 9)."""
    try:
        yield
    except WrongFields as broken:
        raise WrongFields([*problems, *broken.problems]) from broken
    if problems:
        raise WrongFields(list(problems))


def _rows(
    organisation_id: str, kinds: Sequence[SessionType], *, with_series: bool, with_archived: bool
) -> list[TypeRow]:
    names = _names(organisation_id, kinds)
    found: Mapping[str, list[SeriesLine]] = {}
    if with_series:
        ids = [kind.id for kind in kinds]
        found = load_series_of_types(organisation_id, ids, with_archived=with_archived)
    return [
        TypeRow(kind, tuple(found.get(kind.id, ())) if with_series else None, names)
        for kind in kinds
    ]


def _names(organisation_id: str, kinds: Iterable[SessionType]) -> dict[str, str]:
    """What the types are called that these offer beside themselves."""
    ids = {
        str(one.get("offering_id"))
        for kind in kinds
        for name in OFFERINGS
        for one in getattr(kind, name)
        if one.get("offering_type") == SESSION
    }
    rows = db.session.execute(
        sa.select(SessionType.id, SessionType.name).where(
            SessionType.organisation_id == organisation_id, SessionType.id.in_(ids)
        )
    )
    return {row.id: row.name for row in rows}
