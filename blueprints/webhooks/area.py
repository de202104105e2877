from typing import Any

from flask import Blueprint, Response, current_app, redirect, url_for

from blueprints.rendering import render
from blueprints.security import account_id, current_desk
from domain.roles import SETTINGS
from domain.webhooks import GROUPS, KINDS, PING
from services.staff_rights import find_grants
from services.webhooks import Keeper

bp = Blueprint("webhooks", __name__, url_prefix="/staff/<site>/webhooks")

MANAGE = SETTINGS

SAID = {**KINDS, PING: "A test"}


def keeper() -> Keeper:
    """Whoever asks, with what they hold in this organisation."""
    organisation_id = current_desk().venue.organisation_id
    return Keeper(organisation_id, find_grants(organisation_id, account_id() or ""))


def is_private_allowed() -> bool:
    """Whether this installation sends into private networks: never in production."""
    return bool(current_app.config["WEBHOOK_PRIVATE"])


def show_page(template: str, *, status: int = 200, **context: Any) -> Response:
    """A page of this area with what all of them show."""
    desk = current_desk()
    return render(
        template,
        desk=desk,
        venue=desk.venue,
        kind_words=SAID,
        kind_groups=[
            (name, [kind for kind in KINDS if kind.partition(".")[0] == key])
            for key, name in GROUPS
        ],
        status=status,
        is_personal=True,
        **context,
    )


def go(endpoint: str, **values: Any) -> Any:
    """To another page of the same venue."""
    return redirect(url_for(endpoint, site=current_desk().venue.slug, **values), code=303)
