"""Rooms and zones through the API: the same rules and refusals as on the set-up pages."""

import datetime as dt

import pytest
from factories import fetch, make_room, make_session, make_site, make_type, save

from blueprints.clock import read_clock
from models import Room, Site, Zone


@pytest.fixture
def room(make, site_id):
    def build():
        site = fetch(Site, site_id)
        zone = save(Zone(organisation_id=site.organisation_id, site_id=site.id, name="Ground"))
        row = make_room(site, name="Spring Hall", cap=20, turnaround=15, zone_id=zone.id)
        return {"id": row.id, "zone": zone.id}

    return make(build)


def test_a_new_room_comes_last_and_has_plain_values_for_the_rest(program, site_id, room):
    made = program(site_id).post("/rooms", {"name": " Cedar  room ", "capacity": 6.0})["data"]
    assert made | {"name": "Cedar room", "capacity": 6, "turnaround": 0, "colour": 1} == made
    assert made["zone_id"] is made["deleted_at"] is None
    assert made["position"] == 1


def test_null_takes_a_room_out_of_its_zone(program, site_id, room):
    shop = program(site_id)
    assert shop.put(f"/rooms/{room['id']}", {"zone_id": None})["data"]["zone_id"] is None
    kept = shop.get(f"/rooms/{room['id']}")["data"]
    assert kept | {"capacity": 20, "turnaround": 15, "name": "Spring Hall"} == kept


def test_r22_all_wrong_fields_are_named_at_once(program, site_id, room, make):
    def elsewhere():
        site = make_site(slug="else")
        zone = Zone(organisation_id=site.organisation_id, site_id=site.id, name="Else")
        return save(zone).id

    shop, path = program(site_id), f"/rooms/{room['id']}"
    wrong = {"name": "<b>", "zone_id": make(elsewhere)}
    said = shop.put(path, wrong, 422)
    assert set(said["errors"]) == {"name", "zone_id"}
    assert said["errors"]["name"] == ["Leave out the < and > signs."]
    wrong |= {"capacity": 0, "turnaround": "5", "colour": 7}
    said = shop.put(path, wrong, 422)
    assert {"name", "capacity", "turnaround", "colour"} <= set(said["errors"])
    assert set(shop.post("/rooms", {}, 422)["errors"]) == {"name", "capacity"}


def test_a_room_in_use_is_not_archived_with_the_sentence_of_the_page(program, site_id, room, make):
    def plan():
        day = (read_clock() + dt.timedelta(days=3)).date()
        kind = make_type(fetch(Site, site_id))
        return make_session(kind, local_start=f"{day}T10:00", room_id=room["id"]).id

    make(plan)
    said = program(site_id).delete(f"/rooms/{room['id']}", 409)
    assert said == {
        "message": "Spring Hall is needed by 1 coming session. Move them to another room first.",
        "code": "wrong_state",
    }
    assert make(lambda: fetch(Room, room["id"]).deleted_at) is None


def test_r11_archiving_and_restoring_twice_is_once(program, site_id, room):
    shop, path = program(site_id), f"/rooms/{room['id']}"
    for _ in range(2):
        shop.delete(path)
    gone = shop.get(path)["data"]["deleted_at"]
    assert gone is not None
    assert shop.get("/rooms")["data"] == []
    assert [one["id"] for one in shop.get("/rooms?archived=true")["data"]] == [room["id"]]
    for _ in range(2):
        back = shop.post(f"{path}/restore", status=200)
    assert back["data"]["deleted_at"] is None


def test_rooms_of_zones(program, site_id, room, make):
    other = make(lambda: make_room(fetch(Site, site_id)).id)
    shop = program(site_id)
    found = shop.get(f"/rooms?zone_id={room['zone']},{'0' * 24}")["data"]
    assert [one["id"] for one in found] == [room["id"]]
    assert other in [one["id"] for one in shop.get("/rooms")["data"]]
    assert shop.get("/rooms?zone_id=nonsense")["data"] == []


def test_a_zone_that_goes_leaves_its_rooms_in_none(program, site_id, room):
    shop = program(site_id)
    shop.delete(f"/zones/{room['zone']}")
    shop.delete(f"/zones/{room['zone']}", 404)
    assert shop.get(f"/rooms/{room['id']}")["data"]["zone_id"] is None
