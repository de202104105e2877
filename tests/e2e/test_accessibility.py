"""Every page by axe (WCAG 2.2 AA), in light and dark, wide and narrow; none cut off at its side."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from api_stories import API_STORIES
from archives_stories import ARCHIVES
from axe_playwright_python.base import AXE_SCRIPT
from browsing import STAND_STILL
from changing_stories import CHANGING
from cover_stories import COVER
from customers_stories import CUSTOMERS
from finding_stories import FINDING
from offline_stories import OFFLINE
from orders_stories import ORDERS
from playwright.sync_api import Page, expect
from prices_stories import PRICES
from reports_stories import REPORTING
from rights_stories import RIGHTS_STORIES
from roster_stories import ROSTER
from security_stories import SECURITY_STORIES
from series_stories import SERIES
from sessions_stories import SESSIONS
from setup_stories import SETTING_UP
from stories import ANA, BATH, IMOGEN, MAREN, Story, at
from trail_stories import TRAIL
from types_stories import TYPES_STORIES
from webhooks_stories import WEBHOOKS_STORIES
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from services.trail import OPENS

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WHAT = {
    "light": {"type": "tag", "values": LEVELS},
    "dark": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
"""Dark changes colours alone: what is said of colours is asked again, at one width."""

RUN_AXE = """(what) => axe.run(
    document, {resultTypes: ["violations"], preload: false, iframes: false, runOnly: what})"""
"""Frames hold letters as they are sent: axe can't come in, and would complain aloud."""
HEIGHT = "Math.max(document.documentElement.scrollHeight, 844)"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"


def at_day(type_slug: str, state: str, said: str) -> Callable:
    """A day in a state that the panel says in these words."""

    def come(page: Page, shop) -> None:
        page.goto(shop.day(type_slug, state))
        expect(page.locator("#day")).to_contain_text(said)

    return come


def at_free_day(page: Page, shop) -> None:
    slot = shop.slot()
    page.goto(slot.path)
    expect(page.locator(slot.row)).to_be_visible()


def after_swaps(page: Page, shop) -> None:
    page.goto(f"{BATH}/book/evening-thermal-circuit")
    page.get_by_role("button", name="More guests").click()
    expect(page.locator(".stepper output")).to_have_text("2")
    page.locator("#turn-chevron-right").click()
    expect(page.locator("#month-name")).to_have_text("July 2026")
    page.locator("a.day").last.click()
    expect(page.locator("a.day").last).to_have_attribute("aria-current", "date")


def refused_hold(page: Page, shop) -> None:
    slot = shop.slot("warm-stone-massage", places=1)
    page.goto(slot.path)
    shop.book(slot, "Quicker Thanyou")
    page.locator(slot.row).get_by_role("button", name="Book").click()
    expect(page.locator("#refusal")).to_be_visible()


def hold(page: Page, shop, type_slug: str = "thermal-circuit", guests: int = 1):
    slot = shop.slot(type_slug, guests=guests)
    page.goto(slot.path)
    page.locator(slot.row).get_by_role("button", name="Book").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your details")
    return slot


def checkout_with_names(page: Page, shop) -> None:
    hold(page, shop, "evening-sound-bath", 2)


def checkout_with_errors(page: Page, shop) -> None:
    hold(page, shop, "evening-sound-bath", 2)
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".summary")).to_be_visible()


def expired_checkout(page: Page, shop) -> None:
    slot = hold(page, shop)
    shop.let_the_hold_run_out(slot)
    page.reload()
    expect(page.get_by_role("button", name="Hold the places again")).to_be_visible()


def basket_of_two(page: Page, shop) -> None:
    hold(page, shop, "evening-sound-bath", 2)
    slot = shop.slot("thermal-circuit")
    page.goto(slot.path)
    page.locator(slot.row).get_by_role("button", name="Book").click()
    expect(page.locator("article.line")).to_have_count(2)


def basket_run_out(page: Page, shop) -> None:
    slot = hold(page, shop)
    shop.let_the_hold_run_out(slot)
    page.goto(f"{BATH}/basket")
    expect(page.get_by_role("button", name="Hold the places again")).to_be_visible()


def cancellation_by_staff(page: Page, shop) -> None:
    slot = shop.slot("tea-by-the-weir")
    shop.book(slot, "Maximiliana von Hohenfels-Waldenburg")
    page.goto(slot.roster)
    row = page.locator(".rs").filter(has_text="Maximiliana")
    row.locator("summary").last.click()
    row.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("button", name="Cancel the booking")).to_be_visible()


def confirmation(page: Page, shop) -> None:
    hold(page, shop)
    page.get_by_label("Full name").fill("Maximiliana von Hohenfels-Waldenburg")
    page.get_by_label("Email").fill("maximiliana@example.com")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".ref")).to_be_visible()


def home_with_basket(page: Page, shop) -> None:
    hold(page, shop)
    page.goto(f"{BATH}/")
    expect(page.locator(".basket-link .count")).to_have_text("1")


def refused_at(door: str, password: str) -> Callable:
    def come(page: Page, shop) -> None:
        page.goto(door)
        page.get_by_label("mail").fill("nobody@example.com")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()

    return come


def roster(page: Page, shop) -> None:
    """Guests in each state, the menu of one opened."""
    slot = shop.running_session()
    for name in ("Due Dilly", "Arrived Ann", "Inside Ian", "Outside Otto", "Missing Mo"):
        shop.book(slot, name)
    # As high as it needs: the toast lies over the last of the rows for a while.
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.goto(slot.roster)

    def press(name: str, button: str, state: str) -> None:
        row = page.locator(".rs").filter(has_text=name)
        if button == "No-show":
            row.locator("summary").click()
        row.get_by_role("button", name=button).click()
        expect(row).to_have_class(f"rs is-{state}")

    press("Arrived Ann", "Check in", "arrived")
    for button, state in (("Check in", "arrived"), ("Start", "in")):
        press("Inside Ian", button, state)
        press("Outside Otto", button, state)
    press("Outside Otto", "Check out", "out")
    press("Missing Mo", "No-show", "noshow")
    expect(page.locator(".toast")).to_be_visible()
    page.locator(".rs").filter(has_text="Due Dilly").locator("summary").click()


def empty_roster(page: Page, shop) -> None:
    page.goto(shop.running_session().roster)
    expect(page.locator(".empty")).to_be_visible()


def roster_with_errors(page: Page, shop) -> None:
    page.goto(shop.slot().roster)
    page.get_by_label("Guests").fill("")
    page.get_by_role("button", name="Add and check in").click()
    expect(page.locator("#walk-in").get_by_role("alert")).to_be_visible()


def a_customer(page: Page, shop) -> None:
    """With both of the page's forms open."""
    page.goto(f"/staff{BATH}/customers?q=ana.reyes")
    page.locator("a.person").click()
    page.locator(".holdings summary").first.click()
    page.get_by_text("Give a membership").click()


def a_customer_with_errors(page: Page, shop) -> None:
    a_customer(page, shop)
    page.locator("#last_day-give").fill("2020-01-01")
    page.get_by_role("button", name="Give it").click()
    expect(page.get_by_role("alert")).to_be_visible()


def a_file_of_members(page: Page, shop) -> None:
    lines = "email,name,membership type,first day\nnew@example.com,New,River membership,2026-06-01"
    page.goto(f"/staff{BATH}/memberships/import")
    page.get_by_label("CSV file").set_input_files(
        {"name": "m.csv", "mimeType": "text/csv", "buffer": f"{lines}\nbroken,,,".encode()}
    )
    page.get_by_role("button", name="Show what it would do").click()
    expect(page.get_by_role("button", name="Import 1 line")).to_be_visible()


def why_not(page: Page, shop) -> None:
    """A party that is too large, so that something fails and can be overridden or not."""
    page.goto(shop.slot().roster)
    page.get_by_role("link", name="Why can’t they book?").click()
    page.get_by_role("link", name="A visitor who isn’t signed in").click()
    page.get_by_label("Guests").fill("90")
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".checks .is-failed").first).to_be_visible()


def booked_forms(page: Page, shop) -> None:
    """The booker's page, a guest's part opened."""
    hold(page, shop, "evening-sound-bath", 2)
    page.get_by_label("Full name").fill("Ana Reyes")
    page.get_by_label("Email").fill("ana@example.com")
    page.get_by_label("Guest 2").fill("Maximiliana von Hohenfels-Waldenburg")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name="Fill in the form").click()
    page.locator("details.fold summary").click()
    expect(page.get_by_role("textbox", name="Link for Maximiliana")).to_be_visible()


def guest_form(page: Page, shop) -> None:
    booked_forms(page, shop)
    page.get_by_role("link", name="Open it").click()
    expect(page.get_by_text("This link is yours alone")).to_be_visible()


def guest_form_with_errors(page: Page, shop) -> None:
    guest_form(page, shop)
    page.get_by_role("button", name="Save answers").click()
    expect(page.locator(".summary")).to_be_visible()


def form_editor(page: Page, shop) -> None:
    page.goto(f"/staff{BATH}/types")
    page.get_by_role("link", name="Evening sound bath").click()
    page.get_by_role("link", name="Form", exact=True).click()
    page.get_by_role("button", name="Add a question").click()
    page.locator("details.version summary").first.click()


def form_editor_with_errors(page: Page, shop) -> None:
    form_editor(page, shop)
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.locator(".summary")).to_be_visible()


def answers_of_a_booking(page: Page, shop) -> None:
    slot = shop.slot("tea-by-the-weir")
    shop.book(slot, "Thirsty Theo")
    page.goto(slot.roster)
    row = page.locator(".rs").filter(has_text="Thirsty Theo")
    row.locator(".lacking summary").click()
    row.get_by_role("link", name="Open the form").click()
    page.locator("details.fold summary").first.click()


def private_page(page: Page, shop) -> None:
    page.goto(shop.private_address)
    expect(page.locator("#invitation")).to_be_visible()


def links_with_errors(page: Page, shop) -> None:
    page.goto(f"/staff{BATH}/links")
    page.get_by_label("Price of one place").fill("a lot")
    page.get_by_role("button", name="Make the link").click()
    expect(page.locator(".summary")).to_be_visible()


STORIES = [
    Story("index", at("/")),
    Story("home", at(f"{BATH}/")),
    Story("home of a member", at(f"{BATH}/"), ANA),
    Story("home with a basket", home_with_basket),
    Story("home of another organisation", at("/north-light/")),
    Story("category", at(f"{BATH}/water/")),
    Story("search without result", at(f"{BATH}/?q=zeppelin&when=weekend&guests=3")),
    Story("type, free day", at_free_day),
    Story("type, full day", at_day("evening-thermal-circuit", "waiting_list", "waitlist")),
    Story("type, members only", at_day("sunday-dawn-swim", "members_only", "Sign in")),
    Story("type, for customers", at_day("prenatal-yoga", "sign_in", "Sign in")),
    Story("type, a gap in the prices", at_day("tea-by-the-weir", "nothing", "Nothing to book")),
    Story("type, closed day", at_day("tea-by-the-weir", "closed", "No sessions")),
    Story("type, private hire", at_day("bath-house-to-yourselves", "available", "all yours")),
    Story("type, not scheduled", at(f"{BATH}/book/sunday-family-swim")),
    Story("type, without prices", at(f"{BATH}/book/slow-sunday-retreat")),
    Story("type with a long name", at(f"{BATH}/book/first-visit")),
    Story("type of a member", at(f"{BATH}/book/sunday-dawn-swim"), ANA),
    Story("type with long prices", at("/stillwater-reykjavik/book/lagoon-bathe")),
    Story("type of another organisation", at("/north-light/book/studio-one-hour")),
    Story("type, party put right", at(f"{BATH}/book/thermal-circuit?guests=40")),
    Story("type after swaps", after_swaps),
    Story("type, lost race", refused_hold, status=409),
    Story("private page", private_page),
    Story("private link that leads nowhere", at(f"{BATH}/private/a-b"), status=404),
    Story("checkout", hold),
    Story("checkout with names", checkout_with_names),
    Story("checkout with errors", checkout_with_errors, status=422),
    Story("checkout, expired", expired_checkout),
    Story("basket of two", basket_of_two),
    Story("basket, run out", basket_run_out),
    Story("empty basket", at(f"{BATH}/checkout")),
    Story("confirmation", confirmation),
    Story("forms of a booking", booked_forms),
    Story("form of a guest", guest_form),
    Story("form of a guest with errors", guest_form_with_errors, status=422),
    Story("form that is not there", at("/forms/nowhere"), status=404),
    Story("sign-in", at("/account/sign-in")),
    Story("sign-in refused", refused_at("/account/sign-in", "wrong"), status=422),
    Story("sign-in with errors", refused_at("/staff/sign-in", ""), status=422),
    Story("open an account", at("/account/register")),
    Story("forgot password", at("/account/password-reset")),
    Story("check your mail", at("/account/check-mail")),
    Story("a link that fails", at("/account/sign-in-link/x"), status=404),
    Story("my bookings", at("/account/"), ANA),
    Story("my bookings, past", at("/account/?show=past"), ANA),
    Story("your details", at("/account/details"), ANA),
    Story("close the account", at("/account/closing"), ANA),
    Story("my bookings, none", at("/account/"), MAREN),
    Story("mail", at("/mail")),
    Story("not found", at("/nowhere"), status=404),
    Story("staff sign-in", at("/staff/sign-in")),
    Story("staff sign-in refused", refused_at("/staff/sign-in", "wrong"), status=422),
    Story("staff index", at("/staff/"), IMOGEN),
    Story("not for this account", at("/staff/"), ANA, status=403),
    Story("schedule", at(f"/staff{BATH}/"), MAREN),
    Story("schedule of a day without sessions", at(f"/staff{BATH}/?date=2030-01-01"), MAREN),
    Story("roster", roster, MAREN),
    Story("roster, empty", empty_roster, MAREN),
    Story("roster with errors", roster_with_errors, MAREN, status=422),
    Story("cancellation by staff", cancellation_by_staff, MAREN),
    Story("customers", at(f"/staff{BATH}/customers"), IMOGEN),
    Story("customers, nobody matches", at(f"/staff{BATH}/customers?q=zzz"), IMOGEN),
    Story("a customer", a_customer, IMOGEN),
    Story("a customer with errors", a_customer_with_errors, IMOGEN, status=422),
    Story("memberships", at(f"/staff{BATH}/memberships"), IMOGEN),
    Story("import members", at(f"/staff{BATH}/memberships/import"), IMOGEN),
    Story("a file of members", a_file_of_members, IMOGEN),
    Story("why not, nothing asked", at(f"/staff{BATH}/why?q=ana"), IMOGEN),
    Story("why not", why_not, IMOGEN),
    Story("form editor", form_editor, IMOGEN),
    Story("form editor with errors", form_editor_with_errors, IMOGEN, status=422),
    Story("answers of a booking", answers_of_a_booking, MAREN),
    Story("private links", at(f"/staff{BATH}/links"), IMOGEN),
    Story("private links with errors", links_with_errors, IMOGEN, status=422),
    *CHANGING,
    *ROSTER,
    *COVER,
    *TYPES_STORIES,
    *FINDING,
    *PRICES,
    *SESSIONS,
    *SECURITY_STORIES,
    *SERIES,
    *SETTING_UP,
    *RIGHTS_STORIES,
    *WEBHOOKS_STORIES,
    *API_STORIES,
    *ORDERS,
    *CUSTOMERS,
    *REPORTING,
    *OFFLINE,
    *ARCHIVES,
    *TRAIL,
]

ON_TABLETS = {
    story.id
    for area in (*(COVER, SESSIONS, ROSTER, FINDING, OFFLINE, ORDERS, CUSTOMERS, SERIES, PRICES),)
    for story in area
}
"""The desk is at home on a tablet, and editors are at their tightest there: axe looks, too."""

NO_PAGES = (".ics", ".css", ".csv", ".zip", ".json", ".xml", ".txt", "/healthz", "/readyz")

NOT_LOOKED_AT = {
    *("media.show", "offline.standing", "offline.worker"),
    *("setup.preview", "types.one", "works.to_work"),
    *(f"trail.{about}" for about in OPENS if about != "rooms"),
}
"""A file, a part of a page, addresses that only lead on; other things' histories, alike."""

TOLD: set[str] = set()
"""Where the stories have been."""

LAID_OUT: set[str] = set()
"""Pages that axe has seen at every width; their other states it sees at home alone."""


@pytest.fixture
def look(visitor, signed_in, complaints) -> Callable[[Story], Page]:
    def open_page(story: Story) -> Page:
        if story.status != 200:
            complaints.announce(story.status)
        known = {"storage_state": signed_in(story.who)} if story.who else {}
        page = visitor(reduced_motion="reduce", **known)
        # The news would change the page between two looks at it.
        page.add_init_script(STAND_STILL)
        page.on("framenavigated", lambda frame: TOLD.add(urlsplit(frame.url).path))
        return page

    return open_page


def kind_of(shop, url: str) -> str:
    """The endpoint that answers at an address; the address where none does."""
    path = urlsplit(url).path
    try:
        return shop.app.url_map.bind("localhost").match(path, method="GET")[0]
    except (HTTPException, RequestRedirect):
        return path


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.id)
def test_no_violation_of_wcag_22_aa_and_nothing_cut_off(look, shop, story):
    page = look(story)
    story.come(page, shop)
    page.evaluate(AXE_SCRIPT)
    found = []
    at_home = 1280 if "/staff/" in page.url else 390
    kind = kind_of(shop, page.url)
    is_first = kind not in LAID_OUT
    LAID_OUT.add(kind)
    for width in (1280, 768, 390):
        page.set_viewport_size({"width": width, "height": 844})
        # All of it on one screen: what a sticky bar covers can be scrolled to, and axe can't.
        page.set_viewport_size({"width": width, "height": page.evaluate(HEIGHT)})
        too_wide = page.evaluate(OVERFLOW)
        if too_wide > 0:
            found.append(f"{width} px: {too_wide} px too wide")
        for scheme, what in WHAT.items():
            is_elsewhere = (
                is_first and scheme == "light" and (width != 768 or story.id in ON_TABLETS)
            )
            if width != at_home and not is_elsewhere:
                continue
            page.emulate_media(color_scheme=scheme)
            found += [
                f"{width} px, {scheme}: {fault['id']}: {node['html']} {node['failureSummary']}"
                for fault in page.evaluate(RUN_AXE, what)["violations"]
                for node in fault["nodes"]
            ]
    assert found == []


def test_each_page_has_a_story(shop, request):
    """Runs after all of them."""
    chosen = [
        item for item in request.session.items if "story" in getattr(item, "fixturenames", ())
    ]
    if len(chosen) < len(STORIES):
        pytest.skip("only some stories were told")
    seen = {kind_of(shop, path) for path in TOLD}
    pages = {
        rule.endpoint
        for rule in shop.app.url_map.iter_rules()
        if "GET" in rule.methods
        and not rule.rule.endswith(NO_PAGES)
        # Programs read these; the page about them has its stories.
        and not rule.rule.startswith("/api/shop/")
        and not rule.endpoint.rpartition(".")[2].startswith(("back", "static", "current"))
    }
    assert pages - seen - NOT_LOOKED_AT == set()
