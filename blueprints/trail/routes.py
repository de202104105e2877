import datetime as dt
from functools import partial
from typing import Any

from flask import Blueprint, Response, flash, redirect, request

from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from blueprints.trail.pages import PARTS, history_of, page_of
from blueprints.trail_reader import current_reader
from domain.errors import RuleBroken
from domain.trail_words import NOUNS
from services.trail import (
    OPENS,
    Asked,
    find_thing,
    list_log,
    list_people,
    list_trail,
    may_open,
)
from services.undoing import ChangedSince, SavedMeanwhile, undo

bp = Blueprint("trail", __name__, url_prefix="/staff")


@bp.get("/<site>/trail")
@needs("SETTINGS_MANAGE", "STAFF_MANAGE")
def log(site: str) -> Response:
    reader, asked = current_reader(), _asked()
    kinds = [(key, NOUNS[key].capitalize()) for key in OPENS if may_open(key, reader.rights)]
    return _show(
        "trail/log.html",
        trail=list_log(reader, asked, before=_before()),
        asked=asked,
        people=list_people(reader),
        kinds=sorted(kinds, key=lambda pair: pair[1]),
    )


def _add(about: str, rights: tuple[str, ...]) -> None:
    """The history of one kind of thing, behind the right that opens its page."""

    @needs(*rights)
    def history(site: str, **part: str) -> Any:
        return _show_thing(about, part[PARTS[about]])

    @needs(*rights)
    def undoing(site: str, **part: str) -> Any:
        return _undo(about, part[PARTS[about]])

    rule = f"/<site>/trail/{about.replace('_', '-')}/<{PARTS[about]}>"
    bp.add_url_rule(rule, about, history, methods=["GET"])
    bp.add_url_rule(rule, f"undo_{about}", undoing, methods=["POST"])


for _about, _rights in OPENS.items():
    _add(_about, _rights)


def _undo(about: str, about_id: str) -> Any:
    reader = current_reader()
    find_thing(reader, about, about_id)
    entry = _number(request.form.get("entry", ""))
    if entry is None:
        return _show_thing(about, about_id, "Choose a line to undo.")
    try:
        undo(reader, (about, about_id), entry, now=utcnow())
    except ChangedSince as changed:
        return _show("trail/refused.html", status=409, broken=changed)
    except SavedMeanwhile as broken:
        return _show_thing(about, about_id, broken.sentence, status=409)
    except RuleBroken as broken:
        return _show_thing(about, about_id, broken.sentence)
    flash("Undone. It is as it was before.")
    return redirect(history_of(current_desk().venue.slug, about, about_id), code=303)


def _show_thing(about: str, about_id: str, problem: str = "", *, status: int = 422) -> Response:
    reader = current_reader()
    called = find_thing(reader, about, about_id)
    return _show(
        "trail/thing.html",
        trail=list_trail(reader, [(about, about_id)], before=_before()),
        called=called,
        noun=NOUNS[about],
        back=page_of(current_desk().venue.slug, about, about_id, covers_all=reader.sees_all),
        about=about,
        about_id=about_id,
        problem=problem,
        status=status if problem else 200,
    )


def _show(template: str, *, status: int = 200, **context: Any) -> Response:
    desk = current_desk()
    return render(
        template,
        status=status,
        desk=desk,
        venue=desk.venue,
        page_of=partial(page_of, desk.venue.slug, covers_all=current_reader().sees_all),
        history_of=partial(history_of, desk.venue.slug),
        is_personal=True,
        **context,
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
    return _number(request.args.get("before", ""))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
