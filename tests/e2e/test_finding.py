"""One box finds any booking: by keyboard alone, and without script."""

import re

from browsing import Keyboard
from playwright.sync_api import expect

STAFF = "/staff/stillwater-bath"


def test_from_a_slash_to_the_guests_row_and_on_by_key(staff, shop):
    slot = shop.running_session()
    shop.book(slot, "Wilbur Nightjar")
    shop.book(slot, "Zelda Nightjar", 2)
    page = staff()
    keys = Keyboard(page)
    page.goto(f"{STAFF}/outbox")
    keys.press("/")
    box = page.get_by_role("searchbox", name="Find a booking")
    expect(box).to_be_focused()
    page.keyboard.type("nightjar")
    hits = page.locator("#found .hit-row")
    expect(hits).to_have_count(2)
    keys.press("Escape")
    expect(hits.first).to_be_hidden()
    page.keyboard.type(" z")
    expect(hits).to_have_count(1)
    keys.press("ArrowDown")
    expect(hits.first).to_be_focused()
    keys.press("ArrowUp")
    expect(box).to_be_focused()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(page).to_have_url(re.compile(rf"/sessions/{slot.id}#b-"))
    row = page.locator("li[data-guest='Zelda Nightjar']")
    expect(row).to_be_focused()
    # Enter once more does nothing: a scanner that sends it twice checks nobody in.
    keys.press("Enter")
    keys.press("c")
    expect(row.locator(".state")).to_contain_text("Arrived")
    other = page.locator("li[data-guest='Wilbur Nightjar']")
    expect(other.locator(".state")).to_contain_text("Not arrived")


def test_without_script_the_box_opens_a_page_of_what_was_found(staff, shop):
    slot = shop.running_session()
    shop.book(slot, "Philippa Nuthatch")
    page = staff(java_script_enabled=False)
    page.goto(f"{STAFF}/outbox")
    page.get_by_role("searchbox", name="Find a booking").fill("nuthatch")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Find a booking")
    found = page.locator(".hit-row")
    reference = found.locator(".nowrap").inner_text()
    found.click()
    expect(page.locator("li:target")).to_contain_text("Philippa Nuthatch")
    # A whole reference leads straight there.
    page.get_by_role("searchbox", name="Find a booking").fill(reference)
    page.keyboard.press("Enter")
    expect(page.locator("li:target")).to_contain_text("Philippa Nuthatch")
