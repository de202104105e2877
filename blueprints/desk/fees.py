"""Waiving what a guest was charged for coming late or not at all, with a reason."""

from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.desk.forms import WaiverForm
from blueprints.desk.routes import DESK, bp
from blueprints.rendering import render
from blueprints.security import account_id, current_desk, needs
from blueprints.visits import deed_key
from domain.errors import KeyReused, NotFound, RuleBroken
from services.desk import find_fee, waive_fee


@bp.get("/<site>/bookings/<booking_id>/fee")
@needs(DESK)
def fee(site: str, booking_id: str) -> Response:
    return _page(booking_id, WaiverForm(formdata=None))


@bp.post("/<site>/bookings/<booking_id>/fee")
@needs(DESK)
def waive(site: str, booking_id: str) -> Any:
    venue, form = current_desk().venue, WaiverForm()
    if not form.validate():
        return _page(booking_id, form, status=422)
    try:
        session_id = waive_fee(
            venue.organisation_id,
            venue.id,
            booking_id,
            reason=form.reason.data or "",
            by_id=account_id(),
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as refusal:
        is_stale = isinstance(refusal, KeyReused) or refusal.code == "no_fee"
        return _page(booking_id, form, broken=refusal, status=409 if is_stale else 422)
    flash("The fee is waived.", "ok")
    return redirect(_back(site, session_id, booking_id), code=303)


def _page(
    booking_id: str, form: WaiverForm, *, broken: RuleBroken | None = None, status: int = 200
) -> Response:
    desk = current_desk()
    venue = desk.venue
    booking, standing = find_fee(venue.organisation_id, venue.id, booking_id, now=utcnow())
    return render(
        "desk/fee.html",
        desk=desk,
        venue=venue,
        booking=booking,
        fee=standing,
        back=_asked_back(),
        choosing=None,
        form=form,
        broken=broken,
        status=status,
        is_personal=True,
    )


def _asked_back() -> str:
    """Which page it was opened from: the order, for whom orders are open, else the roster."""
    is_order = request.values.get("back") == "order" and "ORDERS_MANAGE" in current_desk().rights
    return "order" if is_order else ""


def _back(site: str, session_id: str, booking_id: str) -> str:
    if _asked_back():
        venue = current_desk().venue
        booking, _ = find_fee(venue.organisation_id, venue.id, booking_id, now=utcnow())
        return url_for("orders.order", site=site, order_id=booking.order_id)
    return url_for("desk.roster", site=site, session_id=session_id, _anchor=f"b-{booking_id}")
