"""Price rules through the API (2.2, R3, R17-R19, R21)."""

import pytest
from factories import fetch, make_type

from models import Site


@pytest.fixture
def at(make, site_id):
    type_id = make(lambda: make_type(fetch(Site, site_id), price=4800).id)
    return f"/session-types/{type_id}/price-rules"


def test_r17_a_new_rule_goes_behind_the_others_and_begins_today(program, site_id, at):
    shop = program(site_id, "SETTINGS_MANAGE")
    made = shop.post(at, {"price": 900, "weekdays": ["friday", "monday"], "time_to": "12:00"})
    assert made["data"]["position"] == 2
    assert made["data"]["weekdays"] == ["monday", "friday"]
    assert made["data"]["date_from"] is not None
    assert [one["price"] for one in shop.get(at)["data"]] == [4800, 900]


def test_c13_an_explicit_null_is_no_first_day(program, site_id, at):
    made = program(site_id).post(at, {"price": 0, "date_from": None})
    assert made["data"]["date_from"] is None
    assert made["data"]["price"] == 0
