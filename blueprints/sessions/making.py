"""A single session by hand: the form, what speaks against it, and making it."""

from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.sessions.area import RESERVATIONS, bp, here, page, read_moment
from blueprints.sessions.forms import NewForm
from blueprints.visits import deed_key
from domain.errors import RuleBroken
from domain.local_time import local_day
from domain.new_sessions import Making
from domain.words import say_moment
from services.sessions_made import LookFirst, list_types_to_schedule, make_session


@bp.get("/<site>/sessions/new")
@needs(RESERVATIONS)
def new(site: str) -> Response:
    given = {name: value[:64] for name, value in request.args.items()}
    form = NewForm(formdata=None, **{k: v for k, v in given.items() if k in NewForm.PREFILLED})
    if read_moment(form.said("date"), "12:00") is None:
        form["date"].data = local_day(utcnow(), current_desk().venue.zone).isoformat()
    return _page(form)


@bp.post("/<site>/sessions/new")
@needs(RESERVATIONS)
def make(site: str) -> Any:
    form = NewForm()
    try:
        wanted = form.wanted(_currency(form))
        session_id = make_session(
            *here(),
            wanted,
            seen=form.said("seen"),
            key=deed_key(form.said("key")),
            now=utcnow(),
        )
    except LookFirst as broken:
        if not form.said("seen"):
            return _page(form, broken.making)
        form.refuse(broken)
        return _page(form, broken.making, status=409)
    except RuleBroken as broken:
        form.refuse_field(broken)
        return _page(form, status=422)
    flash(f"The session of {say_moment(wanted.local_start)} is on the schedule.", "ok")
    day = wanted.local_start.date().isoformat()
    return redirect(url_for("desk.schedule", site=site, date=day) + f"#s-{session_id}", code=303)


def _currency(form: NewForm) -> str:
    types = {kind.id: kind for kind in list_types_to_schedule(*here())}
    kind = types.get(form.said("type"))
    return kind.currency if kind else current_desk().venue.currency


def _page(form: NewForm, making: Making | None = None, *, status: int = 200) -> Response:
    types = list_types_to_schedule(*here())
    return page(
        "sessions/new.html",
        form=form,
        making=making,
        types=types,
        kind=next((kind for kind in types if kind.id == form.said("type")), None),
        status=status,
    )
