from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.series.area import SETTINGS, bp, here, page
from blueprints.series.presenting import show_outlook
from domain.errors import ImpactChanged, RuleBroken
from domain.words import count
from services.series import (
    Outlook,
    archive_series,
    find_series,
    find_type,
    list_practitioners,
    list_rooms,
    preview_archiving,
    preview_restoring,
    restore_series,
)


@bp.get("/<site>/series/<group_id>/archive")
@needs(SETTINGS)
def archiving(site: str, group_id: str) -> Any:
    if find_series(*here(), group_id).deleted_at is not None:
        return _to_times(group_id, "This series is archived already.", "info")
    return _archive_page(group_id)


@bp.post("/<site>/series/<group_id>/archive")
@needs(SETTINGS)
def archive(site: str, group_id: str) -> Any:
    try:
        plan = archive_series(*here(), group_id, shown=_shown(), now=utcnow())
    except ImpactChanged as broken:
        return _archive_page(group_id, broken, status=409)
    gone, stay = len(plan.withdrawn), len(plan.booked)
    stays = f" {count(stay, 'booked session')} {'stays' if stay == 1 else 'stay'}." if stay else ""
    said = f"The series is archived. {count(gone, 'session')} went with it.{stays}"
    return _to_times(group_id, said, "ok")


@bp.get("/<site>/series/<group_id>/restoration")
@needs(SETTINGS)
def restoration(site: str, group_id: str) -> Any:
    if find_series(*here(), group_id).deleted_at is None:
        return _to_times(group_id, "This series runs already.", "info")
    return _restore_page(group_id)


@bp.post("/<site>/series/<group_id>/restoration")
@needs(SETTINGS)
def restore(site: str, group_id: str) -> Any:
    try:
        plan = restore_series(*here(), group_id, shown=_shown(), now=utcnow())
    except ImpactChanged as broken:
        return _restore_page(group_id, broken, status=409)
    back = len(plan.brought_back) + len(plan.made)
    return _to_times(group_id, f"The series runs again, with {count(back, 'session')} more.", "ok")


def _shown() -> str:
    return request.form.get("shown", "")


def _archive_page(
    group_id: str, broken: RuleBroken | None = None, *, status: int = 200
) -> Response:
    outlook = preview_archiving(*here(), group_id, now=utcnow())
    return _page("series/archive.html", group_id, outlook, broken, status)


def _restore_page(
    group_id: str, broken: RuleBroken | None = None, *, status: int = 200
) -> Response:
    outlook = preview_restoring(*here(), group_id, now=utcnow())
    return _page("series/restoration.html", group_id, outlook, broken, status)


def _page(
    template: str, group_id: str, outlook: Outlook, broken: RuleBroken | None, status: int
) -> Response:
    group = find_series(*here(), group_id)
    kind = find_type(*here(), group.session_type_id)
    names = {row.id: row.name for row in list_rooms(*here())}
    names |= {row.id: row.name for row in list_practitioners(*here())}
    return page(
        template,
        group=group,
        kind=kind,
        outlook=show_outlook(outlook, names),
        refusal=broken.sentence if broken else "",
        status=status,
    )


def _to_times(group_id: str, said: str, tone: str) -> Any:
    flash(said, tone)
    group = find_series(*here(), group_id)
    site = current_desk().venue.slug
    url = url_for("series.times", site=site, type_id=group.session_type_id, _anchor=f"s-{group_id}")
    return redirect(url, code=303)
