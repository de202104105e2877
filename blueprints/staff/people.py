from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.proving import proved_anew
from blueprints.security import needs
from blueprints.staff.area import MANAGE, ago, bp, go, here, own_grants, page_number, show_page
from blueprints.staff.forms import AccessForm, Editing, refused
from domain.errors import ImpactChanged, NotFound, RuleBroken
from domain.roles import STAFF, holds, may_touch_all
from services.sign_ins import last_signed_in, list_sign_ins
from services.staff import (
    StaffPerson,
    access_of,
    find_person,
    list_scopes,
    list_staff,
    mark_of,
    remove_person,
    save_person,
)
from services.staff_rights import list_sites


@bp.get("/<site>/staff")
@needs(MANAGE)
def people(site: str) -> Response:
    organisation_id, site_id, me = here()
    search = request.args.get("q", "")[:100].strip()
    is_here = request.args.get("at") == "here"
    found = list_staff(
        organisation_id,
        own_id=me,
        search=search,
        site_id=site_id if is_here else "",
        page=page_number(),
    )
    return show_page("staff/people.html", found=found, search=search, is_here=is_here, ago=ago)


@bp.get("/<site>/staff/<staff_id>")
@needs(MANAGE)
def person(site: str, staff_id: str) -> Response:
    return show_person(find_person(here()[0], staff_id))


@bp.post("/<site>/staff/<staff_id>")
@needs(MANAGE)
@proved_anew
def change_person(site: str, staff_id: str) -> Any:
    organisation_id, _, me = here()
    found, form = find_person(organisation_id, staff_id), AccessForm()
    scopes = list_scopes(organisation_id, own_grants(), found.grants)
    editing = Editing(form, scopes, form.seen.data or "", is_sent=True)
    rights = form.rights(scopes)
    if form.errors:
        return _show(found, Editing(form, scopes, editing.seen, is_sent=True, status=422))
    try:
        save_person(
            organisation_id,
            staff_id,
            rights,
            title=form.title.data if "title" in request.form else None,
            by=me,
            seen=editing.seen,
            is_sure=bool(form.sure.data),
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        return _show(found, refused(editing, broken))
    flash(f"Saved. It holds for {found.name} from now on.", "ok")
    return _go_on()


@bp.get("/<site>/staff/<staff_id>/removal")
@needs(MANAGE)
@proved_anew
def removal(site: str, staff_id: str) -> Response:
    return _ask(find_person(here()[0], staff_id))


@bp.post("/<site>/staff/<staff_id>/removal")
@needs(MANAGE)
@proved_anew
def remove(site: str, staff_id: str) -> Any:
    organisation_id, _, me = here()
    found = find_person(organisation_id, staff_id)
    try:
        remove_person(organisation_id, staff_id, by=me, seen=request.form.get("seen", ""))
    except NotFound:
        raise
    except RuleBroken as broken:
        status = 409 if isinstance(broken, ImpactChanged) else 422
        return _ask(found, sentence=broken.sentence, status=status)
    flash(f"{found.name} has no access any more.", "ok")
    return _go_on()


def _go_on() -> Any:
    """To the list; whoever ended their own right to see it, to what is left to them."""
    held = own_grants()
    if holds(held, STAFF, here()[1]):
        return go("staff.people")
    return redirect(url_for("desk.index" if held else "account.bookings"), code=303)


def show_person(found: StaffPerson, broken: RuleBroken | None = None) -> Response:
    """Their page as it opens, or with what was refused about them."""
    scopes = list_scopes(here()[0], own_grants(), found.grants)
    form = AccessForm(formdata=None, title=found.title)
    if broken:
        form.refuse(broken)
    status = 422 if broken else 200
    return _show(found, Editing(form, scopes, mark_of(found), status=status))


def _show(found: StaffPerson, editing: Editing) -> Response:
    may_name = may_touch_all(own_grants(), found.grants)
    return show_page(
        "staff/person.html",
        person=found,
        editing=editing,
        is_own=found.id == here()[2],
        may_name=may_name,
        signed_in_at=last_signed_in([found.id]).get(found.id),
        browsers=list_sign_ins(found.id) if may_name else [],
        ago=ago,
        status=editing.status,
    )


def _ask(found: StaffPerson, *, sentence: str = "", status: int = 200) -> Response:
    return show_page(
        "staff/removal.html",
        person=found,
        access_lines=access_of(found.grants, list_sites(here()[0])),
        seen=mark_of(found),
        is_own=found.id == here()[2],
        may_remove=may_touch_all(own_grants(), found.grants),
        sentence=sentence,
        status=status,
    )
