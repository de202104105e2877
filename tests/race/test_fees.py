"""Taps on one booking at the same moment charge one fee, on both databases (M1)."""

import datetime as dt
from functools import partial

import sqlalchemy as sa
from factories import ANYWHERE, NOW, fetch, make_order, make_session, make_type
from storms import is_sound, storm, together

from models import LedgerEntry, SessionBooking, db
from services.changing import Door
from services.checkout import find_order
from services.desk import set_check_in, set_no_show, waive_fee
from services.growing import add_guests

__all__ = ["storm"]

ROUNDS = 6
LATER = NOW + dt.timedelta(hours=3)


def build(**given):
    kind = make_type(late_after_minutes=5, late_fee=1000, no_show_fee=2500, fees_waivable_hours=24)
    row = make_session(kind, local_start="2026-06-04T11:00", **given)
    order = find_order(make_order(row, now=NOW))
    return row.id, (order.organisation_id, order.site_id, order.items[0].booking.id)


def fees(booking_id):
    rows = db.session.scalars(
        sa.select(LedgerEntry).where(LedgerEntry.booking_id == booking_id),
        execution_options=ANYWHERE,
    )
    return sorted(row.amount for row in rows)


def test_two_taps_at_once_charge_one_fee_and_two_that_undo_take_it_back_once(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            _, mine = build()
        tap = partial(set_no_show, *mine, missed=True, now=LATER)
        together(storm, tap, tap, tap)
        with storm.app_context():
            assert fees(mine[2]) == [2500]
        undo = partial(set_no_show, *mine, missed=False, now=LATER)
        waive = partial(waive_fee, *mine, reason="Ill", now=LATER)
        answers = together(storm, undo, waive, undo, waive)
        assert answers.count("no_fee") in (1, 2)
        with storm.app_context():
            assert fees(mine[2]) == [-2500, 2500]
            assert fetch(SessionBooking, mine[2]).fee == 0
    assert is_sound(storm)


def test_a_late_check_in_against_a_no_show_leaves_one_fee_that_fits(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            _, mine = build()
        together(
            storm,
            partial(set_check_in, *mine, arrived=True, now=LATER),
            partial(set_no_show, *mine, missed=True, now=LATER),
        )
        with storm.app_context():
            found = fetch(SessionBooking, mine[2])
            assert found.fee == (2500 if found.is_no_show else 1000)
    assert is_sound(storm)


def test_h1_two_parties_that_grow_onto_one_last_place_do_so_once(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            kind = make_type()
            row = make_session(kind, capacity=3)
            door = Door(row.organisation_id, site_id=row.site_id)
            ids = [
                find_order(make_order(row, email=f"{n}@b.example")).items[0].booking.id
                for n in range(2)
            ]
        deeds = [partial(add_guests, door, one, number=1, now=NOW) for one in ids]
        answers = together(storm, *deeds)
        assert sorted(answer == "places_left" for answer in answers) == [False, True]
    assert is_sound(storm)
