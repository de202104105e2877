"""Sums beside orders hold while money, fees and cancellations are written at once (M1)."""

import datetime as dt
from functools import partial

import sqlalchemy as sa
from factories import NOW, make_order, make_session, make_site, make_type
from storms import is_sound, storm, together

from models import LedgerEntry, Order, db
from services.checkout import find_order
from services.desk import set_no_show
from services.orders import Till, comp, take_payment
from services.session_changes import cancel_session, find_cancellable_session

__all__ = ["storm"]

ROUNDS = 3
LATER = NOW + dt.timedelta(hours=2, minutes=30)


def build():
    site = make_site()
    kind = make_type(site, late_after_minutes=5, late_fee=1000, no_show_fee=2500)
    row = make_session(kind, local_start="2026-06-04T11:00", capacity=9)
    orders = [
        find_order(make_order(row, email=f"{n}@b.example", now=NOW - dt.timedelta(days=1)))
        for n in range(3)
    ]
    seen = find_cancellable_session(site.organisation_id, site.id, row.id, now=NOW).impact.mark
    return row, [(order.id, order.items[0].booking.id) for order in orders], seen


def test_m1_sums_beside_orders_miss_nothing_that_is_written_at_once(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            row, lines, seen = build()
            here = (row.organisation_id, row.site_id)
            session_id = row.id
        till = Till(*here)
        deeds = []
        for order_id, booking_id in lines:
            deeds += [
                partial(take_payment, till, order_id, amount=500, method="cash", now=LATER),
                partial(comp, till, order_id, amount=100, reason="Kind", now=LATER),
                partial(set_no_show, *here, booking_id, missed=True, now=LATER),
            ]
        deeds.append(
            partial(cancel_session, *here, session_id, reason="Boiler", seen=seen, now=NOW)
        )
        together(storm, *deeds)
        with storm.app_context():
            sums = db.session.execute(
                sa.select(Order.balance, sa.func.sum(LedgerEntry.amount))
                .join(LedgerEntry, LedgerEntry.order_id == Order.id)
                .where(Order.organisation_id == here[0])
                .group_by(Order.id, Order.balance)
            ).all()
            assert len(sums) == 3
            assert all(beside == int(of_ledger) for beside, of_ledger in sums)
            db.session.remove()
    assert is_sound(storm)
