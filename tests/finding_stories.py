"""Pages about finding a booking, and the kiosk at the door."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from stories import BATH, MAREN, Story, at

STAFF = f"/staff{BATH}"
KIOSK = f"/kiosk{BATH}"
LONG = "Maximiliana von Hohenfels-Waldenburg"


def found(page: Page, shop) -> None:
    shop.book(shop.own_session(capacity=6), LONG)
    page.goto(f"{STAFF}/find?q=hohenfels")
    expect(page.locator(".hit-row").first).to_be_visible()


def box(page: Page, shop) -> None:
    shop.book(shop.own_session(capacity=6), LONG)
    page.goto(f"{STAFF}/outbox")
    field = page.locator(".find-box input")
    if field.is_visible():
        field.press_sequentially("hohenfels")
        expect(page.locator(".find-pop .hit-row").first).to_be_visible()


def sign_in_kiosk(page: Page, shop) -> None:
    page.goto(f"{STAFF}/kiosks")
    page.get_by_label("What you call it").fill("The door")
    page.get_by_role("button", name="Sign in as a kiosk").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome")


def ask(page: Page, reference: str, last_name: str) -> None:
    page.get_by_label("Booking reference").fill(reference)
    page.get_by_label("Last name").fill(last_name)
    page.get_by_role("button", name="Find my booking").click()


def unknown(page: Page, shop) -> None:
    sign_in_kiosk(page, shop)
    ask(page, "STW 999999", "Nobody")
    expect(page.locator(".summary")).to_be_visible()


def shown(session: str) -> Callable:
    """A party on the screen whose session runs, or is another day."""

    def come(page: Page, shop) -> None:
        slot = getattr(shop, session)()
        shop.book(slot, LONG)
        page.goto(slot.roster)
        reference = page.locator(".rs", has_text=LONG).locator(".nt .num").inner_text()
        sign_in_kiosk(page, shop)
        ask(page, reference, "Waldenburg")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Maximiliana")

    return come


def done(page: Page, shop) -> None:
    shown("running_session")(page, shop)
    page.get_by_role("button", name=re.compile("^Check in")).click()
    expect(page.get_by_text("You’re checked in")).to_be_visible()


def nameless(page: Page, shop) -> None:
    page.goto(f"{STAFF}/kiosks")
    page.get_by_role("button", name="Sign in as a kiosk").click()
    expect(page.locator(".summary")).to_be_visible()


FINDING = [
    Story("find a booking", at(f"{STAFF}/find"), MAREN),
    Story("found bookings", found, MAREN),
    Story("found nobody", at(f"{STAFF}/find?q=zzzzzz"), MAREN),
    Story("found in the box", box, MAREN),
    Story("the code of a ticket", at("/bookings/tickets/0123456789abcdef0123")),
    Story("kiosks", at(f"{STAFF}/kiosks"), MAREN),
    Story("kiosks with errors", nameless, MAREN, status=422),
    Story("kiosk, start", sign_in_kiosk, MAREN),
    Story("kiosk, unknown", unknown, MAREN, status=422),
    Story("kiosk, ready", shown("running_session"), MAREN),
    Story("kiosk, another day", shown("own_session"), MAREN),
    Story("kiosk, done", done, MAREN),
    Story("kiosk, signed out", at(KIOSK), status=401),
]
