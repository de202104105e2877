"""Practitioners through the API: at several sites, with rights at some of them."""

import datetime as dt

import pytest
from factories import fetch, make_practitioner, make_session, make_site, make_type, save

from blueprints.clock import read_clock
from models import Organisation, Practitioner, Site, db


@pytest.fixture
def house(make, site_id):
    def build():
        here = fetch(Site, site_id)
        there = make_site(db.session.get_one(Organisation, here.organisation_id), slug="next-door")
        person = make_practitioner(here, name="Tomas Vale")
        person.sites = [here, there]
        save(person)
        return {
            "person": person.id,
            "there": there.id,
            "type": make_type(here).id,
            "type_there": make_type(there).id,
        }

    return make(build)


def test_somebody_new_works_and_leads_somewhere(program, site_id, house):
    shop = program(site_id)
    body = {"name": "Ida", "site_ids": [site_id], "session_type_ids": [house["type"]]}
    made = shop.post("/practitioners", body)["data"]
    assert made | body == made
    assert shop.get(f"/practitioners/{made['id']}")["data"] == made


def test_r22_sites_and_types_are_those_one_has_the_right_at(program, site_id, house):
    shop = program(site_id)
    body = {
        "name": "",
        "email": "nobody",
        "site_ids": [house["there"]],
        "session_type_ids": [house["type_there"]],
    }
    said = shop.post("/practitioners", body, 422)["errors"]
    assert set(said) == {"name", "email", "site_ids", "session_type_ids"}
    shop.post("/practitioners", {"name": "Ida", "site_ids": []}, 422)
    said = shop.post("/practitioners", {"email": "nobody", "site_ids": 5}, 422)["errors"]
    assert {"name", "site_ids"} <= set(said)


def test_what_they_are_elsewhere_is_neither_shown_nor_touched(program, site_id, house):
    shop, all_over = program(site_id), program(site_id, everywhere=True)
    path = f"/practitioners/{house['person']}"
    all_over.put(path, {"session_type_ids": [house["type"], house["type_there"]]})
    seen = shop.get(path)["data"]
    assert (seen["site_ids"], seen["session_type_ids"]) == ([site_id], [house["type"]])
    assert shop.put(path, {"session_type_ids": [], "bio": "Swims."})["data"]["bio"] == "Swims."
    full = all_over.get(path)["data"]
    assert full["session_type_ids"] == [house["type_there"]]
    assert set(full["site_ids"]) == {site_id, house["there"]}
    # What was read can be sent back, whoever sends it.
    shop.put(path, {"site_ids": full["site_ids"], "session_type_ids": [house["type_there"]]})
    assert all_over.get(path)["data"] == full


def test_r6_nobody_leaves_a_site_where_they_lead_coming_sessions(program, site_id, house, make):
    def plan():
        day = (read_clock() + dt.timedelta(days=3)).date()
        kind = make_type(fetch(Site, house["there"]))
        make_session(kind, local_start=f"{day}T10:00", practitioner_id=house["person"])

    make(plan)
    shop, path = program(site_id, everywhere=True), f"/practitioners/{house['person']}"
    said = shop.put(path, {"site_ids": [site_id]}, 422)
    assert said["code"] == "leads_there"
    assert list(said["errors"]) == ["site_ids"]
    said = shop.delete(path, 409)
    assert said["message"] == (
        "Tomas Vale leads 1 coming session. Give them to somebody else first."
    )
    assert make(lambda: fetch(Practitioner, house["person"]).deleted_at) is None


def test_somebody_may_leave_the_site_that_they_were_found_at(program, site_id, house):
    shop, path = program(site_id, everywhere=True), f"/practitioners/{house['person']}"
    assert shop.put(path, {"site_ids": [house["there"]]})["data"]["site_ids"] == [house["there"]]
    program(site_id).get(path, 403)


def test_r11_archiving_and_restoring(program, site_id, house):
    shop, path = program(site_id), f"/practitioners/{house['person']}"
    for _ in range(2):
        shop.delete(path)
    assert shop.get("/practitioners")["data"] == []
    assert shop.get(f"/practitioners?archived=true&site_id={site_id}")["meta"]["total"] == 1
    assert shop.post(f"{path}/restore", status=200)["data"]["deleted_at"] is None
