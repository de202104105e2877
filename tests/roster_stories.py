"""The roster's pages: fees and their waiver, more guests, who waits beside it."""

import re
from collections.abc import Callable

import sqlalchemy as sa
from factories import ANYWHERE, fetch
from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, MAREN, Story

from blueprints.clock import read_clock
from models import Order, SessionBooking, db, transaction
from services.desk import set_no_show

STAFF = f"/staff{BATH}"
AGREED = {"late_after_minutes": 15, "late_fee": 1000, "no_show_fee": 2500}


def missed(shop, *, hours: int | None = 24) -> tuple[str, str]:
    """Somebody who didn't come, with a fee that can be waived so long; session and booking."""
    slot = shop.running_session()
    secret = shop.book(slot, "Early Edda", 2)
    with shop.app.app_context():
        line = db.session.scalars(
            sa.select(SessionBooking).join(Order).where(Order.secret == secret),
            execution_options=ANYWHERE,
        ).one()
        with transaction():
            item = fetch(SessionBooking, line.id).order_item
            item.policy = {**item.policy, **AGREED, "fees_waivable_hours": hours}
        set_no_show(line.organisation_id, line.site_id, line.id, missed=True, now=read_clock())
        found = slot.id, line.id
        db.session.remove()
    return found


def id_of(shop, secret: str) -> str:
    """The booking of an order."""
    return shop.line(secret).rpartition("/")[2]


def with_fee(page: Page, shop) -> None:
    session_id, _ = missed(shop)
    page.goto(f"{STAFF}/sessions/{session_id}")
    expect(page.locator(".rs .badge--warn")).to_contain_text("No-show fee £50")


def fee(hours: int | None = 24) -> Callable:
    def come(page: Page, shop) -> None:
        _, booking_id = missed(shop, hours=hours)
        page.goto(f"{STAFF}/bookings/{booking_id}/fee")
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Waive a fee"))

    return come


def fee_without_reason(page: Page, shop) -> None:
    fee()(page, shop)
    page.get_by_role("button", name="Waive £50").click()
    expect(page.get_by_role("alert").first).to_be_visible()


def no_fee(page: Page, shop) -> None:
    booking = id_of(shop, shop.book(shop.own_session(), "Early Edda"))
    page.goto(f"{STAFF}/bookings/{booking}/fee")
    expect(page.get_by_text("No fee stands on this booking.")).to_be_visible()


def more_guests(page: Page, shop) -> None:
    slot = shop.own_session("evening-sound-bath", capacity=6)
    booking = id_of(shop, shop.book(slot, "Early Edda", 2, people=("Little Lio",)))
    page.goto(f"{STAFF}/bookings/{booking}/more-guests")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("More guests"))


def more_guests_refused(page: Page, shop) -> None:
    more_guests(page, shop)
    page.get_by_label("Name of a new guest").fill("Little Lio")
    page.get_by_role("button", name="Add to the booking").click()
    expect(page.get_by_role("alert").first).to_be_visible()


def with_a_waitlist(page: Page, shop) -> None:
    slot, _ = shop.full_session(guests=2)
    shop.wait(slot, "Maximiliana von Hohenfels-Waldenburg", 2)
    page.goto(f"{STAFF}/sessions/{slot.id}")
    expect(page.locator(".wl li")).to_have_count(1)


ROSTER = [
    Story("roster, a fee", with_fee, IMOGEN),
    Story("roster, a waitlist", with_a_waitlist, MAREN),
    Story("waive a fee", fee(), MAREN),
    Story("waive a fee, too late", fee(hours=-1), IMOGEN),
    Story("waive a fee, no reason", fee_without_reason, MAREN, status=422),
    Story("waive a fee, none", no_fee, MAREN),
    Story("more guests by staff", more_guests, MAREN),
    Story("more guests by staff, with errors", more_guests_refused, MAREN, status=422),
]
