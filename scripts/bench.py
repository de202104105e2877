"""How quick the pages are, beside bare Flask views, through the production server.

Prints requests per second of the month calendar with 300 sessions beside a bare view that
renders the same 300 sessions as a list from memory, and of a 304 beside an empty bare view.
Run by `make bench`; takes about half a minute.
"""

import datetime as dt
import http.client
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, render_template
from flask_migrate import upgrade
from jinja2 import DictLoader

from app import create_app
from models import (
    Organisation,
    PriceRule,
    RecurrenceGroup,
    RecurrenceStartTime,
    Room,
    SessionType,
    Site,
    db,
    new_object_id,
    new_uuid,
)
from services.scheduling import produce_sessions

ROOT = Path(__file__).resolve().parent.parent
NOW = dt.datetime(2026, 6, 1, 4, 0, tzinfo=dt.UTC)
PAGE = "/bench/book/circuit?month=2026-06"
CLIENTS = 4
REQUESTS = 250
ROUNDS = 5

BARE_PAGE = """<!doctype html><title>Sessions</title><h1>Sessions</h1><ul>
{% for row in sessions %}<li>{{ row.start }} {{ row.price }} {{ row.room }} {{ row.left }} left</li>
{% endfor %}</ul>"""


def make_shop() -> Flask:
    """The shop on the bench's database; gunicorn calls it."""
    return create_app({"SECRET_KEY": "bench", "NOW": NOW.isoformat()})


def make_bare() -> Flask:
    """Two bare views: 300 sessions as a list from memory, and nothing at all."""
    bare = Flask("bare")
    bare.jinja_loader = DictLoader({"list.html": BARE_PAGE})
    sessions = [
        {"start": f"{day:02}.06. {hour:02}:00", "price": "£48", "room": "Spring Hall", "left": 14}
        for day in range(1, 31)
        for hour in range(8, 18)
    ]

    @bare.get("/list")
    def listed() -> str:
        return render_template("list.html", sessions=sessions)

    @bare.get("/nothing")
    def nothing() -> str:
        return ""

    return bare


def fill() -> None:
    """One type with ten sessions a day in June 2026: 300 in the month."""
    app = make_shop()
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        house = Organisation(id=new_uuid(), name="Bench", code="BEN")
        site = Site(
            id=new_uuid(), organisation_id=house.id, slug="bench", name="Bench",
            zone="Europe/London", currency="GBP",
        )  # fmt: skip
        room = Room(organisation_id=house.id, site_id=site.id, name="Spring Hall", cap=14)
        kind = SessionType(
            id=new_object_id(), organisation_id=house.id, site_id=site.id, slug="circuit",
            name="Thermal circuit", currency="GBP", link_key=new_uuid(), duration=60,
            offered_online=True, created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        rule = PriceRule(organisation_id=house.id, session_type_id=kind.id, position=0, price=4800)
        for rows in ([house], [site], [room, kind], [rule]):
            db.session.add_all(rows)
            db.session.flush()
        group = RecurrenceGroup(
            id=new_object_id(), organisation_id=house.id, session_type_id=kind.id,
            room_id=room.id, capacity=14, recurrence_start=dt.date(2026, 6, 1),
            recurrence_end=dt.date(2026, 6, 30),
            weekdays="monday tuesday wednesday thursday friday saturday sunday".split(),
        )  # fmt: skip
        group.start_times = [
            RecurrenceStartTime(organisation_id=house.id, value=dt.time(hour))
            for hour in range(8, 18)
        ]
        db.session.add(group)
        db.session.commit()
        made = produce_sessions(house.id, group.id, now=NOW)
        if made != 300:
            raise RuntimeError(f"{made} sessions instead of 300")
        db.session.remove()


@contextmanager
def server(factory: str) -> Iterator[int]:
    """The production server with one set of settings for all; ended by its own id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", factory, "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--threads", "4", "--worker-class", "gthread"]
    command += ["--no-control-socket", "--log-level", "warning"]
    path = os.pathsep.join((str(ROOT), str(ROOT / "scripts")))
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path})  # noqa: S603
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                threading.Event().wait(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def ask(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str]
) -> tuple[int, dict[str, str]]:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


def rate(port: int, path: str, headers: dict[str, str], status: int) -> float:
    """Requests per second over CLIENTS kept-alive connections."""

    def client(_number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(REQUESTS):
            got = ask(connection, path, headers)[0]
            if got != status:
                raise RuntimeError(f"{path} answered {got}, not {status}")
        connection.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return CLIENTS * REQUESTS / (time.perf_counter() - began)


def visit(port: int) -> tuple[dict[str, str], dict[str, str]]:
    """The headers of a browser that has been here: its cookie, and what it would revalidate."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    first = ask(connection, PAGE, {})[1]
    cookie = {"Cookie": first["set-cookie"].split(";")[0]}
    again = ask(connection, PAGE, cookie)[1]
    connection.close()
    return cookie, {**cookie, "If-None-Match": again["etag"]}


def measure() -> None:
    with server("bench:make_shop()") as shop, server("bench:make_bare()") as bare:
        cookie, known = visit(shop)
        cases = {
            "month calendar, 300 sessions": (shop, PAGE, cookie, 200),
            "bare view, 300 sessions": (bare, "/list", {}, 200),
            "month calendar, unchanged (304)": (shop, PAGE, known, 304),
            "bare view, empty": (bare, "/nothing", {}, 200),
        }
        found: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, case in cases.items():
                found[name].append(rate(*case))
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, gunicorn 2 x 4 threads,")
    print(
        f"{CLIENTS} clients on the same machine, median of {ROUNDS} rounds of {CLIENTS * REQUESTS}:"
    )
    for name, value in middle.items():
        print(f"  {name:<34} {value:7.0f} requests a second")
    page, listed, unchanged, empty = middle.values()
    print(f"  calendar beside the bare list: {page / listed:.2f} (aim 1.0)")
    print(f"  304 beside the empty view:     {unchanged / empty:.2f} (aim 0.5)")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.db"
        fill()
        measure()
