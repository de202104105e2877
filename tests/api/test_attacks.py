"""What was tried to break the API: rights, keys and ETags under load, and odd input."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from api_house import add_tokens, build_api_house
from conftest import app_on
from factories import fetch

from blueprints.clock import read_clock
from models import Customer, IdempotencyKey, db, transaction
from services.erasing import erase_customer, find_erasure
from services.idempotency import OF_PROGRAMS

WRITERS = 4
HOOK = {"name": "Till", "url": "https://hooks.example.com/a", "events": ["booking.created"]}


@pytest.fixture(scope="module")
def house(databases):
    app = app_on(databases.make())
    with app.app_context():
        found = build_api_house("bath")
        add_tokens(found, found)
        db.session.remove()
    found.app = app
    yield found
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def ask(house):
    def send(method, path, token="here", **kwargs):
        bearer = {"Authorization": f"Bearer {house.tokens[token]}", **kwargs.pop("headers", {})}
        client = house.app.test_client()
        return client.open(f"/api/shop{path}", method=method, headers=bearer, **kwargs)

    return send


@pytest.fixture
def at_once(ask):
    def send(*requests):
        barrier = threading.Barrier(len(requests))

        def run(given):
            barrier.wait(timeout=60)
            method, path, kwargs = given
            return ask(method, path, **kwargs)

        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(run, requests))

    return send


@pytest.fixture
def hook(ask, house):
    said = ask("POST", "/webhooks", json={**HOOK, "site_id": house.site_id}).get_json()["data"]
    return f"/webhooks/{said['id']}"


def test_r3_fields_of_a_webhook_that_two_programs_write_at_once_are_both_kept(ask, at_once, hook):
    for number in range(WRITERS):
        wanted = {"name": f"Till {number}", "url": f"https://hooks.example.com/{number}"}
        answers = at_once(*(("PUT", hook, {"json": {name: it}}) for name, it in wanted.items()))
        assert [it.status_code for it in answers] == [200, 200]
        said = ask("GET", hook).get_json()["data"]
        assert {name: said[name] for name in wanted} == wanted


def test_one_etag_of_a_webhook_is_good_for_one_change(ask, at_once, hook):
    tag = {"If-Match": ask("GET", hook).headers["ETag"]}
    answers = at_once(
        *(("PUT", hook, {"json": {"name": f"{n}"}, "headers": tag}) for n in range(WRITERS))
    )
    assert Counter(it.status_code for it in answers) == {200: 1, 412: WRITERS - 1}


def test_h6_a_key_that_made_a_paused_webhook_does_not_pause_it_again(ask, house):
    body, key = {**HOOK, "site_id": house.site_id, "is_paused": True}, {"Idempotency-Key": "till"}
    made = ask("POST", "/webhooks", json=body, headers=key).get_json()["data"]
    assert (made["is_paused"], made["paused_why"]) == (True, "hand")
    ask("PUT", f"/webhooks/{made['id']}", json={"is_paused": False})
    again = ask("POST", "/webhooks", json=body, headers=key).get_json()["data"]
    assert again == {**made, "is_paused": False, "paused_why": "", "secret": ""}
    other = ask("POST", "/webhooks", json={**body, "is_paused": False}, headers=key)
    assert (other.status_code, other.get_json()["code"]) == (422, "key_reused")


def test_any_right_at_the_site_reads_its_sessions_with_who_booked(ask, house):
    """CONTRACT 3 and 9: access to the site is all that reading sessions asks for."""
    path = f"/sessions/{house.ids['session_id']}?include_bookings=1"
    for token in ("reservations", "settings"):
        assert '"bookings":' in ask("GET", path, token).text


@pytest.mark.parametrize("odd", ["\\ud800", "\\u0000", "x", "0" * 5000])
def test_an_id_that_is_none_is_a_wrong_field_wherever_it_decides_the_place(ask, odd):
    for path, field in (
        ("/recurrence-groups", "session_type_id"),
        ("/sessions", "session_type_id"),
        ("/session-bookings", "session_id"),
    ):
        raw = f'{{"{field}": "{odd}", "start_time": "2026-08-01T10:00:00Z"}}'
        answer = ask("POST", path, data=raw, content_type="application/json")
        assert (answer.status_code, field in answer.get_json()["errors"]) == (422, True)


def test_a_very_long_text_to_look_for_is_no_fault_of_ours(ask):
    assert ask("GET", f"/session-types?query={'x' * 60_000}").get_json()["data"] == []


@pytest.mark.parametrize("what", ["type", "rule", "room", "webhook"])
def test_if_match_holds_against_who_sends_none(ask, at_once, house, hook, what):
    """Both may be written, but then the careful one was first: its change is in the other's."""
    at_type = f"/session-types/{house.ids['session_type_id']}"
    path, field, careful, plain = {
        "type": (at_type, "name", "Deep {}", {"summary": "Plain {}"}),
        "rule": (
            f"{at_type}/price-rules/{house.ids['price_rule_id']}",
            *("label", "Deep {}", {"membership_type_ids": [], "time_from": "0{}:30"}),
        ),
        "room": (f"/rooms/{house.ids['room_id']}", "name", "Deep {}", {"capacity": 20}),
        "webhook": (hook, "name", "Deep {}", {"url": "https://hooks.example.com/{}"}),
    }[what]
    for number in range(WRITERS * 2):
        told = careful.format(number)
        other = {k: it.format(number) if isinstance(it, str) else it for k, it in plain.items()}
        if what == "room":
            other = {"capacity": 20 + number}
        tag = {"If-Match": ask("GET", path).headers["ETag"]}
        first, second = at_once(
            ("PUT", path, {"json": {field: told}, "headers": tag}), ("PUT", path, {"json": other})
        )
        assert (second.status_code, first.status_code in (200, 412)) == (200, True), second.text
        seen = second.get_json()["data"][field] == told
        assert seen == (first.status_code == 200)


def test_words_of_a_picture_are_not_written_over_by_who_saw_others(ask, at_once, house):
    path = f"/media/{house.ids['media_id']}"
    for number in range(WRITERS * 2):
        tag = {"If-Match": ask("GET", path).headers["ETag"]}
        at_once(
            ("PUT", path, {"json": {"alt": f"Deep {number}"}, "headers": tag}),
            ("PUT", path, {"json": {"alt": f"Plain {number}"}}),
        )
        assert ask("GET", path).get_json()["data"]["alt"] == f"Plain {number}"


def test_a_filter_names_only_so_many_at_once(ask):
    answer = ask("GET", f"/sessions?id={','.join(['1'] * 5001)}")
    assert (answer.status_code, "5000" in answer.get_json()["message"]) == (400, True)
    assert ask("GET", f"/sessions?id={','.join(['1'] * 5000)}").get_json()["data"] == []


def test_an_id_that_reads_like_a_number_does_not_stop_an_erasure(house):
    """What a service keeps under a program's key is an id: 24 digits are one in a while."""
    with house.app.app_context(), transaction():
        at = (house.organisation_id, house.ids["customer_id"])
        row = IdempotencyKey(
            organisation_id=house.organisation_id, key=f"{OF_PROGRAMS}token:till",
            body_hash="", answer="6" * 24, created_at=read_clock(),
        )  # fmt: skip
        db.session.add(row)
    with house.app.app_context():
        seen = find_erasure(*at, now=read_clock()).mark
        erase_customer(*at, cancels=True, seen=seen, hash_address=lambda it: it, now=read_clock())
        assert fetch(Customer, at[1]).erased_at is not None
        db.session.remove()
