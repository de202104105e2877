"""Pages about signing in and security: app, recovery codes, passkeys, Is it you?"""

from collections.abc import Callable
from itertools import count

import pyotp
from changing_stories import heading
from factories import NOW, make_account, save
from playwright.sync_api import Page, expect
from stories import ANA, MAREN, Story, at

from blueprints.clock import read_clock
from models import Passkey, db
from services.second_factor import begin_authenticator, confirm_authenticator, find_unconfirmed_key

PASSWORD = "river stones at dusk"
NUMBERS = count()
SECURITY = "/account/security"
SPARE: dict[Page, tuple[str, ...]] = {}
"""The recovery codes of who has come."""


def come_in(page: Page, shop, *, with_app: bool = False, to: str = SECURITY) -> None:
    """Somebody of this story alone, with or without an app; with one, at the second step."""
    number = next(NUMBERS)
    email = f"quinn.{number}@example.com"
    with shop.app.app_context():
        account, now = make_account(email, "Quinn Abara", PASSWORD), read_clock()
        save(
            Passkey(
                account_id=account.id, credential_id=f"QUJD{number:04}", public_key=b"",
                sign_count=0, name="My phone", created_at=NOW,
            )
        )  # fmt: skip
        if with_app:
            key = str(shop.app.config["SECRET_KEY"])
            begin_authenticator(account.id, key=key, now=now)
            shows = pyotp.TOTP(find_unconfirmed_key(account.id, key=key))
            SPARE[page] = confirm_authenticator(account.id, shows.at(now), key=key, now=now)
        db.session.remove()
    page.goto(f"/account/sign-in?next={to}")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Keep me signed in here").check()
    page.get_by_role("button", name="Sign in", exact=True).click()
    heading(page, "One more step" if with_app else "Signing in and security")


def answer(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()


def second_step(page: Page, shop) -> None:
    come_in(page, shop, with_app=True)


def second_step_refused(page: Page, shop) -> None:
    come_in(page, shop, with_app=True)
    answer(page, "111111")
    expect(page.locator(".summary")).to_be_visible()


def setting_up(typed: str = "") -> Callable:
    def come(page: Page, shop) -> None:
        come_in(page, shop)
        page.get_by_role("button", name="Set up an app").click()
        heading(page, "Set up your app")
        if typed:
            page.get_by_label("Code that the app shows now").fill(typed)
            page.get_by_role("button", name="Switch it on").click()
            expect(page.locator(".summary")).to_be_visible()

    return come


def recovery_codes(page: Page, shop) -> None:
    come_in(page, shop, with_app=True)
    answer(page, SPARE[page][0])
    page.get_by_role("button", name="Make new codes").click()
    heading(page, "Your recovery codes")


def renaming_refused(page: Page, shop) -> None:
    come_in(page, shop, with_app=True)
    answer(page, SPARE[page][0])
    page.locator(".rename summary").click()
    page.get_by_label("New name").fill(" ")
    page.get_by_role("button", name="Save name").click()
    expect(page.locator(".summary")).to_be_visible()


def is_it_you(typed: str = "") -> Callable:
    """The browser was told to stay signed in, and its visit is a new one."""

    def come(page: Page, shop) -> None:
        come_in(page, shop, with_app=True)
        answer(page, SPARE[page][0])
        heading(page, "Signing in and security")
        page.context.clear_cookies(name="sundial")
        page.goto("/account/confirm?next=/account/authenticator")
        heading(page, "Is it you?")
        if typed:
            page.get_by_label("Your password").fill(typed)
            page.get_by_role("button", name="Go on").click()
            expect(page.locator(".summary")).to_be_visible()

    return come


SECURITY_STORIES = [
    Story("signing in and security", at(SECURITY), ANA),
    Story("signing in and security, staff", at(SECURITY), MAREN),
    Story("signing in and security, a name refused", renaming_refused, status=422),
    Story("an app set up", setting_up()),
    Story("an app set up, wrong code", setting_up("123"), status=422),
    Story("recovery codes", recovery_codes),
    Story("second step", second_step),
    Story("second step refused", second_step_refused, status=422),
    Story("is it you", is_it_you()),
    Story("is it you, no", is_it_you("wrong"), status=422),
]
