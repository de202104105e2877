"""Pages on which a venue is set up: as they open, empty, refused, with somebody else's version."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

STAFF = f"/staff{BATH}"
SETTINGS = f"{STAFF}/settings"


def first_of(path: str, then: str = "") -> Callable:
    """The page of the first thing in a list, and on to a part of it."""

    def come(page: Page, shop) -> None:
        page.goto(f"{STAFF}/{path}")
        page.locator(".set-main").first.click()
        expect(page.locator("main form").first).to_be_visible()
        if then:
            page.goto(page.url + then)
        expect(page.get_by_role("heading", level=1)).to_be_visible()

    return come


def with_empty_name(come: Callable, button: str) -> Callable:
    def go(page: Page, shop) -> None:
        come(page, shop)
        page.locator("#name").fill("")
        page.get_by_role("button", name=re.compile(button)).first.click()
        expect(page.get_by_role("alert").first).to_be_visible()

    return go


def pale_accent(page: Page, shop) -> None:
    page.goto(f"{SETTINGS}/look")
    page.locator("#accent").fill("#f5d90a")
    expect(page.locator("#preview").get_by_text("too pale")).to_be_visible()


def hours_that_end_first(page: Page, shop) -> None:
    page.goto(f"{SETTINGS}/times")
    page.locator("#monday_to").fill("05:00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()


def saved_meanwhile(page: Page, shop) -> None:
    page.goto(f"{SETTINGS}/venue")
    page.locator("[name=seen]").evaluate("it => { it.value = 'older' }")
    page.locator("#name").fill("Weir House")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved meanwhile")).to_be_visible()


def away_with_errors(page: Page, shop) -> None:
    first_of("team")(page, shop)
    page.get_by_role("button", name="Add the time off").click()
    expect(page.get_by_role("alert")).to_be_visible()


def away_taken_out(page: Page, shop) -> None:
    first_of("team")(page, shop)
    page.get_by_label("From").fill("2028-01-03T09:00")
    page.get_by_label("Back at").fill("2028-01-05T09:00")
    page.get_by_label("Why").fill("Learning to make kilns")
    page.get_by_role("button", name="Add the time off").click()
    page.locator(".away").filter(has_text="kilns").get_by_role("link", name="Take out").click()
    expect(page.get_by_role("button", name="Take it out")).to_be_visible()


SETTING_UP = [
    Story("settings", at(SETTINGS), IMOGEN),
    *(
        Story(f"settings, {group}", at(f"{SETTINGS}/{group}"), IMOGEN)
        for group in ("venue", "window", "times", "booking", "money", "look")
    ),
    Story("settings, saved meanwhile", saved_meanwhile, IMOGEN, status=409),
    Story("settings, hours with errors", hours_that_end_first, IMOGEN, status=422),
    Story("settings, a pale accent", pale_accent, IMOGEN),
    Story("another zone", at(f"{SETTINGS}/zone?zone=Asia/Tokyo"), IMOGEN),
    Story("a zone nobody knows", at(f"{SETTINGS}/zone?zone=Mars"), IMOGEN, status=422),
    Story("organisation", at(f"{STAFF}/organisation"), IMOGEN),
    Story("add a venue", at(f"{STAFF}/venues/new"), IMOGEN),
    Story(
        "add a venue, with errors",
        with_empty_name(at(f"{STAFF}/venues/new"), "Add the venue"),
        IMOGEN,
        status=422,
    ),
    Story("rooms", at(f"{STAFF}/rooms"), IMOGEN),
    Story("rooms, none found", at(f"{STAFF}/rooms?q=nowhere"), IMOGEN),
    Story("add a room", at(f"{STAFF}/rooms/new"), IMOGEN),
    Story("one room", first_of("rooms"), IMOGEN),
    Story("archive a room", first_of("rooms", "/archive"), IMOGEN),
    Story(
        "add a room, with errors",
        with_empty_name(at(f"{STAFF}/rooms/new"), "Add the room"),
        IMOGEN,
        status=422,
    ),
    Story("zones", at(f"{STAFF}/zones"), IMOGEN),
    Story("one zone", first_of("zones"), IMOGEN),
    Story("delete a zone", first_of("zones", "/removal"), IMOGEN),
    Story("team", at(f"{STAFF}/team"), IMOGEN),
    Story("team, nobody found", at(f"{STAFF}/team?q=nobody+here"), IMOGEN),
    Story("add somebody", at(f"{STAFF}/team/new"), IMOGEN),
    Story("one of the team", first_of("team"), IMOGEN),
    Story("archive somebody", first_of("team", "/archive"), IMOGEN),
    Story("time off with errors", away_with_errors, IMOGEN, status=422),
    Story("take time off out", away_taken_out, IMOGEN),
    Story("categories", at(f"{STAFF}/categories"), IMOGEN),
    Story("one category", first_of("categories"), IMOGEN),
    Story("delete a category", first_of("categories", "/removal"), IMOGEN),
]
