"""How quick the pages are, beside bare Flask views, through the production server.

Prints requests per second of the month calendar with 300 sessions beside a bare view that
renders the same 300 sessions as a list from memory, and of a 304 beside an empty bare view;
and what the calendar takes when it must be made anew, because a place has just gone.
Run by `make bench`; takes about half a minute.
"""

import datetime as dt
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
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
    transaction,
)
from services.places import raise_revision
from services.scheduling import produce_sessions

ROOT = Path(__file__).resolve().parent.parent
NOW = dt.datetime(2026, 6, 1, 4, 0, tzinfo=dt.UTC)
PAGE = "/bench/book/circuit?month=2026-06"
CLIENTS = 4
REQUESTS = 120
"""Of each client in one round. Rounds are short and many, so that a busy moment of the machine
falls on the cases that are compared alike."""
ROUNDS = 9
ANEW = 40

BARE_PAGE = """<!doctype html><title>Sessions</title><h1>Sessions</h1><ul>
{% for row in sessions %}<li>{{ row.start }} {{ row.price }} {{ row.room }} {{ row.left }} left</li>
{% endfor %}</ul>"""


def make_shop() -> Flask:
    """The shop on the bench's database; gunicorn calls it."""
    return create_app(
        {
            "SECRET_KEY": "bench",
            "PRODUCTION": False,
            "NOW": NOW.isoformat(),
            "STARTED_AT": None,
        }
    )


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


def fill(app: Flask) -> tuple[str, str]:
    """One type with ten sessions a day in June 2026, 300 in the month; its house and its id."""
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
        named = house.id, kind.id
        db.session.remove()
    return named


@contextmanager
def server(factory: str) -> Iterator[int]:
    """The production server as `make run` sets it, alike for all; ended by its own id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", factory, "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--threads", "8", "--worker-class", "gthread"]
    command += ["--no-control-socket", "--log-level", "warning"]
    path = os.pathsep.join((str(ROOT), str(ROOT / "scripts")))
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path})  # noqa: S603
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(port: int) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not answer")


class Client:
    """One kept-alive connection. Plain sockets: the load must cost little beside the server."""

    _LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.I)

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, question: bytes) -> bytes:
        """The answer's status and headers; its body is read and thrown away."""
        self._socket.sendall(question)
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._receive()
        head = answer[:end]
        length = self._LENGTH.search(head)
        missing = int(length[1]) - (len(answer) - end - 4) if length else 0
        while missing > 0:
            missing -= len(self._receive())
        return head

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        received = self._socket.recv(1 << 18)
        if not received:
            raise RuntimeError("the server hung up")
        return received


def question(path: str, headers: dict[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def header(head: bytes, name: str) -> str:
    found = re.search(rf"^{name}: (.*?)\r?$", head.decode(), re.I | re.M)
    if found is None:
        raise RuntimeError(f"the answer has no {name}")
    return found[1]


def rate(port: int, asked: bytes, status: int) -> float:
    """Requests per second over CLIENTS kept-alive connections."""
    expected = f"HTTP/1.1 {status} ".encode()

    def load(client: Client) -> None:
        for _ in range(REQUESTS):
            head = client.ask(asked)
            if not head.startswith(expected):
                raise RuntimeError(f"{head[:40]!r} instead of {status}")

    clients = [Client(port) for _ in range(CLIENTS)]
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(load, clients))
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    return CLIENTS * REQUESTS / seconds


def visit(port: int) -> tuple[dict[str, str], dict[str, str]]:
    """The headers of a browser that has been here: its cookie, and what it would revalidate."""
    client = Client(port)
    first = client.ask(question(PAGE, {}))
    cookie = {"Cookie": header(first, "Set-Cookie").split(";")[0]}
    again = client.ask(question(PAGE, cookie))
    client.close()
    return cookie, {**cookie, "If-None-Match": header(again, "ETag")}


def time_anew(app: Flask, named: tuple[str, str], port: int, asked: bytes) -> float:
    """Milliseconds of the calendar each time that something it shows has changed."""
    times = []
    client = Client(port)
    with app.app_context():
        house, kind = named
        for _ in range(ANEW):
            with transaction():
                raise_revision(house, [kind])
            began = time.perf_counter()
            client.ask(asked)
            times.append((time.perf_counter() - began) * 1000)
        db.session.remove()
    client.close()
    return statistics.median(times)


def measure(app: Flask, named: tuple[str, str]) -> None:
    with server("bench:make_shop()") as shop, server("bench:make_bare()") as bare:
        cookie, known = visit(shop)
        cases = {
            "month calendar, 300 sessions": (shop, question(PAGE, cookie), 200),
            "bare view, 300 sessions": (bare, question("/list", {}), 200),
            "month calendar, unchanged (304)": (shop, question(PAGE, known), 304),
            "bare view, empty": (bare, question("/nothing", {}), 200),
        }
        for case in cases.values():
            rate(*case)
        rounds = [[rate(*case) for case in cases.values()] for _ in range(ROUNDS)]
        anew = time_anew(app, named, shop, question(PAGE, cookie))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, gunicorn 2 x 8 threads,")
    print(f"{CLIENTS} clients on the same machine, median of {ROUNDS} alternating rounds")
    print(f"of {CLIENTS * REQUESTS} requests:")
    for name, rates in zip(cases, zip(*rounds, strict=True), strict=True):
        print(f"  {name:<34} {statistics.median(rates):7.0f} requests a second")
    page = statistics.median(calendar / listed for calendar, listed, _, _ in rounds)
    unchanged = statistics.median(same / empty for _, _, same, empty in rounds)
    print(f"  calendar beside the bare list: {page:.2f} (aim 1.0)")
    print(f"  304 beside the empty view:     {unchanged:.2f} (aim 0.5)")
    print(f"  calendar made anew, one client: {anew:.0f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.db"
        shop_app = make_shop()
        measure(shop_app, fill(shop_app))
