from typing import Any

from flask import Blueprint, Response, redirect, url_for

from blueprints.rendering import render
from blueprints.security import current_desk

bp = Blueprint("types", __name__, url_prefix="/staff")

SETTINGS = "SETTINGS_MANAGE"


def here() -> tuple[str, str]:
    """The organisation and the site that the address speaks of."""
    venue = current_desk().venue
    return venue.organisation_id, venue.id


def page(template: str, *, status: int = 200, block: str | None = None, **context: Any) -> Response:
    """A page of the venue's own."""
    desk = current_desk()
    return render(
        template,
        block=block,
        desk=desk,
        venue=desk.venue,
        status=status,
        is_personal=True,
        **context,
    )


def to(endpoint: str, **values: Any) -> Any:
    """On to another page of this venue."""
    return redirect(url_for(endpoint, site=current_desk().venue.slug, **values), code=303)
