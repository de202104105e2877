"""The desk without a connection: the server is stopped, staff go on tapping, and it comes back."""

import contextlib
import datetime as dt
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import sqlalchemy as sa
from conftest import NOW, ROOT, Databases, app_on
from factories import (
    ANYWHERE,
    fetch,
    make_booked_line,
    make_session,
    make_site,
    make_staff,
    make_type,
)
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import Error as PlaywrightError

from models import IdempotencyKey, SessionBooking, SessionType, db
from services.desk import set_no_show

NAMES = [f"Guest {word}" for word in "Ash Bay Cliff Dale Elm Fen Glen Heath Isle Jetty".split()] + [
    f"Party {word}" for word in "Kelp Lake Moor Nook Oak Pine Quay Reef Sand Tarn".split()
]
PASSWORD = "thermal-waters"


class House:
    """A shop in a process of its own, which a test stops and starts on the same port."""

    def __init__(self, url: str, log: Path) -> None:
        self.app = app_on(url)
        self.log = log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.started_at = time.time()
        self.process: subprocess.Popen[bytes] | None = None
        with self.app.app_context():
            site = make_site(slug="bath")
            self.type_id = make_type(site, slug="circuit", name="Thermal circuit").id
            self.place = (site.organisation_id, site.id)
            for name in ("maren", "imogen"):
                make_staff(site, f"{name}@example.com").name = name.title()
            db.session.commit()
            db.session.remove()

    def open(self, guests: int) -> None:
        """A roster of its own for each story, with a server that answers."""
        with self.app.app_context():
            kind = fetch(SessionType, self.type_id)
            row = make_session(kind, local_start="2026-06-04T12:00", capacity=40)
            self.bookings = {name: make_booked_line(row, name=name).id for name in NAMES[:guests]}
            self.session_id = row.id
            self.roster = f"/staff/bath/sessions/{row.id}"
            db.session.remove()
        if self.process is None:
            self.start()
        self.before = (0, 0)
        self.before = (self.posts(), self.applied())

    def start(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "app:create_app()"]
        command += ["--bind", f"127.0.0.1:{self.port}", "--threads", "8", "--no-control-socket"]
        command += ["--log-level", "warning", "--access-logfile", str(self.log)]
        env = {
            **os.environ,
            "DATABASE_URL": self.app.config["SQLALCHEMY_DATABASE_URI"],
            "SUNDIAL_SECRET_KEY": "a key for tests",
            "SUNDIAL_NOW": NOW.isoformat(),
            "SUNDIAL_STARTED_AT": str(self.started_at),
            "SUNDIAL_POLL_SECONDS": "1",
            "SUNDIAL_SIGN_IN_LIMIT": "1000 per minute",
        }
        self.process = subprocess.Popen(command, cwd=ROOT, env=env)
        for _ in range(600):
            assert self.process.poll() is None, "the server ended by itself"
            try:
                urlopen(f"{self.url}/healthz", timeout=5).close()  # noqa: S310 - our own server
                return
            except OSError:
                threading.Event().wait(0.05)
        pytest.fail("the server did not come up")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def posts(self) -> int:
        """Taps that reached the house so far."""
        text = self.log.read_text() if self.log.exists() else ""
        return text.count('"POST /staff/bath/bookings/') - self.before[0]

    def applied(self) -> int:
        """Taps that were done, each with a key of its own."""
        return (
            self._ask(
                sa.select(sa.func.count())
                .select_from(IdempotencyKey)
                .where(IdempotencyKey.key.startswith("tap:"))
            )
            - self.before[1]
        )

    def arrived(self) -> int:
        return self._ask(
            sa.select(sa.func.count())
            .select_from(SessionBooking)
            .where(
                SessionBooking.session_id == self.session_id,
                SessionBooking.checked_in_at.is_not(None),
            )
        )

    def touched_by_a_colleague(self, name: str) -> None:
        """Somebody elsewhere marks a guest as a no-show."""
        with self.app.app_context():
            now = NOW + dt.timedelta(seconds=time.time() - self.started_at)
            set_no_show(*self.place, self.bookings[name], missed=True, now=now)
            db.session.remove()

    def _ask(self, query: Any) -> int:
        with self.app.app_context():
            found = db.session.scalar(query, execution_options=ANYWHERE)
            db.session.remove()
            return found


@pytest.fixture(scope="module")
def built(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(databases.make(), tmp_path_factory.mktemp("house") / "access.log")
    yield house
    house.stop()


@pytest.fixture
def house(built: House, request: pytest.FixtureRequest) -> House:
    built.open(guests=20 if "twenty" in request.node.name else 3)
    return built


@pytest.fixture
def desk(browser: Browser, house: House) -> Iterator[Callable[..., Page]]:
    """Opens the roster in a browser of its own, kept by its worker from then on."""
    contexts: list[BrowserContext] = []

    def open_roster(name: str = "maren") -> Page:
        context = browser.new_context(base_url=house.url, service_workers="allow")
        contexts.append(context)
        page = context.new_page()
        sign_in(page, name, house.roster)
        is_kept(page, house.roster)
        return page

    yield open_roster
    for context in contexts:
        context.close()


def sign_in(page: Page, name: str, to: str) -> None:
    page.goto(f"/staff/sign-in?next={to}")
    page.get_by_label("Work email").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(f"{to}$"))


IS_KEPT = """async (path) => {
  const until = Date.now() + 30000;
  const isKept = () => caches.match(path, { ignoreVary: true });
  while (!(await isKept()) || !navigator.serviceWorker.controller) {
    if (Date.now() > until) throw new Error(`${path} is not kept`);
    await new Promise((next) => setTimeout(next, 50));
  }
}"""


def is_kept(page: Page, path: str) -> None:
    """Waits until the worker has a page, and answers for this one."""
    page.evaluate(IS_KEPT, path)


def kept_pages(page: Page) -> list[str]:
    return page.evaluate(
        "caches.open('sundial-pages-1').then(async (pages) =>"
        " (await pages.keys()).map((one) => new URL(one.url).pathname))"
    )


def row(page: Page, name: str) -> Any:
    return page.locator(".rs").filter(has=page.locator(".nm", has_text=name))


def tap(page: Page, name: str, button: str = "Check in") -> None:
    row(page, name).get_by_role("button", name=button).click()


def says(page: Page, text: str) -> None:
    expect(page.locator("#offline [role=status]")).to_contain_text(text)


def all_is_well(page: Page) -> None:
    expect(page.locator("#offline [role=status]")).to_have_text("")


def test_twenty_taps_without_a_connection_are_each_done_once(house, desk):
    maren, imogen = desk(), desk("imogen")
    house.stop()
    says(maren, "No connection since")
    for name in NAMES[:10]:
        tap(maren, name)
        expect(row(maren, name)).to_contain_text("Waiting to be sent")
        expect(row(maren, name).locator(".state")).to_contain_text("Arrived")
    says(maren, "10 taps wait for the connection")

    # The page is read again while nobody answers, and what was tapped is still there.
    maren.reload()
    says(maren, "Showing what was true then")
    expect(row(maren, NAMES[0])).to_contain_text("Waiting to be sent")
    for name in NAMES[10:]:
        tap(maren, name)
    says(maren, "20 taps wait for the connection")
    assert house.arrived() == 0

    house.start()
    all_is_well(maren)
    expect(maren.locator(".rs.is-arrived")).to_have_count(20)
    expect(maren.get_by_text("Waiting to be sent")).to_have_count(0)
    expect(imogen.locator(".rs.is-arrived")).to_have_count(20)
    assert (house.arrived(), house.applied(), house.posts()) == (20, 20, 20)
    maren.reload()
    all_is_well(maren)
    assert house.posts() == 20


def test_two_tabs_one_of_them_closed_send_each_tap_once_and_none_taken_back(house, desk):
    first = desk()
    second = first.context.new_page()
    second.goto(house.roster)
    house.stop()
    says(second, "No connection")
    tap(second, NAMES[0])
    says(second, "1 tap waits")
    says(first, "1 tap waits")
    tap(second, NAMES[0], "Start")
    tap(second, NAMES[1])
    tap(second, NAMES[2])
    says(second, "4 taps wait")
    tap(second, NAMES[2], "Undo")
    expect(row(second, NAMES[2]).locator(".state")).to_contain_text("Not arrived")
    expect(row(second, NAMES[2]).get_by_role("button", name="Check in")).to_be_focused()
    says(first, "3 taps wait")
    second.close()
    house.start()
    all_is_well(first)
    expect(row(first, NAMES[0]).locator(".state")).to_contain_text("In session")
    expect(row(first, NAMES[2]).locator(".state")).to_contain_text("Not arrived")
    assert (house.applied(), house.posts()) == (3, 3)


def test_a_colleagues_change_is_shown_and_somebody_decides(house, desk):
    page = desk()
    house.stop()
    says(page, "No connection")
    for name in NAMES[:3]:
        tap(page, name)
    for name in NAMES[:2]:
        house.touched_by_a_colleague(name)
    house.start()
    says(page, "2 taps need you to decide")
    expect(page.locator("#offline")).to_have_attribute("data-waiting", "0")
    asked = page.locator("#offline li")
    expect(asked).to_have_count(2)
    expect(asked.first).to_contain_text("changed after you saw it")
    expect(asked.first).to_contain_text("Now: No-show")
    assert house.arrived() == 1
    page.get_by_role("button", name=f"Apply anyway: Check in, {NAMES[0]}").click()
    expect(row(page, NAMES[0]).locator(".state")).to_contain_text("Arrived")
    page.get_by_role("button", name=f"Leave it: Check in, {NAMES[1]}").click()
    all_is_well(page)
    expect(row(page, NAMES[1]).locator(".state")).to_contain_text("No-show")
    assert house.arrived() == 2


def test_signing_out_leaves_nothing_and_warns_of_taps_not_sent(house, desk):
    page = desk()
    assert house.roster in kept_pages(page)
    house.touched_by_a_colleague(NAMES[0])
    house.stop()
    says(page, "No connection")
    tap(page, NAMES[1])
    page.get_by_role("button", name="Sign out").first.click()
    says(page, "1 tap is not sent yet")
    house.start()
    expect(row(page, NAMES[1]).locator(".state")).to_contain_text("Arrived")
    all_is_well(page)
    page.get_by_role("button", name="Sign out").first.click()
    expect(page).to_have_url(re.compile("/staff/sign-in$"))
    assert kept_pages(page) == []
    house.stop()
    with contextlib.suppress(PlaywrightError):  # whether a worker is there again or none
        page.goto(house.roster)
    expect(page.locator("body")).not_to_contain_text(NAMES[0])


def test_another_person_neither_reads_nor_sends_what_was_kept(house, desk):
    page = desk()
    house.stop()
    says(page, "No connection")
    tap(page, NAMES[0])
    says(page, "1 tap waits")
    page.context.clear_cookies()
    house.start()
    expect(page).to_have_url(re.compile("/staff/sign-in"))
    says(page, "1 tap by Maren waits until Maren signs in here")
    sign_in(page, "imogen", house.roster)
    says(page, "1 tap by Maren waits until Maren signs in here")
    expect(row(page, NAMES[0]).locator(".state")).to_contain_text("Not arrived")
    assert (house.arrived(), house.posts()) == (0, 0)
    page.context.clear_cookies()
    sign_in(page, "maren", house.roster)
    expect(row(page, NAMES[0]).locator(".state")).to_contain_text("Arrived")
    all_is_well(page)
    assert house.posts() == 1


def test_a_page_that_was_not_kept_says_so_and_lists_those_that_were(house, desk):
    page = desk()
    # Fetched ahead, though nobody has looked at it.
    is_kept(page, "/staff/bath/")
    house.stop()
    page.goto("/staff/bath/roster")
    expect(page.get_by_role("heading", level=1)).to_have_text("No connection")
    page.get_by_role("link", name="Thursday 4 June").click()
    says(page, "No connection since")
    page.locator(f'a.sess[href="{house.roster}"]').click()
    expect(page.locator(".rs")).to_have_count(3)
    house.start()
    all_is_well(page)
