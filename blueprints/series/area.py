from typing import Any

from flask import Blueprint, Response

from blueprints.rendering import render
from blueprints.security import current_desk

bp = Blueprint("series", __name__, url_prefix="/staff")

SETTINGS = "SETTINGS_MANAGE"


def here() -> tuple[str, str]:
    """Organisation and site of the desk at which one is."""
    venue = current_desk().venue
    return venue.organisation_id, venue.id


def page(template: str, *, status: int = 200, block: str | None = None, **context: Any) -> Response:
    """A page of the desk, never kept for others."""
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


def work_url(work_id: str) -> str:
    """Where long work is watched."""
    return f"/staff/{current_desk().venue.slug}/works/{work_id}"
