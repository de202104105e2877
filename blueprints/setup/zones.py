from typing import Any

from flask import Response, flash

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.setup.area import SETTINGS, bp, go, show_page, step_asked
from blueprints.setup.editing import Editing, sent, shown
from blueprints.setup.forms import NameForm
from blueprints.visits import deed_key
from domain.errors import NotFound, RuleBroken
from services.rooms import add_zone, find_zone, list_zones, remove_zone, save_zone, step_zone


@bp.get("/<site>/zones")
@needs(SETTINGS)
def zones(site: str) -> Response:
    return _list(shown(NameForm, {"name": ""}))


@bp.post("/<site>/zones")
@needs(SETTINGS)
def make_zone(site: str) -> Any:
    venue, editing = current_desk().venue, sent(NameForm, {"name": ""})
    if editing.status != 200:
        return _list(editing)
    try:
        name, key = editing.form["name"].data or "", deed_key(editing.form.key.data or "")
        add_zone(venue.organisation_id, venue.id, name, key=key, now=utcnow())
    except RuleBroken as broken:
        return _list(editing.refused(broken))
    flash(f"{name} is set up.", "ok")
    return go("setup.zones")


@bp.get("/<site>/zones/<zone_id>")
@needs(SETTINGS)
def one_zone(site: str, zone_id: str) -> Response:
    venue = current_desk().venue
    found = find_zone(venue.organisation_id, venue.id, zone_id)
    return _page(zone_id, shown(NameForm, {"name": found.name}))


@bp.post("/<site>/zones/<zone_id>")
@needs(SETTINGS)
def change_zone_name(site: str, zone_id: str) -> Any:
    venue = current_desk().venue
    found = find_zone(venue.organisation_id, venue.id, zone_id)
    editing = sent(NameForm, {"name": found.name})
    if editing.status != 200:
        return _page(zone_id, editing)
    try:
        name = editing.form["name"].data or ""
        save_zone(venue.organisation_id, venue.id, zone_id, name, seen=editing.seen)
    except NotFound:
        raise
    except RuleBroken as broken:
        return _page(zone_id, editing.refused(broken))
    flash("Saved.", "ok")
    return go("setup.zones")


@bp.post("/<site>/zones/<zone_id>/step")
@needs(SETTINGS)
def step_one_zone(site: str, zone_id: str) -> Any:
    venue = current_desk().venue
    step_zone(venue.organisation_id, venue.id, zone_id, step_asked())
    return go("setup.zones", _anchor=f"zone-{zone_id}")


@bp.get("/<site>/zones/<zone_id>/step")
@needs(SETTINGS)
def back_to_zones(site: str, zone_id: str) -> Any:
    find_zone(current_desk().venue.organisation_id, current_desk().venue.id, zone_id)
    return go("setup.zones")


@bp.get("/<site>/zones/<zone_id>/removal")
@needs(SETTINGS)
def ask_remove_zone(site: str, zone_id: str) -> Response:
    venue = current_desk().venue
    found = find_zone(venue.organisation_id, venue.id, zone_id)
    rooms = next(
        number for row, number in list_zones(venue.organisation_id, venue.id) if row.id == zone_id
    )
    return show_page("setup/remove_zone.html", zone=found, rooms=rooms)


@bp.post("/<site>/zones/<zone_id>/removal")
@needs(SETTINGS)
def remove_one_zone(site: str, zone_id: str) -> Any:
    venue = current_desk().venue
    remove_zone(venue.organisation_id, venue.id, zone_id)
    flash("The zone is gone. Its rooms stay.", "ok")
    return go("setup.zones")


def _list(editing: Editing) -> Response:
    venue = current_desk().venue
    found = list_zones(venue.organisation_id, venue.id)
    return show_page("setup/zones.html", editing=editing, zones=found, status=editing.status)


def _page(zone_id: str, editing: Editing) -> Response:
    venue = current_desk().venue
    found = find_zone(venue.organisation_id, venue.id, zone_id)
    return show_page("setup/one_zone.html", editing=editing, zone=found, status=editing.status)
