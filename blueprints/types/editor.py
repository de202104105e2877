from collections.abc import Sequence
from typing import Any

from flask import Response, flash, request

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.types.area import SETTINGS, bp, here, page, to
from blueprints.types.typed import Typed, sent, shown_of
from domain.editing import EditedMeanwhile
from domain.session_types import ACCESS, DETAILS, UNITS, WrongFields
from domain.words import count, say_duration
from services.session_types import (
    Saved,
    find_type,
    list_choices,
    mark_of_part,
    save_type,
    values_of,
)
from services.type_list import find_selling

PARTS: dict[str, Sequence[str]] = {"details": DETAILS, "access": ACCESS}


@bp.get("/<site>/types/<type_id>/details")
@needs(SETTINGS)
def details(site: str, type_id: str) -> Response:
    return _editor("details", type_id)


@bp.post("/<site>/types/<type_id>/details")
@needs(SETTINGS)
def save_details(site: str, type_id: str) -> Any:
    if request.form.get("do") == "preview":
        return _preview(type_id)
    return _save("details", type_id)


@bp.get("/<site>/types/<type_id>/access")
@needs(SETTINGS)
def access(site: str, type_id: str) -> Response:
    return _editor("access", type_id)


@bp.post("/<site>/types/<type_id>/access")
@needs(SETTINGS)
def save_access(site: str, type_id: str) -> Any:
    return _save("access", type_id)


def _save(tab: str, type_id: str) -> Any:
    values = values_of(find_type(*here(), type_id))
    shown, given = sent(PARTS[tab], values)
    typed = Typed(shown, request.form.get("seen", "")[:64])
    try:
        saved = save_type(*here(), type_id, given, part=PARTS[tab], seen=typed.seen, now=utcnow())
    except WrongFields as broken:
        typed.refuse(broken)
        return _editor(tab, type_id, typed, status=422)
    except EditedMeanwhile as other:
        return _editor(tab, type_id, typed, other=other, status=409)
    flash(_said(saved, str(given.get("duration", ""))), "ok")
    return to(f"types.{tab}", type_id=type_id)


def _said(saved: Saved, duration: str) -> str:
    if not saved.changed:
        return "Nothing has changed."
    if saved.sessions:
        return (
            f"Saved. {count(saved.sessions, 'coming session')} without bookings "
            f"{'lasts' if saved.sessions == 1 else 'last'} {say_duration(int(duration))} now."
        )
    if "duration" in saved.changed:
        return "Saved. Sessions made from now on have the new length."
    return "Saved."


def _preview(type_id: str) -> Response:
    shown, _ = sent(DETAILS, values_of(find_type(*here(), type_id)))
    typed = Typed(shown, request.form.get("seen", "")[:64])
    return _editor("details", type_id, typed, block="preview")


def _editor(
    tab: str,
    type_id: str,
    typed: Typed | None = None,
    *,
    other: EditedMeanwhile | None = None,
    block: str | None = None,
    status: int = 200,
) -> Response:
    kind = find_type(*here(), type_id)
    values = values_of(kind)
    choices = list_choices(*here(), chosen=values, type_id=type_id)
    if typed is None:
        part = {name: values[name] for name in PARTS[tab]}
        typed = Typed(shown_of(part, values["currency"]), mark_of_part(values, PARTS[tab]))
    if other is not None:
        typed.lay_beside(other, choices, values["currency"])
    return page(
        f"types/{tab}.html",
        block=block,
        status=status,
        kind=kind,
        typed=typed,
        choices=choices,
        units=tuple(UNITS),
        hurdles=find_selling(current_desk().venue, type_id, now=utcnow()),
    )
