from typing import Any

from flask import Response, flash, request

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.setup.area import (
    SETTINGS,
    bp,
    desks_to_set_up,
    go,
    page_number,
    show_page,
)
from blueprints.setup.editing import Editing, sent, shown
from blueprints.setup.forms import PersonForm
from blueprints.setup.time_off import show_person
from blueprints.visits import deed_key
from domain.errors import NotFound, RuleBroken, WrongState
from domain.local_time import to_local
from services.practitioners import (
    TEXT_FIELDS,
    add_practitioner,
    archive_practitioner,
    find_practitioner,
    find_practitioner_use,
    list_leadable,
    list_team,
    practitioner_values,
    restore_practitioner,
    save_practitioner,
)


@bp.get("/<site>/team")
@needs(SETTINGS)
def team(site: str) -> Response:
    venue, asked, now = current_desk().venue, request.args, utcnow()
    choice: dict[str, Any] = {
        "search": asked.get("q", "")[:100].strip(),
        "type_id": asked.get("type", "")[:40],
        "is_archived": asked.get("state") == "archived",
        "order": "-name" if asked.get("order") == "-name" else "name",
    }
    found = list_team(
        venue.organisation_id,
        venue.id,
        **choice,
        page=page_number(),
        local_now=to_local(now, venue.zone),
        now=now,
    )
    types = list_leadable(venue.organisation_id, [venue.id])
    return show_page("setup/team.html", found=found, types=types, **choice)


@bp.get("/<site>/team/new")
@needs(SETTINGS)
def new_person(site: str) -> Response:
    return show_person(shown(PersonForm, _nobody()))


@bp.post("/<site>/team")
@needs(SETTINGS)
def make_person(site: str) -> Any:
    venue, editing = current_desk().venue, sent(PersonForm, _nobody())
    if editing.status != 200:
        return show_person(editing)
    try:
        person_id = add_practitioner(
            venue.organisation_id,
            _wanted(editing),
            may_set=_may_set(),
            key=deed_key(editing.form.key.data or ""),
            now=utcnow(),
        )
    except RuleBroken as broken:
        return show_person(editing.refused(broken))
    flash(f"{editing.form['name'].data} is on the team.", "ok")
    if venue.id in editing.form["sites"].data:
        return go("setup.person", person_id=person_id)
    return go("setup.team")


@bp.get("/<site>/team/<person_id>")
@needs(SETTINGS)
def person(site: str, person_id: str) -> Response:
    venue = current_desk().venue
    row = find_practitioner(venue.organisation_id, venue.id, person_id)
    return show_person(shown(PersonForm, practitioner_values(row, _may_set())), person_id)


@bp.post("/<site>/team/<person_id>")
@needs(SETTINGS)
def change_person(site: str, person_id: str) -> Any:
    venue = current_desk().venue
    row = find_practitioner(venue.organisation_id, venue.id, person_id)
    editing = sent(PersonForm, practitioner_values(row, _may_set()))
    if editing.status != 200:
        return show_person(editing, person_id)
    try:
        save_practitioner(
            venue.organisation_id,
            venue.id,
            person_id,
            _wanted(editing),
            may_set=_may_set(),
            seen=editing.seen,
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        return show_person(editing.refused(broken), person_id)
    flash("Saved.", "ok")
    return go("setup.team")


@bp.get("/<site>/team/<person_id>/archive")
@needs(SETTINGS)
def ask_archive_person(site: str, person_id: str) -> Response:
    return _ask(person_id)


@bp.post("/<site>/team/<person_id>/archive")
@needs(SETTINGS)
def archive_person(site: str, person_id: str) -> Any:
    venue = current_desk().venue
    try:
        archive_practitioner(venue.organisation_id, venue.id, person_id, now=utcnow())
    except WrongState:
        return _ask(person_id, status=409)
    flash("Archived. You can bring them back from the archived people.", "ok")
    return go("setup.team")


@bp.post("/<site>/team/<person_id>/restoration")
@needs(SETTINGS)
def restore_person(site: str, person_id: str) -> Any:
    venue = current_desk().venue
    restore_practitioner(venue.organisation_id, venue.id, person_id)
    flash("They can lead sessions again.", "ok")
    return go("setup.person", person_id=person_id)


@bp.get("/<site>/team/<person_id>/restoration")
@bp.get("/<site>/team/<person_id>/time-off")
@needs(SETTINGS)
def back_to_person(site: str, person_id: str) -> Any:
    """Where the address line leads after a press there."""
    return go("setup.person", person_id=person_id)


def _may_set() -> list[str]:
    return [desk.venue.id for desk in desks_to_set_up()]


def _nobody() -> dict[str, Any]:
    return {**dict.fromkeys(TEXT_FIELDS, ""), "sites": [current_desk().venue.id], "types": []}


def _wanted(editing: Editing) -> dict[str, Any]:
    form = editing.form
    return {
        **{name: form[name].data or "" for name in TEXT_FIELDS},
        "sites": form["sites"].data,
        "types": form["types"].data,
    }


def _ask(person_id: str, *, status: int = 200) -> Response:
    venue = current_desk().venue
    return show_page(
        "setup/archive_person.html",
        person=find_practitioner(venue.organisation_id, venue.id, person_id),
        use=find_practitioner_use(venue.organisation_id, venue.id, person_id, now=utcnow()),
        is_refused=status == 409,
        status=status,
    )
