"""Take the pictures that the documents show: `PYTHONPATH=. python scripts/pictures.py`.

Loads the demo into a temporary database at a fixed instant, so that pictures change when pages
do (and the random references of bookings always), and writes docs/pictures/*.png.
"""

import datetime as dt
import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from app import create_app
from blueprints.clock import read_clock
from models import Session, SessionBooking, SessionType, db, unbound
from services.cancelling import cancel_for_staff
from services.demo import load_demo
from services.waiting import join

NOW = "2026-06-04T09:00:00+00:00"
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES = 250_000
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--no-pings",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
)


def open_page(browser: Browser, *, width: int, height: int, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/London",
    )
    return context.new_page()


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    size = len(page.screenshot(path=str(FOLDER / f"{name}.png")))
    if size > MOST_BYTES:
        raise RuntimeError(f"{name}.png has {size} bytes; show less of the page")
    print(f"docs/pictures/{name}.png, {size // 1000} kB")


def take_shop(browser: Browser, address: str) -> None:
    page = open_page(browser, width=1280, height=720, scheme="light")
    page.goto(f"{address}/stillwater-bath/")
    take(page, "shop-home")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{address}/stillwater-bath/book/evening-thermal-circuit?guests=2")
    page.locator("#book").scroll_into_view_if_needed()
    take(page, "month-calendar")
    page.locator("form.slot button").first.click()
    page.wait_for_url("**/checkout")
    take(page, "checkout")
    page.get_by_label("Full name").fill("Ana Reyes")
    page.get_by_label("Email").fill("ana@example.com")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/bookings/**")
    take(page, "confirmation")
    for path in ("evening-thermal-circuit?guests=2", "warm-stone-massage"):
        page.goto(f"{address}/stillwater-bath/book/{path}")
        page.locator("form.slot button").first.click()
        page.wait_for_load_state("networkidle")
    page.goto(f"{address}/stillwater-bath/basket")
    take(page, "basket")
    phone = open_page(browser, width=390, height=844, scheme="dark")
    phone.goto(f"{address}/stillwater-bath/book/evening-thermal-circuit")
    take(phone, "month-calendar-phone")


def make_offer(app: Flask) -> str:
    """Somebody waits for a full session and somebody else cancels; the secret of who waits."""
    with app.app_context():
        now = read_clock()
        everywhere = unbound("pictures show any venue's full session")
        row = db.session.scalars(
            sa.select(Session)
            .join(SessionType, SessionType.id == Session.session_type_id)
            .where(
                SessionType.slug == "evening-thermal-circuit",
                Session.waitlist_enabled,
                Session.start_time > now + dt.timedelta(days=3),
                Session.places_taken == Session.capacity,
            )
            .order_by(Session.start_time),
            execution_options=everywhere,
        ).first()
        if row is None:
            raise LookupError("The demo has no full session to wait for")
        organisation_id, session_id = row.organisation_id, row.id
        secret = join(
            organisation_id, session_id, guests=1, name="Noor", email="noor@example.com", now=now
        )
        sold = db.session.scalars(
            sa.select(SessionBooking).where(
                SessionBooking.organisation_id == organisation_id,
                SessionBooking.session_id == session_id,
                SessionBooking.status == "confirmed",
                SessionBooking.cancelled_at.is_(None),
            )
        ).first()
        if sold is None:
            raise LookupError("Nobody has booked the full session")
        cancel_for_staff(organisation_id, sold.site_id, sold.id, reason="Asked by phone", now=now)
        db.session.remove()
        return secret


def take_offer(browser: Browser, address: str, app: Flask) -> None:
    page = open_page(browser, width=1280, height=900, scheme="light")
    page.goto(f"{address}/waiting/{make_offer(app)}")
    take(page, "waitlist-offer")


def take_account(browser: Browser, address: str) -> None:
    page = open_page(browser, width=1280, height=900, scheme="light")
    page.goto(f"{address}/account/sign-in")
    page.get_by_label("Email").fill("ana.reyes@example.com")
    page.get_by_label("Password").fill("quiet-rooms-34")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/account/")
    take(page, "my-bookings")


def open_desk(browser: Browser, address: str, email: str, password: str) -> Page:
    """The back office as one of the demo's staff sees it first."""
    page = open_page(browser, width=1280, height=900, scheme="light")
    page.goto(f"{address}/staff/sign-in")
    page.locator("input[type=email]").fill(email)
    page.locator("input[type=password]").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/staff/**")
    page.wait_for_load_state("networkidle")
    return page


def take_desk(browser: Browser, address: str) -> None:
    page = open_desk(browser, address, "maren@stillwater.example", "thermal-waters")
    page.goto(f"{address}/staff/stillwater-bath/")
    take(page, "schedule")
    page.goto(f"{address}/staff/stillwater-bath/roster")
    take(page, "roster")
    page.emulate_media(media="print")
    take(page, "roster-print")


def take_kiosk(browser: Browser, address: str) -> None:
    page = open_desk(browser, address, "maren@stillwater.example", "thermal-waters")
    page.goto(f"{address}/staff/stillwater-bath/kiosks")
    page.get_by_label("What you call it").fill("Front door")
    page.get_by_role("button", name="Sign in as a kiosk").click()
    page.wait_for_url("**/kiosk/**")
    page.set_viewport_size({"width": 1024, "height": 768})
    take(page, "kiosk")


def take_programs(browser: Browser, address: str) -> None:
    page = open_desk(browser, address, "imogen@stillwater.example", "river-before-dawn")
    page.goto(f"{address}/staff/stillwater-bath/webhooks/new")
    take(page, "webhook")
    page.goto(f"{address}/api/docs/price-rules")
    take(page, "api")


def take_links(browser: Browser, address: str) -> None:
    page = open_desk(browser, address, "imogen@stillwater.example", "river-before-dawn")
    page.goto(f"{address}/staff/stillwater-bath/links")
    take(page, "private-links")
    page.goto(f"{address}/staff/stillwater-bath/types")
    page.get_by_role("link", name="Evening thermal circuit").first.click()
    page.get_by_role("link", name="Prices", exact=True).click()
    page.wait_for_url("**/prices")
    take(page, "prices")
    page.get_by_role("link", name="Times", exact=True).click()
    page.wait_for_url("**/times")
    page.locator("main a[href*='/series/']").first.click()
    page.wait_for_url("**/series/**")
    take(page, "series")


def make_shop() -> Flask:
    """The shop at the fixed instant, which begins when it is made."""
    return create_app(
        {
            "SECRET_KEY": "pictures",
            "PRODUCTION": False,
            "PUBLIC_ADDRESS": "https://book.stillwater.example",
            "NOW": NOW,
            "STARTED_AT": None,
        }
    )


def fill() -> None:
    app = make_shop()
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        load_demo(ROOT / "demo", now=read_clock(), say=print)
        db.session.remove()


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/pictures.db"
        fill()
        # Made anew: loading took a while, and the pictures show the instant itself.
        app = make_shop()
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            root = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("SUNDIAL_CHROMIUM")
                or shutil.which("chromium")
                or shutil.which("chromium-headless-shell"),
                args=[*QUIET, *root],
            )
            take_shop(browser, f"http://127.0.0.1:{server.server_port}")
            take_offer(browser, f"http://127.0.0.1:{server.server_port}", app)
            take_account(browser, f"http://127.0.0.1:{server.server_port}")
            take_desk(browser, f"http://127.0.0.1:{server.server_port}")
            take_kiosk(browser, f"http://127.0.0.1:{server.server_port}")
            take_programs(browser, f"http://127.0.0.1:{server.server_port}")
            take_links(browser, f"http://127.0.0.1:{server.server_port}")
            browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
