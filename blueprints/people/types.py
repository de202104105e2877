from typing import Any

from flask import Response, flash, redirect, url_for

from blueprints.clock import utcnow
from blueprints.people.area import CUSTOMERS, bp
from blueprints.people.forms import TypeForm
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from blueprints.visits import deed_key
from domain.errors import KeyReused, NotFound, RuleBroken
from domain.local_time import local_day
from domain.memberships import ChangedMeanwhile
from services.memberships import (
    add_type,
    archive_type,
    find_type,
    list_types,
    rename_type,
    restore_type,
)


@bp.get("/<site>/memberships")
@needs(CUSTOMERS)
def memberships(site: str) -> Response:
    return _memberships()


@bp.post("/<site>/memberships")
@needs(CUSTOMERS)
def add_membership_type(site: str) -> Any:
    form = TypeForm()
    if form.validate():
        try:
            add_type(
                current_desk().venue.organisation_id,
                name=form.name.data or "",
                key=deed_key(form.key.data or ""),
                now=utcnow(),
            )
            return _done(site, f"{form.name.data} can be given now.")
        except KeyReused as broken:
            form.refuse(broken)
            return _memberships("new", form, status=409)
        except RuleBroken as broken:
            form.refuse(broken)
    return _memberships("new", form, status=422)


@bp.get("/<site>/memberships/imports")
@bp.get("/<site>/memberships/<type_id>/name")
@bp.get("/<site>/memberships/<type_id>/restoration")
@needs(CUSTOMERS)
def back_to_memberships(site: str, type_id: str | None = None) -> Any:
    """Where the address line leads after a form was refused there."""
    if type_id is not None:
        find_type(current_desk().venue.organisation_id, type_id)
    return redirect(url_for("people.memberships", site=site))


@bp.post("/<site>/memberships/<type_id>/name")
@needs(CUSTOMERS)
def rename_membership_type(site: str, type_id: str) -> Any:
    form, status = TypeForm(), 422
    if form.validate():
        try:
            rename_type(
                current_desk().venue.organisation_id,
                type_id,
                name=form.name.data or "",
                was=form.was.data or "",
            )
            return _done(site, f"It is called {form.name.data} now.")
        except NotFound:
            raise
        except RuleBroken as broken:
            form.name.errors = [*form.name.errors, broken.sentence]
            status = 409 if isinstance(broken, ChangedMeanwhile) else 422
    return _memberships(type_id, form, status=status)


@bp.post("/<site>/memberships/<type_id>/archive")
@needs(CUSTOMERS)
def archive_membership_type(site: str, type_id: str) -> Any:
    archive_type(current_desk().venue.organisation_id, type_id, now=utcnow())
    return _done(site, "Archived. It keeps counting for those who hold it.")


@bp.post("/<site>/memberships/<type_id>/restoration")
@needs(CUSTOMERS)
def restore_membership_type(site: str, type_id: str) -> Any:
    try:
        restore_type(current_desk().venue.organisation_id, type_id)
    except NotFound:
        raise
    except RuleBroken as broken:
        flash(f"{broken.sentence} Rename one of the two first.", "bad")
        return redirect(url_for("people.memberships", site=site), code=303)
    return _done(site, "Restored. It can be given again.")


def _done(site: str, said: str) -> Any:
    flash(said, "ok")
    return redirect(url_for("people.memberships", site=site), code=303)


def _memberships(where: str = "", form: TypeForm | None = None, *, status: int = 200) -> Response:
    desk = current_desk()
    types = list_types(desk.venue.organisation_id, today=local_day(utcnow(), desk.venue.zone))
    if where not in ("", "new") and where not in {kind.id for kind in types}:
        raise NotFound("We couldn't find that membership.")
    return render(
        "people/memberships.html",
        desk=desk,
        venue=desk.venue,
        types=types,
        where=where,
        form=form or TypeForm(formdata=None),
        status=status,
    )
