"""Webhooks through the API: made, told apart by right, paused, their log read and sent again."""

import pytest
from factories import make_organisation, make_site

WISH = {
    "name": "Till",
    "url": "https://till.example/hooks",
    "events": ["session.changed", "booking.created"],
}


@pytest.fixture
def shop(program, site_id):
    return program(site_id, everywhere=True)


def test_one_is_made_and_its_secret_told_once(shop):
    key = {"Idempotency-Key": "till"}
    made = shop.post("/webhooks", WISH, headers=key)["data"]
    assert made["events"] == ["booking.created", "session.changed"]
    assert made["secret"].startswith("whsec_")
    again = shop.post("/webhooks", WISH, headers=key)["data"]
    assert (again["id"], again["secret"]) == (made["id"], "")
    assert [one["id"] for one in shop.get("/webhooks")["data"]] == [made["id"]]
    assert "secret" not in shop.get(f"/webhooks/{made['id']}")["data"]


def test_a_change_leaves_the_rest(shop):
    made = shop.post("/webhooks", WISH)["data"]
    at = f"/webhooks/{made['id']}"
    changed = shop.put(at, {"name": "Front till", "is_paused": True})["data"]
    assert (changed["name"], changed["url"], changed["paused_why"]) == (
        "Front till",
        WISH["url"],
        "hand",
    )
    assert shop.post(f"{at}/test", status=409)["message"] == (
        "This webhook is paused. Resume it first."
    )
    assert shop.put(at, {"is_paused": False})["data"]["is_paused"] is False
    assert shop.put(at, {})["data"]["name"] == "Front till"
    shop.delete(at)
    shop.get(at, 404)
    shop.delete(at, 404)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "http://till.example/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": None}, "url"),
        ({"name": "<b>"}, "name"),
        ({"events": []}, "events"),
        ({"events": ["everything"]}, "events.0"),
        ({"site_id": "7b0c2f0e-5f0e-4f43-9a36-0d6f5a1f2c11"}, "site_id"),
    ],
)
def test_wrong_fields_are_named(shop, wrong, field):
    assert list(shop.post("/webhooks", {**WISH, **wrong}, 422)["errors"]) == [field]


def test_a_ping_stands_in_the_log_and_is_sent_again(shop):
    at = f"/webhooks/{shop.post('/webhooks', WISH)['data']['id']}"
    first = shop.post(f"{at}/test", status=202)["data"]["delivery_id"]
    again = shop.post(f"{at}/deliveries/{first}/replay", status=202)["data"]["delivery_id"]
    log = shop.get(f"{at}/deliveries")["data"]
    assert {one["id"]: one["is_again"] for one in log} == {again: True, first: False}
    assert {one["event"] for one in log} == {"ping"}
    assert shop.get(f"{at}/deliveries?state=failed")["meta"]["total"] == 0
    shop.get(f"{at}/deliveries?state=lost", 400)
    shop.post(f"{at}/deliveries/{'0' * 24}/replay", status=404)
    renewed = shop.post(f"{at}/renew-secret", status=200)["data"]["secret"]
    assert renewed.startswith("whsec_")


def test_r21_a_page_takes_as_many_statements_whatever_is_on_it(shop, statements):
    def fill(*numbers):
        for number in numbers:
            shop.post("/webhooks", {**WISH, "name": f"Till {number}"})
            shop.post(f"{at}/test", status=202)

    def count(path):
        with statements() as found:
            shop.get(path)
        return len(found)

    at = f"/webhooks/{shop.post('/webhooks', WISH)['data']['id']}"
    fill(1, 2)
    few = [count(path) for path in ("/webhooks?per_page=100", f"{at}/deliveries?per_page=100")]
    fill(3, 4, 5, 6)
    assert few == [
        count(path) for path in ("/webhooks?per_page=100", f"{at}/deliveries?per_page=100")
    ]


def test_only_the_version_that_was_seen_is_changed(shop):
    at = f"/webhooks/{shop.post('/webhooks', WISH)['data']['id']}"
    seen = {"If-Match": shop.ask("GET", at, 200).headers["ETag"]}
    assert shop.put(at, {"name": "Front"}, headers=seen)["data"]["name"] == "Front"
    shop.put(at, {"name": "Back"}, 412, headers=seen)
    shop.delete(at, 412, headers=seen)
    assert shop.get(at)["data"]["name"] == "Front"


def test_what_is_not_ones_own_is_not_there(make, program, site_id, shop):
    other_id = make(lambda: make_site(make_organisation(name="Other", code="OT"), slug="other").id)
    at = f"/webhooks/{shop.post('/webhooks', WISH)['data']['id']}"
    stranger = program(other_id, everywhere=True)
    for method, path, body in (
        ("GET", at, None),
        ("PUT", at, {"name": "Mine"}),
        ("DELETE", at, None),
        ("POST", f"{at}/test", None),
        ("GET", f"{at}/deliveries", None),
    ):
        stranger.ask(method, path, 404, body=body)
    desk = program(site_id, "RESERVATIONS_MANAGE")
    desk.get("/webhooks", 403)
    desk.post("/webhooks", WISH, 403)
    # One of all sites is no business of who may set up one of them.
    program(site_id, "SETTINGS_MANAGE").get(at, 404)
    assert shop.get(at)["data"]["name"] == "Till"
