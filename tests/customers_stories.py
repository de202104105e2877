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
    customer(page, "/merge?q=a", name="Boateng")
    page.get_by_role("link", name=re.compile("^Compare")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Merge two customers")


def one_address_for_two(page: Page, shop) -> None:
    """Two of this story, told apart by name and address alone; changed since they were read."""
    for name in ("Wanda Zweifach", "Wanda Zwifach"):
        shop.book(shop.own_session(), name, email=f"{name.split()[1].lower()}@example.com")
    customer(page, "/merge?q=zwifach", name="zweifach")
    page.get_by_role("link", name=re.compile("^Compare")).first.click()
    expect(page.get_by_role("group", name="Which email stays?")).to_be_visible()
    page.locator("[name=seen]").evaluate("field => { field.value = 'older' }")
    press(page, "Make them one")


def erasing_unsure(page: Page, shop) -> None:
    customer(page, "/erasure", name="Boateng")
    press(page, "Erase this person")


def booking_notes(page: Page, shop) -> None:
    """One kept, one taken away a moment ago."""
    booking = shop.line(shop.book(shop.own_session(), "Maximiliana von Hohenfels")).rpartition("/")
    notes = f"/staff{BATH}/bookings/{booking[2]}/notes"
    for text in ("Comes with a stick.", "Prefers the morning."):
        page.goto(notes)
        page.get_by_label("New note").fill(text)
        page.get_by_role("button", name="Keep the note").click()
        # It leads back to the roster, where the note is read.
        expect(page.get_by_text(text)).to_be_visible()
    page.goto(notes)
    page.get_by_role("button", name=re.compile("Take away")).first.click()
    expect(page.get_by_text("The note is taken away")).to_be_visible()


def an_empty_booking_note(page: Page, shop) -> None:
    booking = shop.line(shop.book(shop.own_session(), "Early Edda")).rpartition("/")[2]
    page.goto(f"/staff{BATH}/bookings/{booking}/notes")
    press(page, "Keep the note")


def erasing_who_is_expected(page: Page, shop) -> None:
    """With something to come and money that is due; nothing ticked."""
    shop.book(shop.own_session(), "Leonie Abt", 2)
    customer(page, "/erasure", name="Leonie Abt")
    expect(page.get_by_role("heading", name="Still to come")).to_be_visible()
    page.get_by_label("I know that").check()
    press(page, "Erase this person")


def erased(page: Page, shop) -> None:
    """Somebody whom this story made, erased."""
    shop.cancel(shop.book(shop.own_session(), "Tilda Ende"))
    here = customer(page, "/erasure", name="Tilda Ende")
    page.get_by_label("I know that").check()
    page.get_by_role("button", name="Erase this person").click()
    expect(page).not_to_have_url(re.compile("erasure"))
    page.goto(f"{here}/erasure")
    expect(page.get_by_text("nothing left to erase")).to_be_visible()


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
    Story("merge, changed meanwhile", one_address_for_two, IMOGEN, status=409),
    Story("erase", come_to("/erasure", name="Boateng"), IMOGEN),
    Story("erase, not sure", erasing_unsure, IMOGEN, status=422),
    Story("erase, still to come", erasing_who_is_expected, IMOGEN, status=422),
    Story("erase, erased already", erased, IMOGEN),
    Story("notes of a booking", booking_notes, IMOGEN),
    Story("notes of a booking, an empty one", an_empty_booking_note, IMOGEN, status=422),
]
