"""How long the search box takes with 200,000 bookings.

Fills a database as bench_reports.py does, gives everybody names, and prints the median of each
search through the whole application but without a network. DATABASE_URL may name an empty
PostgreSQL database; without it, SQLite in a folder that is thrown away. Nothing is asserted.
Run by `python scripts/bench_finding.py [bookings]`; takes a minute or two.
"""

import os
import platform
import random
import statistics
import sys
import tempfile
import time
from typing import Any

import sqlalchemy as sa
from bench_reports import BOOKINGS, ROOT, analyse, fill, found_house, make_shop
from flask import Flask
from flask_migrate import upgrade

from models import Customer, FindingWord, Order, SessionBooking, db, transaction, unbound
from services.finding import rebuild_words

ROUNDS = 9
CHANCE = random.Random(8)  # noqa: S311 - the same people each time
FIRST = "Ana Björk Chloé Dev Edda Farida Guðrún Hanna Ines Jude Kemi Linnéa Maren Noor Owen".split()
SYLLABLES = "ka re mi lo sen vik tor ann da bel rux pe gha sul nor quin ost wal".split()
EVERYWHERE = unbound("a bench has one organisation")


def name_everybody(organisation_id: str) -> dict[str, str]:
    """A name, mail and phone for each customer and order; what to look for, by what it is."""
    with db.session.begin_nested():
        people = {}
        for customer_id in db.session.scalars(
            sa.select(Customer.id).where(Customer.organisation_id == organisation_id)
        ):
            last = "".join(CHANCE.choice(SYLLABLES) for _ in range(3)).capitalize()
            people[customer_id] = (f"{CHANCE.choice(FIRST)} {last}", f"{customer_id}@b.example")
        customers: Any = Customer.__table__
        db.session.connection().execute(
            sa.update(customers)
            .where(customers.c.id == sa.bindparam("of"))
            .values(name=sa.bindparam("called"), phone=sa.bindparam("number")),
            [
                {"of": one, "called": name, "number": f"+44 7{CHANCE.randrange(10**9):09d}"}
                for one, (name, _) in people.items()
            ],
        )
        orders: Any = Order.__table__
        rows = db.session.execute(
            sa.select(Order.id, Order.customer_id).where(Order.organisation_id == organisation_id)
        ).all()
        db.session.connection().execute(
            sa.update(orders)
            .where(orders.c.id == sa.bindparam("of"))
            .values(
                name=sa.bindparam("called"), email=sa.bindparam("mail"),
                order_ref=sa.bindparam("ref"),
            ),
            [
                {"of": one, "called": people[whose][0], "mail": people[whose][1],
                 "ref": f"BEN {number:06d}"}
                for number, (one, whose) in enumerate(rows)
            ],
        )  # fmt: skip
    db.session.commit()
    with transaction():
        rebuild_words(organisation_id)
    analyse()
    found = db.session.execute(
        sa.select(Order.name, Order.email, Order.order_ref, Customer.phone, SessionBooking.id,
                  SessionBooking.check_in_code)
        .join(Customer, Customer.id == Order.customer_id)
        .join(SessionBooking, SessionBooking.order_id == Order.id)
        .where(Order.organisation_id == organisation_id).limit(1)
    ).one()  # fmt: skip
    name, mail, ref, phone, booking_id, code = found
    return {
        "two letters": name[:2], "first name": name.split()[0], "last name": name.split()[1],
        "both names": name, "begin of both": " ".join(word[:3] for word in name.split()),
        "mail": mail, "phone": phone, "phone's last four": phone[-4:], "reference": ref.lower(),
        "reference's end": ref[4:], "booking id": booking_id, "ticket": code,
        "nobody": "zzzzyx", "two common words": "an ka",
    }  # fmt: skip


def measure(shop: Flask, named: dict[str, Any], wanted: dict[str, str]) -> None:
    client = shop.test_client()
    with client.session_transaction() as visit:
        visit["_user_id"], visit["_fresh"] = named["owner"], True
    for what, text in wanted.items():
        times, busy = [], []
        for _ in range(ROUNDS):
            began, worked = time.perf_counter(), time.process_time()
            answer = client.get(
                "/staff/bench/find",
                query_string={"q": text},
                headers={"HX-Request-Type": "partial"},
            )
            times.append((time.perf_counter() - began) * 1000)
            busy.append((time.process_time() - worked) * 1000)
            if answer.status_code != 200:
                raise RuntimeError(f"{text}: {answer.status_code}")
        number = answer.get_data(as_text=True).count("hit-row ")
        clock, own = statistics.median(times), statistics.median(busy)
        print(f"  {what:<20} {clock:7.0f} {own:7.0f}   {number} shown")


def main(url: str, bookings: int) -> None:
    shop = make_shop(url)
    with shop.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        named = found_house()
        fill(named, bookings)
        wanted = name_everybody(named["house"])
        words = db.session.scalar(
            sa.select(sa.func.count()).select_from(FindingWord), execution_options=EVERYWHERE
        )
        kind = db.engine.dialect.name
        db.session.remove()
    print(f"{bookings:,} bookings, {words:,} words, {kind}, {os.cpu_count()} cores,")
    print(f"Python {platform.python_version()}, median of {ROUNDS}, milliseconds by the clock")
    print("and of this process alone (the database's too on SQLite):")
    measure(shop, named, wanted)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        database = os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/bench.db"
        main(database, int(sys.argv[1]) if len(sys.argv) > 1 else BOOKINGS)
