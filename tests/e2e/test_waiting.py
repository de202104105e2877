"""Places that change hands: waited for, offered, moved, given up, and sold by a private link."""

import re

import pytest
from browsing import COUNT_CLICKS, Keyboard
from playwright.sync_api import Page, expect

LATE = 30
"""Hours to a start that is too near to cancel, and far enough to book."""


def heading(page: Page, text: str | re.Pattern) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def press(page: Page, name: str | re.Pattern) -> None:
    page.get_by_role("button", name=name).click()


def join(page: Page, slot, name: str, email: str) -> None:
    """From the day in the calendar to a place on the list."""
    page.goto(slot.path)
    page.locator(slot.row).get_by_role("link", name="Join the waitlist").click()
    heading(page, "Join the waitlist")
    page.get_by_label("Full name").fill(name)
    page.get_by_label("Email").fill(email)
    press(page, "Join the waitlist")
    heading(page, re.compile(r"^You are number \d+ of \d+$"))


def cancel(page: Page, secret: str) -> None:
    """As a customer does, from the ticket."""
    page.goto(f"/bookings/{secret}")
    page.locator(".change").get_by_role("link", name="Cancel").click()
    heading(page, "Cancel this booking?")
    press(page, "Cancel the booking")
    heading(page, "This booking was cancelled.")


def has_ticket(page: Page) -> None:
    expect(page.locator(".ref")).to_have_text(re.compile(r"^STW [2-9A-Z]{6}$"))


def test_w2_a_place_goes_from_who_cancels_to_who_waited(person, shop, address):
    slot, sold = shop.full_session()
    page, other, email = person(), person(), address("noor")
    join(page, slot, "Noor van den Bergh", email)
    heading(page, "You are number 1 of 1")
    cancel(other, sold)
    # Who comes to the shop now finds nothing to snatch.
    other.goto(slot.path)
    expect(other.locator(slot.row)).to_contain_text("Taken")
    page.goto(shop.mailed(email))
    heading(page, "A place is held for you")
    assert shop.places_taken(slot) == 1
    press(page, re.compile("^Accept"))
    has_ticket(page)
    heading(page, re.compile("Noor"))
    assert shop.places_taken(slot) == 1
    # The mail's link leads to the ticket from now on.
    page.goto(shop.mailed(email))
    has_ticket(page)


def test_w2_a_declined_offer_goes_to_the_next(person, shop, address):
    slot, sold = shop.full_session()
    first, second = address("first"), address("second")
    page, other = person(), person()
    join(page, slot, "First Fenna", first)
    join(other, slot, "Second Sven", second)
    heading(other, "You are number 2 of 2")
    shop.cancel(sold)
    page.goto(shop.mailed(first))
    press(page, "Decline the offer")
    heading(page, "You are off the waitlist")
    expect(page.get_by_role("link", name="Join the waitlist again")).to_be_visible()
    other.goto(shop.mailed(second))
    heading(other, "A place is held for you")


def test_w4_leaving_moves_those_behind_up(person, shop, address):
    slot, _ = shop.full_session()
    page, other = person(), person()
    join(page, slot, "First Fenna", address("first"))
    join(other, slot, "Second Sven", address("second"))
    press(page, "Leave the waitlist")
    heading(page, "You are off the waitlist")
    other.reload()
    heading(other, "You are number 1 of 1")


def test_an_offer_is_accepted_by_keyboard_alone(visitor, shop, address):
    slot, sold = shop.full_session()
    email = address("henrike")
    shop.wait(slot, "Henrike Özdemir", email=email)
    shop.cancel(sold)
    page = visitor()
    page.goto(shop.mailed(email))
    heading(page, "A place is held for you")
    keys = Keyboard(page)
    keys.walk_to(page.get_by_role("button", name=re.compile("^Accept")))
    keys.press("Enter")
    has_ticket(page)


def test_w2_two_windows_on_an_offer_that_runs_out_both_say_so(visitor, shop, address, complaints):
    slot, sold = shop.full_session()
    email = address("lena")
    entry = shop.wait(slot, "Lena Frost", email=email)
    shop.cancel(sold)
    pressing, watching = visitor(), visitor()
    watching.clock.install()
    pressing.goto(entry)
    watching.goto(entry)
    expect(watching.locator("[data-when-over]")).to_be_hidden()
    watching.clock.fast_forward("48:00:00")
    expect(watching.locator("[data-when-over]")).to_contain_text("This offer has run out.")
    shop.let_the_offer_run_out(slot)
    complaints.announce(409)
    press(pressing, re.compile("^Accept"))
    expect(pressing.get_by_role("alert")).to_contain_text("Nothing was booked.")
    expect(pressing).to_have_title(re.compile("^Error:"))
    heading(pressing, "Your offer has run out")
    watching.get_by_role("link", name="See what you can do").click()
    heading(watching, "Your offer has run out")


def test_m7_a_booking_moves_to_another_time(person, shop):
    slot = shop.own_session(capacity=2)
    other = shop.own_session(hours=98, capacity=2)
    secret = shop.book(slot, "Moving Mo")
    page = person()
    page.goto(f"/bookings/{secret}")
    reference = page.locator(".ref").inner_text()
    page.locator(".change").get_by_role("link", name="Move").click()
    heading(page, "Move to another time")
    page.get_by_label("Day", exact=True).get_by_role(
        "link", name=f"{other.date:%a} {other.date.day} "
    ).click()
    page.locator(f".opts a[href*='{other.id}']").click()
    heading(page, "Move to this time?")
    press(page, re.compile("^Move (to|for)"))
    has_ticket(page)
    expect(page.locator(".ref")).to_have_text(reference)
    expect(page.locator(".when")).to_contain_text(f"{other.date.day} {other.date:%B}")
    assert (shop.places_taken(slot), shop.places_taken(other)) == (0, 1)


def test_a_late_place_is_given_up_and_taken(person, shop, address):
    slot, sold = shop.full_session(hours=LATE)
    email = address("taker")
    shop.wait(slot, "Taker Tomke", email=email)
    giver, taker = person(), person()
    giver.goto(f"/bookings/{sold}")
    giver.get_by_role("link", name="Give my place to the waitlist").click()
    heading(giver, "Give your place to the waitlist?")
    press(giver, "Give my place to the waitlist")
    expect(giver.locator(".change")).to_contain_text("offered to the waitlist")
    # Until it is taken it stays theirs.
    has_ticket(giver)
    taker.goto(shop.mailed(email))
    heading(taker, "A place is held for you")
    press(taker, re.compile("^Accept"))
    has_ticket(taker)
    giver.reload()
    heading(giver, "This booking was cancelled.")
    assert shop.places_taken(slot) == 1


def test_a_given_place_is_taken_back_and_the_offer_says_so(person, shop, address):
    slot, sold = shop.full_session(hours=LATE)
    email = address("taker")
    entry = shop.wait(slot, "Taker Tomke", email=email)
    shop.release(sold)
    giver, taker = person(), person()
    taker.goto(entry)
    heading(taker, "A place is held for you")
    giver.goto(f"/bookings/{sold}")
    press(giver, "Keep my place after all")
    expect(giver.get_by_role("link", name="Give my place to the waitlist")).to_be_visible()
    taker.goto(entry)
    heading(taker, "You are number 1 of 1")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"], indirect=True)
def test_a_private_link_is_three_clicks_from_a_ticket(person, script, shop):
    page = person()
    if script:
        page.add_init_script(COUNT_CLICKS)
    clicks = 0
    slot = shop.own_session("friends-of-the-weir", capacity=4)
    page.goto(shop.private_address)
    expect(page.locator("#invitation")).to_contain_text("by invitation")
    for click in (
        page.locator(slot.day_link),
        page.locator(slot.row).get_by_role("button", name="Book"),
    ):
        click.click()
        clicks += 1
    page.get_by_label("Full name").fill("Ivana Đorđević")
    page.get_by_label("Email").fill("ivana@example.com")
    press(page, re.compile("^Confirm"))
    clicks += 1
    has_ticket(page)
    assert clicks == 3
    if script:
        assert page.evaluate("sessionStorage.clicks") == "3"


def test_a_link_for_one_booking_is_dead_once_it_is_used(person, shop, complaints):
    slot = shop.own_session("friends-of-the-weir", capacity=4)
    address = shop.private_link("friends-of-the-weir", max_uses=1, price=1500)
    page = person()
    page.goto(f"{address}?date={slot.date}")
    expect(page.locator("#invitation")).to_contain_text("good for 1 booking")
    page.locator(slot.row).get_by_role("button", name="Book for £15").click()
    page.get_by_label("Full name").fill("Łukasz Wiśniewski")
    page.get_by_label("Email").fill("lukasz@example.com")
    press(page, re.compile("^Confirm"))
    has_ticket(page)
    complaints.announce(410)
    late = person()
    late.goto(address)
    heading(late, "This link has been used")
    expect(late.get_by_role("link", name="hello@stillwater.example").first).to_be_visible()
