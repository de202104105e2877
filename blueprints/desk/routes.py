from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.desk.forms import WalkInForm
from blueprints.keeping import keep_today, replayable, say_tapped, sent_tap, wants_json
from blueprints.rendering import render, wants_fragment
from blueprints.security import (
    PUBLIC,
    STAFF,
    account_id,
    current_desk,
    needs,
)
from blueprints.signing_in import answer_sign_in, show_sign_in, sign_out
from blueprints.visits import deed_key
from domain.eligibility import Viewer, price_for
from domain.errors import NotAllowed, RuleBroken
from domain.visits import STAGES
from services.accounts import Desk, list_desks
from services.checkout import book_for_staff
from services.desk import (
    Tapped,
    find_current_session,
    find_roster,
    set_check_in,
    set_no_show,
    set_stage,
)
from services.facts import offer_of, slot_of

bp = Blueprint("desk", __name__, url_prefix="/staff")

DESK = "RESERVATIONS_MANAGE"
FRONTS = (
    (DESK, "desk.schedule"),
    ("CUSTOMERS_MANAGE", "people.customers"),
    ("ORDERS_MANAGE", "orders.orders"),
    ("REPORTS_VIEW", "reports.today"),
    ("SETTINGS_MANAGE", "types.types"),
    ("STAFF_MANAGE", "staff.people"),
)
STATES = ("all", "due", "arrived", "in", "out", "noshow")


@bp.get("/sign-in")
@needs(PUBLIC)
def sign_in() -> Response:
    return show_sign_in("desk/sign_in.html", now=utcnow())


@bp.post("/sign-in")
@needs(PUBLIC)
def start() -> Any:
    return answer_sign_in("desk/sign_in.html", default=url_for("desk.index"), now=utcnow())


@bp.post("/sign-out")
@needs(PUBLIC)
def end() -> Any:
    sign_out()
    return redirect(url_for("desk.sign_in"), code=303)


@bp.get("/")
@needs(STAFF)
def index() -> Any:
    desks = [(desk, page) for desk in list_desks(account_id() or "") if (page := _front(desk))]
    if not desks:
        raise NotAllowed
    if len(desks) == 1:
        return redirect(desks[0][1])
    return render("desk/index.html", desks=desks, is_personal=True)


@bp.get("/<site>/roster")
@needs(DESK)
def current_roster(site: str) -> Any:
    venue = current_desk().venue
    session_id = find_current_session(venue.organisation_id, venue.id, now=utcnow())
    if session_id is None:
        return redirect(url_for("desk.schedule", site=site))
    return redirect(url_for("desk.roster", site=site, session_id=session_id))


@bp.get("/<site>/sessions/<session_id>")
@needs(DESK)
def roster(site: str, session_id: str) -> Response:
    return _roster(session_id)


@bp.post("/<site>/bookings/<booking_id>/check-in")
@needs(DESK)
@replayable
def check_in(site: str, booking_id: str) -> Any:
    wants = request.form.get("set", "true") != "false"
    return _tap(partial(set_check_in, arrived=wants), booking_id, "checked in" if wants else "")


@bp.post("/<site>/bookings/<booking_id>/no-show")
@needs(DESK)
@replayable
def no_show(site: str, booking_id: str) -> Any:
    wants = request.form.get("set", "true") != "false"
    return _tap(
        partial(set_no_show, missed=wants), booking_id, "marked as a no-show" if wants else ""
    )


@bp.post("/<site>/bookings/<booking_id>/stage")
@needs(DESK)
@replayable
def stage(site: str, booking_id: str) -> Any:
    wanted = request.form.get("stage", "")
    said = {"in_treatment": "started", "checked_out": "checked out"}.get(wanted, "")
    return _tap(partial(set_stage, stage=wanted), booking_id, said)


@bp.post("/<site>/sessions/<session_id>/walk-ins")
@needs(DESK)
def walk_in(site: str, session_id: str) -> Any:
    venue = current_desk().venue
    form = WalkInForm()
    # Finds the session at this site first: another site's is 404, not a booking.
    find_roster(venue.organisation_id, venue.id, session_id, now=utcnow())
    if form.validate():
        try:
            booking_id = book_for_staff(
                venue.organisation_id,
                session_id,
                name=form.name.data or "",
                guests=form.guests.data or 1,
                key=deed_key(form.key.data or ""),
                now=utcnow(),
            )
            return _tapped(Tapped(session_id, ""), booking_id, "")
        except RuleBroken as broken:
            form.refuse(broken)
    return _roster(session_id, form=form, status=422)


def _front(desk: Desk) -> str | None:
    """The first page that this desk's rights open; None when they open none."""
    for right, endpoint in FRONTS:
        if right in desk.rights:
            return url_for(endpoint, site=desk.venue.slug)
    return None


def _tap(deed: Callable[..., Tapped], booking_id: str, said: str) -> Any:
    """Do what was tapped on a booking at this desk, and show its roster."""
    venue = current_desk().venue
    tapped = deed(
        venue.organisation_id,
        venue.id,
        booking_id,
        by_id=account_id(),
        now=utcnow(),
        sent=sent_tap(),
    )
    return _tapped(tapped, booking_id, said)


def _tapped(tapped: Tapped, booking_id: str, said: str) -> Any:
    """The roster as it is now; without script, its page again; in short to one sent later."""
    if wants_json():
        return say_tapped(tapped)
    if wants_fragment():
        return _roster(tapped.session_id, touched=booking_id, said=said)
    site = current_desk().venue.slug
    return redirect(
        url_for("desk.roster", site=site, session_id=tapped.session_id) + f"#b-{booking_id}",
        code=303,
    )


def _roster(
    session_id: str,
    *,
    form: WalkInForm | None = None,
    status: int = 200,
    touched: str = "",
    said: str = "",
) -> Response:
    venue = current_desk().venue
    found = find_roster(venue.organisation_id, venue.id, session_id, now=utcnow())
    row = found.session
    wanted = request.args.get("state", "all")
    search = request.args.get("q", "")[:100].strip()
    offer = offer_of(row.session_type, venue)
    state = wanted if wanted in STATES else "all"
    page = render(
        "desk/roster.html",
        block="roster",
        desk=current_desk(),
        venue=venue,
        roster=found,
        row=row,
        lines=[
            line for line in found.lines if state in ("all", line.state) and _matches(line, search)
        ],
        state=state,
        search=search,
        price=price_for(offer, slot_of(row), Viewer()).amount,
        form=form or WalkInForm(formdata=None),
        has_started=row.start_time <= utcnow(),
        has_ended=row.end_time <= utcnow(),
        touched=next((line for line in found.lines if line.id == touched), None),
        said=said,
        stages=STAGES,
        status=status,
        zone=venue.zone,
    )
    return keep_today(page, row.local_start.date())


def _matches(line: Any, search: str) -> bool:
    hay = " ".join((line.name, line.order_ref, line.email, line.phone, *line.guests)).casefold()
    return all(word in hay for word in search.casefold().split())
