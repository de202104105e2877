from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.forms import read_choice
from blueprints.house.area import RESERVATIONS, bp
from blueprints.house.forms import CancelSessionForm, PlacesForm, RestoreSessionForm
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from domain.errors import ImpactChanged, NotFound, RuleBroken, WrongState
from domain.session_edits import KEEP, Choice, SessionWish
from services.lines import load_session_at
from services.notices import find_notices
from services.session_changes import (
    cancel_session,
    change_capacity,
    find_cancellable_session,
    find_places,
    find_restorable_session,
    restore_session,
)
from services.session_edits import ChoicesRefused, apply_edit, find_edit
from services.session_targets import list_move_targets

TOLD = {
    "everyone": "Everybody who booked or waits gets a mail with what you write.",
    "confirmed": "Everybody who booked gets a mail with what you write. Who waits gets none.",
    "nobody": "Nobody gets a mail: that is how your notices are set.",
}


@bp.get("/<site>/sessions/<session_id>/cancel")
@needs(RESERVATIONS)
def cancellation(site: str, session_id: str) -> Any:
    try:
        return _cancel_page(session_id, CancelSessionForm(formdata=None))
    except WrongState as broken:
        return _to_roster(session_id, broken.sentence, "warn")


@bp.post("/<site>/sessions/<session_id>/cancel")
@needs(RESERVATIONS)
def cancel(site: str, session_id: str) -> Any:
    form = CancelSessionForm()
    if not form.validate():
        return _cancel_page(session_id, form, status=422)
    try:
        said = _cancel(session_id, form)
    except (ImpactChanged, ChoicesRefused) as broken:
        form.refuse(broken)
        return _cancel_page(session_id, form, status=409)
    return _to_roster(session_id, said, "ok")


def _cancel(session_id: str, form: CancelSessionForm) -> str:
    """Who moves goes first, each by a deed of their own; all others are cancelled with it."""
    why, everybody = form.reason.data or "", _move(form.default.data or "")
    moves = {
        name.removeprefix("choice-"): read_choice(sent) or KEEP
        for name, sent in request.form.items()
        if name.startswith("choice-") and sent
    }
    if everybody == KEEP and not any(it.kind == "move" for it in moves.values()):
        cancel_session(*_here(), session_id, reason=why, seen=form.seen.data or "", now=utcnow())
        return "The session is cancelled."
    if load_session_at(*_here(), session_id).deleted_at is not None:
        return "The session is cancelled."
    # "cancel" is what the session does to whoever is still on it, by the venue (M6).
    moves = {booking: it if it.kind == "move" else KEEP for booking, it in moves.items()}
    apply_edit(
        *_here(),
        session_id,
        SessionWish(cancels=True),
        choices=moves,
        default=everybody,
        seen=form.facts.data or "",
        reason=why,
        now=utcnow(),
    )
    return "The session is cancelled. Whoever you moved has their new place."


def _move(sent: str) -> Choice:
    choice = read_choice(sent)
    return choice if choice is not None and choice.kind == "move" else KEEP


@bp.get("/<site>/sessions/<session_id>/restore")
@needs(RESERVATIONS)
def restoration(site: str, session_id: str) -> Any:
    try:
        return _restore_page(session_id, RestoreSessionForm(formdata=None))
    except WrongState as broken:
        return _to_roster(session_id, broken.sentence, "warn")


@bp.post("/<site>/sessions/<session_id>/restore")
@needs(RESERVATIONS)
def restore(site: str, session_id: str) -> Any:
    form = RestoreSessionForm()
    try:
        restore_session(*_here(), session_id, seen=form.seen.data or "", now=utcnow())
    except ImpactChanged as broken:
        form.refuse(broken)
        return _restore_page(session_id, form, status=409)
    return _to_roster(session_id, "The session takes place again. Nobody is booked on it.", "ok")


@bp.get("/<site>/sessions/<session_id>/places")
@needs(RESERVATIONS)
def places(site: str, session_id: str) -> Any:
    try:
        return _places_page(session_id, None)
    except WrongState as broken:
        return _to_roster(session_id, broken.sentence, "warn")


@bp.post("/<site>/sessions/<session_id>/places")
@needs(RESERVATIONS)
def change_places(site: str, session_id: str) -> Any:
    form = PlacesForm()
    if not form.validate():
        return _places_page(session_id, form, status=422)
    row, known = find_places(*_here(), session_id, now=utcnow())
    try:
        change_capacity(
            *_here(),
            session_id,
            capacity=form.capacity.data,
            max_baskets=form.max_baskets.data if "max_baskets" in request.form else row.max_baskets,
            waitlist_enabled=_ticked(known.waitlist_enabled),
            seen=form.seen.data or "",
            now=utcnow(),
        )
    except (NotFound, WrongState):
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        return _places_page(
            session_id, form, status=409 if isinstance(broken, ImpactChanged) else 422
        )
    return _to_roster(session_id, "The places are changed.", "ok")


def _ticked(otherwise: bool) -> bool:
    """An unticked box is sent as false; a field that is not sent changes nothing (D4)."""
    sent = request.form.getlist("waitlist_enabled")
    return sent[-1] == "true" if sent else otherwise


def _here() -> tuple[str, str]:
    venue = current_desk().venue
    return venue.organisation_id, venue.id


def _to_roster(session_id: str, said: str, kind: str) -> Any:
    flash(said, kind)
    site = current_desk().venue.slug
    return redirect(url_for("desk.roster", site=site, session_id=session_id), code=303)


def _cancel_page(session_id: str, form: CancelSessionForm, *, status: int = 200) -> Response:
    found = find_cancellable_session(*_here(), session_id, now=utcnow())
    impact = find_edit(*_here(), session_id, SessionWish(cancels=True), now=utcnow()).impact
    notices = find_notices(*_here())
    return _page(
        "house/cancel.html",
        row=found.session,
        impact=found.impact,
        told=TOLD[notices.cancelled_session_notices],
        form=form,
        facts=impact.mark,
        touched=impact.touched,
        targets=list_move_targets(
            *_here(),
            session_id=session_id,
            session_type_id=found.session.session_type_id,
            near=found.session.local_start,
            now=utcnow(),
        )
        if impact.touched
        else (),
        sent={name: value[:80] for name, value in request.form.items()},
        status=status,
    )


def _restore_page(session_id: str, form: RestoreSessionForm, *, status: int = 200) -> Response:
    found = find_restorable_session(*_here(), session_id, now=utcnow())
    return _page("house/restore.html", row=found.session, found=found, form=form, status=status)


def _places_page(session_id: str, form: PlacesForm | None, *, status: int = 200) -> Response:
    row, found = find_places(*_here(), session_id, now=utcnow())
    shown = form or PlacesForm(
        formdata=None, capacity=found.capacity, max_baskets=found.max_baskets
    )
    return _page(
        "house/places.html",
        row=row,
        found=found,
        form=shown,
        waitlist=_ticked(found.waitlist_enabled) if form else found.waitlist_enabled,
        status=status,
    )


def _page(template: str, *, status: int, **context: Any) -> Response:
    desk = current_desk()
    return render(template, desk=desk, venue=desk.venue, status=status, is_personal=True, **context)
