from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.letters.example import example_letter
from blueprints.mailing import Letter, letter_page, text_of
from blueprints.rendering import render
from blueprints.security import FRAMING, current_desk, needs
from domain.errors import RuleBroken, WordingChanged
from domain.wording import KINDS, MOST, PLACES, Wording, list_wording_problems
from services.wording import (
    NOTHING_OWN,
    OwnWording,
    effective,
    example_of,
    find_wording,
    list_wordings,
    save_wording,
    tidy_wording,
)

bp = Blueprint("letters", __name__, url_prefix="/staff")

SETTINGS = "SETTINGS_MANAGE"


@bp.get("/<site>/letters")
@needs(SETTINGS)
def index(site: str) -> Response:
    venue = current_desk().venue
    own = list_wordings(venue.organisation_id, venue.id)
    kinds = [(name, kind, own.get(name, NOTHING_OWN)) for name, kind in KINDS.items()]
    return render(
        "letters/index.html", desk=current_desk(), venue=venue, kinds=kinds, is_personal=True
    )


@bp.get("/<site>/letters/<kind>")
@needs(SETTINGS)
def wording(site: str, kind: str) -> Response:
    own = _own(kind)
    return _editor(kind, own, effective(kind, own.words), own.revision)


@bp.post("/<site>/letters/<kind>")
@needs(SETTINGS)
def save(site: str, kind: str) -> Any:
    venue, own, seen = current_desk().venue, _own(kind), _seen()
    is_reset = request.form.get("do") == "reset"
    words = Wording() if is_reset else _typed(kind)
    problems = list_wording_problems(words)
    if problems:
        return _editor(kind, own, _shown(kind), seen, problems=problems, status=422)
    try:
        save_wording(venue.organisation_id, venue.id, kind, words, seen=seen, now=utcnow())
    except WordingChanged as refusal:
        theirs = _own(kind)
        shown = _shown(kind)
        return _editor(kind, theirs, shown, theirs.revision, refusal=refusal.sentence, status=409)
    flash("This letter says what we say again." if is_reset else "Saved.", "ok")
    return redirect(url_for("letters.wording", site=site, kind=kind), code=303)


@bp.get("/<site>/letters/<kind>/preview")
@needs(SETTINGS)
def preview(site: str, kind: str) -> Response:
    return letter_page(_example(kind, effective(kind, _own(kind).words)))


@bp.post("/<site>/letters/<kind>/preview")
@needs(SETTINGS)
def preview_typed(site: str, kind: str) -> Response:
    """What is typed, in the frame beside it; nothing is saved."""
    _own(kind)
    words = _typed(kind)
    problems = list_wording_problems(words)
    if not problems:
        return letter_page(_example(kind, effective(kind, words)))
    page = letter_page(_sorry(problems))
    page.status_code = 422
    return page


def _own(kind: str) -> OwnWording:
    venue = current_desk().venue
    return find_wording(venue.organisation_id, venue.id, kind)


def _typed(kind: str) -> Wording:
    return tidy_wording(kind, **{name: request.form.get(name, "") for name in MOST})


def _shown(kind: str) -> Wording:
    """The texts as they were sent, so that nothing typed is lost."""
    own = effective(kind, _own(kind).words)
    return Wording(**{name: request.form.get(name, getattr(own, name)) for name in MOST})


def _sorry(problems: list[RuleBroken]) -> Letter:
    said = tuple(it.sentence for it in problems)
    return Letter(to="", subject="This can't be shown yet", paragraphs=said, greets=False)


def _seen() -> int:
    text = request.form.get("seen", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else -1


def _example(kind: str, words: Wording) -> Letter:
    venue = current_desk().venue
    site, session = example_of(venue.organisation_id, venue.id)
    return example_letter(kind, site, session, words, now=utcnow())


def _editor(
    kind: str,
    own: OwnWording,
    shown: Wording,
    seen: int,
    *,
    problems: list[RuleBroken] | None = None,
    refusal: str = "",
    status: int = 200,
) -> Response:
    venue = current_desk().venue
    response = render(
        "letters/wording.html",
        desk=current_desk(),
        venue=venue,
        kind=KINDS[kind],
        name=kind,
        own=own,
        shown=shown,
        theirs=effective(kind, own.words) if refusal else None,
        seen=seen,
        errors={it.field: it.sentence for it in problems or ()},
        refusal=refusal,
        places=PLACES,
        text=text_of(_example(kind, effective(kind, own.words))),
        status=status,
        is_personal=True,
    )
    response.headers["Content-Security-Policy"] = FRAMING
    return response
