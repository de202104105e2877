"""Private addresses at the web's side: what opens them, and what their answers carry (D2)."""

from dataclasses import replace

from flask import Response, request
from flask_wtf.csrf import CSRFError, validate_csrf
from wtforms import ValidationError

from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.visits import basket_secret, current_viewer
from domain.eligibility import Viewer
from domain.errors import NotFound
from domain.private_links import SENTENCES
from services.basket import find_basket_badge
from services.private_links import Door, find_door
from services.venues import find_venue

TITLES = {
    "wrong": "This link doesn't work",
    "revoked": "This link was withdrawn",
    "expired": "This link has ended",
    "used_up": "This link has been used",
}

HEADERS = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


def check_token() -> None:
    """The forgery check of every form, without its look at the Referer.

    These pages send none, on purpose, and over HTTPS the usual check insists on it.
    """
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as error:
        raise CSRFError(str(error)) from error


def keep_to_itself(response: Response) -> Response:
    """The headers of every answer at a private address, refusals too."""
    response.headers.update(HEADERS)
    return response


def open_door(site: str, address: str) -> Door | Response:
    """What the address opens, else the page that says why it opens nothing."""
    try:
        door = find_door(site, address, utcnow())
    except NotFound:
        return _closed(site, "wrong", 404)
    return door if door.state == "live" else _closed(site, door.state, 410)


def _closed(site: str, why: str, status: int) -> Response:
    try:
        venue = find_venue(site)
    except NotFound:
        venue = None
    return render(
        "shop/link_closed.html" if venue else "errors/error.html",
        status=status,
        venue=venue,
        badge=find_basket_badge(basket_secret(venue.id), now=utcnow()) if venue else None,
        title=TITLES[why],
        sentence=SENTENCES[why],
        for_staff=False,
        is_personal=True,
    )


def viewer_at(door: Door) -> Viewer:
    """Who came by the address, as it makes them: they know of the offer, at the link's price."""
    viewer = current_viewer(door.key.organisation_id)
    return replace(viewer, came_by_link=True, agreed_price=door.price)
