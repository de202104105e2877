"""Take the pictures that the documents show: `PYTHONPATH=. python scripts/pictures.py`.

Loads the demo into a temporary database at a fixed instant, so that pictures change only when
pages do, and writes docs/pictures/*.png.
"""

import os
import shutil
import tempfile
import threading
from pathlib import Path

from flask_migrate import upgrade
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from app import create_app
from blueprints.clock import read_clock
from services.demo import load_demo

NOW = "2026-06-04T09:00:00+00:00"
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def open_page(browser: Browser, *, width: int, height: int, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    return context.new_page()


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=str(FOLDER / f"{name}.png"))
    print(f"docs/pictures/{name}.png")


def take_shop(browser: Browser, address: str) -> None:
    page = open_page(browser, width=1280, height=900, scheme="light")
    page.goto(f"{address}/stillwater-bath/")
    take(page, "shop-home")
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
    phone = open_page(browser, width=390, height=844, scheme="dark")
    phone.goto(f"{address}/stillwater-bath/book/evening-thermal-circuit")
    take(phone, "month-calendar-phone")


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


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/pictures.db"
        app = create_app({"SECRET_KEY": "pictures", "NOW": NOW})
        with app.app_context():
            upgrade(directory=str(ROOT / "migrations"))
            load_demo(ROOT / "demo", now=read_clock(), say=print)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            root = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("SUNDIAL_CHROMIUM") or shutil.which("chromium"),
                args=[*QUIET, *root],
            )
            take_shop(browser, f"http://127.0.0.1:{server.server_port}")
            take_desk(browser, f"http://127.0.0.1:{server.server_port}")
            browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
