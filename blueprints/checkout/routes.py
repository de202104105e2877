from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_wtf.csrf import CSRFError

from blueprints.checkout.forms import DetailsForm
from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import PUBLIC, account_id, needs
from blueprints.visits import (
    basket_secret,
    current_viewer,
    deed_key,
    forget_basket,
    last_order,
    start_another_turn,
)
from domain.errors import (
    AlreadyStarted,
    HoldCeilingReached,
    HoldExpired,
    KeyReused,
    NotBookable,
    RuleBroken,
)
from domain.holds import can_renew
from models import Order, SessionBooking
from services.basket import drop_line, find_basket, keep_details, rebuild_basket, renew_hold
from services.checkout import confirm_order, is_confirmed
from services.facts import Venue
from services.lines import asks_for_names, expired_lines, live_lines
from services.venues import find_venue

bp = Blueprint("checkout", __name__)


@bp.get("/<site>/checkout")
@needs(PUBLIC)
def checkout(site: str) -> Response:
    venue = find_venue(site)
    order = find_basket(basket_secret(venue.id), now=utcnow())
    if order is None:
        return render("checkout/empty.html", venue=venue, badge=None, is_personal=True)
    form = DetailsForm(formdata=None, name=order.name, email=order.email)
    return _page(venue, order, form)


@bp.post("/<site>/checkout")
@needs(PUBLIC)
def confirm(site: str) -> Any:
    venue = find_venue(site)
    form = DetailsForm()
    secret = basket_secret(venue.id) or last_order(venue.id) or ""
    if find_basket(secret, now=utcnow()) is None:
        if is_confirmed(secret):
            # A second press: the first one has already made this basket an order.
            return redirect(url_for("bookings.booking", secret=secret), code=303)
        return render("checkout/empty.html", venue=venue, badge=None, is_personal=True, status=409)
    _keep_typed(venue, secret)
    if not form.validate():
        return _page(venue, _again(secret), form, status=422)
    try:
        confirm_order(
            venue.organisation_id,
            secret,
            name=form.name.data or "",
            email=form.email.data or "",
            guest_names=_typed_guests(_again(secret)),
            account_id=account_id(),
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except (HoldExpired, AlreadyStarted, KeyReused, NotBookable) as refusal:
        return _page(venue, _again(secret), form, status=409, refusal=refusal)
    except RuleBroken as broken:
        form.refuse(broken)
        return _page(venue, _again(secret), form, status=422, broken=broken)
    forget_basket(venue.id, order_secret=secret)
    return redirect(url_for("bookings.booking", secret=secret), code=303)


@bp.errorhandler(CSRFError)
def stale(_error: CSRFError) -> Any:
    """The form again with what was typed: only its token was old."""
    if request.endpoint != "checkout.confirm":
        raise _error
    venue = find_venue((request.view_args or {})["site"])
    order = find_basket(basket_secret(venue.id), now=utcnow())
    old = RuleBroken("This page was old. Look it over and press Confirm again.")
    return _page(venue, order, DetailsForm(), status=400, refusal=old)


@bp.post("/<site>/checkout/renewal")
@needs(PUBLIC)
def renew(site: str) -> Any:
    venue = find_venue(site)
    secret = basket_secret(venue.id) or ""
    _keep_typed(venue, secret)
    try:
        renew_hold(venue.organisation_id, secret, now=utcnow())
    except (HoldCeilingReached, HoldExpired) as refusal:
        flash(refusal.sentence, "warn")
    return redirect(url_for("checkout.checkout", site=site), code=303)


@bp.post("/<site>/checkout/rebuild")
@needs(PUBLIC)
def rebuild(site: str) -> Any:
    venue = find_venue(site)
    secret = basket_secret(venue.id) or ""
    lines = rebuild_basket(
        venue.organisation_id, secret, viewer=current_viewer(venue.organisation_id), now=utcnow()
    )
    start_another_turn()
    for line in lines:
        if not line.is_held:
            flash(f"{line.name}: {line.sentence}", "bad")
        elif line.price_changed:
            flash(f"{line.name} is held again. Its price has changed since.", "warn")
        else:
            flash(f"{line.name} is held for you again.", "ok")
    return redirect(url_for("checkout.checkout", site=site), code=303)


@bp.post("/<site>/checkout/lines/<booking_id>/removal")
@needs(PUBLIC)
def remove(site: str, booking_id: str) -> Any:
    venue = find_venue(site)
    secret = basket_secret(venue.id) or ""
    _keep_typed(venue, secret)
    drop_line(venue.organisation_id, secret, booking_id, now=utcnow())
    start_another_turn()
    return redirect(url_for("checkout.checkout", site=site), code=303)


def _page(
    venue: Venue,
    order: Order | None,
    form: DetailsForm,
    *,
    status: int = 200,
    refusal: RuleBroken | None = None,
    broken: RuleBroken | None = None,
) -> Response:
    if order is None:
        return render("checkout/empty.html", venue=venue, badge=None, is_personal=True, status=409)
    now = utcnow()
    lines, gone = live_lines(order, now=now), expired_lines(order, now=now)
    deadlines = [line.expires_at for line in lines if line.expires_at]
    expires_at = min(deadlines) if deadlines else None
    return render(
        "checkout/checkout.html",
        venue=venue,
        order=order,
        lines=lines,
        gone=gone,
        asked=[line for line in lines if asks_for_names(line)],
        form=form,
        typed={**order.typed, **request.form},
        errors=_errors(form, broken),
        refusal=refusal.sentence if refusal else "",
        total=sum(line.order_item.unit_price * line.places for line in lines),
        seconds=max(0, int((expires_at - now).total_seconds())) if expires_at else 0,
        hold_seconds=int(venue.hold.total_seconds()),
        can_keep=bool(
            expires_at
            and order.held_since
            and can_renew(now, order.held_since, expires_at, venue.hold)
        ),
        badge=None,
        status=status,
        is_personal=True,
    )


def _errors(form: DetailsForm, broken: RuleBroken | None) -> dict[str, str]:
    """Field id to sentence, in the order of the page, for the summary and beside the fields."""
    found = {name: texts[0] for name, texts in form.errors.items() if name and texts}
    if broken is not None and broken.field and broken.field not in found:
        found[broken.field] = broken.sentence
    if broken is not None and not broken.field:
        found["name"] = broken.sentence
    return found


def _again(secret: str) -> Order | None:
    return find_basket(secret, now=utcnow())


def _keep_typed(venue: Venue, secret: str) -> None:
    """Buttons beside the fields send them too, so that nothing typed is lost (H4)."""
    if secret and ("name" in request.form or "email" in request.form):
        keep_details(
            venue.organisation_id,
            secret,
            name=request.form.get("name", ""),
            email=request.form.get("email", ""),
            typed={k: v for k, v in request.form.items() if k.startswith("guest-")},
        )


def _typed_guests(order: Order | None) -> list[list[str]]:
    if order is None:
        return []
    asked = [line for line in live_lines(order, now=utcnow()) if asks_for_names(line)]
    return [_typed_names(number, line) for number, line in enumerate(asked)]


def _typed_names(number: int, line: SessionBooking) -> list[str]:
    return [
        request.form.get(f"guest-{number}-{position}", "") for position in range(1, line.places)
    ]
