from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.kiosk.forms import ArrivalForm
from blueprints.rendering import render
from blueprints.security import KIOSK, SCANNING, current_kiosk, needs
from blueprints.signing_in import limited
from domain.errors import RuleBroken
from domain.kiosk import KioskEnded, KioskPaused
from domain.local_time import to_local
from services.kiosks import (
    check_in_shown,
    find_arrival,
    find_shown,
    keep_showing,
    show_nothing,
)

bp = Blueprint("kiosk", __name__)

MOST_SENT = 200


@bp.errorhandler(KioskEnded)
def ended(broken: KioskEnded) -> Response:
    """What a device reads that is no kiosk, or not any more."""
    return render("kiosk/ended.html", status=401, is_personal=True)


@bp.get("/kiosk/<site>")
@needs(KIOSK)
def start(site: str) -> Response:
    return _start(ArrivalForm(formdata=None))


@bp.post("/kiosk/<site>/booking")
@needs(KIOSK)
def find(site: str) -> Any:
    form = ArrivalForm()
    if not form.validate():
        return _start(form, status=422)
    reference = (form.reference.data or "")[:MOST_SENT]
    last_name = (form.last_name.data or "")[:MOST_SENT]
    try:
        find_arrival(current_kiosk(), reference, last_name, now=utcnow())
    except KioskPaused as paused:
        form.refuse(paused)
        return limited(_start(form, status=429), paused.seconds)
    except RuleBroken as broken:
        form.refuse(broken)
        return _start(form, status=422)
    return _shown(site)


@bp.get("/kiosk/<site>/booking")
@needs(KIOSK)
def booking(site: str) -> Any:
    kiosk, now = current_kiosk(), utcnow()
    shown = find_shown(kiosk, now=now)
    if shown is None:
        return _back(site)
    template = "kiosk/done.html" if shown.verdict.has_arrived else "kiosk/booking.html"
    return render(
        template, kiosk=kiosk, venue=kiosk.venue, shown=shown, now_local=_now(), is_personal=True
    )


@bp.post("/kiosk/<site>/check-in")
@needs(KIOSK)
def check_in(site: str) -> Any:
    check_in_shown(current_kiosk(), _mark(), now=utcnow())
    return _shown(site)


@bp.post("/kiosk/<site>/more-time")
@needs(KIOSK)
def more_time(site: str) -> Any:
    keep_showing(current_kiosk(), _mark(), now=utcnow())
    return _shown(site)


@bp.post("/kiosk/<site>/end")
@needs(KIOSK)
def end(site: str) -> Any:
    show_nothing(current_kiosk(), now=utcnow())
    return _back(site)


@bp.get("/kiosk/<site>/check-in")
@bp.get("/kiosk/<site>/more-time")
@bp.get("/kiosk/<site>/end")
@needs(KIOSK)
def back(site: str) -> Any:
    """Where the address line leads after a press."""
    return _shown(site)


def _start(form: ArrivalForm, *, status: int = 200) -> Response:
    kiosk = current_kiosk()
    response = render(
        "kiosk/start.html",
        kiosk=kiosk,
        venue=kiosk.venue,
        form=form,
        now_local=_now(),
        status=status,
        is_personal=True,
    )
    response.headers["Permissions-Policy"] = SCANNING
    return response


def _now() -> Any:
    return to_local(utcnow(), current_kiosk().venue.zone)


def _mark() -> str:
    return request.form.get("mark", "")[:64]


def _shown(site: str) -> Any:
    return redirect(url_for("kiosk.booking", site=site), code=303)


def _back(site: str) -> Any:
    return redirect(url_for("kiosk.start", site=site), code=303)
