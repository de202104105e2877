"""Customers through the API: found, read; merged and erased ones."""

import pytest
from factories import fetch, make_customer, make_member, make_staff

from blueprints.clock import read_clock
from models import Customer, Site, transaction
from services.customer_rows import fold_into
from services.erasing import erase_traces


@pytest.fixture
def people(make, site_id):
    def build():
        own = fetch(Site, site_id).organisation_id
        ana = make_customer(own, name="Ána Reyes", email="Ana@Example.com", phone="+44 7700 900123")
        bo = make_customer(own, name="Bo Lind", email="bo@example.com")
        return {"own": own, "ana": ana.id, "bo": bo.id}

    return make(build)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("query=ana", ["ana"]),
        ("query=07700 900123", ["ana"]),
        ("query=example.com", ["ana", "bo"]),
        ("query=example.com lind", ["bo"]),
        ("email=ANA@example.com", ["ana"]),
        ("email=ana@example.co", []),
        ("email=", []),
        ("query=%25", []),
        ("", ["ana", "bo"]),
    ],
)
def test_customers_are_found_as_on_the_page(program, site_id, people, query, found):
    shown = program(site_id, "CUSTOMERS_MANAGE").get(f"/customers?{query}")["data"]
    assert [one["id"] for one in shown] == [people[name] for name in found]


def test_they_are_for_those_who_look_after_customers(program, site_id, people):
    shop = program(site_id, "SETTINGS_MANAGE", "RESERVATIONS_MANAGE")
    shop.get("/customers", 403)
    shop.get(f"/customers/{people['ana']}", 403)


def test_what_they_hold_is_said(program, site_id, people, make):
    kind = make(lambda: make_member(people["own"], make_staff(fetch(Site, site_id))).id)
    shown = program(site_id).get("/customers?query=maren")["data"]
    (held,) = shown[0]["memberships"]
    assert held["membership_type_id"] == kind
    assert (held["first_day"], held["last_day"], held["state"]) == ("2026-01-01", None, "active")
    assert shown[0]["has_account"] is True


def test_the_id_of_one_who_was_merged_leads_on(program, site_id, people, make):
    def merge():
        with transaction():
            rows = [fetch(Customer, people[name]) for name in ("bo", "ana")]
            fold_into(*rows, now=read_clock())

    make(merge)
    shop = program(site_id)
    assert shop.get(f"/customers/{people['bo']}")["data"]["id"] == people["ana"]
    assert shop.get("/customers")["meta"]["total"] == 1


def test_d6_who_was_erased_is_in_no_list_and_says_nothing(program, site_id, people, make):
    def erase():
        with transaction():
            erase_traces(
                people["own"], people["ana"], hash_address=lambda text: "h", now=read_clock()
            )

    make(erase)
    shop = program(site_id)
    gone = shop.get(f"/customers/{people['ana']}")["data"]
    assert (gone["name"], gone["email"], gone["phone"]) == ("Erased guest", "", "")
    assert gone["erased_at"] is not None
    assert [one["id"] for one in shop.get("/customers")["data"]] == [people["bo"]]
    assert shop.get("/customers?email=ana@example.com")["data"] == []
