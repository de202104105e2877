"""Pages about one customer: history, notes, doubles, merging, erasing."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

LIST = f"/staff{BATH}/customers"


def customer(page: Page, path: str = "", *, name: str = "Ana") -> str:
    """The page of a customer of the demo, and its address."""
    page.goto(f"{LIST}?q={name}")
    page.locator("a.person").first.click()
    here = page.url.split("?")[0]
    if path:
        page.goto(f"{here}{path}")
    return here


def come_to(path: str = "", *, name: str = "Ana") -> Callable:
    return lambda page, shop: customer(page, path, name=name)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()
    expect(page.get_by_role("alert").first).to_be_visible()


def an_empty_note(page: Page, shop) -> None:
    customer(page)
    press(page, "Keep the note")


def with_notes(page: Page, shop) -> None:
    customer(page)
    page.get_by_label("New note").fill("Prefers the morning.\nComes with a stick.")
    page.get_by_role("button", name="Keep the note").click()
    expect(page.locator(".noted-text").first).to_be_visible()


def a_note_taken_away(page: Page, shop) -> None:
    with_notes(page, shop)
    page.get_by_role("button", name=re.compile("Take away")).first.click()
    expect(page.get_by_text("The note is taken away")).to_be_visible()


def side_by_side(page: Page, shop) -> None:
    """Two of the demo's customers, neither with an account of their own to keep."""
    here = customer(page, "/merge?q=a", name="Boateng")
    page.get_by_role("link", name=re.compile("^Compare")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Merge two customers")
    assert here


def erasing_unsure(page: Page, shop) -> None:
    customer(page, "/erasure", name="Boateng")
    press(page, "Erase this person")


CUSTOMERS = [
    Story("customers, newest first", at(f"{LIST}?sort=newest"), IMOGEN),
    Story("doubles", at(f"{LIST}/doubles"), IMOGEN),
    Story("doubles, none left", at(f"{LIST}/doubles?page=999"), IMOGEN),
    Story("customer, with notes", with_notes, IMOGEN),
    Story("customer, an empty note", an_empty_note, IMOGEN, status=422),
    Story("customer, a note taken away", a_note_taken_away, IMOGEN),
    Story("history", come_to("/history"), IMOGEN),
    Story("history, orders", come_to("/history?show=orders"), IMOGEN),
    Story("history, mails", come_to("/history?show=mails"), IMOGEN),
    Story("history, no forms", come_to("/history?show=forms"), IMOGEN),
    Story("merge, looking for the other", come_to("/merge?q=a"), IMOGEN),
    Story("merge, nobody found", come_to("/merge?q=zzzz"), IMOGEN),
    Story("merge, side by side", side_by_side, IMOGEN),
    Story("erase", come_to("/erasure", name="Boateng"), IMOGEN),
    Story("erase, not sure", erasing_unsure, IMOGEN, status=422),
]
