from typing import Any

from flask import Response, current_app, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.kiosk.forms import KioskForm
from blueprints.kiosk.routes import bp
from blueprints.links import sign_link
from blueprints.proving import proved_anew
from blueprints.rendering import render
from blueprints.security import KIOSK_COOKIE, account_id, current_desk, needs
from blueprints.signing_in import sign_out
from services.kiosks import end_kiosk, find_kiosk_name, list_kiosks, sign_in_kiosk

DESK = "RESERVATIONS_MANAGE"
LASTS = 400 * 24 * 60 * 60
"""Seconds; the longest that browsers keep a cookie. The back office ends it sooner."""


@bp.get("/staff/<site>/kiosks")
@needs(DESK)
def kiosks(site: str) -> Response:
    return _page(KioskForm(formdata=None))


@bp.post("/staff/<site>/kiosks")
@needs(DESK)
@proved_anew
def make_kiosk(site: str) -> Any:
    form, venue = KioskForm(), current_desk().venue
    if not form.validate():
        return _page(form, status=422)
    token = sign_in_kiosk(
        venue.organisation_id, venue.id, form.name.data or "", by=account_id() or "", now=utcnow()
    )
    # Guests will stand here: nothing of the person who set it up stays in this browser.
    sign_out()
    response = redirect(url_for("kiosk.start", site=site), code=303)
    response.set_cookie(
        KIOSK_COOKIE,
        sign_link(token, "kiosk"),
        max_age=LASTS,
        path="/kiosk",
        secure=request.is_secure or bool(current_app.config["SESSION_COOKIE_SECURE"]),
        httponly=True,
        samesite="Strict",
    )
    return response


@bp.post("/staff/<site>/kiosks/<kiosk_id>/end")
@needs(DESK)
def sign_out_kiosk(site: str, kiosk_id: str) -> Any:
    venue = current_desk().venue
    name = end_kiosk(venue.organisation_id, venue.id, kiosk_id, by=account_id() or "", now=utcnow())
    flash(f"{name} is signed out. It shows nothing any more.", "ok")
    return redirect(url_for("kiosk.kiosks", site=site), code=303)


@bp.get("/staff/<site>/kiosks/<kiosk_id>/end")
@needs(DESK)
def back_to_kiosks(site: str, kiosk_id: str) -> Any:
    """Where the address line leads after a kiosk was signed out."""
    venue = current_desk().venue
    find_kiosk_name(venue.organisation_id, venue.id, kiosk_id)
    return redirect(url_for("kiosk.kiosks", site=site), code=303)


def _page(form: KioskForm, *, status: int = 200) -> Response:
    desk = current_desk()
    return render(
        "kiosk/kiosks.html",
        desk=desk,
        venue=desk.venue,
        kiosks=list_kiosks(desk.venue.organisation_id, desk.venue.id),
        form=form,
        status=status,
        is_personal=True,
    )
