from typing import Any

from babel.numbers import get_currency_symbol
from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.prices.calendar import Look, Shown
from blueprints.prices.draft import Draft, Row, arranged, colour, read, saved_rows, sent_rows
from blueprints.rendering import render, wants_fragment
from blueprints.security import current_desk, needs
from domain import price_checks
from domain.editing import EditedMeanwhile
from domain.errors import RuleBroken
from domain.price_rules import MAX_RULES, say_conditions, say_holders
from services.price_rules import TypePrices, find_prices, preview, save_rules

bp = Blueprint("prices", __name__, url_prefix="/staff/<site>/types/<type_id>/prices")

SETTINGS = "SETTINGS_MANAGE"


@bp.get("")
@needs(SETTINGS)
def prices(site: str, type_id: str) -> Response:
    found = _find(type_id)
    look = Look(request.args.get("month", ""), request.args.get("viewer", ""))
    return _editor(found, saved_rows(found.rules, found.kind.currency), found.mark, look)


@bp.get("/preview")
@needs(SETTINGS)
def back_to_prices(site: str, type_id: str) -> Any:
    return redirect(url_for("prices.prices", site=site, type_id=type_id), code=303)


@bp.post("/preview")
@needs(SETTINGS)
def try_out(site: str, type_id: str) -> Response:
    found, press = _find(type_id), request.form.get("do", "")
    rows = arranged(sent_rows(request.form), press)
    status = 422 if press == "preview" and _read(found, rows).errors else 200
    return _editor(found, rows, _seen(), _look().pressed(press), press=press, status=status)


@bp.post("")
@needs(SETTINGS)
def save(site: str, type_id: str) -> Any:
    found, rows = _find(type_id), sent_rows(request.form)
    draft = _read(found, rows)
    if draft.errors:
        return _editor(found, rows, _seen(), _look(), press="save", status=422)
    venue = current_desk().venue
    try:
        has_changed = save_rules(
            venue.organisation_id, venue.id, type_id, draft.readable, seen=_seen(), now=utcnow()
        )
    except EditedMeanwhile as theirs:
        return _editor(_find(type_id), rows, theirs.mark, _look(), theirs=theirs, status=409)
    except RuleBroken as broken:
        return _editor(_find(type_id), rows, _seen(), _look(), refusal=broken, status=422)
    flash("Prices saved." if has_changed else "Nothing has changed.", "ok")
    here = url_for("prices.prices", site=site, type_id=type_id, month=_look().month or None)
    return redirect(here, code=303)


def _find(type_id: str) -> TypePrices:
    venue = current_desk().venue
    return find_prices(venue.organisation_id, venue.id, type_id, now=utcnow())


def _read(found: TypePrices, rows: tuple[Row, ...]) -> Draft:
    return read(rows, found.kind.currency, found.memberships)


def _seen() -> str:
    return request.form.get("seen", "")


def _look() -> Look:
    return Look(*(request.form.get(name, "") for name in ("month", "viewer", "day", "slot")))


def _editor(
    found: TypePrices,
    rows: tuple[Row, ...],
    seen: str,
    look: Look,
    *,
    press: str = "",
    theirs: EditedMeanwhile | None = None,
    refusal: RuleBroken | None = None,
    status: int = 200,
) -> Response:
    """The whole page, or for htmx its preview with what the rows say."""
    venue, draft = current_desk().venue, _read(found, rows)
    tried = preview(venue.organisation_id, found, draft.readable, now=utcnow())
    shown = Shown(look, tried.slots, draft.readable, frozenset(found.memberships), found.today)
    return render(
        "prices/prices.html",
        block="price_preview",
        desk=current_desk(),
        venue=venue,
        kind=found.kind,
        found=found,
        draft=draft,
        seen=seen,
        tried=tried,
        shown=shown,
        checks=price_checks,
        colour=colour,
        say_holders=say_holders,
        currency_sign=get_currency_symbol(found.kind.currency, venue.locale),
        most=MAX_RULES,
        places={row.id: at for at, row in enumerate(rows)},
        is_changed=rows != saved_rows(found.rules, found.kind.currency),
        is_fragment=wants_fragment(),
        errors=draft.errors if press in ("preview", "save") else {},
        opened=_opened(press, rows, draft),
        theirs=_theirs(found, theirs),
        differing=frozenset(it.field for it in theirs.differences) if theirs else frozenset(),
        refusal=refusal,
        status=status,
        is_personal=True,
    )


def _opened(press: str, rows: tuple[Row, ...], draft: Draft) -> frozenset[str]:
    """The rows whose details stand open: a new one, one in hand, one with a refusal."""
    refused = {field.rsplit("-", 1)[1] for field in draft.errors} if press else set()
    added = {rows[-1].id} if press == "add" and rows else set()
    return frozenset(refused | added | {press.partition("-")[2]})


def _theirs(found: TypePrices, refused: EditedMeanwhile | None) -> list[tuple[Any, ...]]:
    """The list as somebody else saved it meanwhile, rule by rule."""
    if refused is None:
        return []
    return [(rule, say_conditions(rule, found.memberships)) for rule in found.rules]
