"""Sites through the API: read, and set up as on the pages of settings."""

from factories import fetch, make_type

from models import Site


def test_settings_of_several_groups_are_one_change(program, site_id, make):
    shop, path = program(site_id), f"/sites/{site_id}"
    revision = make(lambda: fetch(Site, site_id).revision)
    body = {
        "phone": "+44 1225 000000",
        "hold_minutes": 20,
        "opening_hours": {"monday": ["07:00", "24:00"]},
        "address": ["4 Weir Lane", "Bath"],
        "revenue_centres": ["Spa"],
        "currency": "eur",
        "is_public": False,
    }
    shown = shop.put(path, body)["data"]
    assert shown | body == shown
    assert make(lambda: fetch(Site, site_id).revision) > revision
    assert shop.get(path)["data"] == shown
    assert shop.put(path, shown)["data"] == shown, "what was read can be sent back"


def test_all_wrong_fields_are_named_and_nothing_is_kept(program, site_id):
    shop, path = program(site_id), f"/sites/{site_id}"
    before = shop.get(path)
    wrong = {
        "name": "Cedar",
        "phone": "x",
        "locale": "en_XX",
        "currency": "zzz",
        "opening_hours": {"monday": ["25:00", "26:00"]},
    }
    said = shop.put(path, wrong, 422)["errors"]
    assert {"phone", "locale", "currency"} <= set(said)
    said = shop.put(path, {"hold_minutes": 46, "phone": "x", "few_left": None}, 422)["errors"]
    assert set(said) == {"hold_minutes", "phone", "few_left"}
    assert shop.get(path) == before


def test_r22_a_revenue_centre_that_a_type_names_stays(program, site_id, make):
    shop, path = program(site_id), f"/sites/{site_id}"
    shop.put(path, {"revenue_centres": ["Spa", "Studio"]})
    make(lambda: make_type(fetch(Site, site_id), revenue_centre="Spa").id)
    said = shop.put(path, {"name": "Cedar", "revenue_centres": ["Studio"]}, 422)
    assert said["code"] == "revenue_centre_used"
    assert shop.get(path)["data"]["name"] != "Cedar", "all of it or nothing"
