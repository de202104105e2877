import datetime as dt
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.forms import Form
from blueprints.orders.forms import CompForm, MailForm, PaymentForm, RefundForm
from blueprints.orders.presenting import say_entry, say_method, story_of
from blueprints.proving import proved_anew
from blueprints.rendering import render, say_amount
from blueprints.security import account_id, current_desk, needs
from blueprints.trail_reader import current_reader
from blueprints.visits import deed_key
from domain.errors import KeyReused, NotFound, RuleBroken
from domain.ledger import METHODS, LedgerChanged, Share, left_of_payments, plain_amount, plan_refund
from domain.local_time import local_day
from domain.money import read_amount
from domain.wording import KINDS
from services.order_changes import list_order_changes
from services.order_pages import (
    OWING,
    SORTS,
    STATES,
    OrderPage,
    Wanted,
    find_order_page,
    list_orders,
)
from services.orders import Till, comp, refund, resend, take_payment

bp = Blueprint("orders", __name__, url_prefix="/staff")

ORDERS = "ORDERS_MANAGE"


@bp.get("/<site>/orders")
@needs(ORDERS)
def orders(site: str) -> Response:
    desk = current_desk()
    venue = desk.venue
    wanted, problem = _wanted()
    found = list_orders(
        venue.organisation_id,
        venue.id,
        wanted,
        zone=venue.zone,
        now=utcnow(),
        page=_page_number(),
    )
    return render(
        "orders/orders.html",
        desk=desk,
        venue=venue,
        found=found,
        wanted=wanted,
        problem=problem,
        typed=request.args,
        view=_view(wanted),
        today=local_day(utcnow(), venue.zone),
        is_personal=True,
    )


@bp.get("/<site>/orders/<order_id>")
@needs(ORDERS)
def order(site: str, order_id: str) -> Response:
    return _order(_find(order_id))


@bp.get("/<site>/orders/<order_id>/payments")
@bp.get("/<site>/orders/<order_id>/comps")
@bp.get("/<site>/orders/<order_id>/mails")
@needs(ORDERS)
def back_to_order(site: str, order_id: str) -> Any:
    """Where the address line leads after a form was refused there."""
    _find(order_id)
    return redirect(url_for("orders.order", site=site, order_id=order_id))


@bp.post("/<site>/orders/<order_id>/payments")
@needs(ORDERS)
def pay(site: str, order_id: str) -> Any:
    page = _find(order_id)
    form = PaymentForm(page.order.currency)

    def act() -> str:
        taking = take_payment(
            _till(),
            order_id,
            amount=form.minor,
            method=form.method.data or "",
            note=form.note.data or "",
            seen=(form.seen.data or "")[:64],
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
        said = f"{_say(taking.taken, page)} taken, {METHODS[form.method.data or ''].lower()}."
        return f"{said} Change: {_say(taking.change, page)}." if taking.change else said

    return _do(page, "payment", form, act)


@bp.get("/<site>/orders/<order_id>/refunds")
@needs(ORDERS)
@proved_anew
def refunds(site: str, order_id: str) -> Response:
    page = _find(order_id)
    return _refund(page, RefundForm(page.order.currency, formdata=None), request.args.get("amount"))


@bp.post("/<site>/orders/<order_id>/refunds")
@needs(ORDERS)
@proved_anew
def give_back(site: str, order_id: str) -> Any:
    page = _find(order_id)
    form = RefundForm(page.order.currency)

    def act() -> str:
        returned = refund(
            _till(),
            order_id,
            amount=form.minor,
            reason=form.reason.data or "",
            seen=(form.seen.data or "")[:64],
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
        return f"{_say(returned, page)} given back."

    return _do(page, "refund", form, act)


@bp.post("/<site>/orders/<order_id>/comps")
@needs(ORDERS)
def waive(site: str, order_id: str) -> Any:
    page = _find(order_id)
    form = CompForm(page.order.currency)

    def act() -> str:
        waived = comp(
            _till(),
            order_id,
            amount=form.minor,
            reason=form.reason.data or "",
            seen=(form.seen.data or "")[:64],
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
        return f"{_say(waived, page)} waived."

    return _do(page, "comp", form, act)


@bp.post("/<site>/orders/<order_id>/mails")
@needs(ORDERS)
def send_again(site: str, order_id: str) -> Any:
    page = _find(order_id)
    form = MailForm()

    def act() -> str:
        letter = form.letter.data or ""
        key = deed_key(form.key.data or "")
        address = resend(_till(), order_id, letter=letter, key=key, now=utcnow())
        return f"“{KINDS[letter].title}” goes to {address} once more."

    return _do(page, "mail", form, act)


def _do(page: OrderPage, which: str, form: Form, act: Callable[[], str]) -> Any:
    """Do what a form asks and go back to the order, or show it again with why not."""
    order_id = page.order.id
    if not form.validate():
        return _refused(page, which, form, 422)
    try:
        said = act()
    except NotFound:
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        stale = isinstance(broken, LedgerChanged | KeyReused)
        return _refused(_find(order_id), which, form, 409 if stale else 422)
    flash(said, "ok")
    site = current_desk().venue.slug
    return redirect(url_for("orders.order", site=site, order_id=order_id), code=303)


def _refused(page: OrderPage, which: str, form: Form, status: int) -> Response:
    if which == "refund":
        return _refund(page, form, request.form.get("amount"), status=status)
    return _order(page, which, form, status=status)


def _order(
    page: OrderPage, which: str = "", form: Form | None = None, *, status: int = 200
) -> Response:
    desk, currency = current_desk(), page.order.currency
    booking_ids = [row.id for row in page.bookings]
    changes = list_order_changes(current_reader(), page.order.id, booking_ids)
    return render(
        "orders/order.html",
        desk=desk,
        venue=desk.venue,
        zone=desk.venue.zone,
        page=page,
        order=page.order,
        which=which,
        form=form,
        payment=form if which == "payment" else PaymentForm(currency, formdata=None),
        comp=form if which == "comp" else CompForm(currency, formdata=None),
        methods=METHODS,
        kinds=KINDS,
        due_typed=plain_amount(page.due, currency) if page.due else "",
        story=story_of(page, changes),
        say_entry=say_entry,
        status=status,
        is_personal=True,
    )


def _refund(page: OrderPage, form: Form, typed: str | None, *, status: int = 200) -> Response:
    """What goes back to which payment, for the sum that was asked: M4's working."""
    desk, currency = current_desk(), page.order.currency
    wished = typed[:40] if typed is not None else ""
    if typed is None:
        most = page.owed_back or page.books.refundable
        wished = plain_amount(most, currency) if most else ""
    amount, problem = 0, ""
    shares: tuple[Share, ...] = ()
    try:
        amount = read_amount(wished, currency) if wished or typed is not None else 0
        shares = plan_refund(page.entries, amount)
    except ValueError:
        problem = "Enter a sum like 48 or 48.50."
    except RuleBroken as broken:
        problem = broken.sentence
    return render(
        "orders/refund.html",
        desk=desk,
        venue=desk.venue,
        zone=desk.venue.zone,
        page=page,
        order=page.order,
        form=form,
        wished=wished,
        amount_minor=amount,
        shares=shares,
        problem=problem,
        left=left_of_payments(page.entries),
        say_method=say_method,
        status=status if status != 200 or not (problem and typed is not None) else 422,
        is_personal=True,
    )


def _find(order_id: str) -> OrderPage:
    venue = current_desk().venue
    return find_order_page(venue.organisation_id, venue.id, order_id, now=utcnow())


def _till() -> Till:
    venue = current_desk().venue
    return Till(venue.organisation_id, venue.id, account_id())


def _say(minor: int, page: OrderPage) -> str:
    return say_amount(minor, page.order.currency, current_desk().venue.locale)


def _wanted() -> tuple[Wanted, str]:
    """What the address asks for, and a sentence where a day can't be read."""
    first, last = _day("from"), _day("to")
    typed = (request.args.get("from", ""), request.args.get("to", ""))
    problem = ""
    if (typed[0] and not first) or (typed[1] and not last):
        problem = "Enter a day like 2026-06-04. The list shows all days."
        first = last = None
    elif first and last and last < first:
        problem = "The first day is after the last. The list shows all days."
        first = last = None
    wanted = Wanted(
        search=request.args.get("q", "")[:100].strip(),
        state=_one_of("state", STATES),
        owing=_one_of("owing", OWING),
        first_day=first,
        last_day=last,
        sort=_one_of("sort", SORTS) or SORTS[0],
    )
    return wanted, problem


def _one_of(name: str, known: tuple[str, ...]) -> str:
    value = request.args.get(name, "")
    return value if value in known else ""


def _day(name: str) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(request.args.get(name, "")[:10])
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None


def _view(wanted: Wanted) -> dict[str, Any]:
    """The list's own address, without its page."""
    return {
        "q": wanted.search or None,
        "state": wanted.state or None,
        "owing": wanted.owing or None,
        "from": wanted.first_day.isoformat() if wanted.first_day else None,
        "to": wanted.last_day.isoformat() if wanted.last_day else None,
        "sort": wanted.sort if wanted.sort != SORTS[0] else None,
    }


def _page_number() -> int:
    text = request.args.get("page", "1")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
