from typing import Any

from flask import Blueprint, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import render, wants_fragment
from blueprints.security import PUBLIC, SCANNING, account_id, current_desk, needs
from domain.finding import MOST_TYPED
from domain.local_time import local_day
from services.accounts import list_desks
from services.finding import FoundBooking, find_bookings, find_ticket

bp = Blueprint("finding", __name__)

DESK = "RESERVATIONS_MANAGE"


@bp.get("/staff/<site>/find")
@needs(DESK)
def find(site: str) -> Any:
    desk, now = current_desk(), utcnow()
    text = request.args.get("q", "")[:MOST_TYPED]
    page = request.args.get("page", "1")
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1
    found = find_bookings(desk.venue, text, now=now, page=number)
    the_one = found.the_one
    # Enter on a ticket or a whole reference opens it; while typing, it only stands in the list.
    if the_one is not None and not wants_fragment():
        return redirect(_place_of(site, the_one), code=303)
    response = render(
        "finding/find.html",
        block="results",
        desk=desk,
        venue=desk.venue,
        typed=text.strip(),
        found=found,
        today=local_day(now, desk.venue.zone),
        places={line.id: _place_of(site, line) for line in found.lines},
        is_box=request.args.get("box") == "1",
        is_personal=True,
    )
    response.headers["Permissions-Policy"] = SCANNING
    return response


@bp.get("/bookings/tickets/<code>")
@needs(PUBLIC)
def ticket(code: str) -> Any:
    """Staff of the booking's venue come to its roster; everybody else reads what a ticket is."""
    place = find_ticket(code[:40])
    person = account_id()
    if place is not None and person is not None:
        site_id, session_id, booking_id = place
        for desk in list_desks(person):
            if desk.venue.id == site_id and DESK in desk.rights:
                return redirect(_roster(desk.venue.slug, session_id, booking_id), code=303)
    return render("finding/ticket.html", is_personal=True)


def _place_of(site: str, line: FoundBooking) -> str:
    if line.state == "waiting":
        return url_for("waiting.desk_list", site=site, session_id=line.session_id)
    if line.state == "cancelled" and "ORDERS_MANAGE" in current_desk().rights:
        return url_for("orders.order", site=site, order_id=line.order_id)
    return _roster(site, line.session_id, line.id)


def _roster(site: str, session_id: str, booking_id: str) -> str:
    return url_for("desk.roster", site=site, session_id=session_id, _anchor=f"b-{booking_id}")
