from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from blueprints.rendering import render
from blueprints.security import account_id, current_desk
from services.accounts import Desk, list_desks

bp = Blueprint("setup", __name__, url_prefix="/staff")

SETTINGS = "SETTINGS_MANAGE"


def show_page(template: str, *, status: int = 200, **context: Any) -> Response:
    """A page of this area with what all of them show."""
    desk = current_desk()
    return render(template, desk=desk, venue=desk.venue, status=status, is_personal=True, **context)


def go(endpoint: str, **values: Any) -> Any:
    """To another page of the same venue."""
    return redirect(url_for(endpoint, site=current_desk().venue.slug, **values), code=303)


def page_number() -> int:
    """The page that the address asks for, 1 when it asks for none."""
    text = request.args.get("page", "1")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def step_asked() -> int:
    """Up or down, as the pressed button says; 0 for anything else."""
    return {"up": -1, "down": 1}.get(request.form.get("step", ""), 0)


def desks_to_set_up() -> list[Desk]:
    """The sites of this organisation that the signed-in person may set up."""
    here = current_desk().venue.organisation_id
    return [
        desk
        for desk in list_desks(account_id() or "")
        if desk.venue.organisation_id == here and SETTINGS in desk.rights
    ]
