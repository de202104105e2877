"""A type's month as data is what its page shows (R16, R20, R30, P7, P10, S5, D2)."""

import datetime as dt
from types import SimpleNamespace

import pytest
from factories import (
    NOW,
    fetch,
    make_account,
    make_member,
    make_rule,
    make_session,
    make_type,
    save,
)

from domain.calendar import say_reason
from domain.eligibility import Viewer
from models import ClosedDay, SessionType, Site
from services.timetable import find_page_key, find_type_page


@pytest.fixture
def house(make, site_id):
    """A type with a June in which every kind of day occurs."""

    def build():
        site = fetch(Site, site_id)
        kind = make_type(
            site, price=None, slug="circuit", max_advance_bookings_interval="P20D",
            min_advance_bookings_interval="PT2H",
        )  # fmt: skip
        member = make_member(site.organisation_id, make_account())
        make_rule(kind, price=1000, position=0, membership_type_ids=[member.id])
        make_rule(kind, price=3000, position=1, weekdays=["friday"])
        make_rule(kind, price=4800, position=2)
        for day, hour, given in (
            (2, 10, {}),
            (4, 11, {}),
            (4, 18, {}),
            (12, 10, {"price": 5200}),
            (12, 18, {"capacity": 3}),
            (13, 10, {"capacity": 3, "places_taken": 2}),
            (14, 10, {"places_taken": 8, "waitlist_enabled": True}),
            (15, 10, {"places_taken": 8}),
            (26, 10, {}),
            (28, 10, {"price": 0}),
        ):
            make_session(kind, local_start=f"2026-06-{day:02}T{hour}:00", **given)
        save(
            ClosedDay(
                organisation_id=site.organisation_id, site_id=site.id, created_at=NOW,
                day=dt.date(2026, 6, 20), reason="Midsummer",
            )
        )  # fmt: skip
        return SimpleNamespace(site=site.slug, id=kind.id, at=f"/session-types/{kind.id}/calendar")

    return make(build)


def page_of(make, house, guests):
    def look():
        key = find_page_key(house.site, "circuit")
        return find_type_page(
            key, viewer=Viewer(), guests=guests, month=(2026, 6), date=None, now=NOW
        )

    return make(look)


@pytest.mark.parametrize("guests", [1, 2, 4])
def test_p7_every_day_is_what_the_page_shows(program, site_id, make, house, guests):
    told = program(site_id).get(f"{house.at}?month=2026-06&guests={guests}")["data"]
    month = page_of(make, house, guests).month
    days = [day for week in month.weeks for day in week if day]
    assert [
        (one["date"], one["state"], one["from_price"], one["sessions"], one["reason"] or "")
        for one in told["days"]
    ] == [
        (day.date.isoformat(), day.state, day.from_price, day.sessions_available, say_reason(day))
        for day in days
    ]
    assert told["lowest_price"] == month.lowest
    assert told["valid_until"] == month.valid_until.isoformat().replace("+00:00", "Z")


def test_every_kind_of_day_has_its_code_and_the_moment_at_which_it_changes(program, site_id, house):
    told = program(site_id).get(f"{house.at}?month=2026-06&guests=2")["data"]
    days = {int(one["date"][-2:]): one for one in told["days"]}
    assert len(days) == 30
    said = {
        number: (days[number]["state"], days[number]["from_price"], days[number]["code"])
        for number in (2, 3, 4, 12, 13, 14, 15, 20, 26, 27, 28, 29)
    }
    assert said == {
        2: ("past", None, None), 3: ("past", None, None), 4: ("available", 4800, None),
        12: ("available", 3000, None), 13: ("full", None, "places_left"),
        14: ("waiting_list", None, "places_left"), 15: ("full", None, "places_left"),
        20: ("closed", None, None), 26: ("opens_later", None, "window_open"),
        27: ("closed", None, None), 28: ("opens_later", None, "window_open"),
        29: ("unscheduled", None, None),
    }  # fmt: skip
    assert days[20]["reason"] == "Midsummer."
    assert days[29]["reason"] == "Not yet scheduled."
    assert days[26]["changes_at"] == "2026-06-06T09:00:00Z"
    assert days[26]["reason"] == "Booking opens on Saturday 6 June at 10:00."
    # At ten the eleven o'clock session is too soon already; the evening's closes at four.
    assert days[4]["sessions"] == 1
    assert days[4]["changes_at"] == "2026-06-04T10:00:00Z"
    assert days[20]["changes_at"] is None


def test_p10_the_price_is_the_visitors(program, site_id, house):
    told = program(site_id).get(f"{house.at}?month=2026-06")["data"]
    assert told["guests"] == 1
    assert told["lowest_price"] == 3000
    assert told["currency"] == "gbp"


def test_without_a_month_it_is_the_first_in_which_something_can_be_booked(
    program, site_id, make, house
):
    make(lambda: make_session(fetch(SessionType, house.id), local_start="2026-06-12T20:00"))
    assert program(site_id).get(house.at)["data"]["month"] == "2026-06"


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("month=2026-6", 400, None),
        ("month=2026-13", 400, None),
        ("month=june", 400, None),
        ("month=2099-01", 422, "month"),
        ("month=0000-01", 422, "month"),
        ("guests=0", 400, None),
        ("guests=two", 400, None),
        ("guests=1", 422, "guests"),
        ("guests=7", 422, "guests"),
        ("guests=999999999999", 422, "guests"),
    ],
)
def test_a_month_or_party_that_can_not_be_is_refused_with_a_sentence(
    program, site_id, make, house, query, status, field
):
    make(lambda: save_limits(house.id))
    told = program(site_id).get(f"{house.at}?{query}", status)
    assert told["message"]
    assert list(told.get("errors", {})) == ([field] if field else [])


def save_limits(type_id):
    kind = fetch(SessionType, type_id)
    kind.min_guests, kind.max_guests = 2, 6
    save(kind)


def test_d2_a_link_only_type_is_the_venues_own_and_others_are_not_found(program, site_id, make):
    def build(**given):
        kind = make_type(fetch(Site, site_id), **given)
        make_session(kind)
        return f"/session-types/{kind.id}/calendar?month=2026-06"

    shop = program(site_id, "RESERVATIONS_MANAGE")
    linked, staffs = make(lambda: (build(visibility="link_only"), build(visibility="private")))
    day = shop.get(linked)["data"]["days"][11]
    assert (day["state"], day["from_price"]) == ("available", 4800)
    day = shop.get(staffs)["data"]["days"][11]
    assert (day["state"], day["code"]) == ("nothing", "visible")
    foreign = make(lambda: make_type().id)
    for address in (foreign, "0" * 24, "nonsense"):
        shop.get(f"/session-types/{address}/calendar", 404)
