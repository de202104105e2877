from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.cover.forms import CoverForm, SpanForm
from blueprints.rendering import render
from blueprints.security import account_id, current_desk, needs
from blueprints.visits import deed_key
from domain.errors import ImpactChanged, NotFound, RuleBroken
from domain.local_time import local_day
from services.cover import MOST, Absence, Cover, find_cover, list_absent
from services.covering import begin_cover
from services.long_works import find_work
from services.notices import find_notices
from services.work_steps import do_small_work

bp = Blueprint("cover", __name__, url_prefix="/staff")

RESERVATIONS = "RESERVATIONS_MANAGE"
TOLD = {
    "everyone": "Everybody who booked or waits gets a mail.",
    "confirmed": "Everybody who booked gets a mail.",
    "nobody": "Nobody gets a mail: that is how your notices are set.",
}


@bp.get("/<site>/cover")
@needs(RESERVATIONS)
def cover(site: str) -> Response:
    form = SpanForm(request.args)
    try:
        absence = form.absence(_today())
    except RuleBroken as broken:
        form.refuse(broken)
        return _page(form, None, status=422)
    return _page(form, absence)


@bp.post("/<site>/cover")
@needs(RESERVATIONS)
def apply(site: str) -> Any:
    span = SpanForm(request.args)
    try:
        absence = span.absence(_today())
    except RuleBroken as broken:
        span.refuse(broken)
        return _page(span, None, status=422)
    if absence is None:
        return redirect(url_for("cover.cover", site=site), code=303)
    form = CoverForm(request.form)
    try:
        work_id = _begin(absence, form)
    except NotFound:
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        status = 409 if isinstance(broken, ImpactChanged) else 422
        return _page(span, absence, form, status=status)
    if work_id is None:
        flash("The time off is saved.", "ok")
        return redirect(_here(), code=303)
    return redirect(url_for("works.work", site=site, work_id=work_id), code=303)


def _begin(absence: Absence, form: CoverForm) -> str | None:
    venue, now = current_desk().venue, utcnow()
    work_id = begin_cover(
        venue.organisation_id,
        venue.id,
        absence,
        form.wish(),
        key=deed_key(request.form.get("key", "")),
        account_id=account_id(),
        back=_here(),
        now=now,
    )
    if work_id is not None:
        total = find_work(venue.organisation_id, venue.id, work_id).total
        do_small_work(venue.organisation_id, work_id, total, now=now)
    return work_id


def _here() -> str:
    args: dict[str, Any] = {
        name: request.args[name] for name in SpanForm.ARGS if request.args.get(name)
    }
    return url_for("cover.cover", site=current_desk().venue.slug, **args)


def _today() -> Any:
    return local_day(utcnow(), current_desk().venue.zone)


def _page(
    span: SpanForm, absence: Absence | None, form: CoverForm | None = None, *, status: int = 200
) -> Response:
    desk = current_desk()
    here = (desk.venue.organisation_id, desk.venue.id)
    found = find_cover(*here, absence, now=utcnow()) if absence else None
    return render(
        "cover/cover.html",
        desk=desk,
        venue=desk.venue,
        span=span,
        dates=span.dates(_today()),
        kind=span.kind,
        choices=list_absent(*here, span.kind),
        cover=found,
        totals=_totals(found),
        form=form or CoverForm(None),
        here=_here(),
        most=MOST,
        told=TOLD[find_notices(*here).cancelled_session_notices],
        status=status,
        is_personal=True,
    )


def _totals(found: Cover | None) -> dict[str, int]:
    rows = found.affected if found else ()
    return {
        "sessions": len(rows),
        "covered": sum(bool(one.proposed) for one in rows),
        "bookings": sum(one.impact.bookings for one in rows),
        "guests": sum(one.impact.guests for one in rows),
    }
