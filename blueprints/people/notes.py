"""Notes about a customer, and about one booking."""

from typing import Any

from flask import flash, redirect, url_for

from blueprints.clock import utcnow
from blueprints.people.area import CUSTOMERS, RESERVATIONS, bp
from blueprints.people.customers import NOTE, Refused, just_gone, show_customer
from blueprints.people.forms import NoteForm
from blueprints.rendering import render
from blueprints.security import account_id, current_desk, needs
from blueprints.visits import deed_key
from domain.errors import KeyReused
from services.customers import find_customer, find_successor
from services.notes import (
    About,
    add_note,
    bring_note_back,
    find_booking_of_site,
    list_notes,
    take_note_away,
)


@bp.get("/<site>/customers/<customer_id>/notes")
@bp.get("/<site>/customers/<customer_id>/notes/<note_id>/removal")
@bp.get("/<site>/customers/<customer_id>/notes/<note_id>/return")
@needs(CUSTOMERS)
def back_to_notes(site: str, customer_id: str, note_id: str = "") -> Any:
    """Where the address line leads after a note was refused there."""
    find_customer(current_desk().venue.organisation_id, customer_id)
    return redirect(_customer_url(site, customer_id))


@bp.post("/<site>/customers/<customer_id>/notes")
@needs(CUSTOMERS)
def note_customer(site: str, customer_id: str) -> Any:
    organisation_id = current_desk().venue.organisation_id
    # Merged since the page was opened: what was typed is kept with the one that stays.
    customer_id = find_successor(organisation_id, customer_id) or customer_id
    find_customer(organisation_id, customer_id)
    form = NoteForm()
    if not form.validate():
        return show_customer(customer_id, Refused(NOTE, form), status=422)
    try:
        _add(About(customer_id=customer_id), form)
    except KeyReused as broken:
        return show_customer(customer_id, Refused(NOTE, form, broken), status=409)
    flash("The note is kept.", "ok")
    return redirect(_customer_url(site, customer_id), code=303)


@bp.post("/<site>/customers/<customer_id>/notes/<note_id>/removal")
@needs(CUSTOMERS)
def remove_note(site: str, customer_id: str, note_id: str) -> Any:
    _take_away(About(customer_id=customer_id), note_id)
    return redirect(_customer_url(site, customer_id, gone=note_id), code=303)


@bp.post("/<site>/customers/<customer_id>/notes/<note_id>/return")
@needs(CUSTOMERS)
def return_note(site: str, customer_id: str, note_id: str) -> Any:
    bring_note_back(current_desk().venue.organisation_id, About(customer_id=customer_id), note_id)
    flash("The note is back.", "ok")
    return redirect(_customer_url(site, customer_id), code=303)


@bp.get("/<site>/bookings/<booking_id>/notes")
@needs(RESERVATIONS, CUSTOMERS)
def booking_notes(site: str, booking_id: str) -> Any:
    return _booking_page(booking_id, NoteForm(formdata=None))


@bp.post("/<site>/bookings/<booking_id>/notes")
@needs(RESERVATIONS, CUSTOMERS)
def note_booking(site: str, booking_id: str) -> Any:
    desk = current_desk()
    venue = desk.venue
    session_id = find_booking_of_site(venue.organisation_id, venue.id, booking_id).session_id
    form = NoteForm()
    if not form.validate():
        return _booking_page(booking_id, form, status=422)
    try:
        _add(About(booking_id=booking_id), form)
    except KeyReused as broken:
        form.refuse(broken)
        return _booking_page(booking_id, form, status=409)
    flash("The note is kept.", "ok")
    if RESERVATIONS not in desk.rights:
        return redirect(_booking_url(site, booking_id), code=303)
    # Where it is read, and where the next guest waits.
    roster = url_for("desk.roster", site=site, session_id=session_id, _anchor=f"b-{booking_id}")
    return redirect(roster, code=303)


@bp.get("/<site>/bookings/<booking_id>/notes/<booking_note_id>/removal")
@bp.get("/<site>/bookings/<booking_id>/notes/<booking_note_id>/return")
@needs(RESERVATIONS, CUSTOMERS)
def back_to_booking_notes(site: str, booking_id: str, booking_note_id: str) -> Any:
    venue = current_desk().venue
    find_booking_of_site(venue.organisation_id, venue.id, booking_id)
    return redirect(_booking_url(site, booking_id))


@bp.post("/<site>/bookings/<booking_id>/notes/<booking_note_id>/removal")
@needs(RESERVATIONS, CUSTOMERS)
def remove_booking_note(site: str, booking_id: str, booking_note_id: str) -> Any:
    venue = current_desk().venue
    find_booking_of_site(venue.organisation_id, venue.id, booking_id)
    _take_away(About(booking_id=booking_id), booking_note_id)
    return redirect(_booking_url(site, booking_id, gone=booking_note_id), code=303)


@bp.post("/<site>/bookings/<booking_id>/notes/<booking_note_id>/return")
@needs(RESERVATIONS, CUSTOMERS)
def return_booking_note(site: str, booking_id: str, booking_note_id: str) -> Any:
    venue = current_desk().venue
    find_booking_of_site(venue.organisation_id, venue.id, booking_id)
    bring_note_back(venue.organisation_id, About(booking_id=booking_id), booking_note_id)
    flash("The note is back.", "ok")
    return redirect(_booking_url(site, booking_id), code=303)


def _add(about: About, form: NoteForm) -> None:
    add_note(
        current_desk().venue.organisation_id,
        about,
        form.text.data or "",
        author_id=account_id() or "",
        key=deed_key(form.key.data or ""),
        now=utcnow(),
    )


def _take_away(about: About, note_id: str) -> None:
    take_note_away(
        current_desk().venue.organisation_id,
        about,
        note_id,
        by_id=account_id() or "",
        now=utcnow(),
    )


def _booking_page(booking_id: str, form: NoteForm, *, status: int = 200) -> Any:
    desk = current_desk()
    venue = desk.venue
    booking = find_booking_of_site(venue.organisation_id, venue.id, booking_id)
    return render(
        "people/booking_notes.html",
        desk=desk,
        venue=venue,
        booking=booking,
        note=form,
        notes=list_notes(venue.organisation_id, About(booking_id=booking_id)),
        gone=just_gone(),
        status=status,
    )


def _customer_url(site: str, customer_id: str, gone: str | None = None) -> str:
    """With the note that was just taken away, so that it can be brought back."""
    return url_for(
        "people.customer", site=site, customer_id=customer_id, gone=gone, _anchor="notes"
    )


def _booking_url(site: str, booking_id: str, gone: str | None = None) -> str:
    return url_for("people.booking_notes", site=site, booking_id=booking_id, gone=gone)
