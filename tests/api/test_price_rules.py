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


def test_r21_a_page_takes_as_many_statements_whatever_is_on_it(program, site_id, at, statements):
    shop = program(site_id)

    def count():
        with statements() as found:
            shop.get(f"{at}?per_page=100")
        return len(found)

    count()  # that the token was used is noted once
    few = count()
    for number in range(8):
        shop.post(at, {"price": 900 + number, "weekdays": ["monday"]})
    assert count() == few
