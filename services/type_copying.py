"""A session type made after another one (R15)."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from domain.session_types import slug_of
from models import (
    IntakeForm,
    PriceRule,
    RecurrenceGroup,
    RecurrenceStartTime,
    SessionType,
    db,
    new_object_id,
)
from services.idempotency import once
from services.places import raise_revision
from services.private_links import new_key
from services.scheduling import produce_sessions
from services.session_types import (
    find_type,
    free_slug,
    next_position,
    read_new,
    values_of,
    write_values,
)

_OF_RULE = (
    "position", "label", "price", "date_from", "date_to", "time_from", "time_to", "weekdays",
    "membership_type_ids",
)  # fmt: skip
_OF_SERIES = (
    "name", "practitioner_id", "room_id", "weekdays", "capacity", "recurrence_start",
    "recurrence_end",
)  # fmt: skip


def copy_type(
    organisation_id: str,
    site_id: str,
    type_id: str,
    given: Mapping[str, Any],
    *,
    with_rules: bool,
    with_series: bool,
    key: str,
    now: dt.datetime,
) -> str:
    """A copy that differs in the fields `given`; its id. Bookings and sessions are never copied.

    Price rules and series come along only when asked for; copied series produce sessions of
    their own. A copy without a name keeps the name (CONTRACT 9). The same `key` again makes
    nothing more. Raises NotFound, WrongFields.
    """
    body = {
        "do": "copy_type", "of": type_id, "given": dict(given), "rules": with_rules,
        "series": with_series,
    }  # fmt: skip

    def deed() -> str:
        source = find_type(organisation_id, site_id, type_id)
        made = _copy_row(source, given, now)
        _copy_form(source, made, now)
        if with_rules:
            _copy_rules(source, made)
        if with_series:
            _copy_series(source, made)
        db.session.flush()
        raise_revision(organisation_id, [made.id])
        return made.id

    made_id = once(organisation_id, key, body, deed, now)
    if with_series:
        for group_id in _series_ids(organisation_id, made_id):
            produce_sessions(organisation_id, group_id, now=now, makes_past=False)
    return made_id


def _copy_row(source: SessionType, given: Mapping[str, Any], now: dt.datetime) -> SessionType:
    organisation_id, site_id = source.organisation_id, source.site_id
    before = values_of(source)
    given = {name: value for name, value in given.items() if name != "name" or value}
    values = {**before, **read_new(organisation_id, site_id, given, before)}
    wanted = values.pop("slug") if "slug" in given else slug_of(values["name"])
    made = SessionType(
        id=new_object_id(),
        organisation_id=organisation_id,
        site_id=site_id,
        slug=free_slug(organisation_id, site_id, wanted),
        link_key=new_key(),
        position=next_position(organisation_id, site_id),
        details=dict(source.details),
        intake_asks_guests=source.intake_asks_guests,
        created_at=now,
        updated_at=now,
    )
    values.pop("slug", None)
    write_values(made, values)
    db.session.add(made)
    db.session.flush()
    return made


def _copy_form(source: SessionType, made: SessionType, now: dt.datetime) -> None:
    """What is asked before a visit is part of the type; the copy begins at version 1."""
    if source.intake_form_version is None:
        return
    form = db.session.scalar(
        sa.select(IntakeForm).where(
            IntakeForm.organisation_id == source.organisation_id,
            IntakeForm.session_type_id == source.id,
            IntakeForm.version == source.intake_form_version,
        )
    )
    if form is None:
        return
    db.session.add(
        IntakeForm(
            organisation_id=source.organisation_id,
            session_type_id=made.id,
            version=1,
            fields=list(form.fields),
            created_at=now,
        )
    )
    made.intake_form_version = 1


def _copy_rules(source: SessionType, made: SessionType) -> None:
    rules = db.session.scalars(
        sa.select(PriceRule).where(
            PriceRule.organisation_id == source.organisation_id,
            PriceRule.session_type_id == source.id,
        )
    )
    db.session.add_all(
        PriceRule(
            organisation_id=source.organisation_id,
            session_type_id=made.id,
            **{name: getattr(rule, name) for name in _OF_RULE},
        )
        for rule in rules.all()
    )


def _copy_series(source: SessionType, made: SessionType) -> None:
    groups = db.session.scalars(
        sa.select(RecurrenceGroup)
        .where(
            RecurrenceGroup.organisation_id == source.organisation_id,
            RecurrenceGroup.session_type_id == source.id,
            RecurrenceGroup.deleted_at.is_(None),
        )
        .options(selectinload(RecurrenceGroup.start_times))
        .order_by(RecurrenceGroup.id)
    )
    for group in groups.all():
        copied = RecurrenceGroup(
            id=new_object_id(),
            organisation_id=source.organisation_id,
            session_type_id=made.id,
            **{name: getattr(group, name) for name in _OF_SERIES},
        )
        db.session.add(copied)
        db.session.add_all(
            RecurrenceStartTime(
                organisation_id=source.organisation_id,
                recurrence_group_id=copied.id,
                value=start.value,
            )
            for start in group.start_times
        )


def _series_ids(organisation_id: str, type_id: str) -> list[str]:
    return list(
        db.session.scalars(
            sa.select(RecurrenceGroup.id).where(
                RecurrenceGroup.organisation_id == organisation_id,
                RecurrenceGroup.session_type_id == type_id,
                RecurrenceGroup.deleted_at.is_(None),
            )
        )
    )
