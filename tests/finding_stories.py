"""Pages about finding a booking, and the kiosk at the door."""

import re
from collections.abc import Callable

import sqlalchemy as sa
from changing_stories import heading
from factories import ANYWHERE, save
from playwright.sync_api import Page, expect
from stories import BATH, MAREN, Story, at

from blueprints.clock import read_clock
from blueprints.links import sign_link
from blueprints.security import KIOSK_COOKIE
from models import Account, SignInTry, Site, db
from services.checkout import find_order
from services.kiosks import end_kiosk
from services.kiosks import sign_in_kiosk as make_kiosk

STAFF = f"/staff{BATH}"
KIOSK = f"/kiosk{BATH}"
LONG = "Maximiliana von Hohenfels-Waldenburg"


def found(page: Page, shop) -> None:
    shop.book(shop.own_session(capacity=6), LONG)
    page.goto(f"{STAFF}/find?q=hohenfels")
    expect(page.locator(".hit-row").first).to_be_visible()


def box(page: Page, shop) -> None:
    shop.book(shop.own_session(capacity=6), LONG)
    page.goto(f"{STAFF}/outbox")
    field = page.locator(".find-box input")
    if field.is_visible():
        field.press_sequentially("hohenfels")
        expect(page.locator(".find-pop .hit-row").first).to_be_visible()


def as_kiosk(page: Page, shop, *, ended: bool = False, tries: int = 0) -> None:
    """A tablet of this story alone, signed in; nobody's pages are open in it."""
    with shop.app.app_context():
        site = db.session.scalars(
            sa.select(Site).where(Site.slug == BATH[1:]), execution_options=ANYWHERE
        ).one()
        here, now = (site.organisation_id, site.id), read_clock()
        who = db.session.scalars(sa.select(Account.id).where(Account.email_key == MAREN)).one()
        token = make_kiosk(*here, "The door", by=who, now=now)
        kiosk_id = token.partition(".")[0]
        for _ in range(tries):
            save(SignInTry(who=f"kiosk:{kiosk_id}", tried_at=now))
        if ended:
            end_kiosk(*here, kiosk_id, by=who, now=now)
        cookie = {"name": KIOSK_COOKIE, "value": sign_link(token, "kiosk")}
        db.session.remove()
    page.context.add_cookies([{**cookie, "url": f"{shop.url}/kiosk"}])
    page.goto(KIOSK)


def start(page: Page, shop) -> None:
    as_kiosk(page, shop)
    heading(page, "Welcome")


def signed_out(page: Page, shop) -> None:
    as_kiosk(page, shop, ended=True)
    heading(page, "signed out")


def ask(page: Page, reference: str, last_name: str) -> None:
    page.get_by_label("Booking reference").fill(reference)
    page.get_by_label("Last name").fill(last_name)
    page.get_by_role("button", name="Find my booking").click()


def refused(reference: str = "", *, tries: int = 0) -> Callable:
    """Nothing given, no such booking, or asked too often."""

    def come(page: Page, shop) -> None:
        as_kiosk(page, shop, tries=tries)
        ask(page, reference, "Nobody" if reference else "")
        expect(page.locator(".summary")).to_be_visible()

    return come


def shown(session: str) -> Callable:
    """A party on the screen whose session runs, or is another day."""

    def come(page: Page, shop) -> None:
        secret = shop.book(getattr(shop, session)(), LONG, 2)
        with shop.app.app_context():
            reference = find_order(secret).order_ref
            db.session.remove()
        as_kiosk(page, shop)
        ask(page, reference, "Waldenburg")
        heading(page, "Maximiliana")

    return come


def done(page: Page, shop) -> None:
    shown("running_session")(page, shop)
    page.get_by_role("button", name=re.compile("^Check in")).click()
    expect(page.get_by_text("You’re checked in")).to_be_visible()


def kiosks(page: Page, shop) -> None:
    as_kiosk(page, shop)
    page.goto(f"{STAFF}/kiosks")
    expect(page.locator(".kiosk-row").first).to_be_visible()


def nameless(page: Page, shop) -> None:
    page.goto(f"{STAFF}/kiosks")
    page.get_by_role("button", name="Sign in as a kiosk").click()
    expect(page.locator(".summary")).to_be_visible()


def found_of_many(page: Page, shop) -> None:
    """More than the page shows at once."""
    page.goto(f"{STAFF}/find?q=an")
    expect(page.locator(".hit-row").nth(5)).to_be_visible()


FINDING = [
    Story("find a booking", at(f"{STAFF}/find"), MAREN),
    Story("found bookings", found, MAREN),
    Story("found too many", found_of_many, MAREN),
    Story("found nobody", at(f"{STAFF}/find?q=zzzzzz"), MAREN),
    Story("found in the box", box, MAREN),
    Story("the code of a ticket", at("/bookings/tickets/0123456789abcdef0123")),
    Story("kiosks", kiosks, MAREN),
    Story("kiosks with errors", nameless, MAREN, status=422),
    Story("kiosk, start", start),
    Story("kiosk, nothing given", refused(), status=422),
    Story("kiosk, unknown", refused("STW 999999"), status=422),
    Story("kiosk, asked too often", refused("STW 999999", tries=100), status=429),
    Story("kiosk, ready", shown("running_session")),
    Story("kiosk, another day", shown("own_session")),
    Story("kiosk, done", done),
    Story("kiosk, signed out", signed_out, status=401),
    Story("kiosk, never one", at(KIOSK), status=401),
]
