import re
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_wtf.csrf import CSRFError

from blueprints.checkout.forms import DetailsForm
from blueprints.checkout.presenting import Guests
from blueprints.clock import utcnow
from blueprints.errors import rule_broken, stale_form
from blueprints.rendering import render, say_amount
from blueprints.security import PUBLIC, account_id, count_sign_in_try, needs
from blueprints.visits import (
    basket_secret,
    current_viewer,
    deed_key,
    forget_basket,
    last_order,
    start_another_turn,
)
from domain.errors import (
    BasketChanged,
    HoldCeilingReached,
    HoldExpired,
    KeyReused,
    NotBookable,
    NotFound,
    RuleBroken,
)
from models import Order
from services.basket import (
    change_guests,
    drop_line,
    find_basket,
    keep_details,
    rebuild_basket,
    renew_hold,
    review_basket,
)
from services.checkout import confirm_order, is_confirmed
from services.facts import Venue
from services.lines import known_customer, live_lines
from services.related import suggest_cross_sell
from services.venues import find_venue

bp = Blueprint("checkout", __name__)


@bp.get("/<site>/basket")
@needs(PUBLIC)
def basket(site: str) -> Response:
    venue = find_venue(site)
    return _basket_page(venue)


@bp.get("/<site>/basket/lines/<booking_id>/guests")
@needs(PUBLIC)
def back_to_basket(site: str, booking_id: str) -> Any:
    """Where the address line leads after a change was refused there."""
    return redirect(url_for("checkout.basket", site=site))


@bp.post("/<site>/basket/lines/<booking_id>/guests")
@needs(PUBLIC)
def guests(site: str, booking_id: str) -> Any:
    venue = find_venue(site)
    wanted = request.form.get("guests", "")
    if not re.fullmatch(r"\d{1,4}", wanted):
        return _basket_page(venue, refusal="Enter a whole number of guests.", status=422)
    try:
        change_guests(
            venue.organisation_id,
            basket_secret(venue.id) or "",
            booking_id,
            guests=int(wanted),
            viewer=current_viewer(venue.organisation_id),
            now=utcnow(),
        )
    except NotBookable as refusal:
        status = 409 if refusal.code == "places_left" else 422
        return _basket_page(venue, refusal=refusal.sentence, status=status)
    except HoldExpired as refusal:
        return _basket_page(venue, refusal=refusal.sentence, status=409)
    start_another_turn()
    return redirect(url_for("checkout.basket", site=site, _anchor=f"line-{booking_id}"), code=303)


@bp.get("/<site>/checkout")
@needs(PUBLIC)
def checkout(site: str) -> Response:
    venue = find_venue(site)
    order = find_basket(basket_secret(venue.id), account_id=account_id(), now=utcnow())
    if order is None:
        return _empty(venue)
    # Whoever signs in with a full basket need not type what is known either.
    _, name, email = known_customer(venue.organisation_id, account_id())
    form = DetailsForm(formdata=None, name=order.name or name, email=order.email or email)
    return _page(venue, order, form)


@bp.post("/<site>/checkout")
@needs(PUBLIC)
def confirm(site: str) -> Any:
    venue = find_venue(site)
    form = DetailsForm()
    secret = basket_secret(venue.id) or last_order(venue.id) or ""
    if _again(secret) is None:
        if is_confirmed(secret):
            # A second press: the first one has already made this basket an order.
            return redirect(url_for("bookings.booking", secret=secret), code=303)
        return _empty(venue, status=409)
    _keep_typed(venue, secret)
    if not form.validate():
        return _page(venue, _again(secret), form, status=422)
    people = _guests(venue, _again(secret))
    try:
        confirm_order(
            venue.organisation_id,
            secret,
            name=form.name.data or "",
            email=form.email.data or "",
            people=people.names,
            who=people.chosen,
            account_id=account_id(),
            seen=request.form.get("seen", "")[:64],
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except (BasketChanged, HoldExpired, KeyReused, NotBookable) as refusal:
        _slow_down(refusal)
        if refusal.field is None:
            return _page(venue, _again(secret), form, status=409, refusal=refusal)
        return _page(venue, _again(secret), form, status=422, broken=refusal)
    except RuleBroken as broken:
        _slow_down(broken)
        form.refuse(broken)
        return _page(venue, _again(secret), form, status=422, broken=broken)
    forget_basket(venue.id, order_secret=secret)
    return redirect(url_for("bookings.booking", secret=secret), code=303)


@bp.errorhandler(CSRFError)
def stale(error: CSRFError) -> Any:
    """The form again with what was typed: only its token was old."""
    if request.endpoint != "checkout.confirm":
        return stale_form(error)
    try:
        venue = find_venue((request.view_args or {})["site"])
    except NotFound as missing:
        return rule_broken(missing)
    order = find_basket(basket_secret(venue.id), account_id=account_id(), now=utcnow())
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
    return _back(site)


@bp.post("/<site>/checkout/people")
@needs(PUBLIC)
def people(site: str) -> Any:
    """One more field for a name: what was typed travels along and is kept (H4)."""
    venue = find_venue(site)
    _keep_typed(venue, basket_secret(venue.id) or "")
    return redirect(url_for("checkout.checkout", site=site, _anchor="guests"), code=303)


@bp.post("/<site>/checkout/rebuild")
@needs(PUBLIC)
def rebuild(site: str) -> Any:
    venue = find_venue(site)
    secret = basket_secret(venue.id) or ""
    _keep_typed(venue, secret)
    lines = rebuild_basket(
        venue.organisation_id, secret, viewer=current_viewer(venue.organisation_id), now=utcnow()
    )
    start_another_turn()
    for line in lines:
        if not line.is_held:
            flash(f"{line.name}: {line.sentence}", "bad")
        elif line.price_changed:
            old, new = (
                say_amount(price, line.currency, venue.locale)
                for price in (line.old_price, line.new_price)
            )
            flash(f"{line.name} is held again. It now costs {new} instead of {old}.", "warn")
        else:
            flash(f"{line.name} is held for you again.", "ok")
    return _back(site)


@bp.post("/<site>/checkout/lines/<booking_id>/removal")
@needs(PUBLIC)
def remove(site: str, booking_id: str) -> Any:
    venue = find_venue(site)
    secret = basket_secret(venue.id) or ""
    _keep_typed(venue, secret)
    drop_line(venue.organisation_id, secret, booking_id, now=utcnow())
    start_another_turn()
    return _back(site)


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
        return _empty(venue, status=409)
    return _show(
        "checkout/checkout.html",
        venue,
        order,
        form=form,
        guests=_guests(venue, order),
        errors=_errors(form, broken),
        refusal=refusal.sentence if refusal else "",
        status=status,
    )


def _basket_page(venue: Venue, *, refusal: str = "", status: int = 200) -> Response:
    order = find_basket(basket_secret(venue.id), account_id=account_id(), now=utcnow())
    if order is None:
        return _empty(venue, status=409 if refusal else 200)
    return _show("checkout/basket.html", venue, order, refusal=refusal, errors={}, status=status)


def _show(template: str, venue: Venue, order: Order, **context: Any) -> Response:
    now, viewer = utcnow(), current_viewer(venue.organisation_id)
    review = review_basket(order, viewer, now=now)
    return render(
        template,
        venue=venue,
        order=order,
        review=review,
        seconds=review.seconds_left(now),
        hold_seconds=int(venue.hold.total_seconds()),
        extras=suggest_cross_sell(venue, order, review.lines, viewer=viewer, now=now),
        badge=None,
        is_personal=True,
        **context,
    )


def _empty(venue: Venue, *, status: int = 200) -> Response:
    return render("checkout/empty.html", venue=venue, badge=None, is_personal=True, status=status)


def _back(site: str) -> Any:
    """To the page the press came from: the basket names itself, the checkout needs not."""
    page = "checkout.basket" if request.values.get("from") == "basket" else "checkout.checkout"
    return redirect(url_for(page, site=site), code=303)


def _errors(form: DetailsForm, broken: RuleBroken | None) -> dict[str, str]:
    """Field id to sentence, in the order of the page, for the summary and beside the fields."""
    found = {name: texts[0] for name, texts in form.errors.items() if name and texts}
    if broken is not None and broken.field and broken.field not in found:
        found[broken.field] = broken.sentence
    if broken is not None and not broken.field:
        found["name"] = broken.sentence
    return found


def _again(secret: str) -> Order | None:
    return find_basket(secret, account_id=account_id(), now=utcnow())


def _slow_down(refusal: RuleBroken) -> None:
    """Whoever tries address after address is slowed down as at the sign-in."""
    is_strangers = refusal.code == "max_bookings_per_member" and account_id() is None
    if is_strangers or refusal.code == "other_address":
        count_sign_in_try()


def _keep_typed(venue: Venue, secret: str) -> None:
    """Buttons beside the fields send them too, so that nothing typed is lost (H4)."""
    if secret and ("name" in request.form or "email" in request.form):
        keep_details(
            venue.organisation_id,
            secret,
            name=request.form.get("name", ""),
            email=request.form.get("email", ""),
            typed={
                name: _said(name)
                for name in request.form
                if re.fullmatch(r"people|(person|who)-\d{1,3}", name)
            },
        )


def _said(name: str) -> str:
    """A field's text; of boxes all that are ticked, of the button and its field the later one."""
    values = request.form.getlist(name)
    return values[-1] if name == "people" else ",".join(values)


def _guests(venue: Venue, order: Order | None) -> Guests:
    """The people of the form: as just sent, else as kept."""
    lines = live_lines(order, now=utcnow()) if order else []
    return Guests.of(lines, dict(order.typed) if order else {})
