"""Baskets of several sessions in a real browser: two tabs, two devices, Back, and the clock."""

import re

from browsing import STAND_STILL
from playwright.sync_api import Locator, Page, expect

BATH = "/stillwater-bath"


def hold(page: Page, shop, type_slug: str = "thermal-circuit", guests: int = 1, places: int = 4):
    slot = shop.slot(type_slug, guests=guests, places=places)
    page.goto(slot.path)
    page.locator(slot.row).get_by_role("button", name="Book").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        re.compile("Your details|Your basket")
    )
    return slot


def lines(page: Page) -> Locator:
    return page.locator("article.line")


def fill_in(page: Page) -> None:
    page.get_by_label("Full name").fill("Noor van den Bergh")
    page.get_by_label("Email").fill("noor@example.com")


def confirm(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Confirm,")).click()


def two_sessions_with_one_guest_more(page: Page, shop):
    first = hold(page, shop)
    second = hold(page, shop, "evening-sound-bath", 2)
    expect(page).to_have_url(re.compile("/basket"))
    expect(lines(page)).to_have_count(2)
    lines(page).first.get_by_role("button", name="One guest more").click()
    expect(lines(page).first.locator("output")).to_have_text("2 guests")
    page.get_by_role("link", name="Continue to your details").click()
    fill_in(page)
    page.get_by_label("Guest 2").fill("Jude Moss")
    confirm(page)
    expect(page.locator(".ticket")).to_have_count(2)
    expect(page.locator(".ticket").last).to_contain_text("Noor van den Bergh, Jude Moss")
    assert (shop.places_taken(first), shop.places_taken(second)) >= (2, 2)


def test_two_sessions_are_one_order(visitor, shop):
    two_sessions_with_one_guest_more(visitor(), shop)


def test_two_sessions_without_any_script(visitor, shop):
    two_sessions_with_one_guest_more(visitor(java_script_enabled=False), shop)


def test_names_show_where_people_are_chosen_as_they_are_typed(visitor, shop):
    page = visitor()
    hold(page, shop, "evening-sound-bath", 2)
    hold(page, shop, "massage-for-two", 2, 2)
    page.get_by_role("link", name="Continue to your details").click()
    fill_in(page)
    page.get_by_label("Guest 2").fill("Jude")
    page.get_by_role("button", name="Somebody else comes").click()
    expect(page.get_by_role("textbox", name="Guest 2")).to_have_value("Jude")
    expect(page.get_by_label("Full name")).to_have_value("Noor van den Bergh")
    page.get_by_role("textbox", name="Guest 3").fill("Ines")
    who = page.locator("fieldset.who").last
    expect(who).to_contain_text("Ines")
    who.get_by_text("You", exact=True).click()
    who.get_by_text("Ines", exact=True).click()
    confirm(page)
    expect(page.locator(".ticket")).to_have_count(2)
    expect(page.locator(".ticket").filter(has_text="Massage")).to_contain_text("Jude, Ines")


def test_the_hold_warns_is_kept_and_runs_out_while_the_form_is_open(visitor, shop):
    page = visitor()
    page.clock.install()
    slot = hold(page, shop)
    fill_in(page)
    low, over = page.locator("[data-when-low]"), page.locator("[data-when-over]")
    expect(low).to_be_hidden()
    page.clock.fast_forward("13:10")
    page.clock.run_for(2000)
    expect(low).to_be_visible()
    expect(page.locator("[data-hold-note]")).to_contain_text("two minutes")
    page.clock.fast_forward("02:00")
    page.clock.run_for(2000)
    expect(over).to_be_visible()
    expect(low).to_be_hidden()
    expect(page.locator("[data-hold-note]")).to_contain_text("ran out")
    # The server's clock decides: there the places have been given away by now.
    shop.let_the_hold_run_out(slot)
    page.get_by_role("button", name="Hold the places again").click()
    expect(page.locator(".note--ok")).to_contain_text("held for you again")
    expect(page.get_by_label("Full name")).to_have_value("Noor van den Bergh")
    confirm(page)
    expect(page.locator(".ref")).to_be_visible()


def test_two_tabs_of_one_basket_tell_the_truth(visitor, shop, complaints):
    page = visitor()
    slot = hold(page, shop)
    other = page.context.new_page()
    other.goto(f"{BATH}/basket")
    fill_in(page)
    confirm(page)
    expect(page.locator(".ref")).to_be_visible()
    complaints.announce(404)
    other.get_by_role("button", name="One guest more").click()
    expect(other.get_by_role("heading", level=1)).to_be_visible()
    assert shop.places_taken(slot) == slot.capacity - slot.left + 1
    other.goto(f"{BATH}/basket")
    expect(other.get_by_role("heading", level=1)).to_have_text("Your basket is empty")


def test_back_after_confirm_leads_to_the_order_and_books_nothing_twice(visitor, shop):
    page = visitor()
    slot = hold(page, shop)
    fill_in(page)
    confirm(page)
    expect(page.locator(".ref")).to_be_visible()
    reference = page.locator(".ref").inner_text()
    page.go_back()
    if page.get_by_role("button", name=re.compile("^Confirm,")).count():
        confirm(page)
        expect(page.locator(".ref")).to_have_text(reference)
    else:
        expect(page.get_by_role("heading", level=1)).to_have_text("Your basket is empty")
    assert shop.places_taken(slot) == slot.capacity - slot.left + 1


def test_two_devices_on_the_last_places_each_know_where_they_stand(visitor, shop, complaints):
    here, there = visitor(), visitor()
    # Whoever presses before the news comes is told as well; how the news comes, test_live shows.
    there.add_init_script(STAND_STILL)
    slot = shop.slot("warm-stone-massage", places=1)
    for page in (here, there):
        page.goto(slot.path)
        expect(page.locator(slot.row).get_by_role("button", name="Book")).to_be_visible()
    here.locator(slot.row).get_by_role("button", name="Book").click()
    expect(here.get_by_role("heading", level=1)).to_have_text("Your details")
    complaints.announce(409)
    there.locator(slot.row).get_by_role("button", name="Book").click()
    expect(there.locator("#refusal")).to_contain_text("full")


def test_the_basket_by_keyboard_alone(visitor, shop):
    page = visitor()
    hold(page, shop)
    hold(page, shop, "evening-sound-bath")

    def reach(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            here = page.evaluate(
                "document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.innerText || ''"
            )
            if name in here:
                return
        raise AssertionError(f"no way to {name} by Tab")

    reach("One guest more")
    page.keyboard.press("Enter")
    expect(lines(page).first.locator("output")).to_have_text("2 guests")
    reach("Remove")
    page.keyboard.press("Enter")
    expect(lines(page)).to_have_count(1)
    reach("Continue to your details")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your details")
