"""The booker's page of forms: their own questions, each guest's part, and the guests' links."""

from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, flash, redirect, request, url_for
from flask_wtf.csrf import CSRFError

from blueprints.bookings.routes import bp
from blueprints.clock import utcnow
from blueprints.errors import rule_broken, stale_form
from blueprints.intake_pages import (
    OLD,
    Filled,
    fill_in,
    labelled,
    prefix_of,
    say_answer,
    sheet_of,
)
from blueprints.rendering import render
from blueprints.security import PUBLIC, count_try, needs
from domain.errors import FormClosed, NotFound, RuleBroken
from domain.people import check_email
from services.guest_links import send_guest_link
from services.intake_answers import BookingForms, Part, find_booking_forms


@dataclass(frozen=True)
class Unsent:
    """A guest's link that could not be sent to what was typed."""

    person: str
    email: str
    sentence: str


@bp.get("/<secret>/forms/<booking_id>")
@needs(PUBLIC)
def forms(secret: str, booking_id: str) -> Response:
    return _page(secret, booking_id, Filled())


@bp.post("/<secret>/forms/<booking_id>")
@needs(PUBLIC)
def fill_forms(secret: str, booking_id: str) -> Any:
    found = find_booking_forms(secret, booking_id, now=utcnow())
    parts = _sent_parts(found)
    filled = fill_in(found.organisation_id, booking_id, parts, by="booker")
    if filled.status == 303:
        flash(filled.said, "ok")
        url = url_for("bookings.forms", secret=secret, booking_id=booking_id)
        return redirect(url, code=303)
    return _page(secret, booking_id, filled)


@bp.get("/<secret>/forms/<booking_id>/links")
@needs(PUBLIC)
def back_to_forms(secret: str, booking_id: str) -> Any:
    """Where the address line leads after a press was refused there."""
    return redirect(url_for("bookings.forms", secret=secret, booking_id=booking_id))


@bp.post("/<secret>/forms/<booking_id>/links")
@needs(PUBLIC)
def send_link(secret: str, booking_id: str) -> Any:
    found = find_booking_forms(secret, booking_id, now=utcnow())
    person = request.form.get("person", "")
    position = next((it.position for it in found.parts if _person(it) == person), None)
    if position is None:
        raise NotFound("We couldn't find that guest.")
    typed = request.form.get("email", "")[:321]
    try:
        check_email(typed)
        # A letter to whomever the booker names: nobody fills strangers' letter boxes with it.
        count_try("guest_link")
        name = send_guest_link(found, position, typed, now=utcnow())
    except FormClosed as refusal:
        return _page(secret, booking_id, Filled(409, {}, refusal.sentence))
    except NotFound:
        raise
    except RuleBroken as broken:
        return _page(secret, booking_id, Filled(), Unsent(person, typed, broken.sentence))
    flash(f"The link for {name} is on its way.", "ok")
    return redirect(url_for("bookings.forms", secret=secret, booking_id=booking_id), code=303)


@bp.errorhandler(CSRFError)
def stale_forms(error: CSRFError) -> Any:
    if request.endpoint != "bookings.fill_forms":
        return stale_form(error)
    asked = request.view_args or {}
    # The token is looked at before the door, which refuses a NUL otherwise.
    if "\0" in request.path:
        return rule_broken(NotFound())
    try:
        return _page(asked["secret"], asked["booking_id"], OLD)
    except NotFound as refusal:
        return rule_broken(refusal)


def _sent_parts(found: BookingForms) -> dict[str, Part]:
    """The parts of one person, the booker's own two together; raises NotFound."""
    person = request.form.get("person", "")
    parts = {prefix_of(it.position): it for it in found.parts if _person(it) == person}
    if not parts:
        raise NotFound("We couldn't find that guest.")
    return parts


def _person(part: Part) -> str:
    return "you" if part.is_own else prefix_of(part.position)


def _page(secret: str, booking_id: str, filled: Filled, unsent: Unsent | None = None) -> Response:
    found = find_booking_forms(secret, booking_id, now=utcnow())
    zone = found.visit.venue.zone
    sheets = [sheet_of(part, prefix_of(part.position), filled, zone) for part in found.parts]
    return render(
        "bookings/forms.html",
        visit=found.visit,
        venue=found.visit.venue,
        own=[sheet for sheet in sheets if sheet.part.is_own],
        others=[sheet for sheet in sheets if not sheet.part.is_own],
        links={part.position: _guest_link(part) for part in found.parts if part.form_secret},
        sent=request.form.get("person", ""),
        errors=labelled(filled.errors, sheets),
        filled=filled,
        unsent=unsent,
        secret=secret,
        visit_id=booking_id,
        url=url_for("bookings.fill_forms", secret=secret, booking_id=booking_id),
        say_answer=say_answer,
        badge=None,
        status=422 if unsent else filled.status,
        is_personal=True,
    )


def _guest_link(part: Part) -> str:
    """What the booker sends on: never built from a stranger's Host header."""
    base = current_app.config["PUBLIC_ADDRESS"] or request.host_url.rstrip("/")
    return base + url_for("forms.form", form_secret=part.form_secret)
