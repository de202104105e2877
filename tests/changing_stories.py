"""Pages about what changes after a booking: waiting, moving, cancelling, telling, private links."""

import datetime as dt
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from stories import ANA, BATH, IMOGEN, MAREN, Story, at

STAFF = f"/staff{BATH}"
LONG = "Maximiliana von Hohenfels-Waldenburg"
LATE = 30
SOUND = "evening-sound-bath"


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(text))


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()


def then_press(come: Callable, name: str) -> Callable:
    """The same page after a press that it refuses."""

    def go(page: Page, shop) -> None:
        come(page, shop)
        press(page, name)
        expect(page.get_by_role("alert").first).to_be_visible()

    return go


# The waiting list


def join_form(page: Page, shop) -> None:
    slot, _ = shop.full_session(guests=2)
    page.goto(f"{BATH}/sessions/{slot.id}/waiting?guests=2")
    heading(page, "Join the waitlist")


def join_by_private_address(page: Page, shop) -> None:
    slot = shop.own_session("friends-of-the-weir", capacity=1)
    shop.take_by_staff(slot, "Early Edda")
    page.goto(f"{shop.private_address}/sessions/{slot.id}/waiting")
    heading(page, "Join the waitlist")


def joining_where_there_is_room(page: Page, shop) -> None:
    slot = shop.own_session(capacity=3, waitlist_enabled=True)
    page.goto(f"{BATH}/sessions/{slot.id}/waiting")
    expect(page.get_by_text("There is room for your party")).to_be_visible()


def waiting(page: Page, shop) -> None:
    slot, _ = shop.full_session(guests=2)
    page.goto(shop.wait(slot, LONG, 2))
    heading(page, "You are number 1 of 1")


def offered(page: Page, shop) -> None:
    """With a guest's name to give."""
    slot, sold = shop.full_session(SOUND, guests=2, people=("Little Lio",))
    entry = shop.wait(slot, LONG, 2)
    shop.cancel(sold)
    page.goto(entry)
    heading(page, "held for you")


def missed(page: Page, shop) -> None:
    slot, sold = shop.full_session()
    entry = shop.wait(slot, LONG)
    shop.cancel(sold)
    shop.let_the_offer_run_out(slot)
    page.goto(entry)
    heading(page, "Your offer has run out")


def left(page: Page, shop) -> None:
    waiting(page, shop)
    press(page, "Leave the waitlist")
    heading(page, "You are off the waitlist")


def desk_list(page: Page, shop) -> None:
    """One has an offer, one was passed over, one waits."""
    slot = shop.own_session(capacity=2, waitlist_enabled=True)
    sold = [shop.book(slot, "Early Edda"), shop.book(slot, "Second Sven")]
    for name, guests in ((LONG, 2), ("Quick Quentin", 1), ("Late Lotte", 1)):
        shop.wait(slot, name, guests)
    shop.cancel(sold[0])
    page.goto(slot.roster)
    page.get_by_role("link", name="Waitlist: 3 parties").click()
    expect(page.locator(".waitlist > li")).to_have_count(3)
    expect(page.get_by_text("Passed over").first).to_be_visible()


def empty_desk_list(page: Page, shop) -> None:
    slot = shop.own_session(capacity=2, waitlist_enabled=True)
    page.goto(f"{slot.roster}/waiting")
    heading(page, "Waitlist")


def own_page(page: Page, shop) -> None:
    """With an entry on a waiting list and a calendar feed."""
    slot, _ = shop.full_session()
    page.goto(f"{BATH}/sessions/{slot.id}/waiting")
    press(page, "Join the waitlist")
    heading(page, "You are number")
    page.goto("/account/")
    press(page, "Make a calendar address|New address")
    expect(page.locator("#feed-url")).to_be_visible()
    expect(page.get_by_role("heading", name="On the waitlist", exact=True)).to_be_visible()


# What a customer changes


def booked(shop, guests: int = 3, *, hours: int = 74, **given) -> str:
    slot = shop.own_session(hours=hours, capacity=6, waitlist_enabled=True)
    return shop.book(slot, LONG, guests, **given)


def on_line(what: str, *, hours: int = 74, guests: int = 3) -> Callable:
    """A customer's page about one line of an order."""

    def come(page: Page, shop) -> None:
        page.goto(shop.line(booked(shop, guests, hours=hours)) + f"/{what}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()

    return come


def ticket(page: Page, shop) -> None:
    page.goto(f"/bookings/{booked(shop)}")
    expect(page.get_by_role("heading", name="Change it")).to_be_visible()


def cancelled_ticket(page: Page, shop) -> None:
    secret = booked(shop)
    shop.cancel(secret)
    page.goto(f"/bookings/{secret}")
    heading(page, "This booking was cancelled")


def released_ticket(page: Page, shop) -> None:
    secret = booked(shop, hours=LATE)
    shop.release(secret, 2)
    page.goto(f"/bookings/{secret}")
    expect(page.locator(".change")).to_contain_text("2 places are offered")


def named_guests(page: Page, shop) -> None:
    slot = shop.own_session(SOUND, capacity=6)
    secret = shop.book(slot, LONG, 3, people=("Little Lio", "Þorbjörn Ásgeirsson"))
    page.goto(shop.line(secret) + "/guests")
    expect(page.get_by_role("group", name="Who can’t come")).to_be_visible()


def chosen_time(page: Page, shop) -> None:
    on_line("move")(page, shop)
    page.locator(".opt-slot").first.click()
    heading(page, "Move to this time")


# What staff change


def on_booking(what: str) -> Callable:
    """A page of the desk about one booking."""

    def come(page: Page, shop) -> None:
        booking_id = shop.line(booked(shop)).rpartition("/")[2]
        page.goto(f"{STAFF}/bookings/{booking_id}/{what}")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Maximiliana")

    return come


def time_chosen_by_staff(page: Page, shop) -> None:
    on_booking("move")(page, shop)
    page.locator(".opt-slot").first.click()
    expect(page.get_by_role("button", name="Move to")).to_be_visible()


def busy_session(shop):
    slot, _ = shop.full_session(guests=2)
    shop.wait(slot, LONG, 2)
    return slot


def on_session(what: str) -> Callable:
    """A page of the desk about a session with a booking, and somebody who waits."""

    def come(page: Page, shop) -> None:
        page.goto(f"{busy_session(shop).roster}/{what}")
        expect(page.locator("form.form-card")).to_be_visible()

    return come


def places_with_errors(page: Page, shop) -> None:
    on_session("places")(page, shop)
    page.get_by_label("Places", exact=True).fill("0")
    press(page, "Save|Change")
    expect(page.locator(".summary")).to_be_visible()


def cancelled_session(page: Page, shop) -> None:
    on_session("cancel")(page, shop)
    page.get_by_label("Why").fill("The boiler needs a repair")
    press(page, "Cancel the session")
    expect(page.get_by_role("link", name="Restore session")).to_be_visible()


def restore_session(page: Page, shop) -> None:
    cancelled_session(page, shop)
    page.get_by_role("link", name="Restore session").click()
    heading(page, "Restore this session")


def current_roster(page: Page, shop) -> None:
    shop.running_session()
    page.goto(f"{STAFF}/roster")
    expect(page.locator("#roster")).to_be_visible()


# What is told


def outbox(state: str) -> Callable:
    def come(page: Page, shop) -> None:
        slot = shop.own_session(capacity=6)
        shop.book(slot, "Maximiliana Sent", email="sent@example.com")
        shop.book(slot, LONG, email="refused@example.com")
        shop.mails("sent@example.com")
        shop.mails("refused@example.com", error="550 5.1.1 Recipient refused: no such user")
        shop.book(slot, "Waiting Wim")
        page.goto(f"{STAFF}/outbox?show={state}")
        expect(page.locator(".posted").first).to_be_visible()

    return come


def one_letter(page: Page, shop) -> None:
    outbox("failed")(page, shop)
    page.locator(".posted").first.click()
    expect(page.get_by_role("button", name="Send it again")).to_be_visible()
    expect(page.frame_locator("iframe").locator("h1").first).to_be_visible()


def mail_opened(page: Page, shop) -> None:
    """A mail of the shop that sends none, with its looks."""
    shop.book(shop.own_session(capacity=6), LONG)
    page.goto("/mail")
    page.get_by_text("With its looks").first.click()
    expect(page.frame_locator("iframe").first.locator("h1").first).to_be_visible()


def notices_with_errors(page: Page, shop) -> None:
    page.goto(f"{STAFF}/notices")
    page.get_by_label("Minutes to decide").fill("1")
    press(page, "Save")
    expect(page.locator(".summary")).to_be_visible()


def wording(page: Page, shop) -> None:
    page.goto(f"{STAFF}/letters")
    page.get_by_role("link", name="Confirmation").click()
    heading(page, "Confirmation")
    expect(page.frame_locator("iframe").locator("h1").first).to_be_visible()
    page.get_by_text("As plain text").click()


def wording_with_errors(page: Page, shop) -> None:
    wording(page, shop)
    page.get_by_label("Subject").fill("Hello {nobody}")
    press(page, "^Save")
    expect(page.locator(".summary")).to_be_visible()


# Private links


def invitation(page: Page, shop) -> None:
    ends = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
    page.goto(shop.private_link(expires_at=ends, max_uses=3, price=1500))
    expect(page.locator("#invitation")).to_contain_text("good for 3 bookings")


def revoked_link(page: Page, shop) -> None:
    page.goto(shop.private_link(revoked=True))
    heading(page, "This link was withdrawn")


def links(page: Page, shop) -> None:
    shop.private_link(name=f"Thank you, {LONG}", price=0, max_uses=1)
    shop.private_link(name="For nobody any more", revoked=True)
    page.goto(f"{STAFF}/links")
    expect(page.get_by_text("Revoked").first).to_be_visible()


def revocation(page: Page, shop) -> None:
    links(page, shop)
    page.get_by_role("link", name="Revoke Thank you").first.click()
    heading(page, "Revoke")


def renewal(page: Page, shop) -> None:
    page.goto(f"{STAFF}/links")
    page.get_by_role("link", name="New address for").first.click()
    heading(page, "A new address for")


# Links of accounts


def opening_an_account(page: Page, shop) -> None:
    page.goto("/account/register")
    page.get_by_label("Full name").fill(LONG)
    page.get_by_label("Email").fill("opening@example.com")
    press(page, "Send me the link")
    heading(page, "Check your mail")
    page.goto(shop.mailed("opening@example.com"))
    expect(page.get_by_label("Choose a password")).to_be_visible()


CHANGING = [
    Story("join the waitlist", join_form),
    Story("join with errors", then_press(join_form, "Join the waitlist"), status=422),
    Story("join where there is room", joining_where_there_is_room),
    Story("waiting", waiting),
    Story("offered", offered),
    Story("offered, with errors", then_press(offered, "^Accept"), status=422),
    Story("offer that ran out", missed),
    Story("left the waitlist", left),
    Story("waitlist at the desk", desk_list, MAREN),
    Story("waitlist by a private address", join_by_private_address),
    Story("waitlist at the desk, nobody", empty_desk_list, MAREN),
    Story("my bookings, waiting and a feed", own_page, ANA),
    Story("ticket", ticket),
    Story("ticket, cancelled", cancelled_ticket),
    Story("ticket, given to the waitlist", released_ticket),
    Story("cancel a booking", on_line("cancellation")),
    Story("cancel a booking, too late", on_line("cancellation", hours=LATE)),
    Story("fewer guests", on_line("guests")),
    Story("fewer guests, alone", on_line("guests", guests=1)),
    Story("fewer guests, with errors", then_press(named_guests, "Cancel their places"), status=422),
    Story("move a booking", on_line("move")),
    Story("move a booking, confirm", chosen_time),
    Story("move a booking, too late", on_line("move", hours=LATE)),
    Story("give up a place", on_line("release", hours=LATE)),
    Story("give up a place, too early", on_line("release")),
    Story("move by staff", on_booking("move"), MAREN),
    Story("move by staff, confirm", time_chosen_by_staff, MAREN),
    Story("guests by staff", on_booking("guests"), MAREN),
    Story(
        "guests by staff, with errors",
        then_press(on_booking("guests"), "Cancel their places"),
        MAREN,
        status=422,
    ),
    Story("cancel a session", on_session("cancel"), MAREN),
    Story(
        "cancel a session, with errors",
        then_press(on_session("cancel"), "Cancel the session"),
        MAREN,
        status=422,
    ),
    Story("places of a session", on_session("places"), MAREN),
    Story("places of a session, with errors", places_with_errors, MAREN, status=422),
    Story("roster, cancelled", cancelled_session, MAREN),
    Story("restore a session", restore_session, MAREN),
    Story("current roster", current_roster, MAREN),
    Story("outbox, waiting", outbox("waiting"), MAREN),
    Story("outbox, sent", outbox("sent"), MAREN),
    Story("outbox, failed", outbox("failed"), MAREN),
    Story("one letter", one_letter, MAREN),
    Story("mail, one opened", mail_opened),
    Story("notices", at(f"{STAFF}/notices"), IMOGEN),
    Story("notices with errors", notices_with_errors, IMOGEN, status=422),
    Story("letters", at(f"{STAFF}/letters"), IMOGEN),
    Story("wording", wording, IMOGEN),
    Story("wording with errors", wording_with_errors, IMOGEN, status=422),
    Story("private link", invitation),
    Story("private link, revoked", revoked_link, status=410),
    Story("private links, several", links, IMOGEN),
    Story("revoke a link", revocation, IMOGEN),
    Story("a new address", renewal, IMOGEN),
    Story("timetable", at(f"{BATH}/timetable")),
    Story("opening an account", opening_an_account),
    Story("a new password, dead link", at("/account/password-reset/x"), status=404),
    Story("a new address, dead link", at("/account/address/x"), ANA, status=404),
    Story("sign-in link", at("/account/sign-in-link")),
]
