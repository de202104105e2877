"""Pages about what was changed: the log, one thing's history, an undo that is refused."""

from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

LOG = f"/staff{BATH}/trail"


def change_room(page: Page) -> str:
    """A room renamed and made smaller by hand; the address of its history."""
    page.goto(f"/staff{BATH}/rooms")
    page.locator("main ul a").first.click()
    room = page.url
    name = page.locator("main [name=name]")
    name.fill(f"{name.input_value()[:40]} by the river")
    page.get_by_role("button", name="Save room").click()
    page.goto(room)
    return page.get_by_role("link", name="History").get_attribute("href") or ""


def log(page: Page, _shop) -> None:
    change_room(page)
    page.goto(LOG)
    expect(page.locator(".deed").first).to_be_visible()


def history(page: Page, _shop) -> None:
    page.goto(change_room(page))
    expect(page.locator(".deed").first).to_be_visible()


def refused(page: Page, _shop) -> None:
    there = change_room(page)
    change_room(page)
    page.goto(there)
    page.get_by_role("button", name="Undo").nth(1).click()
    expect(page.get_by_role("alert")).to_be_visible()


def unknown_line(page: Page, _shop) -> None:
    page.goto(change_room(page))
    page.locator("[name=entry]").first.evaluate("field => field.value = ''")
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_role("alert")).to_be_visible()


TRAIL = [
    Story("who changed what", log, IMOGEN),
    Story("who changed what, nothing like that", at(f"{LOG}?day=2020-01-01"), IMOGEN),
    Story("the history of a room", history, IMOGEN),
    Story("an undo of what was changed since", refused, IMOGEN, 409),
    Story("an undo of no line", unknown_line, IMOGEN, 422),
]
