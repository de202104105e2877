from collections.abc import Mapping
from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.proving import proved_anew
from blueprints.rendering import render
from blueprints.security import account_id, current_desk, needs
from blueprints.setup.area import SETTINGS, bp, go, show_page
from blueprints.setup.editing import Editing, sent, shown
from blueprints.setup.forms import FORMS, TIMES, HoursForm, NameForm, spread
from domain.branding import derive
from domain.editing import EditedMeanwhile, mark_of_values
from domain.errors import RuleBroken
from domain.opening import say_week
from services.archives import may_take_all
from services.venue_settings import (
    GROUPS,
    RULES,
    ask_second_factor,
    check_covers_all,
    count_other_currencies,
    covers_all,
    currencies,
    find_all_settings,
    find_organisation,
    find_settings,
    locales,
    rename_organisation,
    save_settings,
    types_of_centres,
)


@bp.get("/<site>/settings")
@needs(SETTINGS)
def settings(site: str) -> Response:
    venue = current_desk().venue
    return show_page(
        "setup/settings.html",
        kept=find_all_settings(venue.organisation_id, venue.id),
        week=say_week(venue.opening_hours) if venue.opening_hours else [],
        currencies=currencies(),
        organisation=find_organisation(venue.organisation_id),
        covers_all=covers_all(venue.organisation_id, account_id() or ""),
        may_take_all=may_take_all(venue.organisation_id, account_id() or ""),
    )


@bp.get("/<site>/settings/<group>")
@needs(SETTINGS)
def group(site: str, group: str) -> Response:
    venue = current_desk().venue
    kept = find_settings(venue.organisation_id, venue.id, group)
    editing = shown(FORMS[group], spread(kept) if group == TIMES else kept)
    return _page(group, Editing(editing.form, mark_of_values(kept)))


@bp.post("/<site>/settings/<group>")
@needs(SETTINGS)
def save_group(site: str, group: str) -> Any:
    venue = current_desk().venue
    kept = find_settings(venue.organisation_id, venue.id, group)
    editing = sent(FORMS[group], spread(kept) if group == TIMES else kept)
    if editing.status != 200:
        return _page(group, editing)
    try:
        wanted = _wanted(group, editing)
        save_settings(venue.organisation_id, venue.id, group, wanted, seen=editing.seen)
    except RuleBroken as broken:
        return _page(group, _refused(editing, broken))
    flash(_said(group, wanted), "ok")
    return go("setup.group", group=group)


@bp.get("/<site>/settings/look/preview")
@needs(SETTINGS)
def preview(site: str) -> Any:
    """The colours that are being typed, drawn; without script the page shows what is kept."""
    venue = current_desk().venue
    accent, dark = request.args.get("accent", ""), request.args.get("accent_dark", "")
    if request.headers.get("HX-Request-Type") != "partial":
        return redirect(url_for("setup.group", site=site, group="look"))
    return render(
        "setup/_preview.html",
        venue=venue,
        **_drawn(accent, dark, venue.brand),
        is_personal=True,
    )


@bp.get("/<site>/organisation")
@needs(SETTINGS)
def organisation(site: str) -> Response:
    found = find_organisation(current_desk().venue.organisation_id)
    check_covers_all(found.id, account_id() or "")
    return _organisation(shown(NameForm, {"name": found.name}))


@bp.post("/<site>/organisation")
@needs(SETTINGS)
def rename(site: str) -> Any:
    found = find_organisation(current_desk().venue.organisation_id)
    check_covers_all(found.id, account_id() or "")
    editing = sent(NameForm, {"name": found.name})
    if editing.status != 200:
        return _organisation(editing)
    try:
        name = editing.form["name"].data or ""
        rename_organisation(found.id, account_id() or "", name, seen=editing.seen)
    except EditedMeanwhile as broken:
        return _organisation(editing.refused(broken))
    flash("Saved.", "ok")
    return go("setup.settings")


@bp.get("/<site>/organisation/second-factor")
@needs(SETTINGS)
def back_to_organisation(site: str) -> Any:
    """Where the address line leads after the button was pressed there."""
    return redirect(url_for("setup.organisation", site=site))


@bp.post("/<site>/organisation/second-factor")
@needs(SETTINGS)
@proved_anew
def demand_second_factor(site: str) -> Any:
    found = find_organisation(current_desk().venue.organisation_id)
    is_asked = bool(request.form.get("asked"))
    ask_second_factor(found.id, account_id() or "", is_asked=is_asked)
    flash("Saved.", "ok")
    return go("setup.settings")


def _organisation(editing: Editing) -> Response:
    found = find_organisation(current_desk().venue.organisation_id)
    return show_page(
        "setup/organisation.html", editing=editing, organisation=found, status=editing.status
    )


def _page(group: str, editing: Editing) -> Response:
    venue = current_desk().venue
    form = editing.form
    more: dict[str, Any] = {}
    if group == "look":
        more = _drawn(form["accent"].data or "", form["accent_dark"].data or "", venue.brand)
    if group == "money":
        more = {"used": types_of_centres(venue.organisation_id, venue.id)}
    if group == "booking":
        others = count_other_currencies(venue.organisation_id, venue.id, venue.currency)
        more = {"currencies": currencies(), "others": others}
    if group == TIMES:
        more = {"locales": locales(), "usual": say_week(venue.opening_hours)}
    return show_page(
        f"setup/{group}.html",
        editing=editing,
        group=group,
        status=editing.status,
        **more,
    )


def _wanted(group: str, editing: Editing) -> dict[str, Any]:
    form = editing.form
    if isinstance(form, HoursForm):
        return {
            "opening_hours": form.week,
            "hours": form["hours"].data or "",
            "locale": form["locale"].data or "",
        }
    return {name: form[name].data or "" for name in GROUPS[group]}


def _refused(editing: Editing, broken: RuleBroken) -> Editing:
    """Hours that somebody else saved are told as customers would read them."""
    found = editing.refused(broken)
    if not isinstance(broken, EditedMeanwhile):
        return found
    week = next((one.theirs for one in broken.differences if one.field == "opening_hours"), None)
    theirs = dict(found.theirs)
    if week is not None:
        theirs["opening_hours"] = "\n".join(say_week(week))
    return Editing(found.form, found.seen, theirs, found.status)


def _said(group: str, wanted: Mapping[str, Any]) -> str:
    if group != "look":
        return "Saved."
    found = derive(RULES["accent"](wanted["accent"]), RULES["accent_dark"](wanted["accent_dark"]))
    return " ".join(["Saved.", *found.said])


def _drawn(accent: str, dark: str, brand: Mapping[str, Any]) -> dict[str, Any]:
    """The preview of what was typed; None while it is no colour."""
    try:
        wished, night = RULES["accent"](accent), RULES["accent_dark"](dark)
    except RuleBroken as broken:
        return {"drawn": None, "refusal": broken.sentence}
    neutrals = brand.get("neutrals") or {}
    paper = {name: tuple(pair) for name, pair in neutrals.items()}
    return {"drawn": derive(wished, night, neutrals=neutrals), "refusal": "", "paper": paper}
