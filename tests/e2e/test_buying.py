"""From the shop window to the ticket: by mouse, thumb and keyboard, and without any script."""

import re

from browsing import COUNT_CLICKS, Keyboard
from playwright.sync_api import Locator, Page, expect

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def mark(page: Page) -> None:
    """Leave something in this document that a navigation would take away."""
    page.evaluate("window.isStillThisDocument = true")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.isStillThisDocument === true"))


def is_whole(page: Page) -> None:
    """A page with its head and foot, not a bare fragment."""
    expect(page.locator("header.shop-head")).to_have_count(1)
    expect(page.locator("main h1")).to_have_count(1)
    expect(page.locator("#booker #calendar")).to_have_count(1)
    expect(page.locator("#booker #day")).to_have_count(1)
    expect(page.locator("footer.shop-foot")).to_have_count(1)


def open_day(page: Page, slot) -> None:
    page.locator(slot.day_link).click()
    expect(page.locator(slot.day_link)).to_have_attribute("aria-current", "date")
    expect(page.locator(slot.row)).to_be_visible()


def book_button(page: Page, slot) -> Locator:
    return page.locator(slot.row).get_by_role("button", name="Book")


def fill_in(page: Page, name: str = "Noor van den Bergh", email: str = "noor@example.com") -> None:
    page.get_by_label("Full name").fill(name)
    page.get_by_label("Email").fill(email)


def confirm(page: Page) -> None:
    page.get_by_role("button", name="Confirm").click()


def has_ticket(page: Page) -> str:
    """The reference on the ticket that this page is."""
    expect(page.locator(".ref")).to_have_text(re.compile(r"^STW [2-9A-Z]{6}$"))
    return page.locator(".ref").inner_text()


def test_from_the_shop_window_to_a_ticket_to_come_back_to(visitor, shop):
    slot = shop.slot(months_ahead=1)
    taken = shop.places_taken(slot)
    page = visitor()
    page.goto("/stillwater-bath/")
    page.get_by_role("link", name="Thermal circuit", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thermal circuit")
    mark(page)
    page.locator("#turn-chevron-right").click()
    expect(page.locator("#month-name")).to_have_text("July 2026")
    open_day(page, slot)
    page.get_by_role("button", name="More guests").click()
    expect(page.locator(".stepper output")).to_have_text("2")
    expect(page.locator(slot.day_link)).to_have_attribute("aria-current", "date")
    assert is_marked(page), "month, day and party are swapped, not navigated to"
    expect(page).to_have_url(re.compile(rf"date={slot.date}.*guests=2|guests=2.*date={slot.date}"))
    book_button(page, slot).click()
    expect(page.locator(".mini")).to_contain_text("2 guests")
    fill_in(page)
    confirm(page)
    reference = has_ticket(page)
    assert shop.places_taken(slot) == taken + 2
    expect(page.get_by_role("heading", level=1)).to_contain_text("Noor")
    expect(page.locator(".qr svg")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Add to calendar").click()
    text = download.value.path().read_text("utf-8")
    assert text.startswith("BEGIN:VCALENDAR")
    assert f"DTSTART:{slot.date:%Y%m%d}T" in text
    assert download.value.suggested_filename.endswith(".ics")
    later = visitor()
    later.goto(page.url)
    assert has_ticket(later) == reference


def test_three_clicks_from_the_offers_page_to_the_ticket(visitor, shop):
    slot = shop.slot()
    page = visitor()
    page.add_init_script(COUNT_CLICKS)
    page.goto(slot.door)
    open_day(page, slot)
    book_button(page, slot).click()
    fill_in(page)
    confirm(page)
    has_ticket(page)
    assert page.evaluate("sessionStorage.clicks") == "3"


def test_back_shows_whole_pages_after_swaps(visitor, shop):
    slot = shop.slot(months_ahead=1)
    page = visitor()
    page.goto(slot.door)
    first = page.locator("#month-name").inner_text()
    page.locator("#turn-chevron-right").click()
    expect(page.locator("#month-name")).to_have_text("July 2026")
    # Nobody presses again before the address has followed; a busy machine could.
    expect(page).to_have_url(re.compile(r"month=2026-07$"))
    open_day(page, slot)
    expect(page).to_have_url(re.compile(f"date={slot.date}"))
    day = page.locator("#day-h").inner_text()
    book_button(page, slot).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your details")
    page.go_back()
    is_whole(page)
    expect(page.locator("#day-h")).to_have_text(day)
    page.go_back()
    expect(page).to_have_url(re.compile(r"month=2026-07$"))
    expect(page.locator("#month-name")).to_have_text("July 2026")
    is_whole(page)
    page.go_back()
    expect(page.locator("#month-name")).to_have_text(first)
    is_whole(page)
    page.go_forward()
    expect(page.locator("#month-name")).to_have_text("July 2026")
    is_whole(page)
    page.reload()
    is_whole(page)


def test_on_a_phone_by_thumb(visitor, shop):
    slot = shop.slot(guests=2)
    page = visitor(**PHONE)
    page.goto(f"{slot.door}?guests=2")
    page.locator(slot.day_link).tap()
    expect(page.locator(slot.day_link)).to_have_attribute("aria-current", "date")
    expect(page.locator("#day-h")).to_be_in_viewport()
    bar = page.locator(".bookbar")
    expect(bar).to_be_in_viewport()
    expect(bar).to_contain_text(f"{slot.date:%a} {slot.date.day} {slot.date:%B}")
    expect(bar).to_contain_text("for 2 guests")
    page.get_by_label("Months").scroll_into_view_if_needed()
    bar.get_by_role("link", name="See times").tap()
    expect(page.locator("#day-h")).to_be_in_viewport()
    book_button(page, slot).tap()
    fill_in(page)
    page.get_by_role("button", name="Confirm").tap()
    has_ticket(page)


def test_by_keyboard_alone(visitor, shop):
    slot = shop.slot(guests=2, months_ahead=1)
    page = visitor()
    page.goto("/stillwater-bath/")
    keys = Keyboard(page)
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    keys.press("Enter")
    keys.walk_to(page.get_by_role("link", name="Thermal circuit", exact=True))
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thermal circuit")
    keys.walk_to(page.locator("#turn-chevron-right"))
    keys.press("Enter")
    expect(page.locator("#month-name")).to_have_text("July 2026")
    expect(page.locator("#turn-chevron-right")).to_be_focused()
    keys.walk_to(page.get_by_role("button", name="More guests"))
    keys.press("Enter")
    expect(page.locator(".stepper output")).to_have_text("2")
    expect(page.get_by_role("button", name="More guests")).to_be_focused()
    links = page.locator("table.cal a.day")
    keys.walk_to(links.first)
    days = links.evaluate_all("links => links.map(link => '#' + link.id)")
    for day in days[1:]:
        keys.press("ArrowRight")
        expect(page.locator(day)).to_be_focused()
    for day in days[-2::-1]:
        keys.press("ArrowLeft")
        expect(page.locator(day)).to_be_focused()
    for day in days[1 : days.index(slot.day_link) + 1]:
        keys.press("ArrowRight")
        expect(page.locator(day)).to_be_focused()
    keys.press("Enter")
    expect(page.locator(slot.row)).to_be_visible()
    expect(page.locator(slot.day_link)).to_have_attribute("aria-current", "date")
    expect(page.locator(slot.day_link)).to_be_focused()
    keys.walk_to(book_button(page, slot))
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your details")
    keys.walk_to(page.get_by_label("Full name"))
    page.keyboard.type("Henrike Özdemir")
    keys.walk_to(page.get_by_label("Email"))
    page.keyboard.type("henrike@example.com")
    keys.walk_to(page.get_by_role("button", name="Confirm"))
    keys.press("Enter")
    has_ticket(page)


def test_without_any_script(visitor, shop, complaints):
    complaints.announce(422)
    slot = shop.slot(guests=2, months_ahead=1)
    page = visitor(java_script_enabled=False)
    page.goto("/")
    page.get_by_role("link", name="Stillwater Bath").first.click()
    page.get_by_role("link", name="Thermal circuit", exact=True).click()
    page.locator("#turn-chevron-right").click()
    expect(page.locator("#month-name")).to_have_text("July 2026")
    page.locator(slot.day_link).click()
    page.get_by_role("button", name="More guests").click()
    expect(page.locator(".stepper output")).to_have_text("2")
    expect(page.locator(slot.day_link)).to_have_attribute("aria-current", "date")
    is_whole(page)
    book_button(page, slot).click()
    expect(page.locator("time[data-countdown]").last).to_have_text(re.compile(r"^1[45]:\d\d$"))
    confirm(page)
    expect(page.locator(".summary")).to_contain_text("Enter your name.")
    fill_in(page)
    confirm(page)
    has_ticket(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Add to calendar").click()
    assert "BEGIN:VEVENT" in download.value.path().read_text("utf-8")


def test_guests_are_asked_for_by_name_where_each_has_one_place(visitor, shop, complaints):
    complaints.announce(422)
    slot = shop.slot("evening-sound-bath", guests=3)
    page = visitor()
    page.goto(slot.path)
    book_button(page, slot).click()
    fill_in(page, "Ivana Đorđević")
    page.get_by_label("Guest 2").fill("Łukasz Wiśniewski")
    confirm(page)
    expect(page.locator(".summary")).to_be_focused()
    page.get_by_role("link", name="Enter a name for guest 3.").click()
    expect(page.get_by_label("Guest 3")).to_be_focused()
    expect(page.get_by_label("Guest 2")).to_have_value("Łukasz Wiśniewski")
    page.get_by_label("Guest 3").fill("Þorbjörn Ásgeirsson")
    confirm(page)
    has_ticket(page)
    expect(page.locator(".when")).to_contain_text(
        "Ivana Đorđević, Łukasz Wiśniewski, Þorbjörn Ásgeirsson"
    )


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(visitor, shop, complaints):
    complaints.announce(422)
    slot = shop.slot()
    page = visitor()
    page.goto(slot.path)
    book_button(page, slot).click()
    page.get_by_label("Email").fill("noor@")
    confirm(page)
    expect(page).to_have_title(re.compile("^Error:"))
    expect(page.locator(".summary")).to_be_focused()
    expect(page.locator(".summary")).to_contain_text("2 things to fix")
    expect(page.get_by_label("Full name")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Full name")).to_have_accessible_description("Enter your name.")
    expect(page.get_by_label("Email")).to_have_value("noor@")
    page.locator(".summary").get_by_role("link", name="Enter your name.").click()
    expect(page.get_by_label("Full name")).to_be_focused()
    fill_in(page)
    confirm(page)
    has_ticket(page)


def test_an_expired_hold_is_built_again_in_one_press(visitor, shop, complaints):
    complaints.announce(409)
    slot = shop.slot()
    page = visitor()
    page.goto(slot.path)
    book_button(page, slot).click()
    fill_in(page)
    shop.let_the_hold_run_out(slot)
    confirm(page)
    expect(page.get_by_role("alert")).to_contain_text("Your hold ran out.")
    page.get_by_role("button", name="Hold the places again").click()
    expect(page.get_by_role("status").first).to_contain_text("held for you again")
    expect(page.get_by_label("Full name")).to_have_value("Noor van den Bergh")
    expect(page.get_by_label("Email")).to_have_value("noor@example.com")
    confirm(page)
    has_ticket(page)


def test_the_hold_counts_down_where_it_is_shown(visitor, shop):
    slot = shop.slot()
    page = visitor()
    page.goto(slot.path)
    book_button(page, slot).click()
    clock = page.locator("aside time[data-countdown]")
    expect(clock).to_have_text(re.compile(r"^1[45]:\d\d$"))
    seen = clock.inner_text()
    expect(clock).not_to_have_text(seen)
    page.goto(slot.path)
    badge = page.locator(".basket-link time[data-countdown]")
    expect(badge).to_have_text(re.compile(r"^1[45]:\d\d$"))
    expect(badge).not_to_have_text(badge.inner_text())


def test_a_line_taken_out_gives_its_places_back_and_keeps_what_was_typed(visitor, shop):
    first, second = shop.slot(), shop.slot("morning-bathe")
    taken = shop.places_taken(first)
    page = visitor()
    for slot in (first, second):
        page.goto(slot.path)
        book_button(page, slot).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(
            re.compile("Your (details|basket)")
        )
    page.get_by_role("link", name="Continue to your details").click()
    assert shop.places_taken(first) == taken + 1
    fill_in(page)
    page.get_by_role("button", name="Remove Thermal circuit").click()
    expect(page.locator(".mini")).to_have_count(1)
    assert shop.places_taken(first) == taken
    expect(page.get_by_label("Full name")).to_have_value("Noor van den Bergh")
    confirm(page)
    has_ticket(page)


def test_two_quick_presses_of_confirm_are_one_booking(visitor, shop):
    slot = shop.slot()
    taken = shop.places_taken(slot)
    page = visitor()
    page.goto(slot.path)
    book_button(page, slot).dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your details")
    fill_in(page)
    page.get_by_role("button", name="Confirm").dblclick()
    has_ticket(page)
    assert shop.places_taken(slot) == taken + 1
