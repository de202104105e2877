"""How long today's page and the reports take with 200,000 bookings.

Fills a database with two years of one venue's bookings and prints the median of each page, through
the whole application but without a network. DATABASE_URL may name an empty PostgreSQL database;
without it, SQLite in a folder that is thrown away. Nothing is asserted.
Run by `python scripts/bench_reports.py [bookings]`; takes a minute or two.
"""

import datetime as dt
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from app import create_app
from models import (
    Account,
    Customer,
    LedgerEntry,
    Order,
    OrderItem,
    Organisation,
    Practitioner,
    Room,
    Session,
    SessionBooking,
    SessionType,
    Site,
    StaffGrant,
    db,
    new_object_id,
    new_uuid,
)

ROOT = Path(__file__).resolve().parent.parent
NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)
FIRST, DAYS = dt.date(2025, 1, 1), 730
BOOKINGS = 200_000
ROUNDS = 5
REPORTS = "occupancy revenue compare new-and-returning lead-time waitlist no-shows".split()
CHANCE = random.Random(7)  # noqa: S311 - the same bookings each time


def make_shop(url: str) -> Flask:
    return create_app(
        {
            "SECRET_KEY": "bench", "PRODUCTION": False, "NOW": NOW.isoformat(), "TESTING": True,
            "STARTED_AT": None, "SQLALCHEMY_DATABASE_URI": url, "SIGN_IN_LIMIT": "1000 per minute",
        }
    )  # fmt: skip


def found_house() -> dict[str, Any]:
    """The venue, its rooms, people, types, customers and one owner."""
    house = Organisation(id=new_uuid(), name="Bench", code="BEN")
    site = Site(
        id=new_uuid(), organisation_id=house.id, slug="bench", name="Bench", zone="UTC",
        currency="GBP",
    )  # fmt: skip
    rooms = [
        Room(id=new_object_id(), organisation_id=house.id, site_id=site.id, name=f"R{n}", cap=20)
        for n in range(6)
    ]
    people = [
        Practitioner(id=new_object_id(), organisation_id=house.id, name=f"P{n}", sites=[site])
        for n in range(8)
    ]
    kinds = [
        SessionType(
            id=new_object_id(), organisation_id=house.id, site_id=site.id, slug=f"k{n}",
            name=f"Kind {n}", currency="GBP", link_key=new_uuid(), duration=60,
            revenue_centre=f"Centre {n % 4}", created_at=NOW, updated_at=NOW,
        )
        for n in range(12)
    ]  # fmt: skip
    account = Account(
        id=new_object_id(), email="o@b.example", email_key="o@b.example", name="Owner",
        session_token="bench", created_at=NOW,  # noqa: S106 - signs in to nothing else
    )  # fmt: skip
    grants = [
        StaffGrant(organisation_id=house.id, account_id=account.id, right=right)
        for right in ("REPORTS_VIEW", "RESERVATIONS_MANAGE")
    ]
    for rows in ([house, account], [site], [*rooms, *people, *kinds, *grants]):
        db.session.add_all(rows)
        db.session.flush()
    named = {
        "house": house.id, "site": site.id, "owner": f"{account.id}.bench",
        "rooms": [row.id for row in rooms], "people": [row.id for row in people],
        "kinds": [row.id for row in kinds],
    }  # fmt: skip
    db.session.commit()
    return named


def fill(named: dict[str, Any], bookings: int) -> None:
    """Sessions, orders, lines and ledger, written in bulk."""
    of_house = {"organisation_id": named["house"]}
    at_site = {**of_house, "site_id": named["site"]}
    customers = [
        {"id": new_object_id(), **of_house, "name": f"C{n}", "email": f"c{n}@b.example",
         "address_key": f"c{n}@b.example", "created_at": NOW}
        for n in range(max(10, bookings // 8))
    ]  # fmt: skip
    insert(Customer, customers)
    sessions = []
    per_day = max(2, bookings // DAYS // 5)
    for number in range(DAYS * per_day):
        day, hour = FIRST + dt.timedelta(days=number // per_day), 7 + number % 13
        local = dt.datetime.combine(day, dt.time(hour))  # the site's zone is UTC
        start = local.replace(tzinfo=dt.UTC)
        sessions.append(
            {"id": new_object_id(), **at_site, "session_type_id": CHANCE.choice(named["kinds"]),
             "session_type_name": "Kind", "start_time": start,
             "end_time": start + dt.timedelta(hours=1), "local_start": local, "capacity": 20,
             "room_id": CHANCE.choice(named["rooms"]),
             "practitioner_id": CHANCE.choice(named["people"]), "created_at": NOW,
             "updated_at": NOW}
        )  # fmt: skip
    insert(Session, sessions)
    rows: dict[Any, list[Any]] = {
        model: [] for model in (Order, OrderItem, SessionBooking, LedgerEntry)
    }
    for number in range(bookings):
        add_order(rows, at_site, CHANCE.choice(sessions), CHANCE.choice(customers)["id"])
        if number % 20_000 == 19_999 or number == bookings - 1:
            for model, some in rows.items():
                insert(model, some)
                some.clear()
    analyse()


def add_order(
    rows: dict[Any, list[Any]], at_site: dict[str, str], slot: dict[str, Any], customer_id: str
) -> None:
    order_id, item_id, places = new_object_id(), new_object_id(), CHANCE.randint(1, 3)
    tenant = {"organisation_id": at_site["organisation_id"]}
    confirmed_at = slot["start_time"] - dt.timedelta(hours=CHANCE.randrange(1, 900))
    is_off = CHANCE.random() < 0.1
    rows[Order].append(
        {"id": order_id, **at_site, "customer_id": customer_id, "state": "confirmed",
         "order_ref": order_id, "secret": order_id, "currency": "GBP", "name": "Guest",
         "confirmed_at": confirmed_at, "created_at": confirmed_at}
    )  # fmt: skip
    rows[OrderItem].append(
        {"id": item_id, **tenant, "order_id": order_id, "places": places, "unit_price": 4800,
         "currency": "GBP", "price_source": "rule"}
    )  # fmt: skip
    rows[SessionBooking].append(
        {"id": new_object_id(), **at_site, "session_id": slot["id"],
         "session_type_id": slot["session_type_id"], "session_type_name": "Kind",
         "order_item_id": item_id, "order_id": order_id, "customer_id": customer_id,
         "places": places, "status": "confirmed", "cancelled_at": NOW if is_off else None,
         "cancelled_by": "customer" if is_off else None,
         "is_no_show": not is_off and CHANCE.random() < 0.04,
         "waiting_since": confirmed_at if CHANCE.random() < 0.05 else None,
         "created_at": NOW, "updated_at": NOW}
    )  # fmt: skip
    entries = [("charge", 4800 * places), ("payment", -4800 * places)]
    entries += [("adjustment", -4800 * places)] if is_off else []
    rows[LedgerEntry].extend(
        {"id": new_object_id(), **tenant, "order_id": order_id, "kind": kind, "amount": amount,
         "currency": "GBP", "method": "card" if kind == "payment" else "",
         "created_at": confirmed_at}
        for kind, amount in entries
    )  # fmt: skip


def insert(model: Any, rows: list[Any]) -> None:
    for begin in range(0, len(rows), 5000):
        db.session.execute(sa.insert(model), rows[begin : begin + 5000])
    db.session.commit()


def analyse() -> None:
    """As either database does by itself after a while."""
    db.session.execute(sa.text("ANALYZE"))
    db.session.commit()


def measure(shop: Flask, named: dict[str, Any], bookings: int) -> None:
    client = shop.test_client()
    with client.session_transaction() as visit:
        visit["_user_id"], visit["_fresh"] = named["owner"], True
    pages = {"today": "/staff/bench/today"}
    for name in REPORTS:
        for period in ("month", "year"):
            pages[f"{name}, {period}"] = f"/staff/bench/reports/{name}?period={period}"
    print(f"{bookings:,} bookings, {os.cpu_count()} cores, Python {platform.python_version()},")
    with shop.app_context():
        print(f"{db.engine.dialect.name}, median of {ROUNDS}, milliseconds a page by the clock,")
        print("and of this process alone (the database's too on SQLite):")
        db.session.remove()
    for name, address in pages.items():
        times, busy = [], []
        for _ in range(ROUNDS):
            began, worked = time.perf_counter(), time.process_time()
            answer = client.get(address)
            times.append((time.perf_counter() - began) * 1000)
            busy.append((time.process_time() - worked) * 1000)
            if answer.status_code != 200:
                raise RuntimeError(f"{address}: {answer.status_code}")
        print(f"  {name:<26} {statistics.median(times):7.0f} {statistics.median(busy):7.0f}")


def main(url: str, bookings: int) -> None:
    shop = make_shop(url)
    with shop.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        named = found_house()
        fill(named, bookings)
        db.session.remove()
    measure(shop, named, bookings)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        database = os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/bench.db"
        main(database, int(sys.argv[1]) if len(sys.argv) > 1 else BOOKINGS)
