"""The roster by keyboard alone: every tap of a visit, and no letter taken from a field."""

import re

import pytest
from playwright.sync_api import Page, expect

STAFF = "/staff/stillwater-bath"


@pytest.fixture
def page(staff, shop) -> Page:
    """A running session with two parties, its roster open."""
    slot = shop.running_session()
    for name in ("Ana Reyes", "Ben Lund"):
        shop.book(slot, name)
    opened = staff()
    opened.goto(f"{STAFF}/sessions/{slot.id}")
    return opened


def test_a_visit_by_keys_from_row_to_row(page):
    ana, ben = (page.locator(f"li[data-guest='{name}']") for name in ("Ana Reyes", "Ben Lund"))
    ana.locator(".go").focus()
    page.keyboard.press("ArrowDown")
    expect(ben.locator(".go")).to_be_focused()
    for key, state in (
        ("c", "Arrived"),
        ("s", "In session"),
        ("o", "Checked out"),
        ("u", "In ses"),
    ):
        page.keyboard.press(key)
        expect(ben.locator(".state")).to_have_text(re.compile(state))
        # The list was drawn anew, and the focus is where it was.
        expect(ben.locator(".go")).to_be_focused()
    page.keyboard.press("Home")
    expect(ana.locator(".go")).to_be_focused()
    page.keyboard.press("n")
    expect(ana.locator(".state")).to_have_text(re.compile("No-show"))
    page.keyboard.press("s")
    expect(page.locator("[data-roster-said]")).to_have_text("Ana Reyes can’t be started now.")
    page.keyboard.press("u")
    expect(ana.locator(".state")).to_have_text(re.compile("Not arrived"))
    page.keyboard.press("?")
    expect(page.locator("[data-roster-keys]")).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(page.locator("[data-roster-keys]")).not_to_have_attribute("open", "")


def test_letters_are_keys_in_a_row_alone(page):
    ana = page.locator("li[data-guest='Ana Reyes']")
    page.get_by_role("searchbox", name="Find a guest").focus()
    page.keyboard.type("cnu")
    expect(page.get_by_role("searchbox", name="Find a guest")).to_have_value("cnu")
    page.locator("h1").click()
    page.keyboard.press("c")
    page.locator(".tally a").first.focus()
    page.keyboard.press("n")
    expect(ana.locator(".state")).to_have_text(re.compile("Not arrived"))


def test_the_sheet_of_paper_has_boxes_and_no_buttons(page):
    page.emulate_media(media="print")
    expect(page.locator(".roster > li")).to_have_count(2)
    for gone in (".rs .go", ".rs .dots", ".tally", ".roster-tools", ".walkin", ".rail", ".keys"):
        expect(page.locator(gone).first).to_be_hidden()
    box = page.locator(".rs").first.evaluate("row => getComputedStyle(row, '::before').inlineSize")
    assert float(box.removesuffix("px")) > 10
    wide = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert wide
