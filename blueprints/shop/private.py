"""Offers at an address that can't be guessed: the same page, and nowhere a trace of it (D2)."""

from dataclasses import replace
from typing import Any

from flask import Response, request
from flask_wtf.csrf import CSRFError, validate_csrf
from wtforms import ValidationError

from blueprints.clock import utcnow
from blueprints.rendering import render, respond
from blueprints.security import PUBLIC, account_id, csrf, needs
from blueprints.shop.forms import HoldForm
from blueprints.shop.routes import Asked, bp, page_html, to_checkout, type_page
from blueprints.visits import basket_secret, current_viewer, deed_key, remember_basket
from domain.eligibility import Viewer
from domain.errors import NotBookable, NotFound, RuleBroken
from domain.private_links import SENTENCES
from services.basket import find_basket_badge, hold_places
from services.private_links import Door, find_door, note_seen
from services.timetable import is_planned_month
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


@bp.get("/<site>/private/<address>")
@needs(PUBLIC)
def private(site: str, address: str) -> Response:
    door = _open(site, address)
    if isinstance(door, Response):
        return door
    return _page(door, _asked(door))


@bp.post("/<site>/private/<address>")
@needs(PUBLIC)
@csrf.exempt
def hold_private(site: str, address: str) -> Any:
    _check_token()
    door = _open(site, address)
    if isinstance(door, Response):
        return door
    form = HoldForm()
    if not form.validate():
        return _refused(door, form, RuleBroken(form.first_error))
    try:
        secret = hold_places(
            door.key.organisation_id,
            form.session_id.data,
            session_type_id=door.key.type_id,
            guests=form.guests.data,
            viewer=_viewer(door),
            basket_secret=basket_secret(door.key.site_id),
            account_id=account_id(),
            key=deed_key(form.key.data or ""),
            way=door.way,
            now=utcnow(),
        )
    except NotBookable as refusal:
        again = _open(site, address)
        return again if isinstance(again, Response) else _refused(again, form, refusal)
    remember_basket(door.key.site_id, secret)
    return to_checkout(site, secret)


@bp.post("/<site>/private/<address>/seen")
@needs(PUBLIC)
@csrf.exempt
def private_seen(site: str, address: str) -> Any:
    """The page says that a browser shows it: a mail scanner runs no script and counts not."""
    _check_token()
    door = _open(site, address)
    if isinstance(door, Response):
        return door
    note_seen(door, utcnow())
    return Response(status=204, headers=HEADERS)


@bp.after_request
def _keep_to_itself(response: Response) -> Response:
    if request.endpoint in ("shop.private", "shop.hold_private", "shop.private_seen"):
        response.headers.update(HEADERS)
    return response


def _check_token() -> None:
    """The forgery check of every form, without its look at the Referer.

    These pages send none, on purpose, and over HTTPS the usual check insists on it.
    """
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as error:
        raise CSRFError(str(error)) from error


def _open(site: str, address: str) -> Door | Response:
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


def _viewer(door: Door) -> Viewer:
    viewer = current_viewer(door.key.organisation_id)
    return replace(viewer, came_by_link=True, agreed_price=door.price)


def _asked(door: Door) -> Asked:
    """What the address asks for; a link for one session opens on its day."""
    asked, start = Asked.read(), door.session_start
    if start is None or asked.month or asked.date:
        return asked
    if is_planned_month(start.year, start.month, utcnow().date()):
        asked.date = start.date()
    return asked


def _page(door: Door, asked: Asked, refusal: str = "", *, status: int = 200) -> Response:
    badge = find_basket_badge(basket_secret(door.key.site_id), now=utcnow())
    page = type_page(door.key, asked, _viewer(door), badge, scope=door.scope)
    shown = page_html(page, asked, badge, refusal, door=door)
    return respond(shown, status=status, is_personal=True)


def _refused(door: Door, form: HoldForm, refusal: RuleBroken) -> Response:
    day = form.day
    if day and not is_planned_month(day.year, day.month, utcnow().date()):
        day = None
    asked = Asked(form.party, None, day, "")
    status = 409 if refusal.code in ("places_left", "party_left") else 422
    return _page(door, asked, refusal.sentence, status=status)
