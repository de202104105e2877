"""Waiting lists through the API: who waits, joining and leaving (R10, R28, W1, W4)."""

import datetime as dt

import pytest
from factories import fetch, make_order, make_session, make_type

from blueprints.clock import read_clock
from models import SessionBooking, Site
from services.cancelling import cancel_for_staff
from services.checkout import find_order

JUDE = {"first_name": "Jude", "last_name": "Park", "email": "jude@example.com"}


@pytest.fixture
def full(make, site_id):
    """A session whose two places are sold: its id, and the booking's."""

    def build():
        kind = make_type(fetch(Site, site_id), waitlist_enabled=True)
        start = dt.datetime.combine(read_clock().date() + dt.timedelta(days=3), dt.time(18))
        row = make_session(kind, capacity=2, local_start=start)
        sold = find_order(make_order(row, guests=2, now=read_clock()))
        return row.id, sold.items[0].booking.id

    return make(build)


@pytest.fixture
def shop(program, site_id):
    return program(site_id, "RESERVATIONS_MANAGE")


def test_r10_a_party_joins_and_is_listed_in_its_turn(shop, full):
    at = f"/sessions/{full[0]}/waiting-list"
    joined = shop.post(at, {**JUDE, "guests": 2})["data"]
    assert (joined["status"], joined["places"], joined["first_name"]) == ("waitlisted", 2, "Jude")
    assert joined["waiting_since"]
    assert joined["offered_until"] is None
    second = shop.post(at, {**JUDE, "email": "second@example.com"})["data"]
    assert [it["id"] for it in shop.get(at)["data"]] == [joined["id"], second["id"]]
    assert shop.get("/session-bookings?status=waitlisted")["meta"]["total"] == 2


def test_r28_a_party_leaves_once(shop, full):
    joined = shop.post(f"/sessions/{full[0]}/waiting-list", JUDE)["data"]
    at = f"/session-bookings/{joined['id']}/leave-waiting-list"
    assert shop.post(at, status=200)["data"]["cancelled_at"]
    shop.post(at, status=400)
    shop.post(f"/session-bookings/{full[1]}/leave-waiting-list", status=400)
    assert shop.get(f"/sessions/{full[0]}/waiting-list")["data"] == []


def test_w2_what_comes_free_is_offered_and_the_entry_says_until_when(shop, make, full):
    joined = shop.post(f"/sessions/{full[0]}/waiting-list", JUDE)["data"]

    def free():
        row = fetch(SessionBooking, full[1])
        cancel_for_staff(row.organisation_id, row.site_id, row.id, reason="Ill", now=read_clock())

    make(free)
    offered = shop.get(f"/session-bookings/{joined['id']}")["data"]
    assert offered["offered_until"]
    assert [it["id"] for it in shop.get(f"/sessions/{full[0]}/waiting-list")["data"]] == [
        joined["id"]
    ]
    # An offer is no booking to be cancelled: the party leaves.
    cancelled = shop.post(f"/session-bookings/{joined['id']}/cancel", {"reason": "Ill"}, status=400)
    assert cancelled["code"] == "not_confirmed"
    shop.post(f"/session-bookings/{joined['id']}/leave-waiting-list", status=200)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"guests": 0}, "guests"),
        ({"guests": 3}, "guests"),
        ({"email": ""}, "email"),
        ({"first_name": "", "last_name": ""}, "first_name"),
        ({"customer_id": "0" * 24}, "customer_id"),
    ],
)
def test_a_wrong_field_is_named(shop, full, wrong, field):
    body = {**JUDE, **wrong}
    refused = shop.post(f"/sessions/{full[0]}/waiting-list", body, status=422)
    assert list(refused["errors"]) == [field]


def test_r21_a_page_takes_as_many_statements_whatever_is_on_it(shop, full, statements):
    at = f"/sessions/{full[0]}/waiting-list"

    def join(*numbers):
        for number in numbers:
            shop.post(at, {**JUDE, "email": f"jude{number}@example.com"})

    def count():
        with statements() as found:
            shop.get(f"{at}?per_page=100")
        return len(found)

    join(1, 2)
    few = count()
    join(3, 4, 5, 6, 7)
    assert count() == few


def test_rights_are_those_of_the_desk(program, site_id, full):
    at = f"/sessions/{full[0]}/waiting-list"
    other = program(site_id, "SETTINGS_MANAGE")
    other.post(at, JUDE, status=403)
    other.get(at, status=403)
    other.get("/sessions/" + "0" * 24 + "/waiting-list", status=404)
