from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import wants_fragment
from blueprints.security import account_id, needs
from blueprints.series.area import SETTINGS, bp, here, page, work_url
from blueprints.series.forms import SeriesForm
from blueprints.series.presenting import Shown, show_outlook
from blueprints.visits import deed_key
from domain.editing import EditedMeanwhile, mark_of_values
from domain.errors import ImpactChanged, KeyReused, NotFound, RuleBroken, WrongState
from domain.series_patterns import SeriesWish
from domain.words import count
from models import RecurrenceGroup, SessionType
from services.series import (
    Saved,
    create_series,
    find_series,
    find_type,
    list_practitioners,
    list_rooms,
    list_series,
    preview_series,
    save_series,
    wish_of,
)

NOT_SEEN = "Here is what that does to the sessions. Look at it, then save."


@bp.get("/<site>/types/<type_id>/times")
@needs(SETTINGS)
def times(site: str, type_id: str) -> Response:
    kind = find_type(*here(), type_id)
    rows = list_series(*here(), type_id, now=utcnow())
    return page("series/times.html", kind=kind, rows=rows)


@bp.get("/<site>/types/<type_id>/times/new")
@needs(SETTINGS)
def new(site: str, type_id: str) -> Response:
    return _editor(find_type(*here(), type_id), None, SeriesForm.of(SeriesWish()))


@bp.post("/<site>/types/<type_id>/times/new")
@needs(SETTINGS)
def create(site: str, type_id: str) -> Any:
    kind, form = find_type(*here(), type_id), SeriesForm()
    try:
        create_series(
            *here(),
            type_id,
            form.wanted(SeriesWish()),
            shown=form.shown.data or "",
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        return _refused(kind, None, form, broken)
    flash("The series is saved.", "ok")
    return redirect(url_for("series.times", site=site, type_id=type_id), code=303)


@bp.post("/<site>/types/<type_id>/times/new/preview")
@needs(SETTINGS)
def preview_new(site: str, type_id: str) -> Any:
    return _editor(find_type(*here(), type_id), None, SeriesForm())


@bp.get("/<site>/types/<type_id>/times/new/preview")
@needs(SETTINGS)
def back_to_new(site: str, type_id: str) -> Any:
    return redirect(url_for("series.new", site=site, type_id=type_id), code=303)


@bp.get("/<site>/series/<group_id>")
@needs(SETTINGS)
def series(site: str, group_id: str) -> Response:
    group = find_series(*here(), group_id)
    form = SeriesForm.of(wish_of(group))
    form.seen.data = mark_of_values(wish_of(group).values)
    return _editor(find_type(*here(), group.session_type_id), group, form)


@bp.post("/<site>/series/<group_id>")
@needs(SETTINGS)
def change(site: str, group_id: str) -> Any:
    group, form = find_series(*here(), group_id), SeriesForm()
    kind = find_type(*here(), group.session_type_id)
    try:
        saved = save_series(
            *here(),
            group_id,
            form.wanted(wish_of(group)),
            seen=form.seen.data or "",
            shown=form.shown.data or "",
            choices=form.choices,
            account_id=account_id(),
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        return _refused(kind, find_series(*here(), group_id), form, broken)
    _say(saved)
    if saved.aftermath.work_id:
        return redirect(work_url(saved.aftermath.work_id), code=303)
    return redirect(url_for("series.times", site=site, type_id=kind.id), code=303)


@bp.post("/<site>/series/<group_id>/preview")
@needs(SETTINGS)
def preview(site: str, group_id: str) -> Any:
    group = find_series(*here(), group_id)
    return _editor(find_type(*here(), group.session_type_id), group, SeriesForm())


@bp.get("/<site>/series/<group_id>/preview")
@needs(SETTINGS)
def back_to_series(site: str, group_id: str) -> Any:
    return redirect(url_for("series.series", site=site, group_id=group_id), code=303)


def _refused(
    kind: SessionType, group: RecurrenceGroup | None, form: SeriesForm, broken: RuleBroken
) -> Response:
    theirs: dict[str, Any] = {}
    is_conflict = isinstance(broken, ImpactChanged | EditedMeanwhile | KeyReused | WrongState)
    if isinstance(broken, EditedMeanwhile):
        theirs = {one.field: one.theirs for one in broken.differences}
        form.seen.data = broken.mark
    if isinstance(broken, ImpactChanged) and not form.shown.data:
        # Nothing was shown yet: without script the first press shows it.
        broken = RuleBroken(NOT_SEEN)
        is_conflict = False
    form.refuse(broken)
    return _editor(kind, group, form, theirs=theirs, status=409 if is_conflict else 422)


def _editor(
    kind: SessionType,
    group: RecurrenceGroup | None,
    form: SeriesForm,
    *,
    theirs: dict[str, Any] | None = None,
    status: int = 200,
) -> Response:
    rooms, people = list_rooms(*here()), list_practitioners(*here())
    names = {row.id: row.name for row in rooms} | {row.id: row.name for row in people}
    _arrange(form)
    outlook, status = _outlook(kind, group, form, names, status)
    return page(
        "series/editor.html",
        block="outlook" if wants_fragment() else None,
        kind=kind,
        group=group,
        form=form,
        rooms=rooms,
        people=people,
        names=names,
        outlook=outlook,
        theirs=theirs or {},
        status=status,
    )


def _arrange(form: SeriesForm) -> None:
    """Buttons of the form that add and take away start times; an empty one is always there."""
    what = request.form.get("do", "")
    number = what.removeprefix("without-")
    if what != number and number.isdecimal() and int(number) < len(form.starts):
        form.starts.pop(int(number))
    if what == "time" or not form.starts:
        form.starts.append(("", ""))


def _outlook(
    kind: SessionType,
    group: RecurrenceGroup | None,
    form: SeriesForm,
    names: dict[str, str],
    status: int,
) -> tuple[Shown | None, int]:
    base = wish_of(group) if group else SeriesWish()
    try:
        wish = form.wanted(base) if request.method == "POST" else base
        found = preview_series(
            *here(),
            type_id=kind.id,
            group_id=group.id if group else "",
            wish=wish,
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        if not form.errors:
            form.refuse(broken)
        return None, max(status, 422) if status != 409 else status
    return show_outlook(found, names), status


def _say(saved: Saved) -> None:
    plan = saved.plan
    numbers = {
        "made": len(plan.made),
        "changed": len(plan.moved),
        "brought back": len(plan.brought_back),
        "taken away": len(plan.withdrawn),
    }
    said = ", ".join(
        f"{count(number, 'session')} {what}" for what, number in numbers.items() if number
    )
    after = saved.aftermath
    done = f" {count(after.done, 'booked session')} dealt with." if after.done else ""
    flash(f"Saved. {said or 'No other session changes'}.{done}", "ok")
    for name, sentence in after.refused:
        flash(f"{name}: {sentence}", "warn")
