import datetime as dt
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import account_id, current_desk
from domain.browsers import say_ago
from domain.roles import ROLES, STAFF, WORDS, Grants
from services.accounts import Desk
from services.staff_rights import find_grants

bp = Blueprint("staff", __name__, url_prefix="/staff")

MANAGE = STAFF


def show_page(template: str, *, status: int = 200, **context: Any) -> Response:
    """A page of this area with what all of them show."""
    desk = current_desk()
    return render(
        template,
        desk=desk,
        venue=desk.venue,
        roles=ROLES,
        right_words=WORDS,
        status=status,
        is_personal=True,
        **context,
    )


def go(endpoint: str, **values: Any) -> Any:
    """To another page of the same venue."""
    return redirect(url_for(endpoint, site=current_desk().venue.slug, **values), code=303)


def here() -> tuple[str, str, str]:
    """The organisation, the site and the account of whoever asks."""
    desk: Desk = current_desk()
    return desk.venue.organisation_id, desk.venue.id, account_id() or ""


def ago(moment: dt.datetime) -> str:
    """How long ago something was, in words."""
    return say_ago(moment, utcnow())


def own_grants() -> Grants:
    """What whoever asks holds in this organisation."""
    organisation_id, _, me = here()
    return find_grants(organisation_id, me)


def page_number() -> int:
    """The page that the address asks for, 1 when it asks for none."""
    text = request.args.get("page", "1")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
