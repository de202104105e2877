"""Pages about orders and their money: the list, one order, giving back."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

from blueprints.clock import read_clock
from models import db
from services.cancelling import cancel_for_staff
from services.checkout import find_order
from services.orders import Till, comp, take_payment

LIST = f"/staff{BATH}/orders"
LONG = "Maximiliana von Hohenfels-Waldenburg"


def order(page: Page, shop, what: str = "", *, paid: bool = True, ended: bool = False) -> None:
    """An order of two with a ledger of every kind, or a bare one."""
    secret = shop.book(shop.own_session(), LONG, 2)
    with shop.app.app_context():
        row = find_order(secret)
        till, order_id, now = Till(row.organisation_id, row.site_id), row.id, read_clock()
        booking_id = row.items[0].booking.id
        if paid:
            take_payment(till, order_id, amount=3000, method="card", note="Receipt 12", now=now)
            take_payment(till, order_id, amount=1000, method="cash", now=now)
            comp(till, order_id, amount=500, reason="The sauna was cold", now=now)
        if ended:
            cancel_for_staff(till.organisation_id, till.site_id, booking_id, reason="Ill", now=now)
        db.session.remove()
    page.goto(f"{LIST}/{order_id}{what}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def come_to(what: str = "", **given) -> Callable:
    return lambda page, shop: order(page, shop, what, **given)


def press_and_see(come: Callable, name: str) -> Callable:
    """The same page after a press that it refuses."""

    def go(page: Page, shop) -> None:
        come(page, shop)
        page.get_by_role("button", name=re.compile(name)).first.click()
        expect(page.get_by_role("alert").first).to_be_visible()

    return go


def waiving(page: Page, shop) -> None:
    order(page, shop)
    page.locator("details.waive > summary").click()


ORDERS = [
    Story("orders", at(LIST), IMOGEN),
    Story("orders, something due", at(f"{LIST}?owing=due&sort=most"), IMOGEN),
    Story("orders, nothing found", at(f"{LIST}?q=zzzz"), IMOGEN),
    Story("orders, a day that can't be read", at(f"{LIST}?from=x"), IMOGEN),
    Story("order", come_to(), IMOGEN),
    Story("order, cancelled and owed back", come_to(ended=True), IMOGEN),
    Story("order, payment refused", press_and_see(come_to(), "Take payment"), IMOGEN, status=422),
    Story("order, waiving refused", press_and_see(waiving, "Waive it"), IMOGEN, status=422),
    Story("give back", come_to("/refunds"), IMOGEN),
    Story("give back, part of it", come_to("/refunds?amount=15"), IMOGEN),
    Story("give back, too much", come_to("/refunds?amount=90"), IMOGEN, status=422),
    Story("give back, nothing paid", come_to("/refunds", paid=False), IMOGEN),
    Story(
        "give back, no reason",
        press_and_see(come_to("/refunds?amount=15"), "Give back"),
        IMOGEN,
        status=422,
    ),
]
