from flask import Blueprint, Response, current_app, request, url_for

from blueprints.calendars import CANCEL, PUBLISH, calendar_file
from blueprints.clock import utcnow
from blueprints.links import ticket_link
from blueprints.rendering import render
from blueprints.security import PUBLIC, needs
from blueprints.visits import current_viewer
from domain.errors import NotFound
from domain.ledger import books_of, comped
from models import Order, SessionBooking
from services.changing import door_of_line, standing_of
from services.checkout import find_order
from services.facts import venue_of
from services.fees import find_standing_fees
from services.giving_up import why_no_release
from services.intake import completion
from services.ledger import entries_of
from services.lines import lines_of, live_lines
from services.related import suggest_upsell

bp = Blueprint("bookings", __name__, url_prefix="/bookings")


@bp.get("/<secret>")
@needs(PUBLIC)
def booking(secret: str) -> Response:
    order = find_order(secret)
    now, venue = utcnow(), venue_of(order.site)
    lines = live_lines(order, now=now)
    viewer = current_viewer(order.organisation_id)
    standings = {line.id: standing_of(door_of_line(line), line, now) for line in lines}
    return render(
        "bookings/booking.html",
        venue=venue,
        order=order,
        lines=lines,
        ended=[line for line in lines_of(order) if line.cancelled_by not in (None, "expired")],
        extras=suggest_upsell(venue, order, lines, viewer=viewer, now=now),
        forms=completion(lines),
        standings=standings,
        fees=find_standing_fees(order.organisation_id, [line.id for line in lines if line.fee]),
        can_release=[key for key, it in standings.items() if why_no_release(it) is None],
        balance=sum(entry.amount for entry in order.ledger),
        books=books_of(entries_of(order.ledger)),
        waived=comped(entries_of(order.ledger)),
        tickets={line.id: ticket_link(line.check_in_code) for line in lines},
        badge=None,
        is_personal=True,
    )


@bp.get("/<secret>/calendar.ics")
@needs(PUBLIC)
def calendar(secret: str) -> Response:
    order = find_order(secret)
    live = live_lines(order, now=utcnow())
    # Whoever has it in the phone takes it out again with the same link.
    return _file(order, live, PUBLISH) if live else _file(order, _ended(order), CANCEL)


@bp.get("/<secret>/cancelled.ics")
@needs(PUBLIC)
def cancelled_calendar(secret: str) -> Response:
    order = find_order(secret)
    ended = _ended(order)
    if not ended:
        raise NotFound("Nothing of this booking was cancelled.")
    return _file(order, ended, CANCEL)


def _file(order: Order, lines: list[SessionBooking], method: str) -> Response:
    url = _public_link(order.secret)
    body = calendar_file(lines, method=method, url=url, now=utcnow())
    name = order.order_ref.replace(" ", "-")
    return Response(
        body,
        content_type=f"text/calendar; charset=utf-8; method={method}",
        headers={"Content-Disposition": f'attachment; filename="{name}.ics"'},
    )


def _ended(order: Order) -> list[SessionBooking]:
    """What was booked and cancelled since; a hold that ran out was never booked."""
    return [
        line
        for line in lines_of(order)
        if line.status == "confirmed" and line.cancelled_at is not None
    ]


def _public_link(secret: str) -> str:
    """The link that goes into calendars: never built from a stranger's Host header."""
    base = current_app.config["PUBLIC_ADDRESS"] or request.host_url.rstrip("/")
    return base + url_for("bookings.booking", secret=secret)
