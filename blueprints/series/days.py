from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.security import account_id, current_desk, needs
from blueprints.series.area import SETTINGS, bp, here, page, work_url
from blueprints.series.forms import ClosingForm
from domain.errors import ImpactChanged, NotFound, RuleBroken
from domain.local_time import local_day
from domain.reasons import check_reason
from domain.words import count
from models import Session
from services.closed_days import (
    Closing,
    close_days,
    find_closed_day,
    find_closing,
    list_closed_days,
    reopen_day,
)
from services.session_targets import MoveTarget

MOST_TARGETS = 8
MOST_SHOWN = 60
"""Booked sessions with a choice of their own; the rest follow the choice for all."""


@bp.get("/<site>/closed-days")
@needs(SETTINGS)
def closed_days(site: str) -> Response:
    return _list(ClosingForm(formdata=None))


@bp.get("/<site>/closed-days/new")
@needs(SETTINGS)
def closing(site: str) -> Response:
    form = ClosingForm(request.args)
    try:
        check_reason(form.reason.data or "")
        found = find_closing(*here(), *form.days(), now=utcnow())
    except RuleBroken as broken:
        form.refuse(broken)
        return _list(form, status=422)
    return _impact(form, found)


@bp.post("/<site>/closed-days/new")
@needs(SETTINGS)
def close(site: str) -> Any:
    form = ClosingForm()
    try:
        first, last = form.days()
        after = close_days(
            *here(),
            first,
            last,
            reason=form.reason.data or "",
            choices=form.choices,
            shown=form.shown.data or "",
            account_id=account_id(),
            now=utcnow(),
        )
    except ImpactChanged as broken:
        form.refuse(broken)
        return _impact(form, find_closing(*here(), *form.days(), now=utcnow()), status=409)
    except NotFound:
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        return _list(form, status=422)
    done = f" {count(after.done, 'booked session')} called off as you chose." if after.done else ""
    flash(f"Closed.{done}", "ok")
    for name, sentence in after.refused:
        flash(f"{name}: {sentence}", "warn")
    if after.work_id:
        return redirect(work_url(after.work_id), code=303)
    return redirect(url_for("series.closed_days", site=site), code=303)


@bp.get("/<site>/closed-days/<day_id>/removal")
@needs(SETTINGS)
def reopening(site: str, day_id: str) -> Response:
    closed = find_closed_day(*here(), day_id)
    went = next(it for it in list_closed_days(*here()) if it.id == closed.id)
    return page("series/reopening.html", closed=went)


@bp.post("/<site>/closed-days/<day_id>/removal")
@needs(SETTINGS)
def reopen(site: str, day_id: str) -> Any:
    back = reopen_day(*here(), day_id, now=utcnow())
    flash(f"The day is open again, with {count(back, 'session')} back.", "ok")
    return redirect(url_for("series.closed_days", site=site), code=303)


def _list(form: ClosingForm, *, status: int = 200) -> Response:
    today = local_day(utcnow(), current_desk().venue.zone)
    rows = list_closed_days(*here())
    return page(
        "series/closed_days.html",
        form=form,
        coming=[row for row in rows if row.day >= today],
        past=[row for row in reversed(rows) if row.day < today][:MOST_SHOWN],
        today=today,
        status=status,
    )


def _impact(form: ClosingForm, found: Closing, *, status: int = 200) -> Response:
    return page(
        "series/closing.html",
        form=form,
        closing=found,
        booked=found.booked[:MOST_SHOWN],
        more=max(0, len(found.booked) - MOST_SHOWN),
        each=form.choices.each,
        to=form.choices.to,
        targets={row.id: _near(found, row) for row in found.booked[:MOST_SHOWN]},
        worth=sum(one.worth for one in found.touched.values()),
        bookings=sum(one.bookings for one in found.touched.values()),
        guests=sum(one.guests for one in found.touched.values()),
        status=status,
    )


def _near(found: Closing, row: Session) -> list[MoveTarget]:
    """The nearest few sessions with room for all who booked, in order of time."""
    here = found.touched.get(row.id)
    if here is None or not here.guests:
        return []
    fits = [one for one in found.targets.get(row.session_type_id, ()) if one.left >= here.guests]
    fits.sort(key=lambda one: abs(one.local_start - row.local_start))
    return sorted(fits[:MOST_TARGETS], key=lambda one: one.local_start)
