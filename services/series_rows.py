"""Series as programs read and write them: in lists, and a field at a time (2.3, R3, R21)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from domain.errors import NotFound, RuleBroken, SeveralBroken
from domain.series_patterns import SeriesWish, TimeWish
from models import Practitioner, RecurrenceGroup, Room, SessionType, db
from services import series
from services.idempotency import retrying
from services.paging import Cut, PageOf, cut_out
from services.places import lock_site
from services.series_choices import Choices

_FIELDS = frozenset(field.name for field in fields_of(SeriesWish))

FIXED = ("id", "session_type_id")
"""What a series is once and for all: it may be repeated, as whoever fetched it does (C16)."""


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody or something by id and name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """A series with the names of its room and of whoever leads it."""

    group: RecurrenceGroup
    room: Named | None
    practitioner: Named | None


@dataclass(frozen=True, slots=True)
class SeriesFilter:
    """Which series are wanted; None covers all. The days of an end are included."""

    site_ids: Collection[str] | None = None
    type_ids: Collection[str] | None = None
    with_archived: bool = False
    ends_from: dt.date | None = None
    ends_to: dt.date | None = None


def list_series_lines(organisation_id: str, wanted: SeriesFilter, cut: Cut) -> PageOf[SeriesLine]:
    """A page of series in the order in which they were made (R21); a constant number of queries.

    Those without an end end after every day. Foreign ids match nothing (R1).
    """
    query = (
        sa.select(RecurrenceGroup)
        .join(SessionType, RecurrenceGroup.session_type_id == SessionType.id)
        .where(RecurrenceGroup.organisation_id == organisation_id)
    )
    if wanted.site_ids is not None:
        query = query.where(SessionType.site_id.in_(wanted.site_ids))
    if wanted.type_ids is not None:
        query = query.where(RecurrenceGroup.session_type_id.in_(wanted.type_ids))
    if not wanted.with_archived:
        query = query.where(RecurrenceGroup.deleted_at.is_(None))
    end = RecurrenceGroup.recurrence_end
    if wanted.ends_from is not None:
        query = query.where(sa.or_(end.is_(None), end >= wanted.ends_from))
    if wanted.ends_to is not None:
        query = query.where(end <= wanted.ends_to)
    found = cut_out(
        query,
        cut,
        by=(RecurrenceGroup.id,),
        key=RecurrenceGroup.id,
        options=(selectinload(RecurrenceGroup.start_times),),
    )
    return PageOf(_lines(organisation_id, found.rows), found.total, cut)


def find_series_line(organisation_id: str, site_id: str, group_id: str) -> SeriesLine:
    """One series of this site, live or archived; raises NotFound."""
    return _lines(organisation_id, [series.find_series(organisation_id, site_id, group_id)])[0]


def load_series_of_types(
    organisation_id: str, type_ids: Collection[str], *, with_archived: bool
) -> dict[str, list[SeriesLine]]:
    """The series of several types by the type's id, each in the order they were made."""
    query = (
        sa.select(RecurrenceGroup)
        .where(
            RecurrenceGroup.organisation_id == organisation_id,
            RecurrenceGroup.session_type_id.in_(type_ids),
        )
        .options(selectinload(RecurrenceGroup.start_times))
        .order_by(RecurrenceGroup.id)
        .execution_options(populate_existing=True)
    )
    if not with_archived:
        query = query.where(RecurrenceGroup.deleted_at.is_(None))
    found: dict[str, list[SeriesLine]] = defaultdict(list)
    for line in _lines(organisation_id, db.session.scalars(query).all()):
        found[line.group.session_type_id].append(line)
    return found


def list_wrong_fields(
    organisation_id: str,
    site_id: str,
    given: Mapping[str, Any],
    *,
    type_id: str = "",
    group_id: str = "",
    now: dt.datetime,
) -> list[RuleBroken]:
    """Everything that is wrong with what is `given` for a series; nothing is written."""
    group = series.find_series(organisation_id, site_id, group_id) if group_id else None
    problems = series.list_wrong_fields(
        organisation_id,
        site_id,
        type_id=type_id,
        group_id=group_id,
        wish=wish_with(series.wish_of(group) if group else SeriesWish(), given),
        now=now,
    )
    found = [RuleBroken(sentence, field=field) for field, sentence in problems]
    return [*_find_other_identity(group, given), *found] if group else found


def add_series(
    organisation_id: str,
    site_id: str,
    type_id: str,
    given: Mapping[str, Any],
    *,
    now: dt.datetime,
) -> str:
    """Make a series of what is `given`, with its sessions as far as it is complete; its id.

    Raises NotFound, SeriesRefused, WrongState while its type is archived.
    """
    wish = wish_with(SeriesWish(), given)
    return series.create_series(
        organisation_id, site_id, type_id, wish, shown=None, key="", now=now
    )


def change_series(
    organisation_id: str,
    site_id: str,
    group_id: str,
    given: Mapping[str, Any],
    *,
    now: dt.datetime,
) -> None:
    """Write the fields `given` and nothing else (R3); its sessions follow (R24).

    Booked sessions are left as they are, for staff to look at. Raises NotFound, for an archived
    one too, and SeveralBroken naming every field at fault.
    """

    def deed() -> None:
        group = _find_live(organisation_id, site_id, group_id)
        problems = list_wrong_fields(organisation_id, site_id, given, group_id=group_id, now=now)
        if problems:
            raise SeveralBroken(problems)
        before = series.wish_of(group)
        wish = wish_with(before, given)
        if wish == before:
            return
        series.save_series(
            organisation_id,
            site_id,
            group_id,
            wish,
            seen=None,
            shown=None,
            choices=Choices(),
            account_id=None,
            now=now,
        )

    retrying(deed)


def archive_live_series(
    organisation_id: str, site_id: str, group_id: str, *, now: dt.datetime
) -> None:
    """Archive a series whatever it takes away (R25); raises NotFound, a second time too (R11)."""

    def deed() -> None:
        _find_live(organisation_id, site_id, group_id)
        series.archive_series(organisation_id, site_id, group_id, shown=None, now=now)

    retrying(deed)


def bring_back_series(
    organisation_id: str, site_id: str, group_id: str, *, now: dt.datetime
) -> None:
    """The series goes on with what went with it (R25); a live one stays as it is (R11).

    Raises NotFound, WrongState while its type is archived.
    """
    series.restore_series(organisation_id, site_id, group_id, shown=None, now=now)


def wish_with(before: SeriesWish, given: Mapping[str, Any]) -> SeriesWish:
    """The wish with the fields `given` in place of its own; what is no field of it is left out.

    `start_time` is the older way to say the only start time (C6): it moves the one there is.
    """
    fields = {name: value for name, value in given.items() if name in _FIELDS}
    if "name" in fields:
        fields["name"] = " ".join(fields["name"].split())
    if "start_time" in given:
        only = before.start_times[0].id if len(before.start_times) == 1 else ""
        fields["start_times"] = (TimeWish(only, given["start_time"]),)
    return replace(before, **fields)


def _find_live(organisation_id: str, site_id: str, group_id: str) -> RecurrenceGroup:
    """The series with its site held still (ADR 9)."""
    lock_site(organisation_id, site_id)
    group = series.find_series(organisation_id, site_id, group_id)
    if group.deleted_at is not None:
        raise NotFound("This series is archived. Restore it first.")
    return group


def _find_other_identity(group: RecurrenceGroup, given: Mapping[str, Any]) -> list[RuleBroken]:
    return [
        RuleBroken("This can't be another one.", code="fixed", field=name)
        for name in FIXED
        if name in given and given[name] != getattr(group, name)
    ]


def _lines(organisation_id: str, groups: Sequence[RecurrenceGroup]) -> list[SeriesLine]:
    rooms = _names(organisation_id, Room, {one.room_id for one in groups})
    people = _names(organisation_id, Practitioner, {one.practitioner_id for one in groups})
    return [
        SeriesLine(one, rooms.get(one.room_id), people.get(one.practitioner_id)) for one in groups
    ]


def _names(
    organisation_id: str, model: Any, ids: Collection[str | None]
) -> dict[str | None, Named]:
    rows = db.session.execute(
        sa.select(model.id, model.name).where(
            model.organisation_id == organisation_id, model.id.in_([it for it in ids if it])
        )
    )
    return {row.id: Named(row.id, row.name) for row in rows}
