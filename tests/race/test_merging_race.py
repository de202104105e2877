"""Doubles that colleagues merge against each other at the same moment (S3)."""

from functools import partial

import sqlalchemy as sa
from factories import (
    NOW,
    make_order,
    make_session,
    make_site,
    make_type,
)
from storms import is_sound, storm, together

from domain.merging import FIELDS, KEPT
from models import Customer, Order, db
from services.merging import find_merge, merge_customers

__all__ = ["storm"]

ROUNDS = 4


def build():
    site = make_site()
    row = make_session(make_type(site), capacity=20)
    people = []
    for number in range(3):
        email = f"p{number}@example.com"
        make_order(row, name="Ana", email=email)
        people.append(
            db.session.scalars(
                sa.select(Customer.id).where(
                    Customer.organisation_id == site.organisation_id, Customer.address_key == email
                )
            ).one()
        )
    return site.organisation_id, people


def merging(own, stays, goes):
    mark = find_merge(own, stays, goes).mark
    return partial(
        merge_customers, own, stays, goes, chosen=dict.fromkeys(FIELDS, KEPT), seen=mark,
        by_id="m", now=NOW,
    )  # fmt: skip


def test_s3_two_merged_both_ways_or_in_a_ring_at_once_lose_nobody(storm):
    for number in range(ROUNDS):
        with storm.app_context():
            own, (one, two, three) = build()
            ring = (
                [(one, two), (two, one)] if number % 2 else [(one, two), (two, three), (three, one)]
            )
            deeds = [merging(own, *pair) for pair in ring]
        together(storm, *deeds)
        with storm.app_context():
            rows = set(
                db.session.scalars(sa.select(Customer.id).where(Customer.organisation_id == own))
            )
            orders = db.session.scalars(
                sa.select(Order.customer_id).where(Order.organisation_id == own)
            ).all()
            assert len(orders) == 3
            assert set(orders) <= rows
            assert rows, "somebody stays"
            db.session.remove()
    assert is_sound(storm)
