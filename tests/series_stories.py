"""Pages about series of session types and the closed days of a venue."""

import re

from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

STAFF = f"/staff{BATH}"


def times(page: Page, shop) -> None:
    page.goto(f"{STAFF}/types?q=thermal+circuit")
    page.get_by_role("link", name=re.compile("^Thermal circuit")).first.click()
    page.get_by_role("link", name="Times", exact=True).click()
    expect(page.get_by_role("heading", name="Repeating times")).to_be_visible()


def editor(page: Page, shop) -> None:
    times(page, shop)
    page.get_by_role("link", name=re.compile("^Edit ")).first.click()
    expect(page.get_by_role("heading", name="What saving does")).to_be_visible()


def editor_with_booked(page: Page, shop) -> None:
    editor(page, shop)
    page.get_by_label("Friday").uncheck(force=True)
    page.get_by_label("Monday").uncheck(force=True)
    expect(page.locator("#outlook")).to_contain_text("taken away")


def editor_with_errors(page: Page, shop) -> None:
    editor(page, shop)
    page.get_by_label("Places", exact=True).fill("999")
    page.get_by_role("button", name="Save series").click()
    expect(page.locator(".summary")).to_be_visible()


def new_series(page: Page, shop) -> None:
    times(page, shop)
    page.get_by_role("link", name="Add series").click()
    expect(page.locator("#outlook")).to_contain_text("makes no sessions until")


def archiving(page: Page, shop) -> None:
    times(page, shop)
    page.get_by_role("link", name=re.compile("^Archive ")).first.click()
    expect(page.get_by_role("button", name="Archive the series")).to_be_visible()


def restoring(page: Page, shop) -> None:
    """A series of its own, archived a moment ago."""
    page.goto(f"{shop.own_series().staff}/times")
    page.get_by_role("link", name="Archive Mornings").click()
    page.get_by_role("button", name="Archive the series").click()
    # The page opens at what was archived.
    page.get_by_role("link", name="Restore Mornings").click()
    expect(page.get_by_role("button", name="Restore the series")).to_be_visible()


def closing(page: Page, shop) -> None:
    page.goto(f"{STAFF}/closed-days/new?first=2026-06-06&reason=Annual+repairs")
    expect(page.get_by_role("heading", name="Booked sessions")).to_be_visible()
    page.get_by_text("Who has booked").click()


def closed_days(page: Page, shop) -> None:
    """A day far off, on which nothing is lost."""
    page.goto(f"{STAFF}/closed-days")
    if not page.get_by_text("The river is too high").count():
        page.goto(f"{STAFF}/closed-days/new?first=2028-01-01&reason=The+river+is+too+high")
        page.get_by_role("button", name="Close 1 day").click()
    expect(page.get_by_text("The river is too high").first).to_be_visible()


def reopening(page: Page, shop) -> None:
    closed_days(page, shop)
    page.get_by_role("link", name=re.compile("^Open again")).first.click()
    expect(page.get_by_role("button", name="Open it again")).to_be_visible()


SERIES = [
    Story("times of a type", times, IMOGEN),
    Story("a series", editor, IMOGEN),
    Story("a series, changed", editor_with_booked, IMOGEN),
    Story("a series, with errors", editor_with_errors, IMOGEN, status=422),
    Story("a new series", new_series, IMOGEN),
    Story("archive a series", archiving, IMOGEN),
    Story("restore a series", restoring, IMOGEN),
    Story("closed days", closed_days, IMOGEN),
    Story("closed days, with errors", at(f"{STAFF}/closed-days/new"), IMOGEN, status=422),
    Story("close a day", closing, IMOGEN),
    Story("open a closed day", reopening, IMOGEN),
]
