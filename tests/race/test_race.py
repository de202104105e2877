"""32 buyers on the last places, through the running server (H1)."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parent))

from buyer import Buyer
from conftest import ROOT, app_on
from factories import ANYWHERE, fetch, make_session, make_site, make_type

from models import LedgerEntry, Session, SessionBooking, SessionType, db
from services.doctor import find_wrong_counters

BUYERS = 32
CAPACITY = 5
ROUNDS = 4
UNGUARDED_ROUNDS = 20
HERE = Path(__file__).resolve().parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server(url: str, *, guarded: bool) -> Iterator[int]:
    """The production server with two workers; ended by its own id."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "shop:make()", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--threads", "16", "--worker-class", "gthread"]
    command += ["--no-control-socket", "--log-level", "warning"]
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
        "RACE_DATABASE_URL": url,
        "RACE_GUARDED": "yes" if guarded else "no",
    }
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        wait_until_ready(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_ready(process: subprocess.Popen, port: int) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended by itself"
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            threading.Event().wait(0.05)
    pytest.fail("the server did not come up")


class Shop:
    """One type in a database of its own, whose sessions are opened round by round."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.app = app_on(url)
        self.days = iter(range(1, 32))
        with self.app.app_context():
            self.type_id = make_type(make_site(slug="race"), slug="last").id
            db.session.remove()

    def open(self) -> tuple[str, str]:
        """A new session's id, and the page of its day."""
        day = f"2026-07-{next(self.days):02}"
        with self.app.app_context():
            kind = fetch(SessionType, self.type_id)
            kind.revision += 1
            row = make_session(kind, local_start=f"{day}T18:00", capacity=CAPACITY)
            return row.id, f"/race/book/last?date={day}"

    def sold(self, session_id: str, status: str) -> int:
        """Places of live bookings, counted from the bookings themselves."""
        with self.app.app_context():
            return db.session.scalar(
                sa.select(sa.func.coalesce(sa.func.sum(SessionBooking.places), 0)).where(
                    SessionBooking.session_id == session_id,
                    SessionBooking.cancelled_at.is_(None),
                    SessionBooking.status == status,
                ),
                execution_options=ANYWHERE,
            )


@pytest.fixture
def shop(databases) -> Iterator[Shop]:
    shop = Shop(databases.make())
    yield shop
    with shop.app.app_context():
        db.session.remove()
        db.engine.dispose()


def rush(port: int, path: str, *, confirm: bool) -> Counter:
    """All buyers have the page open, then all press Book at once; what each was told."""
    barrier = threading.Barrier(BUYERS)
    sentences = []

    def buy(number: int) -> str:
        buyer = Buyer(port, f"Buyer{number}")
        try:
            buyer.look(path)
            barrier.wait(timeout=60)
            status, html = buyer.book("/race/book/last")
            if status == 303:
                if not confirm:
                    return "held"
                return "booked" if buyer.confirm()[0] == 303 else "not confirmed"
            sentence = re.search(r'id="refusal".*?</div>', html, re.S)
            sentences.append(sentence[0] if sentence else "")
            return f"refused {status}"
        finally:
            buyer.close()

    with ThreadPoolExecutor(BUYERS) as pool:
        told = Counter(pool.map(buy, range(BUYERS)))
    assert all("full" in s or "just went" in s for s in sentences), set(sentences)
    return told


def test_h1_the_race_is_real_when_the_guards_are_taken_out(shop, on_postgresql):
    if on_postgresql:
        with shop.app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql(
                "ALTER TABLE sessions DROP CONSTRAINT ck_sessions_places_within_capacity"
            )
    with server(shop.url, guarded=False) as port:
        for _ in range(UNGUARDED_ROUNDS):
            session_id, path = shop.open()
            rush(port, path, confirm=False)
            if shop.sold(session_id, "new") > CAPACITY:
                return
    pytest.fail("no oversale without the guards: the race below proves nothing")


def test_h1_exactly_the_capacity_is_sold_and_everyone_else_gets_a_sentence(shop):
    with server(shop.url, guarded=True) as port:
        for _ in range(ROUNDS):
            session_id, path = shop.open()
            told = rush(port, path, confirm=True)
            assert told == {"booked": CAPACITY, "refused 409": BUYERS - CAPACITY}
            assert shop.sold(session_id, "confirmed") == CAPACITY
    with shop.app.app_context():
        assert find_wrong_counters() == []
        assert fetch(Session, session_id).places_taken == CAPACITY


def test_h6_one_form_pressed_many_times_at_once_is_one_hold(shop):
    session_id, path = shop.open()
    with server(shop.url, guarded=True) as port:
        first = Buyer(port, "Ana")
        first.look(path)
        presses = [Buyer(port, "Ana") for _ in range(8)]
        for press in presses:
            press.cookies, press.fields = dict(first.cookies), dict(first.fields)
        with ThreadPoolExecutor(len(presses)) as pool:
            told = Counter(pool.map(lambda press: press.book("/race/book/last")[0], presses))
        for buyer in (first, *presses):
            buyer.close()
    assert told == {303: 8}
    assert shop.sold(session_id, "new") == 1


def test_h6_one_confirmation_pressed_many_times_at_once_is_one_order(shop):
    session_id, path = shop.open()
    with server(shop.url, guarded=True) as port:
        first = Buyer(port, "Ana")
        first.look(path)
        first.book("/race/book/last")
        first.look("/race/checkout")
        fields = {**first.fields, "name": "Ana", "email": "ana@example.com"}
        presses = [Buyer(port, "Ana") for _ in range(8)]
        for press in presses:
            press.cookies, press.fields = dict(first.cookies), fields
        with ThreadPoolExecutor(len(presses)) as pool:
            told = Counter(pool.map(lambda press: press.post("/race/checkout")[0], presses))
        for buyer in (first, *presses):
            buyer.close()
    assert told == {303: 8}
    assert shop.sold(session_id, "confirmed") == 1
    with shop.app.app_context():
        entries = sa.select(sa.func.count()).select_from(LedgerEntry)
        assert db.session.scalar(entries, execution_options=ANYWHERE) == 1
