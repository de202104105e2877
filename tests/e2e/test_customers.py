"""Doubles that become one, and a person who is erased: the name is nowhere on the screen."""

import re

from playwright.sync_api import Page, expect

STAFF = "/staff/stillwater-bath"
IMOGEN = "imogen@stillwater.example"
NAME = "Saskia Thornbury"


def open_customer(page: Page, search: str) -> None:
    page.goto(f"{STAFF}/customers?q={search}")
    page.locator("a.person").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)


def test_doubles_become_one_and_the_one_is_erased(staff, shop, address):
    first, second = address("saskia"), address("thornbury")
    early, late = shop.own_session(hours=30), shop.own_session(hours=54)
    shop.book(early, NAME, email=first)
    shop.book(late, NAME, 2, email=second)
    page = staff(IMOGEN)
    page.goto(f"{STAFF}/customers/doubles")
    double = page.locator("section.card").filter(has_text=NAME)
    expect(double).to_contain_text(first)
    double.get_by_role("link", name=re.compile("^Compare")).click()
    page.get_by_role("radio", name=second).check()
    page.get_by_role("button", name="Make them one").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(page.locator("main")).to_contain_text(second)
    expect(page.locator("section[aria-labelledby=coming-h] li")).to_have_count(2)
    page.goto(f"{STAFF}/customers?q=Thornbury")
    expect(page.locator("a.person")).to_have_count(1)

    open_customer(page, "Thornbury")
    here = page.url.split("?")[0]
    page.get_by_label("New note").fill(f"{NAME} likes the corner by the window")
    page.get_by_role("button", name="Keep the note").click()
    expect(page.locator(".noted-text")).to_be_visible()
    page.get_by_role("link", name="Erase this person").click()
    page.get_by_label("Cancel it all with this").check()
    page.get_by_label("I know that this can’t be undone").check()
    page.get_by_role("button", name="Erase this person").click()
    expect(page.get_by_text("was erased").first).to_be_visible()

    places = ("", "/history", "/history?show=orders", "/history?show=mails")
    pages = [f"{here}{place}" for place in places]
    pages += [here.replace("/customers/", "/trail/customers/"), early.roster, late.roster]
    pages += [f"{STAFF}/{path}" for path in ("trail", "orders", "outbox", "customers/doubles")]
    for url in pages:
        assert page.goto(url).status == 200, url
        for trace in ("Saskia", "Thornbury", first, second, "corner by the window"):
            assert trace not in page.content(), f"{trace} on {url}"
    for path, found in (("customers", "a.person"), ("find", ".hit-row"), ("orders", "main tbody")):
        page.goto(f"{STAFF}/{path}?q=Thornbury")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.locator(found).filter(has_text="Thornbury").count() == 0
