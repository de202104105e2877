"""Pages about single sessions and the schedule's views."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from stories import BATH, MAREN, Story, at

STAFF = f"/staff{BATH}"


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(text))


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()


def opened(what: str) -> Callable:
    """The schedule with one of its menus open, on a day that has nothing for it to cover."""

    def come(page: Page, shop) -> None:
        page.goto(f"{STAFF}/?date=2031-06-12")
        page.locator("summary").filter(has_text=what).click()

    return come


def filtered(view: str) -> Callable:
    """Narrowed to the first room."""

    def come(page: Page, shop) -> None:
        page.goto(f"{STAFF}/?view={view}")
        page.locator("summary").filter(has_text="Filter").click()
        page.locator(".filters input[type=checkbox]").first.check()
        press(page, "Show these")
        expect(page.locator(".sched-tools .chip")).to_be_visible()

    return come


def fill_new(page: Page, time: str) -> None:
    page.goto(f"{STAFF}/sessions/new?date=2026-06-16")
    page.get_by_label("Session type").select_option(label="Thermal circuit")
    page.get_by_label("Room", exact=True).select_option(index=1)
    page.get_by_label("Starts at").fill(time)
    press(page, "Make the session")


def new_refused(page: Page, shop) -> None:
    page.goto(f"{STAFF}/sessions/new")
    press(page, "Make the session")
    expect(page.get_by_role("alert").first).to_be_visible()


def new_to_look_at(page: Page, shop) -> None:
    fill_new(page, "03:00")
    expect(page.get_by_text("Look at this first")).to_be_visible()


def new_made(page: Page, shop) -> None:
    fill_new(page, "21:05")
    anyway = page.get_by_role("button", name="Make it anyway")
    expect(anyway.or_(page.get_by_text("is on the schedule"))).to_be_visible()
    if anyway.is_visible():
        anyway.click()
    expect(page.get_by_text("is on the schedule")).to_be_visible()


def booked_session(shop):
    slot = shop.own_session(hours=74, capacity=6)
    shop.book(slot, "Maximiliana von Hohenfels-Waldenburg", 3)
    shop.book(slot, "Jude Park")
    return slot


def edit(page: Page, shop) -> None:
    page.goto(f"{booked_session(shop).roster}/edit")
    heading(page, "Change this session")


def edit_with_impact(page: Page, shop) -> None:
    page.goto(f"{booked_session(shop).roster}/edit?duration=25")
    expect(page.get_by_text("what becomes of them")).to_be_visible()


def edit_refused(page: Page, shop) -> None:
    edit(page, shop)
    page.get_by_label("Places", exact=True).fill("0")
    press(page, "Change the session")
    expect(page.get_by_role("alert").first).to_be_visible()


def edit_of_the_past(page: Page, shop) -> None:
    page.goto(f"{STAFF}/?date=2026-06-02")
    page.locator("a.sess:not(.is-off)").first.click()
    page.get_by_role("link", name="Change session").click()
    expect(page.get_by_text("This session is over")).to_be_visible()


SESSIONS = [
    Story("schedule of a week", at(f"{STAFF}/?view=week"), MAREN),
    Story("schedule of a month", at(f"{STAFF}/?view=month"), MAREN),
    Story("schedule, agenda", at(f"{STAFF}/?view=agenda"), MAREN),
    Story("schedule, nothing in a week", at(f"{STAFF}/?view=week&date=2031-06-12"), MAREN),
    Story("schedule, nothing in a month", at(f"{STAFF}/?view=month&date=2031-06-12"), MAREN),
    Story("schedule, nothing coming", at(f"{STAFF}/?view=agenda&date=2031-06-12"), MAREN),
    Story("schedule, filters open", opened("Filter"), MAREN),
    Story("schedule, keys", opened("Keyboard"), MAREN),
    *(
        Story(f"schedule narrowed, {view}", filtered(view), MAREN)
        for view in ("day", "week", "month", "agenda")
    ),
    Story("new session", at(f"{STAFF}/sessions/new"), MAREN),
    Story("new session with errors", new_refused, MAREN, status=422),
    Story("new session to look at first", new_to_look_at, MAREN),
    Story("new session made", new_made, MAREN),
    Story("change a session", edit, MAREN),
    Story("change a session, its impact", edit_with_impact, MAREN),
    Story("change a session, with errors", edit_refused, MAREN, status=422),
    Story("change a session that is over", edit_of_the_past, MAREN),
]
