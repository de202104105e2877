from typing import Any

from flask import Response, flash

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.setup.area import SETTINGS, bp, go, show_page, step_asked
from blueprints.setup.editing import Editing, sent, shown
from blueprints.setup.forms import CategoryForm
from blueprints.visits import deed_key
from domain.errors import NotFound, RuleBroken
from services.categories import (
    CATEGORY_RULES,
    add_category,
    category_values,
    find_category,
    list_categories,
    list_types_under,
    remove_category,
    save_category,
    step_category,
)

NEW = {"name": "", "slug": "", "blurb": ""}


@bp.get("/<site>/categories")
@needs(SETTINGS)
def categories(site: str) -> Response:
    return _list(shown(CategoryForm, NEW))


@bp.post("/<site>/categories")
@needs(SETTINGS)
def make_category(site: str) -> Any:
    venue, editing = current_desk().venue, sent(CategoryForm, NEW)
    if editing.status != 200:
        return _list(editing)
    try:
        key = deed_key(editing.form.key.data or "")
        add_category(venue.organisation_id, _wanted(editing), key=key, now=utcnow())
    except RuleBroken as broken:
        return _list(editing.refused(broken))
    flash(f"{editing.form['name'].data} is set up.", "ok")
    return go("setup.categories")


@bp.get("/<site>/categories/<category_id>")
@needs(SETTINGS)
def category(site: str, category_id: str) -> Response:
    found = find_category(current_desk().venue.organisation_id, category_id)
    return _page(category_id, shown(CategoryForm, category_values(found)))


@bp.post("/<site>/categories/<category_id>")
@needs(SETTINGS)
def change_category(site: str, category_id: str) -> Any:
    organisation_id = current_desk().venue.organisation_id
    kept = category_values(find_category(organisation_id, category_id))
    editing = sent(CategoryForm, kept)
    if editing.status != 200:
        return _page(category_id, editing)
    try:
        save_category(organisation_id, category_id, _wanted(editing), seen=editing.seen)
    except NotFound:
        raise
    except RuleBroken as broken:
        return _page(category_id, editing.refused(broken))
    flash("Saved.", "ok")
    return go("setup.categories")


@bp.post("/<site>/categories/<category_id>/step")
@needs(SETTINGS)
def step_one_category(site: str, category_id: str) -> Any:
    step_category(current_desk().venue.organisation_id, category_id, step_asked())
    return go("setup.categories", _anchor=f"category-{category_id}")


@bp.get("/<site>/categories/<category_id>/step")
@needs(SETTINGS)
def back_to_categories(site: str, category_id: str) -> Any:
    find_category(current_desk().venue.organisation_id, category_id)
    return go("setup.categories")


@bp.get("/<site>/categories/<category_id>/removal")
@needs(SETTINGS)
def ask_remove_category(site: str, category_id: str) -> Response:
    organisation_id = current_desk().venue.organisation_id
    return show_page(
        "setup/remove_category.html",
        category=find_category(organisation_id, category_id),
        types=list_types_under(organisation_id, category_id),
    )


@bp.post("/<site>/categories/<category_id>/removal")
@needs(SETTINGS)
def remove_one_category(site: str, category_id: str) -> Any:
    remove_category(current_desk().venue.organisation_id, category_id)
    flash("The category is gone. Its session types stay.", "ok")
    return go("setup.categories")


def _wanted(editing: Editing) -> dict[str, Any]:
    return {name: editing.form[name].data or "" for name in CATEGORY_RULES}


def _list(editing: Editing) -> Response:
    lines = list_categories(current_desk().venue.organisation_id)
    return show_page("setup/categories.html", editing=editing, lines=lines, status=editing.status)


def _page(category_id: str, editing: Editing) -> Response:
    found = find_category(current_desk().venue.organisation_id, category_id)
    return show_page("setup/category.html", editing=editing, category=found, status=editing.status)
