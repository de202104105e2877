"""Sessions through the API (2.4, R1-R3, R5-R13, R16, R21; C7, C11, C15-C24, C30, C39, C42)."""

import datetime as dt
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_booked_line,
    make_group,
    make_organisation,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_type,
    save,
)

from domain.eligibility import Viewer
from domain.local_time import to_local
from domain.session_edits import SessionValues
from domain.session_updates import Stands, read_update
from models import (
    ClosedDay,
    Job,
    Organisation,
    Room,
    Session,
    SessionBooking,
    SessionType,
    Site,
    Zone,
    db,
)
from services.basket import hold_places

SETTINGS, BOOKINGS = "SETTINGS_MANAGE", "RESERVATIONS_MANAGE"
NOBODY = "0" * 24


@pytest.fixture
def house(make, site_id):
    """A site with a type, a room for ten, somebody who leads, and a session of six places."""

    def build():
        site = fetch(Site, site_id)
        room = make_room(site, cap=10)
        leader = make_practitioner(site)
        kind = make_type(site, price=4800)
        row = make_session(kind, capacity=6, room_id=room.id, practitioner_id=leader.id)
        return SimpleNamespace(
            organisation_id=site.organisation_id, site_id=site_id, room_id=room.id,
            leader_id=leader.id, type_id=kind.id, id=row.id, at=f"/sessions/{row.id}",
        )  # fmt: skip

    return make(build)


@pytest.fixture
def shop(program, site_id):
    return program(site_id)


def add(make, house, local_start, **given):
    """Another session of the house's type; its id."""
    type_id = given.pop("type_id", house.type_id)
    return make(
        lambda: make_session(fetch(SessionType, type_id), local_start=local_start, **given).id
    )


def book(make, house, guests=2, **given):
    return make(lambda: make_booked_line(fetch(Session, house.id), guests=guests, **given).id)


def change(make, model, row_id, **given):
    """Written as no service would, to have rows in whatever state."""

    def write():
        row = fetch(model, row_id)
        for name, value in given.items():
            setattr(row, name, value)
        db.session.commit()

    make(write)


def ids(answer):
    return [one["id"] for one in answer["data"]]


def wrong(shop, house, body, **given):
    """The fields that are named for it, with their first sentences."""
    errors = shop.put(house.at, body, 422, **given)["errors"]
    return {name: said[0] for name, said in errors.items()}


# ---- what is told --------------------------------------------------------------------------


def test_a_session_has_every_field_of_the_contract(shop, house):
    told = shop.get(house.at)["data"]
    assert {name: told[name] for name in told if not name.endswith("_at")} == {
        "id": house.id, "organisation_id": house.organisation_id, "site_id": house.site_id,
        "session_type_id": house.type_id, "session_type_name": "Thermal circuit",
        "recurrence_group_id": None, "start_time": "2026-06-12T17:00:00Z",
        "end_time": "2026-06-12T19:00:00Z", "duration": 120, "capacity": 6,
        "remaining_capacity": 6, "is_full": False, "max_baskets": None, "waitlist_enabled": False,
        "practitioner_id": house.leader_id,
        "practitioner": {"id": house.leader_id, "name": "Tomas Vale"},
        "room_id": house.room_id, "room": {"id": house.room_id, "name": "Spring Hall"},
        "price": 4800, "price_source": "rule", "currency": "gbp", "num_checked_in": 0,
        "num_no_show": 0, "num_waitlisted": 0,
    }  # fmt: skip
    assert told["deleted_at"] is None
    assert told["created_at"] == told["updated_at"] == "2026-06-04T09:00:00Z"


def test_c24_a_session_can_be_full_by_parties_with_places_left(shop, make, house):
    book(make, house, guests=2)
    change(make, Session, house.id, max_baskets=1)
    told = shop.get(house.at)["data"]
    assert told["remaining_capacity"] == 4
    assert told["is_full"] is True


def test_r8_c23_counts_are_filled_without_the_bookings(shop, make, house):
    here, gone, waits, _ = [book(make, house, guests=1, name=f"Guest {n}") for n in range(4)]
    change(make, SessionBooking, here, checked_in_at=NOW)
    change(make, SessionBooking, gone, is_no_show=True)
    change(make, SessionBooking, waits, status="waitlisted")
    told = shop.get(house.at)["data"]
    assert "bookings" not in told
    assert (told["num_checked_in"], told["num_no_show"], told["num_waitlisted"]) == (1, 1, 1)


def test_r8_what_is_held_or_kept_can_not_be_booked(shop, make, house):
    change(make, Session, house.id, places_taken=2, places_kept=3)
    assert shop.get(house.at)["data"]["remaining_capacity"] == 1
    change(make, Session, house.id, places_kept=4)
    told = shop.get(house.at)["data"]
    assert (told["remaining_capacity"], told["is_full"]) == (0, True)


def test_r16_the_price_is_the_visitors_and_says_where_it_comes_from(shop, make, house):
    bare = add(make, house, "2026-06-13T10:00", type_id=make_bare(make, house))
    own = add(make, house, "2026-06-13T10:00", price=0)
    told = {one["id"]: (one["price"], one["price_source"]) for one in shop.get("/sessions")["data"]}
    assert told == {house.id: (4800, "rule"), bare: (0, "none"), own: (0, "override")}


def make_bare(make, house):
    """A type without any price; its id."""
    return make(lambda: make_type(fetch(Site, house.site_id), price=None).id)


def test_c4_bookings_are_embedded_when_asked_for_without_cancelled_ones(shop, make, house):
    kept = book(make, house, name="Ana Reyes")
    gone = book(make, house, name="Bea Lind")
    change(make, SessionBooking, gone, cancelled_at=NOW)
    for told in (
        shop.get(f"{house.at}?include_bookings=true")["data"],
        shop.get("/sessions?include_bookings=1")["data"][0],
        shop.put(f"{house.at}?include_bookings=true", {})["data"],
    ):
        assert [one["id"] for one in told["bookings"]] == [kept]
        assert told["bookings"][0]["first_name"] == "Ana"


def test_a_session_without_a_room_says_so(shop, make, house):
    bare = add(make, house, "2026-06-13T10:00")
    told = shop.get(f"/sessions/{bare}")["data"]
    assert told["room"] is told["room_id"] is told["practitioner"] is None
    # What was read can be sent back; a room that is set can't be taken away (R3).
    assert shop.put(f"/sessions/{bare}", told)["data"] == told
    assert "room_id" in wrong(shop, house, {"room_id": None})


# ---- lists ---------------------------------------------------------------------------------


def test_r21_a_list_is_by_start_and_pages_with_links(shop, make, house):
    later = [add(make, house, f"2026-06-{day}T10:00") for day in (15, 14, 13)]
    first = shop.get("/sessions?per_page=3")
    assert ids(first) == [house.id, later[2], later[1]]
    assert first["meta"] == {
        "current_page": 1, "last_page": 2, "per_page": 3, "total": 4, "from": 1, "to": 3,
    }  # fmt: skip
    assert ids(shop.get(first["links"]["next"].removeprefix("/api/shop"))) == [later[0]]
    assert shop.get("/sessions?page=9&per_page=500")["meta"]["per_page"] == 100


def test_r21_cancelled_outranks_include_cancelled(shop, make, house):
    gone = add(make, house, "2026-06-13T10:00", deleted_at=NOW)
    assert ids(shop.get("/sessions")) == [house.id]
    assert ids(shop.get("/sessions?include_cancelled=true")) == [house.id, gone]
    assert ids(shop.get("/sessions?cancelled=true&include_cancelled=true")) == [gone]
    shop.get("/sessions?cancelled=perhaps", 400)


def test_c15_c20_ids_are_read_with_commas_and_repeated_and_unknown_ones_match_nothing(
    shop, make, house
):
    def build():
        site = fetch(Site, house.site_id)
        zone = save(Zone(organisation_id=site.organisation_id, site_id=site.id, name="Quiet"))
        room = make_room(site, name="Attic", zone_id=zone.id)
        group = make_group(fetch(SessionType, house.type_id), room)
        return zone.id, room.id, group.id

    zone_id, room_id, group_id = make(build)
    other = add(make, house, "2026-06-13T10:00", room_id=room_id, recurrence_group_id=group_id)
    assert ids(shop.get(f"/sessions?id={house.id},{other}")) == [house.id, other]
    assert ids(shop.get(f"/sessions?id={house.id}&id={other}")) == [house.id, other]
    for name, value in (
        ("recurrence_group_id", group_id), ("room_id", room_id), ("zone_id", zone_id),
    ):  # fmt: skip
        assert ids(shop.get(f"/sessions?{name}={value}")) == [other]
        for unknown in (NOBODY, "nonsense", "%27%20or%201=1"):
            assert ids(shop.get(f"/sessions?{name}={unknown}")) == []
    assert ids(shop.get(f"/sessions?practitioner_id={house.leader_id}")) == [house.id]
    assert ids(shop.get(f"/sessions?session_type_id={NOBODY},{house.type_id}")) == [house.id, other]


def test_r2_without_access_to_a_site_its_list_is_empty(program, make, house):
    other_site, other = make(lambda: _elsewhere(house.organisation_id))
    here = program(house.site_id, BOOKINGS)
    assert ids(here.get("/sessions")) == [house.id]
    for site_id in (other_site, "7b0c2f0e-5f0e-4f43-9a36-0d6f5a1f2c11", "nonsense"):
        assert ids(here.get(f"/sessions?site_id={site_id}")) == []
    everywhere = program(house.site_id, BOOKINGS, everywhere=True)
    assert ids(everywhere.get(f"/sessions?site_id={other_site}")) == [other]
    assert ids(everywhere.get("/sessions?site_id=nonsense")) == []
    assert len(ids(everywhere.get("/sessions"))) == 2


def _elsewhere(organisation_id, **given):
    """A second site of the organisation with one session."""
    site = make_site(fetch(Organisation, organisation_id), **given)
    return site.id, make_session(make_type(site)).id


def test_r1_another_organisations_session_is_not_found(program, make, house):
    foreign = make(lambda: make_session().id)
    shop = program(house.site_id, everywhere=True)
    assert ids(shop.get(f"/sessions?id={foreign}")) == []
    for address in (foreign, NOBODY, "nonsense"):
        shop.get(f"/sessions/{address}", 404)
        shop.put(f"/sessions/{address}", {}, 404)
        shop.delete(f"/sessions/{address}", 404)
        shop.post(f"/sessions/{address}/restore", status=404)


def test_r2_a_session_of_a_site_without_access_is_not_found_and_changing_needs_the_right(
    program, make, house
):
    _, other = make(lambda: _elsewhere(house.organisation_id))
    desk = program(house.site_id, BOOKINGS)
    desk.get(f"/sessions/{other}", 404)
    desk.get(house.at)
    desk.put(house.at, {"capacity": "wrong"}, 403)
    desk.delete(house.at, 403)
    desk.post(f"{house.at}/restore", status=403)
    desk.post("/sessions", {"session_type_id": house.type_id}, 403)


def test_c19_t5_days_are_each_sessions_own_sites_both_ends_included(program, make, house):
    shop = program(house.site_id, everywhere=True)
    late = add(make, house, "2026-06-12T23:30")
    early = add(make, house, "2026-06-13T00:15")
    _, tokyo = make(lambda: _elsewhere(house.organisation_id, zone="Asia/Tokyo"))
    change(
        make, Session, tokyo, local_start=dt.datetime.fromisoformat("2026-06-13T06:00"),
        start_time=dt.datetime(2026, 6, 12, 21, tzinfo=dt.UTC),
        end_time=dt.datetime(2026, 6, 12, 23, tzinfo=dt.UTC),
    )  # fmt: skip

    def told(query):
        return set(ids(shop.get(f"/sessions?{query}")))

    assert told("date=2026-06-12") == {house.id, late}
    assert told("date=2026-06-13") == {tokyo, early}
    assert told("dateFrom=2026-06-12&dateTo=2026-06-12") == {house.id, late}
    assert told("dateTo=2026-06-12") == {house.id, late}
    assert told("dateFrom=2026-06-13") == {tokyo, early}
    # This instant is still the 12th in Bath, and the 13th in Tokyo: each site's whole day.
    assert told("date=2026-06-12T20:00:00Z") == {house.id, late, tokyo}
    assert told("date=2026-06-12T20:00:00+00:00") == {house.id, late, tokyo}
    assert told("dateFrom=2026-06-12T23:30:00Z") == {early, tokyo}
    assert told("dateFrom=0001-01-01&dateTo=9999-12-31") == {house.id, late, early, tokyo}
    for bad in ("date=2026-06-31", "dateTo=tomorrow", "dateFrom=2026-06-12T20:00:00"):
        shop.get(f"/sessions?{bad}", 400)


def test_c18_start_times_are_instants_both_included(shop, make, house):
    other = add(make, house, "2026-06-12T19:00")
    assert ids(shop.get("/sessions?start_time_to=2026-06-12T18:00:00%2B01:00")) == [house.id]
    assert ids(shop.get("/sessions?start_time_from=2026-06-12T17:00:00Z")) == [house.id, other]
    assert ids(shop.get("/sessions?start_time_from=2026-06-12T17:00:01Z")) == [other]
    shop.get("/sessions?start_time_from=2026-06-12", 400)


def test_r21_a_page_costs_the_same_statements_for_three_rows_and_for_thirty(
    shop, make, house, statements
):
    def fill(number):
        kind = make_type(fetch(Site, house.site_id))
        room, leader = fetch(Room, house.room_id), house.leader_id
        row = make_session(
            kind, local_start=f"2026-07-{number + 1:02}T09:00", room_id=room.id,
            practitioner_id=leader,
        )  # fmt: skip
        make_booked_line(row, guests=2, names=("Bo Lind",))

    def count():
        with statements() as found:
            shop.get("/sessions?include_bookings=true&per_page=100&dateFrom=2026-06-13T09:00:00Z")
        return len(found)

    make(lambda: [fill(number) for number in range(3)])
    count()  # that the token was used is noted once
    few = count()
    make(lambda: [fill(number) for number in range(3, 30)])
    assert count() == few


def test_r21_an_index_is_in_the_order_of_the_list(make, house, on_postgresql):
    """Far pages are found by walking an index, never by sorting all sessions anew."""

    def explain():
        query = (
            sa.select(Session.id)
            .where(Session.organisation_id == house.organisation_id, Session.deleted_at.is_(None))
            .order_by(Session.start_time, Session.id)
            .limit(15)
            .offset(9000)
        )
        text = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
        if on_postgresql:
            for word in ("seqscan", "bitmapscan", "sort"):
                db.session.execute(sa.text(f"SET LOCAL enable_{word} = off"))
        how = "EXPLAIN " if on_postgresql else "EXPLAIN QUERY PLAN "
        return "\n".join(str(row) for row in db.session.execute(sa.text(how + text)))

    plan = make(explain)
    assert "ix_sessions_organisation_start" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


# ---- changing ------------------------------------------------------------------------------


def test_c16_what_was_read_can_be_sent_back_and_changes_nothing(shop, make, house):
    book(make, house)
    before = shop.get(house.at)["data"]
    assert shop.put(house.at, before)["data"] == before
    assert shop.put(house.at, {})["data"] == before
    nonsense = {"remaining_capacity": "x", "practitioner": 5, "created_at": None, "unknown": []}
    assert shop.put(house.at, nonsense)["data"] == before
    assert make(lambda: fetch(Session, house.id).overridden) == []


def test_c16_identity_may_be_repeated_but_not_changed(shop, house):
    others = {
        "id": NOBODY, "organisation_id": "x", "site_id": None, "session_type_id": NOBODY,
        "recurrence_group_id": NOBODY, "currency": "eur",
    }  # fmt: skip
    assert wrong(shop, house, others).keys() == others.keys()
    shop.put(house.at, {"currency": "GBP", "recurrence_group_id": None, "id": house.id})


def test_r3_r5_only_what_is_sent_is_written_and_the_series_leaves_it_alone(shop, make, house):
    told = shop.put(house.at, {"capacity": 9, "waitlist_enabled": True})["data"]
    assert (told["capacity"], told["waitlist_enabled"], told["duration"]) == (9, True, 120)
    assert told["updated_at"] > told["created_at"]
    row = make(lambda: fetch(Session, house.id))
    assert row.overridden == ["capacity", "waitlist_enabled"]


@pytest.mark.parametrize(
    "name", ["capacity", "start_time", "end_time", "duration", "waitlist_enabled", "room_id"]
)
def test_r3_null_is_refused_where_nothing_can_be_cleared(shop, house, name):
    assert wrong(shop, house, {name: None}).keys() == {name}


def test_r3_null_clears_who_leads_the_party_limit_and_the_price(shop, house):
    shop.put(house.at, {"max_baskets": 3, "price": 1000})
    told = shop.put(house.at, {"practitioner_id": None, "max_baskets": None, "price": None})["data"]
    assert told["practitioner_id"] is told["practitioner"] is told["max_baskets"] is None
    assert (told["price"], told["price_source"]) == (4800, "rule")


def test_section_9_the_present_price_sent_back_is_no_price_of_its_own(shop, make, house):
    assert shop.put(house.at, {"price": 4800})["data"]["price_source"] == "rule"
    assert shop.put(house.at, {"price": 4801})["data"]["price_source"] == "override"
    free = add(make, house, "2026-06-13T10:00", type_id=make_bare(make, house))
    assert shop.put(f"/sessions/{free}", {"price": 0})["data"]["price_source"] == "none"


def test_r7_start_end_and_duration_are_brought_into_one_form(shop, house):
    def times(**sent):
        told = shop.put(house.at, sent)["data"]
        return told["start_time"][11:16], told["end_time"][11:16], told["duration"]

    day = "2026-06-12T"
    assert times(start_time=f"{day}09:00:00Z") == ("09:00", "11:00", 120)
    assert times(start_time=f"{day}10:00:00+01:00", duration=60) == ("09:00", "10:00", 60)
    assert times(start_time=f"{day}08:00:00Z", end_time=f"{day}09:30:00Z") == ("08:00", "09:30", 90)
    assert times(end_time=f"{day}10:00:00Z") == ("08:00", "10:00", 120)
    assert times(duration=45) == ("08:00", "08:45", 45)
    assert times(start_time=f"{day}07:00:00Z", end_time=f"{day}08:00:00Z", duration=60) == (
        "07:00", "08:00", 60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"end_time": "2026-06-12T17:00:00Z"}, "end_time"),
        ({"end_time": "2026-06-12T16:00:00Z", "start_time": "2026-06-12T16:30:00Z"}, "end_time"),
        ({"end_time": "2026-06-12T18:00:30Z"}, "end_time"),
        ({"end_time": "2026-07-12T18:00:00Z"}, "end_time"),
        ({"end_time": "2026-06-12T18:00:00Z", "duration": 61}, "duration"),
        ({"duration": 0}, "duration"),
        ({"duration": 2**50}, "duration"),
        ({"start_time": "2026-06-12T17:00:30Z"}, "start_time"),
        ({"start_time": "2026-06-12T17:00:00"}, "start_time"),
        ({"start_time": "2026-06-04T07:00:00Z"}, "start_time"),
        ({"start_time": 5}, "start_time"),
    ],
)
def test_r7_what_contradicts_is_refused_under_the_field_at_fault(shop, house, sent, field):
    assert wrong(shop, house, sent).keys() == {field}


def test_t2_an_hour_that_the_clocks_show_twice_is_its_first():
    london = dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)
    row = make_session_like(london)
    _, problems = read_update(row, {"start_time": london + dt.timedelta(hours=1)})
    assert [one.field for one in problems] == ["start_time"]
    wish, problems = read_update(row, {"start_time": london})
    assert (wish.local_start, problems) == (None, [])


def make_session_like(start):
    """How a session stands that begins at this instant, in London."""
    zone = ZoneInfo("Europe/London")
    values = SessionValues(to_local(start, zone), 60, None, None, 8, None, False, None)
    return Stands(values, start, zone, 4800, {})


def test_t1_an_instant_with_an_offset_becomes_wall_time(shop, make, house):
    told = shop.put(house.at, {"start_time": "2026-12-01T20:30:00+02:00"})["data"]
    assert told["start_time"] == "2026-12-01T18:30:00Z"
    local_start = make(lambda: fetch(Session, house.id).local_start)
    assert local_start.isoformat() == "2026-12-01T18:30:00"


def test_r6_r8_r9_every_wrong_field_is_named_at_once(shop, make, house):
    book(make, house, guests=3)
    book(make, house, guests=1, name="Bea Lind")
    found = wrong(
        shop, house,
        {"capacity": 3, "max_baskets": 1, "practitioner_id": NOBODY, "room_id": house.type_id,
         "duration": 20_000, "id": NOBODY},
    )  # fmt: skip
    assert found.keys() == {
        "capacity", "max_baskets", "practitioner_id", "room_id", "duration", "id",
    }  # fmt: skip
    assert found["capacity"] == "4 places are taken. Enter 4 or more."
    kinds = wrong(shop, house, {"capacity": "6", "max_baskets": 2**40, "price": -1})
    assert kinds.keys() == {"capacity", "max_baskets", "price"}
    assert shop.get(house.at)["data"]["capacity"] == 6


def test_r8_capacity_is_not_above_the_rooms(shop, make, house):
    small = make(lambda: make_room(fetch(Site, house.site_id), name="Nook", cap=4).id)
    assert wrong(shop, house, {"capacity": 11}) == {
        "capacity": "Spring Hall takes 10 places. Enter fewer."
    }
    assert wrong(shop, house, {"room_id": small}).keys() == {"room_id"}
    assert shop.put(house.at, {"room_id": small, "capacity": 4})["data"]["room"]["name"] == "Nook"


def test_r6_people_and_rooms_of_elsewhere_are_refused_and_clashes_let_through(shop, make, house):
    def elsewhere():
        site = make_site(make_organisation())
        return make_room(site).id, make_practitioner(site).id

    room, leader = make(elsewhere)
    assert wrong(shop, house, {"room_id": room, "practitioner_id": leader}).keys() == {
        "room_id", "practitioner_id",
    }  # fmt: skip
    other = add(make, house, "2026-06-12T12:00")
    told = shop.put(
        f"/sessions/{other}",
        {"room_id": house.room_id, "practitioner_id": house.leader_id,
         "start_time": "2026-06-12T17:00:00Z"},
    )["data"]  # fmt: skip
    assert told["start_time"] == "2026-06-12T17:00:00Z"


def test_r5_a_cancelled_session_is_not_found_until_it_is_restored(shop, house):
    shop.delete(house.at)
    shop.put(house.at, {"capacity": 7}, 404)
    shop.post(f"{house.at}/restore", status=200)
    assert shop.put(house.at, {"capacity": 7})["data"]["capacity"] == 7


def test_c42_a_past_session_can_be_changed_and_nobody_is_told(shop, make, house):
    book(make, house)
    start = dt.datetime(2026, 6, 1, 9, tzinfo=dt.UTC)
    change(
        make, Session, house.id, start_time=start, end_time=start + dt.timedelta(hours=2),
        local_start=dt.datetime.fromisoformat("2026-06-01T10:00"),
    )  # fmt: skip
    sent = {"start_time": "2026-06-01T08:00:00Z", "practitioner_id": None, "capacity": 4}
    told = shop.put(house.at, sent)["data"]
    assert {name: told[name] for name in sent} == sent
    assert mails(make, "booking_changed") == 0


def test_guests_who_are_booked_stay_booked_and_are_told(shop, make, house):
    line = book(make, house)
    before = mails(make, "booking_changed")
    shop.put(house.at, {"start_time": "2026-06-13T09:00:00Z"})
    assert mails(make, "booking_changed") == before + 1
    assert make(lambda: fetch(SessionBooking, line).cancelled_at) is None
    shop.put(house.at, {"capacity": 8, "price": 100})
    assert mails(make, "booking_changed") == before + 1


def mails(make, kind):
    """Letters of this kind that wait to be sent."""
    asked = sa.select(sa.func.count(Job.id)).where(Job.dedupe_key.contains(kind))
    return make(lambda: db.session.scalar(asked.execution_options(**ANYWHERE)))


def test_holds_at_the_old_time_end(shop, make, house):
    def hold():
        row = fetch(Session, house.id)
        hold_places(
            row.organisation_id, row.id, session_type_id=row.session_type_id, guests=2,
            viewer=Viewer(), basket_secret=None, account_id=None, now=NOW,
        )  # fmt: skip

    make(hold)
    assert shop.get(house.at)["data"]["remaining_capacity"] == 4
    told = shop.put(house.at, {"start_time": "2026-06-13T09:00:00Z"})["data"]
    assert told["remaining_capacity"] == 6


# ---- cancelling and restoring --------------------------------------------------------------


def test_r12_m6_cancelling_cancels_the_bookings_with_what_was_paid_owed_back(shop, make, house):
    line = book(make, house)
    shop.delete(f"{house.at}?include_bookings=true")
    told = shop.get(f"{house.at}?include_bookings=true")["data"]
    assert told["deleted_at"] is not None
    assert (told["bookings"], told["remaining_capacity"]) == ([], 6)
    row = make(lambda: fetch(SessionBooking, line))
    assert row.cancelled_by == "venue"
    assert make(lambda: sum(it.amount for it in fetch(SessionBooking, line).order.ledger)) == 0
    assert mails(make, "booking_cancelled") == 1
    shop.delete(house.at, 404)


def test_r12_whom_to_tell_is_the_sites_setting(shop, make, house):
    book(make, house)
    change(make, Site, house.site_id, cancelled_session_notices="nobody")
    shop.delete(house.at)
    assert mails(make, "booking_cancelled") == 0


def test_what_is_over_or_has_its_guests_here_is_not_cancelled(shop, make, house):
    past = add(make, house, "2026-06-01T10:00")
    assert shop.delete(f"/sessions/{past}", 409)["code"] == "wrong_state"
    change(make, SessionBooking, book(make, house), checked_in_at=NOW)
    assert "here already" in shop.delete(house.at, 409)["message"]


def test_r13_c30_restoring_brings_back_the_session_and_nobody_on_it(shop, make, house):
    line = book(make, house)
    shop.put(house.at, {"price": 900})
    shop.delete(house.at)
    told = shop.post(f"{house.at}/restore", status=200)["data"]
    assert (told["deleted_at"], told["price"], told["remaining_capacity"]) == (None, 900, 6)
    assert make(lambda: fetch(SessionBooking, line).cancelled_at) is not None


def test_r11_restoring_a_live_session_changes_nothing(shop, house):
    before = shop.get(house.at)["data"]
    assert shop.post(f"{house.at}/restore", status=200)["data"] == before


def test_r13_a_session_whose_time_has_passed_or_whose_type_is_archived_stays_away(
    shop, make, house
):
    past = add(make, house, "2026-06-01T10:00", deleted_at=NOW)
    assert "come and gone" in shop.post(f"/sessions/{past}/restore", status=409)["message"]
    shop.delete(house.at)
    change(make, SessionType, house.type_id, deleted_at=NOW)
    assert "archived" in shop.post(f"{house.at}/restore", status=409)["message"]


def test_r6_restoring_and_making_let_clashes_and_closed_days_through(shop, make, house):
    shop.delete(house.at)
    add(make, house, "2026-06-12T18:00", room_id=house.room_id)
    make(
        lambda: save(
            ClosedDay(
                organisation_id=house.organisation_id, site_id=house.site_id,
                day=dt.date(2026, 6, 12), reason="Repairs", created_at=NOW,
            )
        )
    )  # fmt: skip
    assert shop.post(f"{house.at}/restore", status=200)["data"]["deleted_at"] is None
    body = {
        "session_type_id": house.type_id, "start_time": "2026-06-12T17:00:00Z",
        "room_id": house.room_id,
    }  # fmt: skip
    assert shop.post("/sessions", body)["data"]["capacity"] == 10


# ---- making --------------------------------------------------------------------------------


def test_a_new_session_takes_what_is_absent_from_its_type_and_its_room(shop, make, house):
    change(make, SessionType, house.type_id, max_baskets_per_session=2, waitlist_enabled=True)
    body = {"session_type_id": house.type_id, "start_time": "2026-06-20T10:00:00+01:00"}
    told = shop.post("/sessions", {**body, "room_id": house.room_id})["data"]
    assert (told["duration"], told["capacity"], told["max_baskets"]) == (120, 10, 2)
    assert (told["waitlist_enabled"], told["price"], told["price_source"]) == (True, 4800, "rule")
    assert (told["recurrence_group_id"], told["start_time"]) == (None, "2026-06-20T09:00:00Z")
    # Null is no limit, whatever the type says; an end gives the duration (R7).
    told = shop.post(
        "/sessions",
        {
            **body,
            "capacity": 3,
            "max_baskets": None,
            "end_time": "2026-06-20T10:30:00Z",
            "price": 0,
        },
    )["data"]
    assert (told["duration"], told["max_baskets"], told["room"]) == (90, None, None)
    assert (told["price"], told["price_source"]) == (0, "override")
    assert shop.get(f"/sessions/{told['id']}")["data"] == told


def test_every_wrong_field_of_a_new_session_is_named_at_once(shop, make, house):
    found = shop.post(
        "/sessions",
        {"session_type_id": house.type_id, "start_time": "2026-06-01T09:00:30Z",
         "end_time": "2026-06-01T08:00:00Z", "room_id": NOBODY, "practitioner_id": NOBODY,
         "max_baskets": 5000, "price": 10**12},
        422,
    )["errors"]  # fmt: skip
    assert found.keys() == {
        "start_time", "end_time", "room_id", "practitioner_id", "max_baskets", "price", "capacity",
    }  # fmt: skip
    missing = shop.post("/sessions", {"capacity": 0}, 422)["errors"]
    assert missing.keys() == {"session_type_id", "start_time", "capacity"}
    for named in (NOBODY, "\ud800", 5, make(lambda: make_type().id)):
        body = {"session_type_id": named, "start_time": "2026-06-20T09:00:00Z"}
        assert shop.post("/sessions", body, 422)["errors"].keys() == {"session_type_id"}


def test_h6_the_same_key_makes_one_session(shop, house):
    body = {
        "session_type_id": house.type_id, "start_time": "2026-06-20T09:00:00Z", "capacity": 4,
    }  # fmt: skip
    made = [
        shop.post("/sessions", body, headers={"Idempotency-Key": "k1"})["data"]["id"]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert shop.get("/sessions")["meta"]["total"] == 2


# ---- versions ------------------------------------------------------------------------------


def test_a_version_is_the_sessions_own_fields_not_its_counts_and_bookings(shop, make, house):
    tag = shop.ask("GET", house.at, 200).headers["ETag"]
    book(make, house)
    seen = shop.ask("GET", f"{house.at}?include_bookings=true", 200).headers["ETag"]
    assert seen == tag
    shop.put(house.at, {"capacity": 7}, headers={"If-Match": tag})
    shop.put(house.at, {"capacity": 8}, 412, headers={"If-Match": tag})
    shop.delete(house.at, 412, headers={"If-Match": tag})
    assert shop.get(house.at)["data"]["capacity"] == 7
