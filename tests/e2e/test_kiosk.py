"""A tablet at the door: made a kiosk, used by guests, left alone, signed out from the desk."""

import re

import pytest
from factories import fetch
from playwright.sync_api import Page, expect
from roster_stories import id_of

from models import SessionBooking, db

STAFF = "/staff/stillwater-bath"
MAREN = ("maren@stillwater.example", "thermal-waters")


@pytest.fixture
def tablet(visitor) -> Page:
    """A browser whose clock a test moves, signed in by a receptionist in its own right."""
    page = visitor()
    page.clock.install()
    page.goto(f"/staff/sign-in?next={STAFF}/kiosks")
    page.get_by_label("mail").fill(MAREN[0])
    page.get_by_label("Password").fill(MAREN[1])
    page.get_by_role("button", name="Sign in", exact=True).click()
    return page


def make_kiosk(page: Page, name: str) -> None:
    page.get_by_label("What you call it").fill(name)
    page.get_by_role("button", name="Sign in as a kiosk").click()
    is_at_the_start(page)


def is_at_the_start(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome. Check in here.")
    expect(page.get_by_label("Booking reference")).to_have_value("")
    expect(page.get_by_label("Last name")).to_have_value("")


def greets(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def ask(page: Page, reference: str, last_name: str) -> None:
    page.get_by_label("Booking reference").fill(reference)
    page.get_by_label("Last name").fill(last_name)
    page.get_by_role("button", name="Find my booking").click()


def ticket_of(shop, secret: str) -> tuple[str, str]:
    """An order's reference, and what the code on its ticket says."""
    with shop.app.app_context():
        booking = fetch(SessionBooking, id_of(shop, secret))
        found = booking.order.order_ref, f"{shop.url}/bookings/tickets/{booking.check_in_code}"
        db.session.remove()
    return found


def test_a_day_of_a_kiosk(tablet, staff, shop, complaints):
    slot = shop.running_session()
    reference, _ = ticket_of(shop, shop.book(slot, "Ottoline Sedge", 2))
    _, code = ticket_of(shop, shop.book(slot, "Rufus Alder"))
    make_kiosk(tablet, "Front door")

    # A wrong name tells nothing, and what was typed goes away by itself.
    complaints.announce(422)
    ask(tablet, reference, "Alder")
    expect(tablet.locator(".summary")).to_contain_text("couldn't find that booking")
    expect(tablet.locator("body")).not_to_contain_text("Ottoline")
    tablet.clock.fast_forward("01:05")
    is_at_the_start(tablet)

    # By reference and last name.
    ask(tablet, reference.lower(), "sedge")
    greets(tablet, "Hello, Ottoline Sedge.")
    expect(tablet.locator("body")).not_to_contain_text("Rufus")
    tablet.get_by_role("button", name="Check in all 2").click()
    expect(tablet.get_by_text("You’re checked in")).to_be_visible()
    tablet.clock.fast_forward("00:30")
    is_at_the_start(tablet)
    tablet.go_back()
    expect(tablet.locator("body")).not_to_contain_text("Ottoline")
    tablet.goto("/kiosk/stillwater-bath")
    is_at_the_start(tablet)

    # By a scanner, which types what it reads and presses Enter.
    expect(tablet.get_by_label("Booking reference")).to_be_focused()
    tablet.keyboard.type(code)
    tablet.keyboard.press("Enter")
    greets(tablet, "Hello, Rufus Alder.")
    # Whoever reads slowly may have more time; left alone, it goes back without checking in.
    tablet.clock.fast_forward("00:50")
    expect(tablet.locator("[data-closing-warn]")).to_contain_text("I need more time")
    tablet.get_by_role("button", name="I need more time").click()
    expect(tablet.locator("[data-closing-warn]")).to_be_empty()
    greets(tablet, "Hello, Rufus Alder.")
    tablet.clock.fast_forward("01:05")
    is_at_the_start(tablet)

    desk = staff("imogen@stillwater.example")
    desk.goto(slot.roster)
    expect(desk.locator("li[data-guest='Ottoline Sedge'] .state")).to_contain_text("Arrived")
    expect(desk.locator("li[data-guest='Rufus Alder'] .state")).to_contain_text("Not arrived")

    # The person who made it a kiosk is not signed in there, and the desk ends it from afar.
    tablet.goto(slot.roster)
    expect(tablet).to_have_url(re.compile("/staff/sign-in"))
    tablet.goto("/kiosk/stillwater-bath")
    ask(tablet, reference, "Sedge")
    greets(tablet, "Thank you, Ottoline Sedge.")
    desk.goto(f"{STAFF}/kiosks")
    desk.get_by_role("button", name="Sign out Front door").click()
    expect(desk.get_by_text("Front door is signed out")).to_be_visible()
    complaints.announce(401)
    tablet.get_by_role("button", name="Done").click()
    greets(tablet, "This kiosk is signed out")
    expect(tablet.locator("body")).not_to_contain_text("Ottoline")
