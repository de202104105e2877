from typing import Any

from flask import Blueprint, Response, flash, redirect, url_for

from blueprints.clock import utcnow
from blueprints.links import public_url
from blueprints.private_links.forms import LinkForm
from blueprints.rendering import render
from blueprints.security import account_id, current_desk, needs
from blueprints.visits import deed_key
from domain.errors import KeyReused, NotFound, RuleBroken
from services.private_links import (
    LinkRow,
    TypeRow,
    find_link,
    list_link_types,
    list_links,
    make_link,
    renew_address,
    revoke_link,
)

bp = Blueprint("links", __name__, url_prefix="/staff")

SETTINGS = "SETTINGS_MANAGE"
"""A link sets a price and takes places off sale: what is sold, not who comes."""


@bp.get("/<site>/links")
@needs(SETTINGS)
def links(site: str) -> Response:
    return _page(LinkForm(formdata=None))


@bp.post("/<site>/links")
@needs(SETTINGS)
def make(site: str) -> Any:
    venue, form = current_desk().venue, LinkForm()
    if not form.validate():
        return _page(form, status=422)
    types = list_link_types(venue.organisation_id, venue.id)
    currency = next((it.currency for it in types if it.id == form.type.data), venue.currency)
    try:
        link_id = make_link(
            venue.organisation_id,
            venue.id,
            form.wanted(venue.zone, currency),
            by=account_id() or "",
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        return _page(form, status=409 if isinstance(broken, KeyReused) else 422)
    flash("The link is made. Copy its address below and send it.", "ok")
    return redirect(url_for("links.links", site=site, _anchor=f"link-{link_id}"), code=303)


@bp.get("/<site>/links/<link_id>/revocation")
@needs(SETTINGS)
def revocation(site: str, link_id: str) -> Response:
    venue = current_desk().venue
    found = find_link(venue.organisation_id, venue.id, link_id, utcnow())
    return _ask("private_links/revocation.html", link=found)


@bp.post("/<site>/links/<link_id>/revocation")
@needs(SETTINGS)
def revoke(site: str, link_id: str) -> Any:
    venue = current_desk().venue
    revoke_link(venue.organisation_id, venue.id, link_id, now=utcnow())
    flash("The link is revoked. Its address opens nothing any more.", "ok")
    return redirect(url_for("links.links", site=site, _anchor=f"link-{link_id}"), code=303)


@bp.get("/<site>/links/types/<type_id>/renewal")
@needs(SETTINGS)
def renewal(site: str, type_id: str) -> Response:
    return _ask("private_links/renewal.html", kind=_link_only(type_id))


@bp.post("/<site>/links/types/<type_id>/renewal")
@needs(SETTINGS)
def renew(site: str, type_id: str) -> Any:
    venue = current_desk().venue
    renew_address(venue.organisation_id, venue.id, type_id)
    flash("It has a new address. The old one opens nothing any more.", "ok")
    return redirect(url_for("links.links", site=site, _anchor=f"type-{type_id}"), code=303)


def _link_only(type_id: str) -> TypeRow:
    venue = current_desk().venue
    types = list_link_types(venue.organisation_id, venue.id)
    found = next((it for it in types if it.id == type_id and it.is_link_only), None)
    if found is None:
        raise NotFound("We couldn't find that session type.")
    return found


def _page(form: LinkForm, *, status: int = 200) -> Response:
    desk, now = current_desk(), utcnow()
    venue = desk.venue
    return render(
        "private_links/links.html",
        desk=desk,
        venue=venue,
        links=list_links(venue.organisation_id, venue.id, now),
        types=list_link_types(venue.organisation_id, venue.id),
        address=_address,
        form=form,
        status=status,
        is_personal=True,
    )


def _ask(template: str, **context: Any) -> Response:
    desk = current_desk()
    return render(
        template, desk=desk, venue=desk.venue, address=_address, is_personal=True, **context
    )


def _address(row: LinkRow | TypeRow) -> str:
    """The whole address, to be copied into a mail."""
    return public_url("shop.private", site=current_desk().venue.slug, address=row.address)
