import datetime as dt
from contextlib import suppress
from typing import Any

from flask import Response, flash
from wtforms import StringField

from blueprints.clock import utcnow
from blueprints.forms import Form, obeys
from blueprints.security import current_desk, needs
from blueprints.setup.area import SETTINGS, bp, desks_to_set_up, go, show_page
from blueprints.setup.editing import Editing, shown
from blueprints.setup.forms import PersonForm
from domain.errors import NotFound, RuleBroken
from domain.venue_rules import check_line
from services.practitioners import (
    add_time_off,
    find_practitioner,
    find_time_off,
    list_leadable,
    list_time_off,
    practitioner_values,
    remove_time_off,
)
from services.venue_settings import load_site


class TimeOffForm(Form):
    local_start = StringField()
    local_end = StringField()
    reason = StringField(validators=[obeys(lambda text: check_line(text, field="reason"))])


@bp.post("/<site>/team/<person_id>/time-off")
@needs(SETTINGS)
def be_away(site: str, person_id: str) -> Any:
    venue, form = current_desk().venue, TimeOffForm()
    row = find_practitioner(venue.organisation_id, venue.id, person_id)
    away_id = ""
    if form.validate():
        try:
            away_id = add_time_off(
                venue.organisation_id,
                venue.id,
                person_id,
                local_start=_moment(form.local_start.data, "local_start"),
                local_end=_moment(form.local_end.data, "local_end"),
                reason=form.reason.data or "",
                now=utcnow(),
            )
        except NotFound:
            raise
        except RuleBroken as broken:
            form.refuse(broken)
    if form.errors:
        kept = practitioner_values(row, [desk.venue.id for desk in desks_to_set_up()])
        return show_person(shown(PersonForm, kept), person_id, away_form=form, status=422)
    flash("The time off is kept.", "ok")
    return go("setup.person", person_id=person_id, _anchor=f"away-{away_id}")


@bp.get("/<site>/team/<person_id>/time-off/<away_id>/removal")
@needs(SETTINGS)
def ask_remove_away(site: str, person_id: str, away_id: str) -> Response:
    venue = current_desk().venue
    return show_page(
        "setup/remove_away.html",
        person=find_practitioner(venue.organisation_id, venue.id, person_id),
        away=find_time_off(venue.organisation_id, venue.id, person_id, away_id),
    )


@bp.post("/<site>/team/<person_id>/time-off/<away_id>/removal")
@needs(SETTINGS)
def remove_away(site: str, person_id: str, away_id: str) -> Any:
    venue = current_desk().venue
    remove_time_off(venue.organisation_id, venue.id, person_id, away_id)
    flash("The time off is taken out.", "ok")
    return go("setup.person", person_id=person_id)


def show_person(
    editing: Editing,
    person_id: str = "",
    *,
    away_form: TimeOffForm | None = None,
    status: int | None = None,
) -> Response:
    """The page of one person, or of a new one."""
    venue, now = current_desk().venue, utcnow()
    desks = desks_to_set_up()
    row = find_practitioner(venue.organisation_id, venue.id, person_id) if person_id else None
    away = []
    if person_id:
        own = load_site(venue.organisation_id, venue.id)
        away = list_time_off(venue.organisation_id, own, person_id, now=now)
    return show_page(
        "setup/person.html",
        person=row,
        editing=editing,
        desks=desks,
        types=list_leadable(venue.organisation_id, [desk.venue.id for desk in desks]),
        away=away,
        away_form=away_form or TimeOffForm(formdata=None),
        status=status or editing.status,
    )


def _moment(text: str | None, field: str) -> dt.datetime:
    with suppress(ValueError, OverflowError):
        moment = dt.datetime.fromisoformat(text or "")
        if moment.tzinfo is None and 2000 <= moment.year <= 2200:
            return moment.replace(second=0, microsecond=0)
    raise RuleBroken("Enter a date and a time.", code="moment", field=field)
