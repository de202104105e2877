"""Cancelling and moving a guest's booking from the roster: what it does first, then the press."""

from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.changing_pages import (
    REFUSALS,
    Choosing,
    read_choosing,
    sent_number,
    sent_numbers,
    status_of,
)
from blueprints.clock import utcnow
from blueprints.desk.forms import ChangeForm, MoveForm
from blueprints.desk.routes import DESK, bp
from blueprints.forms import Form
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from blueprints.visits import deed_key
from domain.errors import NotFound, RuleBroken
from services import growing, moving
from services.cancelling import cancel_for_staff, cancel_guests
from services.changing import Door, Standing, find_standing, require_changeable

MOST_NAMES = 4
"""How many new guests a form has room for."""


@bp.get("/<site>/bookings/<booking_id>/cancellation")
@needs(DESK)
def cancellation(site: str, booking_id: str) -> Response:
    return _page("desk/cancellation.html", booking_id, ChangeForm(formdata=None, tell=True))


@bp.post("/<site>/bookings/<booking_id>/cancellation")
@needs(DESK)
def cancel(site: str, booking_id: str) -> Any:
    venue, form = current_desk().venue, ChangeForm()
    if not form.validate():
        return _page("desk/cancellation.html", booking_id, form, status=422)
    session_id = cancel_for_staff(
        venue.organisation_id,
        venue.id,
        booking_id,
        reason=form.reason.data or "",
        tells=bool(form.tell.data),
        key=deed_key(form.key.data or ""),
        now=utcnow(),
    )
    return _to_roster(site, session_id)


@bp.get("/<site>/bookings/<booking_id>/guests")
@needs(DESK)
def guests(site: str, booking_id: str) -> Response:
    return _page("desk/guests.html", booking_id, ChangeForm(formdata=None, tell=True))


@bp.post("/<site>/bookings/<booking_id>/guests")
@needs(DESK)
def remove_guests(site: str, booking_id: str) -> Any:
    form = ChangeForm()
    if not form.validate():
        return _page("desk/guests.html", booking_id, form, status=422)
    try:
        session_id = cancel_guests(
            _door(form, reason=" ".join((form.reason.data or "").split())),
            booking_id,
            who=sent_numbers("who"),
            number=max(0, sent_number("number")),
            seen=sent_number("seen"),
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except REFUSALS as refusal:
        return _page("desk/guests.html", booking_id, form, broken=refusal)
    return _to_roster(site, session_id, booking_id)


@bp.get("/<site>/bookings/<booking_id>/more-guests")
@needs(DESK)
def more_guests(site: str, booking_id: str) -> Response:
    return _growing(booking_id, MoveForm(formdata=None, tell=True))


@bp.post("/<site>/bookings/<booking_id>/more-guests")
@needs(DESK)
def add_guests(site: str, booking_id: str) -> Any:
    form = MoveForm()
    typed = [request.form.get(f"guest-{number}", "")[:200] for number in range(MOST_NAMES)]
    try:
        session_id = growing.add_guests(
            _door(form),
            booking_id,
            names=[name for name in typed if name.strip()],
            number=max(0, sent_number("who")),
            seen=sent_number("seen"),
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as refusal:
        return _growing(booking_id, form, broken=refusal)
    return _to_roster(site, session_id, booking_id)


@bp.get("/<site>/bookings/<booking_id>/move")
@needs(DESK)
def move(site: str, booking_id: str) -> Response:
    return _page("desk/move.html", booking_id, MoveForm(formdata=None, tell=True))


@bp.post("/<site>/bookings/<booking_id>/move")
@needs(DESK)
def move_booking(site: str, booking_id: str) -> Any:
    form = MoveForm()
    session_id = request.form.get("to", "")[:64]
    try:
        moving.move(
            _door(form),
            booking_id,
            session_id,
            seen=sent_number("seen"),
            seen_price=sent_number("price"),
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except REFUSALS as refusal:
        return _page("desk/move.html", booking_id, form, broken=refusal)
    flash("Moved here. The old place is free again.", "ok")
    return _to_roster(site, session_id, booking_id)


def _door(form: Form | None = None, *, reason: str = "") -> Door:
    venue = current_desk().venue
    tells = bool(form.tell.data) if form is not None else True
    return Door(venue.organisation_id, site_id=venue.id, reason=reason, tells=tells)


def _growing(booking_id: str, form: Form, *, broken: RuleBroken | None = None) -> Response:
    """Who else comes along; refused where nobody can."""
    now = utcnow()
    standing = find_standing(_door(), booking_id, now=now)
    if broken is None:
        growing.require_growing(standing, now)
    return _show("desk/more_guests.html", standing, form, broken=broken)


def _page(
    template: str,
    booking_id: str,
    form: Form,
    *,
    broken: RuleBroken | None = None,
    status: int = 200,
) -> Response:
    """What the change would do, before it is done; a booking that has ended is refused."""
    now, door = utcnow(), _door()
    standing = find_standing(door, booking_id, now=now)
    if broken is None:
        require_changeable(standing)
    choosing = None
    if template == "desk/move.html":
        choosing = read_choosing(door, standing, now)
        broken = broken or choosing.refusal
    return _show(template, standing, form, choosing=choosing, broken=broken, status=status)


def _show(
    template: str,
    standing: Standing,
    form: Form,
    *,
    choosing: Choosing | None = None,
    broken: RuleBroken | None = None,
    status: int = 200,
) -> Response:
    return render(
        template,
        desk=current_desk(),
        venue=current_desk().venue,
        standing=standing,
        booking=standing.booking,
        choosing=choosing,
        form=form,
        broken=broken,
        sent=request.form,
        status=status_of(broken) if broken else status,
        is_personal=True,
    )


def _to_roster(site: str, session_id: str, booking_id: str = "") -> Any:
    anchor = f"b-{booking_id}" if booking_id else None
    url = url_for("desk.roster", site=site, session_id=session_id, _anchor=anchor)
    return redirect(url, code=303)
