from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_wtf.csrf import CSRFError

from blueprints.clock import utcnow
from blueprints.intake_pages import OLD, Filled, fill_in, labelled, say_answer, sheet_of
from blueprints.rendering import render
from blueprints.security import PUBLIC, needs
from domain.errors import FormClosed, NotFound
from services.intake_answers import find_guest_form

bp = Blueprint("forms", __name__, url_prefix="/forms")

OWN = "my"
"""The beginning of the fields' names: it says nothing of who else is booked."""


@bp.get("/<form_secret>")
@needs(PUBLIC)
def form(form_secret: str) -> Response:
    return _page(form_secret, Filled())


@bp.post("/<form_secret>")
@needs(PUBLIC)
def fill(form_secret: str) -> Any:
    found = find_guest_form(form_secret, now=utcnow())
    filled = fill_in(found.organisation_id, found.booking_id, {OWN: found.part}, by="guest")
    if filled.status == 303:
        flash(filled.said, "ok")
        return redirect(url_for("forms.form", form_secret=form_secret), code=303)
    return _page(form_secret, filled)


@bp.errorhandler(FormClosed)
def closed(refusal: FormClosed) -> Response:
    return _sorry("This form is closed", refusal.sentence, 410)


@bp.errorhandler(NotFound)
def unknown(refusal: NotFound) -> Response:
    return _sorry("Form not found", refusal.sentence, 404)


@bp.errorhandler(CSRFError)
def stale(_error: CSRFError) -> Response:
    try:
        if "\0" in request.path:
            # The token is looked at before the door, which refuses this otherwise.
            raise NotFound
        return _page((request.view_args or {})["form_secret"], OLD)
    except FormClosed as refusal:
        return closed(refusal)
    except NotFound as refusal:
        return unknown(refusal)


def _page(form_secret: str, filled: Filled) -> Response:
    found = find_guest_form(form_secret, now=utcnow())
    sheet = sheet_of(found.part, OWN, filled, found.visit.venue.zone)
    return render(
        "forms/form.html",
        visit=found.visit,
        venue=found.visit.venue,
        sheet=sheet,
        errors=labelled(filled.errors, [sheet]),
        filled=filled,
        url=url_for("forms.fill", form_secret=form_secret),
        say_answer=say_answer,
        badge=None,
        status=filled.status,
        is_personal=True,
    )


def _sorry(title: str, sentence: str, status: int) -> Response:
    return render(
        "forms/closed.html", title=title, sentence=sentence, status=status, is_personal=True
    )
