import ast
import datetime as dt
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import domain
from domain.local_time import end_of, local_day, oddity, to_local, to_utc

LONDON = ZoneInfo("Europe/London")
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/London",
        "America/New_York",
        "Asia/Tokyo",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Auckland",
        "America/Havana",
        "Asia/Beirut",
    )
]
at = dt.datetime.fromisoformat

local_times = st.datetimes(at("2020-01-01"), at("2032-01-01"))
instants = st.datetimes(at("2020-01-01"), at("2032-01-01"), timezones=st.just(dt.UTC))


@pytest.fixture
def machine_in_auckland():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        pytest.param("2026-03-23T09:00", "2026-03-23T09:00Z", id="winter Monday"),
        pytest.param("2026-03-30T09:00", "2026-03-30T08:00Z", id="summer Monday"),
        pytest.param("2026-03-29T00:59", "2026-03-29T00:59Z", id="last minute before the gap"),
        pytest.param("2026-03-29T02:00", "2026-03-29T01:00Z", id="first minute after the gap"),
    ],
)
def test_t1_wall_time_is_the_truth_and_the_instant_is_derived(local, instant):
    assert to_utc(at(local), LONDON) == at(instant)
    assert to_local(at(instant), LONDON) == at(local)


def test_t1_r7_the_end_is_the_start_instant_plus_elapsed_time():
    start = to_utc(at("2026-03-29T00:30"), LONDON)
    assert to_local(end_of(start, 60), LONDON) == at("2026-03-29T02:30")


def test_t1_the_end_of_a_zoned_start_is_elapsed_time_too():
    start = at("2026-10-25T00:30").replace(tzinfo=LONDON)
    assert end_of(start, 120) == at("2026-10-25T01:30Z")
    assert end_of(start, 120).tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("local", "instant", "said"),
    [
        pytest.param("2026-03-29T01:30", "2026-03-29T01:30Z", "skipped", id="in the gap"),
        pytest.param("2026-03-29T01:00", "2026-03-29T01:00Z", "skipped", id="gap begins"),
        pytest.param("2026-03-29T02:00", "2026-03-29T01:00Z", None, id="gap is over"),
        pytest.param("2026-10-25T01:30", "2026-10-25T00:30Z", "repeated", id="twice, the first"),
        pytest.param("2026-10-25T01:00", "2026-10-25T00:00Z", "repeated", id="repeat begins"),
        pytest.param("2026-10-25T02:00", "2026-10-25T02:00Z", None, id="repeat is over"),
        pytest.param("2026-06-12T18:00", "2026-06-12T17:00Z", None, id="ordinary"),
    ],
)
def test_t2_a_skipped_time_moves_on_a_repeated_one_is_the_first_and_staff_are_told(
    local, instant, said
):
    assert to_utc(at(local), LONDON) == at(instant)
    assert oddity(at(local), LONDON) == said


def test_t2_the_half_hour_gap_of_lord_howe_uses_the_offset_before_it():
    howe = ZoneInfo("Australia/Lord_Howe")
    assert to_utc(at("2026-10-04T02:15"), howe) == at("2026-10-03T15:45Z")
    assert oddity(at("2026-10-04T02:15"), howe) == "skipped"


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        pytest.param("2026-06-12T22:30Z", "Europe/London", "2026-06-12", id="23:30 in London"),
        pytest.param("2026-06-12T23:00Z", "Europe/London", "2026-06-13", id="midnight in London"),
        pytest.param("2026-06-12T22:30Z", "Asia/Tokyo", "2026-06-13", id="the same, in Tokyo"),
        pytest.param("2026-06-13T03:59Z", "America/New_York", "2026-06-12", id="behind UTC"),
    ],
)
def test_t5_a_moment_belongs_to_the_sites_own_date(instant, zone, day):
    assert local_day(at(instant), ZoneInfo(zone)) == dt.date.fromisoformat(day)


def test_t5_a_late_session_stands_on_its_own_date_whoever_looks():
    start = to_utc(at("2026-06-12T23:30"), LONDON)
    seen_from_tokyo = start.astimezone(ZoneInfo("Asia/Tokyo"))
    assert local_day(seen_from_tokyo, LONDON) == dt.date(2026, 6, 12)


def test_t6_a_site_that_moves_keeps_its_wall_time():
    local = at("2026-06-12T09:00")
    moved = to_utc(local, ZoneInfo("Europe/Paris"))
    assert to_local(moved, ZoneInfo("Europe/Paris")) == local
    assert to_utc(local, LONDON) - moved == dt.timedelta(hours=1)


def test_t7_three_hours_on_the_wall_are_two_on_the_night_the_clocks_go_forward():
    start, end = (to_utc(at(f"2026-03-29T{hour}"), LONDON) for hour in ("00:00", "03:00"))
    assert end - start == dt.timedelta(hours=2)


def test_t7_only_utc_comes_out_and_only_wall_time_goes_back():
    assert to_utc(at("2026-06-12T09:00"), LONDON).tzinfo is dt.UTC
    assert to_local(at("2026-06-12T09:00Z"), LONDON).tzinfo is None


def test_t7_the_domain_never_asks_a_clock():
    asked = [
        f"{path.name}:{node.lineno}"
        for path in Path(domain.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "today", "utcnow", "time_ns", "monotonic", "localtime"}
    ]
    assert asked == []


@pytest.mark.usefixtures("machine_in_auckland")
def test_t7_the_zone_of_the_machine_changes_nothing():
    assert time.tzname[0] == "NZST"
    assert to_utc(at("2026-03-30T09:00"), LONDON) == at("2026-03-30T08:00Z")
    assert to_local(at("2026-03-30T08:00Z"), LONDON) == at("2026-03-30T09:00")
    assert local_day(at("2026-06-12T22:30Z"), LONDON) == dt.date(2026, 6, 12)
    assert end_of(at("2026-03-29T00:30Z"), 60) == at("2026-03-29T01:30Z")


@settings(max_examples=100, deadline=None)
@given(local_times, st.sampled_from(ZONES))
def test_t2_every_time_that_is_not_skipped_comes_back_as_it_was(local, zone):
    back = to_local(to_utc(local, zone), zone)
    assert (back == local) == (oddity(local, zone) != "skipped")
    assert back >= local


@settings(max_examples=100, deadline=None)
@given(instants, st.sampled_from(ZONES))
def test_t2_no_instant_comes_back_later_than_it_was(instant, zone):
    local = to_local(instant, zone)
    again = to_utc(local, zone)
    assert again <= instant
    assert again == instant or oddity(local, zone) == "repeated"
    assert local.date() == local_day(instant, zone)
