from collections.abc import Callable
from typing import Any

from flask import Response, flash

from blueprints.clock import utcnow
from blueprints.proving import proved_anew
from blueprints.security import needs
from blueprints.staff.area import MANAGE, bp, go, here, own_grants, show_page
from blueprints.staff.forms import Editing, InviteForm, refused
from blueprints.visits import deed_key
from domain.errors import KeyReused, NotFound, RuleBroken
from services.staff import list_scopes
from services.staff_invitations import invite, list_invitations, send_again, withdraw


@bp.get("/<site>/staff/invitations")
@needs(MANAGE)
def invitations(site: str) -> Response:
    return _list()


@bp.get("/<site>/staff/invitations/new")
@needs(MANAGE)
@proved_anew
def new_invitation(site: str) -> Response:
    return _show(Editing(InviteForm(formdata=None), _scopes()))


@bp.post("/<site>/staff/invitations")
@needs(MANAGE)
@proved_anew
def send_invitation(site: str) -> Any:
    organisation_id, site_id, me = here()
    form, scopes = InviteForm(), _scopes()
    is_right = form.validate()
    rights = form.rights(scopes)
    editing = Editing(form, scopes, is_sent=True, status=422)
    if not is_right or form.errors:
        return _show(editing)
    try:
        invite(
            organisation_id,
            site_id,
            email=form.email.data or "",
            name=form.name.data or "",
            title=form.title.data or "",
            rights=rights,
            by=me,
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        status = 409 if isinstance(broken, KeyReused) else 422
        return _show(refused(editing, broken, status=status))
    flash(f"The invitation is on its way to {form.email.data}. It works for a week.", "ok")
    return go("staff.invitations")


@bp.post("/<site>/staff/invitations/<invitation_id>/letter")
@needs(MANAGE)
@proved_anew
def send_invitation_again(site: str, invitation_id: str) -> Any:
    return _done(
        send_again,
        invitation_id,
        "Sent again, with a new link. The old one opens nothing any more.",
    )


@bp.post("/<site>/staff/invitations/<invitation_id>/withdrawal")
@needs(MANAGE)
def withdraw_invitation(site: str, invitation_id: str) -> Any:
    return _done(withdraw, invitation_id, "Withdrawn. Its link opens nothing any more.")


@bp.get("/<site>/staff/invitations/<invitation_id>/letter")
@bp.get("/<site>/staff/invitations/<invitation_id>/withdrawal")
@needs(MANAGE)
def back_to_invitations(site: str, invitation_id: str) -> Any:
    """Where the address line leads after a press there."""
    organisation_id, _, me = here()
    known = {one.id for one in list_invitations(organisation_id, own_id=me, now=utcnow())}
    if invitation_id not in known:
        raise NotFound("We couldn't find that invitation.")
    return go("staff.invitations")


def _scopes() -> Any:
    return list_scopes(here()[0], own_grants(), frozenset())


def _done(deed: Callable[..., None], invitation_id: str, said: str) -> Any:
    """The list after a deed on one of its lines, or with the reason why not."""
    organisation_id, _, me = here()
    try:
        deed(organisation_id, invitation_id, by=me, now=utcnow())
    except NotFound:
        raise
    except RuleBroken as broken:
        return _list(broken)
    flash(said, "ok")
    return go("staff.invitations")


def _list(broken: RuleBroken | None = None) -> Response:
    organisation_id, _, me = here()
    return show_page(
        "staff/invitations.html",
        invitations=list_invitations(organisation_id, own_id=me, now=utcnow()),
        sentence=broken.sentence if broken else "",
        status=409 if broken else 200,
    )


def _show(editing: Editing) -> Response:
    return show_page("staff/new_invitation.html", editing=editing, status=editing.status)
