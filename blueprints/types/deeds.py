from typing import Any

from flask import Response, flash, request

from blueprints.clock import utcnow
from blueprints.security import needs
from blueprints.types.area import SETTINGS, bp, here, page, to
from blueprints.types.typed import Typed
from blueprints.visits import deed_key
from domain.errors import ImpactChanged, KeyReused
from domain.session_types import WrongFields
from domain.words import count
from services.session_types import find_type
from services.type_archiving import (
    archive_type,
    count_archived_series,
    count_singles,
    find_archiving,
    restore_type,
)
from services.type_copying import copy_type


@bp.get("/<site>/types/<type_id>/copy")
@needs(SETTINGS)
def copying(site: str, type_id: str) -> Response:
    kind = find_type(*here(), type_id)
    flags = {"with_rules": True, "with_series": False, "offered_online": False}
    return _copy_page(type_id, Typed({"name": kind.name, **flags}))


@bp.post("/<site>/types/<type_id>/copy")
@needs(SETTINGS)
def copy(site: str, type_id: str) -> Any:
    ticked = {
        name: request.form.get(name) == "true"
        for name in ("with_rules", "with_series", "offered_online")
    }
    typed = Typed({"name": request.form.get("name", ""), **ticked})
    try:
        made_id = copy_type(
            *here(),
            type_id,
            {"name": typed.shown["name"].strip(), "offered_online": ticked["offered_online"]},
            with_rules=ticked["with_rules"],
            with_series=ticked["with_series"],
            key=deed_key(request.form.get("key", "")),
            now=utcnow(),
        )
    except (WrongFields, KeyReused) as broken:
        typed.refuse(broken)
        status = 409 if isinstance(broken, KeyReused) else 422
        return _copy_page(type_id, typed, status=status)
    flash("This is the copy.", "ok")
    return to("types.details", type_id=made_id)


@bp.get("/<site>/types/<type_id>/archive")
@needs(SETTINGS)
def archiving(site: str, type_id: str) -> Any:
    found = find_archiving(*here(), type_id, now=utcnow())
    if found.kind.deleted_at is not None:
        flash("It is archived already.", "warn")
        return to("types.details", type_id=type_id)
    return page("types/archive.html", found=found, kind=found.kind, typed=Typed({}))


@bp.post("/<site>/types/<type_id>/archive")
@needs(SETTINGS)
def archive(site: str, type_id: str) -> Any:
    try:
        archive_type(*here(), type_id, seen=request.form.get("seen", ""), now=utcnow())
    except ImpactChanged as broken:
        found = find_archiving(*here(), type_id, now=utcnow())
        typed = Typed({}, form_errors=[broken.sentence])
        return page("types/archive.html", found=found, kind=found.kind, typed=typed, status=409)
    flash("It is archived. Whoever booked still comes.", "ok")
    return to("types.details", type_id=type_id)


@bp.get("/<site>/types/<type_id>/restore")
@needs(SETTINGS)
def restoration(site: str, type_id: str) -> Any:
    kind = find_type(*here(), type_id)
    if kind.deleted_at is None:
        flash("It is not archived. There is nothing to restore.", "warn")
        return to("types.details", type_id=type_id)
    series = count_archived_series(here()[0], type_id)
    singles = count_singles(here()[0], type_id, now=utcnow())
    return page("types/restore.html", kind=kind, series=series, singles=singles)


@bp.post("/<site>/types/<type_id>/restore")
@needs(SETTINGS)
def restore(site: str, type_id: str) -> Any:
    series = restore_type(*here(), type_id, now=utcnow())
    left = f" Its {count(series, 'series', 'series')} stay archived: restore them under Times."
    flash(f"It is there again.{left if series else ''}", "ok")
    return to("types.details", type_id=type_id)


def _copy_page(type_id: str, typed: Typed, *, status: int = 200) -> Response:
    return page("types/copy.html", kind=find_type(*here(), type_id), typed=typed, status=status)
