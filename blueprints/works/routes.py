from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from domain.errors import NotFound
from services.long_works import ask_to_stop, find_standing, list_works, restart

bp = Blueprint("works", __name__, url_prefix="/staff")

BEGINS_WORK = ("RESERVATIONS_MANAGE", "SETTINGS_MANAGE")
"""Cover is work of the one, a series or closed days of the other: who began it watches it."""

MOST_PAGES = 400


@bp.get("/<site>/works")
@needs(*BEGINS_WORK)
def works(site: str) -> Response:
    desk = current_desk()
    return render(
        "works/works.html",
        desk=desk,
        venue=desk.venue,
        page=list_works(*_here(), number=_number()),
        is_personal=True,
    )


@bp.get("/<site>/works/<work_id>")
@needs(*BEGINS_WORK)
def work(site: str, work_id: str) -> Response:
    desk = current_desk()
    return render(
        "works/work.html",
        block="work",
        desk=desk,
        venue=desk.venue,
        standing=find_standing(*_here(), work_id, now=utcnow()),
        is_personal=True,
    )


@bp.get("/<site>/works/<work_id>/stop")
@bp.get("/<site>/works/<work_id>/restart")
@needs(*BEGINS_WORK)
def to_work(site: str, work_id: str) -> Any:
    """The address of a button, opened by hand."""
    return redirect(url_for("works.work", site=site, work_id=work_id))


@bp.post("/<site>/works/<work_id>/stop")
@needs(*BEGINS_WORK)
def stop(site: str, work_id: str) -> Any:
    ask_to_stop(*_here(), work_id, now=utcnow())
    return redirect(url_for("works.work", site=site, work_id=work_id), code=303)


@bp.post("/<site>/works/<work_id>/restart")
@needs(*BEGINS_WORK)
def go_on(site: str, work_id: str) -> Any:
    if not restart(*_here(), work_id, now=utcnow()):
        flash("Nothing to do: it goes on by itself, or is over.", "info")
    return redirect(url_for("works.work", site=site, work_id=work_id), code=303)


def _here() -> tuple[str, str]:
    venue = current_desk().venue
    return venue.organisation_id, venue.id


def _number() -> int:
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_PAGES):
        raise NotFound("There is no such page.")
    return int(text[:4])
