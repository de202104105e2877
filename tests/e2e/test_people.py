"""Accounts, forms, memberships and overrides, each as one journey through real browsers."""

import re

import pytest
from playwright.sync_api import Page, expect

from domain.eligibility import CHECKS

BATH = "/stillwater-bath"
STAFF = f"/staff{BATH}"
IMOGEN = "imogen@stillwater.example"
PASSWORD = "river stones at dusk"


@pytest.fixture
def imogen(staff, script) -> Page:
    """The owner at the desk."""
    return staff(IMOGEN, java_script_enabled=script)


def heading(page: Page, text: str | re.Pattern) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def book(page: Page, shop, type_slug: str, name: str, email: str, guests: int = 1):
    slot = shop.slot(type_slug, guests=guests)
    page.goto(slot.path)
    page.locator(slot.row).get_by_role("button", name="Book").click()
    page.get_by_label("Full name").fill(name)
    page.get_by_label("Email").fill(email)
    return slot


def confirm(page: Page) -> str:
    page.get_by_role("button", name=re.compile("^Confirm")).click()
    expect(page.locator(".ref")).to_be_visible()
    return page.locator(".ref").inner_text()


def open_account(page: Page, shop, name: str, email: str) -> None:
    page.goto("/account/register")
    page.get_by_label("Full name").fill(name)
    page.get_by_label("Email").fill(email)
    page.get_by_role("button", name="Send me the link").click()
    heading(page, "Check your mail")
    expect(page.get_by_text(email).first).to_be_visible()
    page.goto(shop.mailed(email))
    expect(page.get_by_label("Full name")).to_have_value(name)
    page.get_by_label("Choose a password").fill(PASSWORD)
    page.get_by_role("button", name="Open my account").click()
    expect(page).not_to_have_url(re.compile("register"))


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/account/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def find_customer(page: Page, email: str) -> None:
    page.goto(f"{STAFF}/customers")
    page.get_by_label("Find a customer").fill(email)
    page.get_by_role("button", name="Find").click()
    page.locator("a.person").click()


def test_an_account_opens_by_mail_and_has_what_its_guest_had_booked(person, shop, address):
    page, email = person(), address("ottilie")
    book(page, shop, "thermal-circuit", "Ottilie Marsh", email)
    reference = confirm(page)
    open_account(page, shop, "Ottilie Marsh", email)
    page.goto("/account/")
    heading(page, "Hello, Ottilie")
    expect(page.locator(".bk")).to_contain_text(reference)
    page.locator(".bk").get_by_role("link", name="Ticket").click()
    expect(page.locator(".ref")).to_have_text(reference)


def test_a_mailed_link_signs_in_once_and_then_says_what_to_do(person, shop, address, complaints):
    page, email = person(), address("lena")
    open_account(page, shop, "Lena Frost", email)
    other = person()
    other.goto("/account/sign-in")
    other.get_by_label("Email").fill(email)
    other.get_by_role("button", name="Mail me a sign-in link").click()
    heading(other, "Check your mail")
    link = shop.mailed(email)
    other.goto(link)
    heading(other, "Welcome back")
    other.get_by_role("button", name="Sign in", exact=True).click()
    other.goto("/account/")
    heading(other, "Hello, Lena")
    complaints.announce(404)
    complaints.announce(410)
    late = person()
    late.goto(link)
    heading(late, "This link doesn't work")
    expect(late.get_by_role("alert")).to_contain_text("used already")
    late.locator("main a.btn").click()
    expect(late.get_by_label("Email")).to_be_visible()


def test_a_new_password_ends_what_the_old_one_had_opened(person, shop, address, complaints):
    old, email = person(), address("rhys")
    open_account(old, shop, "Rhys Vale", email)
    page = person()
    page.goto("/account/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(email)
    page.get_by_role("button", name="Send me the link").click()
    heading(page, "Check your mail")
    page.goto(shop.mailed(email))
    complaints.announce(422)
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator(".summary")).to_contain_text("at least 10 characters")
    page.get_by_label("New password").fill("warm-stones-at-noon")
    page.get_by_role("button", name="Change password").click()
    expect(page).not_to_have_url(re.compile("password-reset"))
    old.goto("/account/")
    expect(old).to_have_url(re.compile("/account/sign-in"))
    sign_in(old, email, PASSWORD)
    expect(old.locator(".summary, .note--bad").first).to_be_visible()
    sign_in(old, email, "warm-stones-at-noon")
    old.goto("/account/")
    heading(old, "Hello, Rhys")


def test_forms_are_filled_in_by_booker_and_guest_until_the_desk_sees_them_done(
    person, imogen, shop, address, complaints
):
    complaints.announce(422)
    page = person()
    slot = book(page, shop, "evening-sound-bath", "Wilma Dean", address("wilma"), 2)
    page.get_by_label("Guest 2").fill("Jude Okafor")
    confirm(page)
    expect(page.locator(".due")).to_contain_text("Wilma Dean: 3 answers missing")
    expect(page.locator(".due")).to_contain_text("Jude Okafor: 2 answers missing")
    page.get_by_role("link", name="Fill in the form").click()
    you = page.locator("#you")
    you.get_by_label("Whom may we call").fill("Orla, 07700 900311")
    you.get_by_role("button", name="Save answers").click()
    expect(page.locator(".summary")).to_contain_text("2 things to fix")
    expect(you.get_by_label("Whom may we call")).to_have_value("Orla, 07700 900311")
    you.get_by_text("On my side", exact=True).click()
    you.get_by_label("Sign that this is right").fill("Wilma Dean")
    you.get_by_role("button", name="Save answers").click()
    expect(you).to_contain_text("All filled in")

    page.locator("details.fold summary").click()
    link = page.get_by_role("textbox", name="Link for Jude Okafor").input_value()
    imogen.goto(slot.roster)
    row = imogen.locator(".rs").filter(has_text="Wilma Dean").last
    expect(row).to_contain_text("Form missing")

    guest = person()
    guest.goto(re.sub(r"^https?://[^/]+", "", link))
    expect(guest.get_by_role("heading", name="For Jude Okafor")).to_be_visible()
    expect(guest.locator("main")).not_to_contain_text("07700 900311")
    guest.get_by_label("Sign that this is right").fill("Jude Okafor")
    guest.get_by_role("button", name="Save answers").click()
    expect(guest.locator(".summary")).to_be_visible()
    expect(guest.get_by_label("Sign that this is right")).to_have_value("Jude Okafor")
    guest.get_by_text("On my back", exact=True).click()
    guest.get_by_role("button", name="Save answers").click()
    expect(guest.locator("main")).to_contain_text("All filled in")

    imogen.goto(slot.roster)
    expect(row).to_contain_text("Forms done")
    row.get_by_role("link", name="Forms done").click()
    expect(imogen.locator("main")).to_contain_text("Orla, 07700 900311")


def test_a_given_membership_opens_the_members_days(person, imogen, shop, address):
    slot = shop.members_slot()
    member, email = person(), address("mabel")
    # The venue knows whoever has booked there.
    book(member, shop, "thermal-circuit", "Mabel Ash", email)
    confirm(member)
    open_account(member, shop, "Mabel Ash", email)
    member.goto(slot.path)
    expect(member.locator("#day")).to_contain_text("member")
    expect(member.locator(slot.row).get_by_role("button", name="Book")).to_have_count(0)

    find_customer(imogen, email)
    heading(imogen, "Mabel Ash")
    imogen.get_by_text("Give a membership").click()
    imogen.get_by_label("Membership", exact=True).select_option(label="River membership")
    imogen.get_by_role("button", name="Give it").click()
    expect(imogen.locator(".holdings")).to_contain_text("River membership")

    member.goto(slot.path)
    expect(member.locator(slot.day_link)).to_be_visible()
    member.locator(slot.row).get_by_role("button", name="Book").click()
    heading(member, "Your details")


def test_why_lists_every_check_and_an_override_stands_on_the_roster(
    imogen, shop, complaints, script
):
    slot = shop.members_slot()
    imogen.goto(f"{STAFF}/why")
    imogen.get_by_role("link", name="A visitor who isn’t signed in").click()
    imogen.get_by_label("Offer").select_option(label="Sunday dawn swim")
    imogen.get_by_label("Date").fill(slot.date.isoformat())
    imogen.get_by_role("button", name="Show sessions").click()
    imogen.locator(f".hits-s a[href*='{slot.id}']").click()
    expect(imogen.locator("#answer-h")).to_have_text("A visitor can’t book this")
    codes = [item.get_attribute("data-code") for item in imogen.locator(".checks li").all()]
    assert codes == list(CHECKS)
    failed = imogen.locator(".checks .is-failed")
    expect(failed.first).to_contain_text("member")

    name = f"Edda Lane {'One' if script else 'Two'}"
    anyway = imogen.locator("#anyway")
    anyway.get_by_label("Name").fill(name)
    complaints.announce(422)
    anyway.get_by_role("button", name="Book it anyway").click()
    expect(imogen.get_by_role("alert")).to_be_visible()
    expect(anyway.get_by_label("Name")).to_have_value(name)
    anyway.get_by_label("Why").fill("Guest of the house")
    anyway.get_by_role("button", name="Book it anyway").click()
    expect(imogen).not_to_have_url(re.compile("/why"))
    imogen.goto(slot.roster)
    row = imogen.locator(".rs").filter(has_text=name)
    expect(row).to_contain_text("Booked in spite of")
    expect(row).to_contain_text("“Guest of the house”")


def test_a_file_of_members_shows_what_it_would_do_before_it_does_it(imogen, address):
    email = address("new")
    text = (
        "email,name,membership type,first day\n"
        f"{email},Nell Winter,River membership,2026-06-01\n"
        "broken,,,\n"
    )
    imogen.goto(f"{STAFF}/memberships/import")
    imogen.get_by_label("CSV file").set_input_files(
        {"name": "members.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    imogen.get_by_role("button", name="Show what it would do").click()
    expect(imogen.locator("section[aria-labelledby=bad-h]")).to_contain_text("broken")
    expect(imogen.locator("section[aria-labelledby=good-h]")).to_contain_text(email)
    imogen.get_by_role("button", name="Import 1 line").click()
    expect(imogen.get_by_role("button", name="Import 1 line")).to_have_count(0)
    find_customer(imogen, email)
    heading(imogen, "Nell Winter")
    expect(imogen.locator(".holdings")).to_contain_text("River membership")
