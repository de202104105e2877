"""A passkey's whole life, in a browser with an authenticator that Chromium plays."""

import re
from collections.abc import Callable

import pytest
from factories import make_account
from playwright.sync_api import Page, expect

PASSWORD = "river stones at dusk"


@pytest.fixture
def localhost(shop) -> str:
    """Passkeys belong to a name: browsers take no number for one."""
    return shop.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def laptop(visitor) -> Callable[[], Page]:
    """A page in a browser whose device keeps passkeys and knows its owner."""

    def open_page() -> Page:
        page = visitor()
        tools = page.context.new_cdp_session(page)
        tools.send("WebAuthn.enable")
        kind = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
        }
        tools.send("WebAuthn.addVirtualAuthenticator", {"options": kind})
        return page

    return open_page


def heading(page: Page, text: str | re.Pattern) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def test_a_passkey_is_added_used_and_removed(laptop, shop, localhost, address, complaints):
    email = address("ines")
    with shop.app.app_context():
        make_account(email, "Ines Duarte", PASSWORD)
    page = laptop()
    page.goto(f"{localhost}/account/sign-in?next=/account/security")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    heading(page, "Signing in and security")

    page.get_by_label("Name of the device").fill("My laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("Your passkey is kept")).to_be_visible()
    expect(page.locator(".keys").first).to_contain_text("My laptop")
    # The same device a second time.
    page.get_by_label("Name of the device").fill("Again")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("has a passkey for you already")

    page.get_by_role("button", name="Sign out", exact=True).first.click()
    page.goto(f"{localhost}/account/sign-in?next=/account/security")
    page.get_by_role("button", name="Sign in with a passkey").click()
    heading(page, "Signing in and security")
    expect(page.locator(".keys").first).to_contain_text("used a moment ago")

    # Remembered, but nothing was proved since: the passkey does that, too.
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    page.goto(f"{localhost}/account/sign-in?next=/account/security")
    page.get_by_label("Keep me signed in here").check()
    page.get_by_role("button", name="Sign in with a passkey").click()
    heading(page, "Signing in and security")
    page.context.clear_cookies(name="sundial")
    page.reload()
    complaints.announce(403)
    page.get_by_role("button", name="Remove My laptop").click()
    heading(page, "Is it you?")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("opens your account no more")).to_be_visible()

    page.get_by_role("button", name="Sign out", exact=True).first.click()
    complaints.announce(422)
    page.goto(f"{localhost}/staff/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("We don't know that passkey any more")).to_be_visible()


def test_without_script_there_is_the_password(visitor, localhost):
    page = visitor(java_script_enabled=False)
    page.goto(f"{localhost}/account/sign-in")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
