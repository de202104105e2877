"""Take the pictures that the documents show: `PYTHONPATH=. python scripts/pictures.py`.

Loads the demo into a temporary database at a fixed instant, so that pictures change when pages
do (and the random references of bookings always), and writes docs/pictures/*.png.
"""

import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path

from flask import Flask
from flask_migrate import upgrade
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from app import create_app
from blueprints.clock import read_clock
from models import db
from services.demo import load_demo

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


def take_account(browser: Browser, address: str) -> None:
    page = open_page(browser, width=1280, height=900, scheme="light")
    page.goto(f"{address}/account/sign-in")
    page.get_by_label("Email").fill("ana.reyes@example.com")
    page.get_by_label("Password").fill("quiet-rooms-34")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/account/")
    take(page, "my-bookings")


def take_desk(browser: Browser, address: str) -> None:
    page = open_page(browser, width=1280, height=900, scheme="light")
    page.goto(f"{address}/staff/sign-in")
    page.locator("input[type=email]").fill("maren@stillwater.example")
    page.locator("input[type=password]").fill("thermal-waters")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/staff/stillwater-bath/")
    take(page, "schedule")
    page.goto(f"{address}/staff/stillwater-bath/roster")
    take(page, "roster")


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
        server = make_server("127.0.0.1", 0, make_shop(), threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            root = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("SUNDIAL_CHROMIUM") or shutil.which("chromium"),
                args=[*QUIET, *root],
            )
            take_shop(browser, f"http://127.0.0.1:{server.server_port}")
            take_account(browser, f"http://127.0.0.1:{server.server_port}")
            take_desk(browser, f"http://127.0.0.1:{server.server_port}")
            browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
