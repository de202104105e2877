"""What one person does is seen by the others within a poll, without a reload."""

import re

from browsing import choose, guest, is_in_state, is_marked, mark, press
from playwright.sync_api import Locator, Page, Request, Route, expect

BATH = "stillwater-bath"
IMOGEN = "imogen@stillwater.example"


def places_left(page: Page, slot) -> Locator:
    return page.locator(f"{slot.row} .left b")


def tally(page: Page, state: str) -> Locator:
    """How many guests the roster counts in a state."""
    links = page.get_by_label("Filter by state").get_by_role("link")
    return links.filter(has_text=re.compile(rf"^\d+\s*{state}$")).locator("b")


def has_places(page: Page, slot, taken: int) -> None:
    """What a session's block on the schedule says."""
    block = page.locator(f'a.sess[href$="/sessions/{slot.id}"]')
    expect(block).to_contain_text(f"{taken} of {slot.capacity} places")


def test_places_left_follow_what_others_book_and_focus_stays(visitor, shop):
    slot = shop.slot()
    watcher, buyer = visitor(), visitor()
    watcher.goto(slot.path)
    mark(watcher)
    expect(places_left(watcher, slot)).to_have_text(str(slot.left))
    button = watcher.locator(slot.row).get_by_role("button", name="Book")
    button.focus()
    buyer.goto(slot.path)
    buyer.get_by_role("button", name="More guests").click()
    expect(buyer.locator(".stepper output")).to_have_text("2")
    buyer.locator(slot.row).get_by_role("button", name="Book").click()
    expect(places_left(watcher, slot)).to_have_text(str(slot.left - 2))
    expect(button).to_be_focused()
    buyer.get_by_role("button", name="Remove Thermal circuit").click()
    expect(places_left(watcher, slot)).to_have_text(str(slot.left))
    expect(button).to_be_focused()
    assert is_marked(watcher)


def test_a_session_that_fills_up_says_so_to_who_is_looking(visitor, shop):
    slot = shop.slot("warm-stone-massage", places=1)
    watcher, buyer = visitor(), visitor()
    watcher.goto(slot.path)
    mark(watcher)
    expect(watcher.locator(slot.row).get_by_role("button", name="Book")).to_be_visible()
    buyer.goto(slot.path)
    buyer.locator(slot.row).get_by_role("button", name="Book").click()
    expect(watcher.locator(f"{slot.row} .left")).to_have_text("Taken")
    expect(watcher.locator(slot.row).get_by_role("button", name="Book")).to_have_count(0)
    assert is_marked(watcher)


def test_a_check_in_is_seen_at_the_other_desk_and_can_be_undone(staff, shop):
    slot = shop.slot()
    shop.book(slot, "Wilhelmina Oyelaran", guests=3)
    maren, imogen = staff(), staff(IMOGEN)
    for page in (maren, imogen):
        page.goto(slot.roster)
        is_in_state(page, "Wilhelmina", "Not arrived")
    mark(imogen)
    arrived = int(tally(imogen, "Arrived").inner_text())
    press(maren, "Wilhelmina", "Check in 3")
    is_in_state(maren, "Wilhelmina", "Arrived")
    is_in_state(imogen, "Wilhelmina", "Arrived")
    expect(tally(imogen, "Arrived")).to_have_text(str(arrived + 3))
    choose(imogen, "Wilhelmina", "Undo check-in")
    is_in_state(imogen, "Wilhelmina", "Not arrived")
    is_in_state(maren, "Wilhelmina", "Not arrived")
    assert is_marked(imogen)


def test_the_toast_says_what_was_done_and_undoes_it(staff, shop):
    slot = shop.slot()
    shop.book(slot, "Thaddeus Quill")
    page = staff()
    page.goto(slot.roster)
    press(page, "Thaddeus", "Check in")
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Thaddeus Quill checked in")
    toast.get_by_role("button", name="Undo").click()
    is_in_state(page, "Thaddeus", "Not arrived")
    expect(toast).to_have_count(0)


def test_a_visit_from_the_door_to_the_way_out_and_one_step_back(staff, shop):
    slot = shop.running_session()
    shop.book(slot, "Cosima Vandervelde", guests=2)
    maren, imogen = staff(), staff(IMOGEN)
    maren.goto(slot.roster)
    imogen.goto(slot.roster)
    for button, state in (
        ("Check in 2", "Arrived"),
        ("Start", "In session"),
        ("Check out", "Checked out"),
        ("Undo", "In session"),
    ):
        press(maren, "Cosima", button)
        is_in_state(maren, "Cosima", state)
        is_in_state(imogen, "Cosima", state)


def test_a_no_show_is_marked_from_the_menu_and_taken_back(staff, shop):
    slot = shop.running_session()
    shop.book(slot, "Leopold Brandywine")
    maren, imogen = staff(), staff(IMOGEN)
    maren.goto(slot.roster)
    imogen.goto(slot.roster)
    choose(maren, "Leopold", "No-show")
    is_in_state(maren, "Leopold", "No-show")
    is_in_state(imogen, "Leopold", "No-show")
    expect(maren.locator(".toast")).to_contain_text("marked as a no-show")
    press(imogen, "Leopold", "Undo")
    is_in_state(imogen, "Leopold", "Not arrived")
    is_in_state(maren, "Leopold", "Not arrived")


def test_a_walk_in_takes_places_from_the_public_page_and_counts_on_the_schedule(
    visitor, staff, shop
):
    slot = shop.slot(places=5)
    taken = shop.places_taken(slot)
    customer, maren, imogen = visitor(), staff(), staff(IMOGEN)
    customer.goto(slot.path)
    imogen.goto(f"/staff/{BATH}/?date={slot.date}")
    maren.goto(slot.roster)
    for page in (customer, imogen):
        mark(page)
    expect(places_left(customer, slot)).to_have_text(str(slot.left))
    has_places(imogen, slot, taken)
    maren.get_by_label("Name").fill("Balthazar Quince")
    maren.get_by_label("Guests").fill("2")
    maren.get_by_role("button", name="Add and check in").click()
    is_in_state(maren, "Balthazar", "Arrived")
    expect(guest(maren, "Balthazar")).to_contain_text("Walk-in")
    has_places(imogen, slot, taken + 2)
    expect(places_left(customer, slot)).to_have_text(str(slot.left - 2))
    assert is_marked(customer)
    assert is_marked(imogen)


def test_a_walk_in_that_does_not_fit_is_refused_and_what_was_typed_stands(staff, shop, complaints):
    complaints.announce(422)
    slot = shop.slot()
    page = staff()
    page.goto(slot.roster)
    page.get_by_label("Name").fill("Balthazar Quince")
    page.get_by_label("Guests").fill("40")
    page.get_by_role("button", name="Add and check in").click()
    expect(page.locator("#walk-in").get_by_role("alert")).to_contain_text("left")
    expect(page.get_by_label("Name")).to_have_value("Balthazar Quince")
    expect(page.get_by_label("Guests")).to_have_value("40")


def test_typing_at_the_desk_is_left_in_peace_by_the_news(staff, shop):
    slot = shop.slot()
    page = staff()
    page.goto(slot.roster)
    name = page.get_by_label("Name")
    name.press_sequentially("Ottil")
    shop.book(slot, "Percival Lockridge")
    name.press_sequentially("ie Fenn")
    expect(name).to_have_value("Ottilie Fenn")
    expect(name).to_be_focused()
    page.get_by_role("button", name="Add and check in").click()
    is_in_state(page, "Ottilie Fenn", "Arrived")
    is_in_state(page, "Percival", "Not arrived")


def test_the_desk_works_by_keyboard_and_focus_is_not_lost(staff, shop):
    slot = shop.slot()
    shop.book(slot, "Rosamund Achterberg")
    page = staff()
    page.goto(slot.roster)
    guest(page, "Rosamund").get_by_role("button", name="Check in").focus()
    page.keyboard.press("Enter")
    is_in_state(page, "Rosamund", "Arrived")
    page.keyboard.press("Enter")
    is_in_state(page, "Rosamund", "In session")


def test_the_desk_works_without_script(staff, shop):
    slot = shop.slot()
    shop.book(slot, "Ferdinand Oakhurst")
    page = staff(java_script_enabled=False)
    page.goto(slot.roster)
    press(page, "Ferdinand", "Check in")
    is_in_state(page, "Ferdinand", "Arrived")
    choose(page, "Ferdinand", "Undo check-in")
    is_in_state(page, "Ferdinand", "Not arrived")
    page.get_by_label("Name").fill("Hephzibah Stone")
    page.get_by_role("button", name="Add and check in").click()
    is_in_state(page, "Hephzibah", "Arrived")


class LateNews:
    """Keeps the first poll of a part of the page back, as a slow line would."""

    def __init__(self, page: Page, part: str) -> None:
        self.page = page
        self.part = part
        self.kept: list[Route] = []
        page.route("**/*", self._keep_first)

    def asked(self) -> None:
        """The page has asked, and has no answer yet."""
        while not self.kept:
            self.page.evaluate("new Promise(requestAnimationFrame)")

    def comes(self) -> None:
        """The late answer is there, and the ones after it too."""
        self.kept[0].continue_()
        for _ in range(2):
            self.page.wait_for_event("response", lambda answer: self._is_poll(answer.request))

    def _is_poll(self, request: Request) -> bool:
        return request.headers.get("hx-source", "") == f"div#{self.part}"

    def _keep_first(self, route: Route) -> None:
        if self._is_poll(route.request) and not self.kept:
            self.kept.append(route)
        else:
            route.fallback()


def test_news_that_come_late_do_not_turn_the_month_back(visitor, shop):
    page = visitor()
    late = LateNews(page, "booker")
    page.goto(f"/{BATH}/book/thermal-circuit")
    late.asked()
    page.locator("#turn-chevron-right").click()
    expect(page.locator("#month-name")).to_have_text("July 2026")
    late.comes()
    expect(page.locator("#month-name")).to_have_text("July 2026")


def test_news_that_come_late_do_not_undo_a_check_in(staff, shop):
    slot = shop.slot()
    shop.book(slot, "Marguerite Sandoval")
    page = staff()
    late = LateNews(page, "roster")
    page.goto(slot.roster)
    late.asked()
    press(page, "Marguerite", "Check in")
    late.comes()
    is_in_state(page, "Marguerite", "Arrived")
