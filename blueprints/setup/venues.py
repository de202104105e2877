from typing import Any

from flask import Response, flash, redirect, url_for

from blueprints.clock import utcnow
from blueprints.security import account_id, current_desk, needs
from blueprints.setup.area import SETTINGS, bp, show_page
from blueprints.setup.editing import Editing, sent, shown
from blueprints.setup.forms import SiteForm
from blueprints.visits import deed_key
from domain.errors import NotAllowed, RuleBroken
from domain.venue_rules import zones
from services.founding import SITE_RULES, add_site
from services.venue_settings import check_covers_all, currencies, find_organisation, locales


@bp.get("/<site>/venues/new")
@needs(SETTINGS)
def new_venue(site: str) -> Response:
    venue = current_desk().venue
    check_covers_all(venue.organisation_id, account_id() or "")
    return _page(shown(SiteForm, _usual()))


@bp.post("/<site>/venues/new")
@needs(SETTINGS)
def add_venue(site: str) -> Any:
    venue = current_desk().venue
    check_covers_all(venue.organisation_id, account_id() or "")
    editing = sent(SiteForm, _usual())
    if editing.status != 200:
        return _page(editing)
    try:
        slug = add_site(
            venue.organisation_id,
            account_id() or "",
            {name: editing.form[name].data or "" for name in SITE_RULES},
            key=deed_key(editing.form.key.data or ""),
            now=utcnow(),
        )
    except NotAllowed:
        raise
    except RuleBroken as broken:
        return _page(editing.refused(broken))
    flash("The venue stands. Set up its rooms and its team next.", "ok")
    return redirect(url_for("setup.settings", site=slug), code=303)


def _usual() -> dict[str, str]:
    """What most further venues share with the one at hand."""
    venue = current_desk().venue
    return {
        "name": venue.name,
        "place": "",
        "slug": "",
        "zone": venue.zone.key,
        "currency": venue.currency,
        "locale": venue.locale,
    }


def _page(editing: Editing) -> Response:
    return show_page(
        "setup/new_venue.html",
        editing=editing,
        organisation=find_organisation(current_desk().venue.organisation_id),
        zones=sorted(zones()),
        currencies=currencies(),
        locales=locales(),
        status=editing.status,
    )
