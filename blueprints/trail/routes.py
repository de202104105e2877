import datetime as dt
from functools import partial
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import render, say_price
from blueprints.security import account_id, current_desk, needs
from blueprints.trail.pages import page_of
from domain.errors import NotFound, RuleBroken
from domain.trail_words import NOUNS
from models import RIGHTS
from services.trail import (
    OPENS,
    Asked,
    Reader,
    find_thing,
    list_log,
    list_people,
    list_trail,
    may_open,
)
from services.undoing import ChangedSince, undo
from services.venue_settings import covers_all

bp = Blueprint("trail", __name__, url_prefix="/staff")


@bp.get("/<site>/trail")
@needs("SETTINGS_MANAGE", "STAFF_MANAGE")
def log(site: str) -> Response:
    reader, asked = _reader(), _asked()
    kinds = [(key, NOUNS[key].capitalize()) for key in OPENS if may_open(key, reader.rights)]
    return _show(
        "trail/log.html",
        trail=list_log(reader, asked, before=_before()),
        asked=asked,
        people=list_people(reader),
        kinds=sorted(kinds, key=lambda pair: pair[1]),
    )


@bp.get("/<site>/trail/<about>/<about_id>")
@needs(*RIGHTS)
def thing(site: str, about: str, about_id: str) -> Response:
    return _show_thing(about, about_id)


@bp.get("/<site>/trail/<int:trail_id>/undo")
@needs(*RIGHTS)
def to_log(site: str, trail_id: int) -> Any:
    """The address of a button, opened by hand."""
    return redirect(url_for("trail.log", site=site))


@bp.post("/<site>/trail/<int:trail_id>/undo")
@needs(*RIGHTS)
def undo_entry(site: str, trail_id: int) -> Any:
    if trail_id >= 2**63:
        raise NotFound
    reader = _reader()
    try:
        row = undo(reader, trail_id, now=utcnow())
    except NotFound:
        raise
    except RuleBroken as broken:
        status = 409 if isinstance(broken, ChangedSince) else 422
        return _show("trail/refused.html", status=status, broken=broken, trail_id=trail_id)
    flash("Undone. It is as it was before.")
    there = url_for("trail.thing", site=site, about=row.about, about_id=row.about_id)
    return redirect(there, code=303)


def _show_thing(about: str, about_id: str) -> Response:
    reader = _reader()
    called = find_thing(reader, about, about_id)
    return _show(
        "trail/thing.html",
        trail=list_trail(reader, [(about, about_id)], before=_before()),
        called=called,
        noun=NOUNS[about],
        back=page_of(current_desk().venue.slug, about, about_id),
        about=about,
        about_id=about_id,
    )


def _show(template: str, *, status: int = 200, **context: Any) -> Response:
    desk = current_desk()
    return render(
        template,
        status=status,
        desk=desk,
        venue=desk.venue,
        page_of=partial(page_of, desk.venue.slug),
        is_personal=True,
        **context,
    )


def _reader() -> Reader:
    desk = current_desk()
    venue = desk.venue
    return Reader(
        venue.organisation_id,
        venue.id,
        venue.zone,
        lambda minor: say_price(minor, venue.currency, venue.locale),
        desk.rights,
        covers_all(venue.organisation_id, account_id() or ""),
    )


def _asked() -> Asked:
    text = request.args.get("day", "")
    try:
        day = dt.date.fromisoformat(text) if text else None
    except ValueError:
        day = None
    kind = request.args.get("kind", "")
    return Asked(request.args.get("who", "")[:40], kind if kind in OPENS else "", day)


def _before() -> int | None:
    text = request.args.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
