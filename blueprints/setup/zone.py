from typing import Any

from flask import Response, flash, request

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.setup.area import SETTINGS, bp, go, show_page
from blueprints.setup.editing import form_of
from domain.errors import ImpactChanged, RuleBroken
from domain.venue_rules import check_zone, zones
from domain.words import count
from services.zone_changes import change_zone, find_zone_change

ZoneForm = form_of({"zone": check_zone})


@bp.get("/<site>/settings/zone")
@needs(SETTINGS)
def zone(site: str) -> Response:
    return _page(request.args.get("zone", ""))


@bp.post("/<site>/settings/zone")
@needs(SETTINGS)
def move_zone(site: str) -> Any:
    venue, form = current_desk().venue, ZoneForm()
    wanted = form["zone"].data or ""
    if not form.validate():
        return _page(wanted)
    try:
        moved = change_zone(
            venue.organisation_id, venue.id, wanted, seen=form.seen.data or "", now=utcnow()
        )
    except ImpactChanged as broken:
        return _page(wanted, broken)
    flash(f"The clocks of {wanted} hold from now on. {count(moved, 'session')} moved.", "ok")
    return go("setup.group", group="times")


def _page(wanted: str, broken: RuleBroken | None = None) -> Response:
    """The list of zones, with what the chosen one would do."""
    venue, form, change = current_desk().venue, ZoneForm(formdata=None), None
    if wanted and wanted != venue.zone.key:
        try:
            change = find_zone_change(venue.organisation_id, venue.id, wanted, now=utcnow())
        except RuleBroken as refused:
            form.refuse(refused)
    if broken is not None:
        form.form_errors.append(broken.sentence)
    status = 409 if broken is not None else 422 if form.errors else 200
    return show_page(
        "setup/zone.html",
        form=form,
        wanted=wanted or venue.zone.key,
        change=change,
        zones=sorted(zones()),
        status=status,
    )
