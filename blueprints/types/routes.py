from typing import Any

from flask import Response, flash, request

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.types.area import SETTINGS, bp, here, page, to
from blueprints.types.typed import Typed
from blueprints.visits import deed_key
from domain.errors import KeyReused
from domain.session_types import NEW_ON_PAGE, WrongFields
from services.session_types import list_categories, make_type
from services.type_list import SORTS, STATES, Wanted, list_types

STATE_WORDS = {
    "on_sale": "On sale",
    "link_only": "Link only",
    "staff_only": "Staff only",
    "archived": "Archived",
}
SORT_WORDS = {
    "name": "Name",
    "next": "Next session",
    "coming": "Most sessions",
    "changed": "Changed last",
}


@bp.get("/<site>/types")
@needs(SETTINGS)
def types(site: str) -> Response:
    wanted = _wanted()
    found = list_types(current_desk().venue, wanted, now=utcnow())
    return page(
        "types/types.html",
        found=found,
        wanted=wanted,
        categories=list_categories(here()[0]),
        states=STATE_WORDS,
        sorts=SORT_WORDS,
        asked=_asked(wanted),
    )


@bp.get("/<site>/types/new")
@needs(SETTINGS)
def new(site: str) -> Response:
    return page("types/new.html", typed=Typed({"name": ""}))


@bp.post("/<site>/types/new")
@needs(SETTINGS)
def make(site: str) -> Any:
    name = request.form.get("name", "")
    typed = Typed({"name": name})
    key = deed_key(request.form.get("key", ""))
    try:
        type_id = make_type(*here(), {**NEW_ON_PAGE, "name": name}, key=key, now=utcnow())
    except (WrongFields, KeyReused) as broken:
        typed.refuse(broken)
        status = 409 if isinstance(broken, KeyReused) else 422
        return page("types/new.html", typed=typed, status=status)
    flash("It is made: 60 minutes, public, not yet offered online.", "ok")
    return to("types.details", type_id=type_id)


@bp.get("/<site>/types/<type_id>")
@needs(SETTINGS)
def one(site: str, type_id: str) -> Any:
    return to("types.details", type_id=type_id)


def _wanted() -> Wanted:
    asked = request.args
    number = asked.get("page", "")
    return Wanted(
        text=asked.get("q", "").strip()[:100],
        state=asked.get("state", "") if asked.get("state") in STATES else "",
        category=asked.get("category", "")[:64],
        sort=asked.get("sort", "") if asked.get("sort") in SORTS else SORTS[0],
        page=int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 1,
    )


def _asked(wanted: Wanted) -> dict[str, str | None]:
    """The parts of the address that links of the list carry on."""
    return {
        "q": wanted.text or None,
        "state": wanted.state or None,
        "category": wanted.category or None,
        "sort": wanted.sort if wanted.sort != SORTS[0] else None,
    }
