import datetime as dt
from dataclasses import replace
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.local_time import to_local
from domain.recurrence import HORIZON, Series, StartTime, produce
from domain.words import WEEKDAYS

at = dt.datetime.fromisoformat
day = dt.date.fromisoformat
clock = dt.time.fromisoformat

TODAY = day("2026-03-16")
MORNING, EVENING = StartTime("am", clock("09:00")), StartTime("pm", clock("18:00"))


def series(**changes):
    plain = Series(
        group_id="g",
        weekdays=frozenset({"monday"}),
        start_times=(MORNING,),
        first_day=day("2026-03-23"),
        last_day=day("2026-03-30"),
        duration=60,
        zone=ZoneInfo("Europe/London"),
    )
    return replace(plain, **changes)


def made(**changes):
    return list(produce(series(**changes), today=TODAY))


def test_r24_t1_nine_stays_nine_when_the_clocks_change():
    winter, summer = made()
    assert winter.local_start == at("2026-03-23T09:00")
    assert winter.start_time == at("2026-03-23T09:00Z")
    assert summer.local_start == at("2026-03-30T09:00")
    assert summer.start_time == at("2026-03-30T08:00Z")


def test_t2_r24_a_start_in_the_gap_and_one_on_the_repeat_are_produced_once():
    night = StartTime("n", clock("01:30"))
    gap = made(
        weekdays=frozenset({"sunday"}),
        start_times=(night,),
        first_day=day("2026-03-29"),
        last_day=day("2026-03-29"),
    )
    repeat = made(
        weekdays=frozenset({"sunday"}),
        start_times=(night,),
        first_day=day("2026-10-25"),
        last_day=day("2026-10-25"),
    )
    assert [one.start_time for one in gap] == [at("2026-03-29T01:30Z")]
    assert [one.start_time for one in repeat] == [at("2026-10-25T00:30Z")]
    assert gap[0].local_start == at("2026-03-29T01:30")
    assert gap[0].recurrence_date == day("2026-03-29")


def test_t1_r7_a_session_over_the_change_lasts_its_elapsed_time():
    (one,) = made(
        weekdays=frozenset({"sunday"}),
        start_times=(StartTime("n", clock("00:30")),),
        first_day=day("2026-03-29"),
        last_day=day("2026-03-29"),
    )
    assert to_local(one.end_time, ZoneInfo("Europe/London")) == at("2026-03-29T02:30")


def test_r24_every_start_time_on_every_listed_weekday_from_first_to_last_day():
    found = made(
        weekdays=frozenset({"monday", "wednesday"}),
        start_times=(MORNING, EVENING),
        first_day=day("2026-03-23"),
        last_day=day("2026-03-30"),
    )
    assert [one.local_start for one in found] == [
        at("2026-03-23T09:00"),
        at("2026-03-23T18:00"),
        at("2026-03-25T09:00"),
        at("2026-03-25T18:00"),
        at("2026-03-30T09:00"),
        at("2026-03-30T18:00"),
    ]


@pytest.mark.parametrize(
    ("first", "last", "number"),
    [
        pytest.param("2026-03-23", "2026-03-23", 1, id="a single session"),
        pytest.param("2026-03-24", "2026-03-29", 0, id="no such weekday between"),
        pytest.param("2026-03-24", "2026-03-30", 1, id="the last day is included"),
        pytest.param("2026-03-30", "2026-03-23", 0, id="ends before it begins"),
        pytest.param("2025-03-24", "2026-03-23", 53, id="past days too"),
    ],
)
def test_r24_first_and_last_day_are_included(first, last, number):
    assert len(made(first_day=day(first), last_day=day(last))) == number


@pytest.mark.parametrize(
    "missing",
    [
        {"weekdays": frozenset()},
        {"start_times": ()},
        {"is_complete": False},
    ],
    ids=lambda missing: next(iter(missing)),
)
def test_r23_an_incomplete_series_produces_nothing(missing):
    assert made(**missing) == []


def test_s5_r24_an_open_series_is_produced_to_the_horizon():
    found = made(last_day=None, weekdays=frozenset(WEEKDAYS))
    assert found[-1].recurrence_date == TODAY + HORIZON
    assert found[0].recurrence_date == day("2026-03-23")
    assert made(last_day=None, first_day=TODAY + HORIZON + dt.timedelta(days=1)) == []


def test_r24_without_a_first_day_a_series_starts_on_the_day_it_is_made():
    found = made(first_day=None, weekdays=frozenset(WEEKDAYS))
    assert found[0].recurrence_date == TODAY


def test_s5_a_series_with_a_last_day_is_produced_whole_whatever_the_horizon():
    far = TODAY + 4 * HORIZON
    found = made(last_day=far, weekdays=frozenset(WEEKDAYS))
    assert found[-1].recurrence_date == far


def test_s1_the_identity_is_group_local_date_and_start_time_id():
    one = made(start_times=(EVENING,))[0]
    assert one.identity == ("g", day("2026-03-23"), "pm")


def test_s1_a_start_time_moved_under_its_own_id_keeps_its_identities():
    moved = made(start_times=(StartTime("am", clock("10:15")),))
    assert [one.identity for one in moved] == [one.identity for one in made()]
    assert [one.start_time for one in moved] != [one.start_time for one in made()]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_s1_t5_the_date_of_an_identity_is_the_sites_own(zone):
    late = StartTime("late", clock("23:30"))
    found = made(start_times=(late, MORNING), zone=ZoneInfo(zone))
    assert {one.recurrence_date for one in found} == {day("2026-03-23"), day("2026-03-30")}
    assert all(one.local_start.date() == one.recurrence_date for one in found)


any_series = st.builds(
    series,
    weekdays=st.frozensets(st.sampled_from(WEEKDAYS)),
    start_times=st.lists(
        st.builds(StartTime, st.sampled_from("abcde"), st.times()),
        max_size=4,
        unique_by=lambda start: start.id,
    ),
    first_day=st.dates(day("2026-03-01"), day("2026-05-01")),
    last_day=st.none() | st.dates(day("2026-03-01"), day("2026-06-01")),
    duration=st.integers(1, 600),
    zone=st.sampled_from(
        [ZoneInfo("Europe/London"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Beirut")]
    ),
)


@settings(max_examples=40, deadline=None)
@given(any_series)
def test_s1_producing_twice_gives_the_same_identities_and_none_twice(pattern):
    first, again = (list(produce(pattern, today=TODAY)) for _ in range(2))
    identities = [one.identity for one in first]
    assert first == again
    assert len(set(identities)) == len(identities)


@settings(max_examples=40, deadline=None)
@given(any_series, st.integers(0, 60))
def test_s1_producing_on_a_later_day_only_adds(pattern, days):
    first = list(produce(pattern, today=TODAY))
    later = list(produce(pattern, today=TODAY + dt.timedelta(days=days)))
    assert later[: len(first)] == first
    assert pattern.last_day is None or later == first


@settings(max_examples=40, deadline=None)
@given(any_series)
def test_r24_what_is_produced_is_what_the_pattern_says(pattern):
    last = pattern.last_day or TODAY + HORIZON
    values = {start.id: start.value for start in pattern.start_times}
    found = list(produce(pattern, today=TODAY))
    for one in found:
        assert pattern.first_day <= one.recurrence_date <= last
        assert WEEKDAYS[one.recurrence_date.weekday()] in pattern.weekdays
        assert one.local_start == dt.datetime.combine(
            one.recurrence_date, values[one.start_time_id]
        )
        assert one.end_time - one.start_time == dt.timedelta(minutes=pattern.duration)
    assert all(a.recurrence_date <= b.recurrence_date for a, b in pairwise(found))
