"""The list at the desk: who waits, who has an offer, who was passed over and why (W5)."""

from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from blueprints.waiting.routes import bp
from domain.errors import WrongState
from services.waiting import find_place, offer_by_hand, remove_entry
from services.waitlists import list_waiting

DESK = "RESERVATIONS_MANAGE"


@bp.get("/staff/<site>/sessions/<session_id>/waiting")
@needs(DESK)
def desk_list(site: str, session_id: str) -> Response:
    return _page(session_id)


@bp.post("/staff/<site>/waiting/<booking_id>/offer")
@needs(DESK)
def desk_offer(site: str, booking_id: str) -> Any:
    venue = current_desk().venue
    session_id, _ = find_place(venue.organisation_id, venue.id, booking_id)
    try:
        offer_by_hand(venue.organisation_id, venue.id, booking_id, now=utcnow())
    except WrongState as refusal:
        return _page(session_id, refusal=refusal.sentence, status=409)
    flash("The offer is on its way by mail.", "ok")
    return _back(site, session_id)


@bp.post("/staff/<site>/waiting/<booking_id>/removal")
@needs(DESK)
def desk_remove(site: str, booking_id: str) -> Any:
    venue = current_desk().venue
    session_id, _ = find_place(venue.organisation_id, venue.id, booking_id)
    try:
        remove_entry(venue.organisation_id, venue.id, booking_id, now=utcnow())
    except WrongState as refusal:
        return _page(session_id, refusal=refusal.sentence, status=409)
    flash("Taken off the waitlist. We've told them by mail.", "ok")
    return _back(site, session_id)


def _back(site: str, session_id: str) -> Any:
    """The page that it was pressed on: the list, or the roster."""
    endpoint = "desk.roster" if request.form.get("back") == "roster" else "waiting.desk_list"
    return redirect(url_for(endpoint, site=site, session_id=session_id), code=303)


def _page(session_id: str, *, refusal: str = "", status: int = 200) -> Response:
    venue, now = current_desk().venue, utcnow()
    found = list_waiting(venue.organisation_id, venue.id, session_id, now=now)
    return render(
        "waiting/list.html",
        desk=current_desk(),
        venue=venue,
        row=found.session,
        waiting=found,
        free=max(
            0, found.session.capacity - found.session.places_taken - found.session.places_kept
        ),
        zone=venue.zone,
        refusal=refusal,
        status=status,
        is_personal=True,
    )
