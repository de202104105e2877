"""Two receptionists on one roster: whatever one of them does, the other sees without a reload."""

import re

import pytest
import sqlalchemy as sa
from browsing import choose, guest, is_in_state, is_marked, mark, press
from factories import ANYWHERE, fetch
from playwright.sync_api import Page, expect
from roster_stories import AGREED, id_of

from models import SessionBooking, db, transaction

IMOGEN = "imogen@stillwater.example"
PARTIES = {"Ada Lark": 1, "Basil Moor": 2, "Cleo Finch": 1, "Elias Tern": 1, "Flora Wren": 2}


@pytest.fixture
def slot(shop):
    """A session that runs, with everybody still to come; no-shows of one party cost a fee."""
    slot = shop.running_session(capacity=12)
    orders = {name: shop.book(slot, name, guests) for name, guests in PARTIES.items()}
    with shop.app.app_context(), transaction():
        item = fetch(SessionBooking, id_of(shop, orders["Basil Moor"])).order_item
        item.policy = {**item.policy, **AGREED, "fees_waivable_hours": 24}
    return slot


def follow(page: Page, name: str, link: str) -> None:
    """From the menu of a guest's row, to a page of its own."""
    row = guest(page, name)
    row.locator(".dots-menu summary").click()
    row.get_by_role("link", name=link, exact=True).click()


def is_back(page: Page, slot) -> None:
    expect(page).to_have_url(re.compile(slot.roster))


def test_everything_one_does_is_seen_by_the_other(staff, slot):
    maren, imogen = staff(), staff(IMOGEN)
    for page in (maren, imogen):
        page.goto(slot.roster)
        expect(page.locator(".rs")).to_have_count(len(PARTIES))
    mark(imogen)

    press(maren, "Ada", "Check in")
    is_in_state(imogen, "Ada", "Arrived")

    choose(maren, "Basil", "No-show")
    is_in_state(imogen, "Basil", "No-show")
    expect(guest(imogen, "Basil")).to_contain_text("No-show fee £50")
    follow(maren, "Basil", "Waive the fee")
    maren.get_by_label("Why").fill("Their train stood still")
    maren.get_by_role("button", name="Waive £50").click()
    is_back(maren, slot)
    expect(guest(imogen, "Basil")).not_to_contain_text("No-show fee")

    follow(maren, "Cleo", "More guests")
    maren.get_by_label("How many more").fill("2")
    maren.get_by_role("button", name="Add to the booking").click()
    is_back(maren, slot)
    expect(guest(imogen, "Cleo")).to_contain_text("3 guests")

    maren.get_by_label("Name").fill("Dora Heron")
    maren.get_by_role("button", name="Add and check in").click()
    is_in_state(imogen, "Dora", "Arrived")

    follow(maren, "Ada", "Notes")
    maren.get_by_label("New note").fill("Comes with a stick")
    maren.get_by_role("button", name="Keep the note").click()
    expect(guest(imogen, "Ada")).to_contain_text("Comes with a stick")

    maren.goto(slot.roster)
    follow(maren, "Elias", "Move booking")
    maren.locator(".opt-slot").first.click()
    maren.get_by_role("button", name="Move to").click()
    expect(guest(maren, "Elias")).to_be_visible()
    expect(guest(imogen, "Elias")).to_have_count(0)

    maren.goto(slot.roster)
    follow(maren, "Flora", "Cancel booking")
    maren.get_by_label("Why").fill("Called to say so")
    maren.get_by_role("button", name="Cancel the booking").click()
    is_back(maren, slot)
    expect(guest(imogen, "Flora")).to_have_count(0)
    assert is_marked(imogen)


def test_two_who_change_the_same_party_are_told(staff, shop, slot, complaints):
    complaints.announce(409)
    maren, imogen = staff(), staff(IMOGEN)
    for page in (maren, imogen):
        page.goto(slot.roster)
        follow(page, "Cleo", "More guests")
        page.get_by_label("How many more").fill("1")
    imogen.get_by_role("button", name="Add to the booking").click()
    is_back(imogen, slot)
    maren.get_by_role("button", name="Add to the booking").click()
    told = maren.get_by_role("alert")
    expect(told).to_contain_text("Nothing was changed")
    expect(maren.get_by_label("How many more")).to_have_value("1")
    assert guests_of(shop, "Cleo Finch", slot) == 2
    # What is on the page now is what is true now.
    maren.get_by_role("button", name="Add to the booking").click()
    is_back(maren, slot)
    expect(guest(imogen, "Cleo")).to_contain_text("3 guests")


def test_the_last_place_goes_to_one_walk_in(staff, shop, complaints):
    complaints.announce(422)
    slot = shop.own_session(capacity=1)
    maren, imogen = staff(), staff(IMOGEN)
    for page, name in ((maren, "Hedy Stork"), (imogen, "Ivo Crane")):
        page.goto(slot.roster)
        page.get_by_label("Name").fill(name)
    maren.get_by_role("button", name="Add and check in").click()
    is_in_state(maren, "Hedy", "Arrived")
    imogen.get_by_role("button", name="Add and check in").click()
    expect(imogen.locator("#walk-in").get_by_role("alert")).to_be_visible()
    expect(imogen.get_by_label("Name")).to_have_value("Ivo Crane")
    assert shop.places_taken(slot) == 1


def guests_of(shop, name: str, slot) -> int:
    with shop.app.app_context():
        rows = db.session.scalars(
            sa.select(SessionBooking).where(SessionBooking.session_id == slot.id),
            execution_options=ANYWHERE,
        )
        found = [row.places for row in rows if row.order.name == name]
        db.session.remove()
    assert len(found) == 1
    return found[0]
