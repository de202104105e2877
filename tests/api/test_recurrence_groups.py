"""Recurrence groups through the API (2.3, R3, R11, R14, R21-R25, C6, C12, C36)."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_group,
    make_order,
    make_practitioner,
    make_room,
    make_site,
    make_type,
    save,
)

from blueprints.clock import read_clock
from models import Organisation, Room, Session, SessionType, Site, db

GROUPS = "/recurrence-groups"
ELSEWHERE = "65f1c0de65f1c0de65f1c0de"
WEEK = dt.timedelta(days=7)


@pytest.fixture
def shop(program, site_id):
    return program(site_id, "SETTINGS_MANAGE")


@pytest.fixture
def kind_id(make, site_id):
    return make(lambda: make_type(fetch(Site, site_id), duration=60).id)


@pytest.fixture
def room_id(make, site_id):
    return make(lambda: make_room(fetch(Site, site_id), name="Hall", cap=20).id)


@pytest.fixture
def body(make, kind_id, room_id):
    """A complete group: two times on every Monday of the four weeks that begin tomorrow."""
    first = make(read_clock).date() + dt.timedelta(days=1)
    return {
        "session_type_id": kind_id,
        "name": "Mondays",
        "room_id": room_id,
        "weekdays": ["monday"],
        "start_times": [{"value": "18:00"}, {"value": "09:30"}],
        "capacity": 8,
        "recurrence_start": first.isoformat(),
        "recurrence_end": (first + 4 * WEEK - dt.timedelta(days=1)).isoformat(),
    }


@pytest.fixture
def sessions(make):
    """`sessions(group_id)`: its live sessions as (id, local start, capacity), in order."""

    def listed(group_id):
        query = (
            sa.select(Session.id, Session.local_start, Session.capacity)
            .where(Session.recurrence_group_id == group_id, Session.deleted_at.is_(None))
            .order_by(Session.local_start)
        )
        found = make(lambda: db.session.execute(query, execution_options=ANYWHERE).all())
        return [tuple(row) for row in found]

    return listed


def refused(answer, *fields):
    assert sorted(answer["errors"]) == sorted(fields)


def ids(answer):
    return [one["id"] for one in answer["data"]]


def test_r24_a_complete_group_produces_its_sessions(shop, body, kind_id, room_id, sessions):
    made = shop.post(GROUPS, body)["data"]
    assert [time["value"] for time in made["start_times"]] == ["09:30", "18:00"]
    said = {
        "session_type_id": kind_id, "name": "Mondays", "capacity": 8, "practitioner": None,
        "room": {"id": room_id, "name": "Hall"}, "weekdays": ["monday"], "start_time": None,
        "recurrence_start": body["recurrence_start"], "recurrence_end": body["recurrence_end"],
        "deleted_at": None,
    }  # fmt: skip
    assert {name: made[name] for name in said} == said
    found = sessions(made["id"])
    assert len(found) == 8
    assert all(local.weekday() == 0 and places == 8 for _, local, places in found)
    assert shop.get(f"{GROUPS}/{made['id']}")["data"] == made


def test_r23_c36_only_the_type_is_required_and_what_is_incomplete_produces_nothing(
    shop, body, kind_id, room_id, sessions
):
    made = shop.post(GROUPS, {"session_type_id": kind_id})["data"]
    empty = {
        "name": "", "room": None, "capacity": None, "weekdays": [], "start_times": [],
        "start_time": None, "recurrence_start": None, "recurrence_end": None,
    }  # fmt: skip
    assert {name: made[name] for name in empty} == empty
    url = f"{GROUPS}/{made['id']}"
    for name in ("room_id", "weekdays", "start_times"):
        shop.put(url, {name: body[name]})
        assert sessions(made["id"]) == []
    # Without a first day it starts on the day it was made, and without a last one it goes on.
    shop.put(url, {"capacity": 5})
    assert len(sessions(made["id"])) in (26, 27, 28)
    shop.put(url, {"recurrence_end": body["recurrence_end"]})
    assert len(sessions(made["id"])) in (8, 9, 10)
    shop.put(url, {"room_id": None})
    assert sessions(made["id"]) == []


def test_c6_the_older_start_time_is_read_only_when_the_times_are_absent(shop, kind_id):
    made = shop.post(GROUPS, {"session_type_id": kind_id, "start_time": "18:30"})["data"]
    assert made["start_time"] == "18:30"
    time_id = made["start_times"][0]["id"]
    url = f"{GROUPS}/{made['id']}"
    moved = shop.put(url, {"start_time": "19:00"})["data"]
    assert moved["start_times"] == [{"id": time_id, "value": "19:00"}]
    times = [{"id": time_id, "value": "19:00"}, {"value": "07:00"}]
    both = shop.put(url, {"start_time": "nonsense", "start_times": times})["data"]
    assert [one["value"] for one in both["start_times"]] == ["07:00", "19:00"]
    assert both["start_time"] is None
    refused(shop.put(url, {"start_time": None}, 422), "start_time")
    refused(shop.put(url, {"start_time": "25:00"}, 422), "start_time")


def test_contract_9_start_times_keep_their_ids_and_their_sessions(shop, body, sessions):
    made = shop.post(GROUPS, body)["data"]
    url, before = f"{GROUPS}/{made['id']}", sessions(made["id"])
    early, late = made["start_times"]
    moved = shop.put(url, {"start_times": [early, {**late, "value": "19:00"}]})["data"]
    assert [one["id"] for one in moved["start_times"]] == [early["id"], late["id"]]
    assert [row[0] for row in sessions(made["id"])] == [row[0] for row in before]
    shop.put(url, {"start_times": [early]})
    assert len(sessions(made["id"])) == 4
    back = shop.put(url, {"start_times": [early, {"value": "19:00"}]})["data"]
    assert back["start_times"] == moved["start_times"]
    assert [row[0] for row in sessions(made["id"])] == [row[0] for row in before]
    for wrong in (
        [{"id": ELSEWHERE, "value": "10:00"}],
        [early, {"value": "09:30"}],
        [early, {"id": early["id"], "value": "10:00"}],
    ):
        refused(shop.put(url, {"start_times": wrong}, 422), "start_times")


def test_c16_r3_what_was_fetched_is_sent_back_and_changes_nothing(shop, body, sessions):
    made = shop.post(GROUPS, body)["data"]
    url, before = f"{GROUPS}/{made['id']}", sessions(made["id"])
    assert shop.put(url, made)["data"] == made
    assert shop.put(url, {})["data"] == made
    assert sessions(made["id"]) == before
    other = {"id": ELSEWHERE, "session_type_id": ELSEWHERE}
    refused(shop.put(url, other, 422), *other)
    assert shop.put(url, {"name": "Renamed"})["data"] == {**made, "name": "Renamed"}


def test_r3_null_clears_what_may_be_null_and_is_refused_elsewhere(shop, body, make, site_id):
    person = make(lambda: make_practitioner(fetch(Site, site_id)).id)
    made = shop.post(GROUPS, {**body, "practitioner_id": person})["data"]
    assert made["practitioner"] == {"id": person, "name": "Tomas Vale"}
    url = f"{GROUPS}/{made['id']}"
    never = ("name", "weekdays", "start_times")
    refused(shop.put(url, dict.fromkeys(never), 422), *never)
    cleared = ("practitioner_id", "room_id", "capacity", "recurrence_start", "recurrence_end")
    answer = shop.put(url, dict.fromkeys(cleared))["data"]
    shown = ("practitioner", "room", "capacity", "recurrence_start", "recurrence_end")
    assert {answer[name] for name in shown} == {None}


def test_r22_r8_what_is_not_here_or_does_not_fit_is_named_at_once(shop, body, make):
    def build():
        site = make_site()
        return make_room(site).id, make_practitioner(site).id

    room, person = make(build)
    made = shop.post(GROUPS, body)["data"]
    url = f"{GROUPS}/{made['id']}"
    foreign = {"room_id": room, "practitioner_id": person}
    refused(shop.put(url, foreign, 422), *foreign)
    refused(shop.post(GROUPS, {**body, **foreign}, 422), *foreign)
    refused(shop.put(url, {"capacity": 21}, 422), "capacity")
    refused(shop.put(url, {"recurrence_end": "2020-01-01"}, 422), "recurrence_end")
    wrong = {
        "room_id": "x", "practitioner_id": person, "weekdays": ["monday", "monday"],
        "capacity": "8", "recurrence_end": "2020-01-01", "name": "<b>", "start_times": {},
    }  # fmt: skip
    refused(shop.put(url, wrong, 422), *wrong)
    refused(shop.post(GROUPS, {**body, **wrong}, 422), *wrong)
    for day in ("0001-01-01", "9999-12-31"):
        refused(shop.put(url, {"recurrence_start": day}, 422), "recurrence_start")


def test_r22_a_group_is_made_for_a_live_type_that_is_here(make, program, shop, site_id, kind_id):
    def build():
        site = fetch(Site, site_id)
        beside = make_site(fetch(Organisation, site.organisation_id))
        return make_type(make_site()).id, make_type(beside).id

    foreign, beside = make(build)
    for missing in (foreign, ELSEWHERE, "x", "\0", 5):
        refused(shop.post(GROUPS, {"session_type_id": missing}, 422), "session_type_id")
    refused(shop.post(GROUPS, {}, 422), "session_type_id")
    refused(
        shop.post(GROUPS, {"session_type_id": ELSEWHERE, "capacity": "x"}, 422),
        "session_type_id", "capacity",
    )  # fmt: skip
    shop.post(GROUPS, {"session_type_id": beside, "capacity": "x"}, 403)
    desk = program(site_id, "RESERVATIONS_MANAGE")
    for any_type in (kind_id, ELSEWHERE, None):
        desk.post(GROUPS, {"session_type_id": any_type}, 403)
    shop.delete(f"/session-types/{kind_id}")
    refused(shop.post(GROUPS, {"session_type_id": kind_id}, 422), "session_type_id")


def test_r24_booked_sessions_are_left_and_the_others_follow(make, shop, body, sessions):
    made = shop.post(GROUPS, body)["data"]
    before = sessions(made["id"])

    def book():
        session = fetch(Session, before[0][0])
        session.price = 900
        kind = fetch(SessionType, body["session_type_id"])
        kind.offered_online = True
        save(kind)
        make_order(save(session), now=read_clock())

    make(book)
    shop.put(f"{GROUPS}/{made['id']}", {"capacity": 4})
    assert [places for _, _, places in sessions(made["id"])] == [8, *[4] * 7]
    shop.delete(f"{GROUPS}/{made['id']}")
    assert [row[0] for row in sessions(made["id"])] == [before[0][0]]


def test_r11_r25_archiving_and_restoring(shop, body, sessions):
    made = shop.post(GROUPS, body)["data"]
    url, before = f"{GROUPS}/{made['id']}", sessions(made["id"])
    shop.delete(url)
    shop.delete(url, 404)
    shop.put(url, {"name": "x"}, 404)
    assert shop.get(url)["data"]["deleted_at"]
    assert sessions(made["id"]) == []
    assert ids(shop.get(GROUPS)) == []
    assert ids(shop.get(f"{GROUPS}?archived=true")) == [made["id"]]
    for _ in range(2):
        assert shop.post(f"{url}/restore", status=200)["data"] == made
        assert sessions(made["id"]) == before


def test_c12_r14_a_group_comes_back_only_after_its_type(shop, body, kind_id, sessions):
    made = shop.post(GROUPS, body)["data"]
    shop.delete(f"/session-types/{kind_id}")
    url = f"{GROUPS}/{made['id']}"
    assert shop.get(url)["data"]["deleted_at"]
    assert shop.post(f"{url}/restore", status=409)["code"] == "wrong_state"
    shop.post(f"/session-types/{kind_id}/restore", status=200)
    assert sessions(made["id"]) == []
    shop.post(f"{url}/restore", status=200)
    assert len(sessions(made["id"])) == 8


def test_r21_groups_are_listed_as_they_were_made_and_filtered(make, program, shop, site_id):
    def build():
        site = fetch(Site, site_id)
        beside = make_site(fetch(Organisation, site.organisation_id))
        one, two, there = make_type(site), make_type(site), make_type(beside)
        room = make_room(site)
        ends = [(one, dt.date(2026, 6, 30)), (two, None), (one, dt.date(2026, 7, 31))]
        found = [make_group(kind, room, recurrence_end=end).id for kind, end in ends]
        other = make_group(make_type(make_site()), None).id
        return found, make_group(there, None).id, one.id, two.id, beside.id, other

    found, there, one, two, beside, other = make(build)
    everywhere = program(site_id, everywhere=True)
    assert ids(shop.get(GROUPS)) == found
    assert ids(everywhere.get(GROUPS)) == [*found, there]
    assert ids(everywhere.get(f"{GROUPS}?site_id={beside}")) == [there]
    assert ids(shop.get(f"{GROUPS}?site_id={beside}")) == []
    shop.get(f"{GROUPS}/{there}", 403)
    shop.get(f"{GROUPS}/{other}", 404)

    def listed(query):
        return [found.index(one) for one in ids(shop.get(f"{GROUPS}?{query}"))]

    assert listed(f"session_type_id={two}") == [1]
    assert listed(f"session_type_id={one},{two}") == [0, 1, 2]
    assert listed(f"session_type_id={two}&session_type_id={one}") == [0, 1, 2]
    for nothing in (ELSEWHERE, "x", ""):
        assert listed(f"session_type_id={nothing}") == []
    assert listed("recurrence_end_from=2026-06-30") == [0, 1, 2]
    assert listed("recurrence_end_from=2026-07-01") == [1, 2]
    assert listed("recurrence_end_to=2026-06-30") == [0]
    assert listed("recurrence_end_to=2026-06-29") == []
    assert listed("recurrence_end_from=2026-07-01&recurrence_end_to=2026-07-31") == [2]
    assert listed("per_page=2&page=2") == [2]
    for wrong in ("recurrence_end_to=tomorrow", "archived=2", "per_page=0", "session_type_id=%00"):
        shop.get(f"{GROUPS}?{wrong}", 400)


def test_r1_rights_are_asked_before_fields(make, program, site_id):
    def build():
        here, far = fetch(Site, site_id), make_site()
        return [make_group(make_type(site), make_room(site)).id for site in (here, far)]

    here, far = make(build)
    desk = program(site_id, "RESERVATIONS_MANAGE")
    desk.get(f"{GROUPS}/{here}")
    for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/restore")):
        desk.ask(method, f"{GROUPS}/{here}{path}", 403, body={"name": 5})
        desk.ask(method, f"{GROUPS}/{far}{path}", 404, body={"name": 5})


def test_d4_only_whoever_saw_the_present_version_changes_it(shop, body):
    made = shop.post(GROUPS, body)["data"]
    url = f"{GROUPS}/{made['id']}"
    seen = shop.ask("GET", url).headers["ETag"]
    shop.ask("PUT", url, 200, body={"name": "One"}, headers={"If-Match": seen})
    shop.ask("PUT", url, 412, body={"name": "Two"}, headers={"If-Match": seen})
    shop.ask("DELETE", url, 412, headers={"If-Match": seen})


def test_h6_a_key_makes_one_group(shop, body):
    key = {"headers": {"Idempotency-Key": "1"}}
    assert shop.post(GROUPS, body, **key) == shop.post(GROUPS, body, **key)
    assert len(ids(shop.get(GROUPS))) == 1


def test_r21_a_page_takes_as_many_statements_whatever_is_on_it(make, app, shop, site_id):
    def build(number):
        site = fetch(Site, site_id)
        for _ in range(number):
            group = make_group(make_type(site), make_room(site))
            group.practitioner_id = make_practitioner(site).id
            save(group)

    def count():
        asked = []
        with app.app_context():
            engine = db.engine

        def note(*args):
            asked.append(args[2])

        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            shop.get(f"{GROUPS}?per_page=30")
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(asked)

    make(lambda: build(3))
    count()
    few = count()
    make(lambda: build(9))
    assert count() == few


def test_r22_an_archived_room_stays_where_it_is_and_is_chosen_no_more(make, shop, body, room_id):
    made = shop.post(GROUPS, body)["data"]

    def archive():
        room = fetch(Room, room_id)
        room.deleted_at = read_clock()
        save(room)

    make(archive)
    url = f"{GROUPS}/{made['id']}"
    assert shop.put(url, {"name": "x", "room_id": room_id})["data"]["room"]["id"] == room_id
    refused(shop.post(GROUPS, body, 422), "room_id")
