import re
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.intake.draft import Card, arranged, sent_cards
from blueprints.intake_pages import (
    Filled,
    Sheet,
    fill_in,
    labelled,
    prefix_of,
    say_answer,
    sheet_of,
)
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from domain.errors import FormChanged, RuleBroken
from domain.intake import ASKED_OF, KINDS, MAX_FIELDS, WITH_OPTIONS, list_problems
from services.intake import TypeForm, find_type_form, save_form
from services.intake_answers import Part, find_desk_forms
from services.session_types import find_type

bp = Blueprint("intake", __name__, url_prefix="/staff")

SETTINGS = "SETTINGS_MANAGE"
DESK = "RESERVATIONS_MANAGE"
ASKED = {"booker": "Asked once, of the booker", "each_guest": "Asked of each guest"}


@bp.get("/<site>/types/<type_id>/form")
@needs(SETTINGS)
def type_form(site: str, type_id: str) -> Response:
    kind = _kind(type_id)
    return _editor(kind, [Card.of(field) for field in kind.fields], kind.latest)


@bp.post("/<site>/types/<type_id>/form")
@needs(SETTINGS)
def edit_form(site: str, type_id: str) -> Any:
    kind, cards, what = _kind(type_id), sent_cards(), request.form.get("do", "")
    seen = _seen_version()
    if what != "save":
        known = {field.id for version in kind.versions for field in version.fields}
        return _editor(kind, arranged(cards, what, known), seen)
    problems = list_problems([card.field for card in cards])
    if problems:
        return _editor(kind, cards, seen, problems=problems, status=422)
    venue = current_desk().venue
    try:
        version = save_form(
            venue.organisation_id,
            venue.id,
            type_id,
            [card.field for card in cards],
            expected=seen,
            now=utcnow(),
        )
    except FormChanged as refusal:
        fresh = _kind(type_id)
        return _editor(fresh, cards, fresh.latest, refusal=refusal.sentence, status=409)
    flash(_said(version, bool(cards)), "ok")
    return redirect(url_for("intake.type_form", site=site, type_id=type_id), code=303)


@bp.get("/<site>/bookings/<booking_id>/forms")
@needs(DESK)
def booking_forms(site: str, booking_id: str) -> Response:
    return _answers(booking_id, Filled())


@bp.post("/<site>/bookings/<booking_id>/forms")
@needs(DESK)
def fill_booking_forms(site: str, booking_id: str) -> Any:
    venue = current_desk().venue
    found = find_desk_forms(venue.organisation_id, venue.id, booking_id, now=utcnow())
    person = request.form.get("person", "")
    part = found.of(int(person) if re.fullmatch(r"-?[0-9]{1,2}", person) else -2)
    parts = {prefix_of(part.position): part}
    filled = fill_in(venue.organisation_id, booking_id, parts, by="desk")
    if filled.status == 303:
        flash(filled.said, "ok")
        url = url_for("intake.booking_forms", site=site, booking_id=booking_id)
        return redirect(url, code=303)
    return _answers(booking_id, filled)


def _kind(type_id: str) -> TypeForm:
    venue = current_desk().venue
    return find_type_form(venue.organisation_id, venue.id, type_id)


def _seen_version() -> int:
    text = request.form.get("seen", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else -1


def _said(version: int | None, has_fields: bool) -> str:
    if version is None:
        return "Nothing has changed, so there is no new version."
    if not has_fields:
        return "Saved. New bookings are asked nothing now."
    return f"Saved as version {version}. New bookings are asked this one."


def _editor(
    kind: TypeForm,
    cards: list[Card],
    seen: int,
    *,
    problems: list[RuleBroken] | None = None,
    refusal: str = "",
    status: int = 200,
) -> Response:
    errors: dict[str, str] = {}
    for problem in problems or ():
        errors.setdefault(problem.field or "fields", problem.sentence)
    venue = current_desk().venue
    return render(
        "intake/type_form.html",
        desk=current_desk(),
        venue=venue,
        kind=kind,
        head=find_type(venue.organisation_id, venue.id, kind.id),
        cards=cards,
        seen=seen,
        errors=errors,
        refusal=refusal,
        preview=[(said, _drawn(cards, who)) for who, said in ASKED.items()],
        kinds=KINDS,
        with_options=WITH_OPTIONS,
        asked_of=ASKED_OF,
        most=MAX_FIELDS,
        status=status,
        is_personal=True,
    )


def _drawn(cards: list[Card], who: str) -> Sheet:
    """The questions that can be shown already, as their guest would see them."""
    fields = [card.field for card in cards]
    ready = tuple(
        it for it in fields if it.asked_of == who and it.kind in KINDS and it.label.strip()
    )
    return sheet_of(Part(0, "", ready, {}), f"p-{who}", Filled(), current_desk().venue.zone)


def _answers(booking_id: str, filled: Filled) -> Response:
    venue = current_desk().venue
    found = find_desk_forms(venue.organisation_id, venue.id, booking_id, now=utcnow())
    sheets = [sheet_of(it, prefix_of(it.position), filled, venue.zone) for it in found.parts]
    return render(
        "intake/booking_forms.html",
        desk=current_desk(),
        venue=venue,
        found=found,
        sheets=sheets,
        sent=request.form.get("person", "") if filled.typed else "",
        errors=labelled(filled.errors, sheets),
        filled=filled,
        say_answer=say_answer,
        status=filled.status,
        is_personal=True,
    )
