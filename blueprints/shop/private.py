"""Offers at an address that can't be guessed: the same page, and nowhere a trace of it (D2)."""

from typing import Any

from flask import Response, request

from blueprints.clock import utcnow
from blueprints.private_doors import (
    HEADERS,
    check_token,
    keep_to_itself,
    open_door,
    viewer_at,
)
from blueprints.rendering import respond
from blueprints.security import PUBLIC, account_id, csrf, needs
from blueprints.shop.forms import HoldForm
from blueprints.shop.routes import Asked, bp, page_html, to_checkout, type_page
from blueprints.visits import basket_secret, deed_key, remember_basket
from domain.errors import NotBookable, RuleBroken
from services.basket import find_basket_badge, hold_places
from services.private_links import Door, note_seen
from services.timetable import is_planned_month


@bp.get("/<site>/private/<address>")
@needs(PUBLIC)
def private(site: str, address: str) -> Response:
    door = open_door(site, address)
    if isinstance(door, Response):
        return door
    return _page(door, _asked(door))


@bp.post("/<site>/private/<address>")
@needs(PUBLIC)
@csrf.exempt
def hold_private(site: str, address: str) -> Any:
    check_token()
    door = open_door(site, address)
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
            viewer=viewer_at(door),
            basket_secret=basket_secret(door.key.site_id),
            account_id=account_id(),
            key=deed_key(form.key.data or ""),
            way=door.way,
            now=utcnow(),
        )
    except NotBookable as refusal:
        again = open_door(site, address)
        return again if isinstance(again, Response) else _refused(again, form, refusal)
    remember_basket(door.key.site_id, secret)
    return to_checkout(site, secret)


@bp.post("/<site>/private/<address>/seen")
@needs(PUBLIC)
@csrf.exempt
def private_seen(site: str, address: str) -> Any:
    """The page says that a browser shows it: a mail scanner runs no script and counts not."""
    check_token()
    door = open_door(site, address)
    if isinstance(door, Response):
        return door
    note_seen(door, utcnow())
    return Response(status=204, headers=HEADERS)


@bp.after_request
def _keep_to_itself(response: Response) -> Response:
    if request.endpoint in ("shop.private", "shop.hold_private", "shop.private_seen"):
        return keep_to_itself(response)
    return response


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
    page = type_page(door.key, asked, viewer_at(door), badge, scope=door.scope)
    shown = page_html(page, asked, badge, refusal, door=door)
    return respond(shown, status=status, is_personal=True)


def _refused(door: Door, form: HoldForm, refusal: RuleBroken) -> Response:
    day = form.day
    if day and not is_planned_month(day.year, day.month, utcnow().date()):
        day = None
    asked = Asked(form.party, None, day, "")
    status = 409 if refusal.code in ("places_left", "party_left") else 422
    return _page(door, asked, refusal.sentence, status=status)
