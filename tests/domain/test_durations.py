import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.durations import EARLIEST, Interval
from domain.errors import RuleBroken
from domain.local_time import to_local, to_utc

LONDON = ZoneInfo("Europe/London")
NEW_YORK = ZoneInfo("America/New_York")
at = dt.datetime.fromisoformat


@pytest.mark.parametrize(
    ("text", "months", "days", "seconds"),
    [
        pytest.param("P1D", 0, 1, 0, id="a day"),
        pytest.param("PT24H", 0, 0, 86_400, id="24 hours are no day"),
        pytest.param("P1W", 0, 7, 0, id="a week"),
        pytest.param("P1M", 1, 0, 0, id="M before T is months"),
        pytest.param("PT1M", 0, 0, 60, id="M after T is minutes"),
        pytest.param("P1Y2M3W4DT5H6M7S", 14, 25, 18_367, id="all of it"),
        pytest.param("PT0S", 0, 0, 0, id="nothing"),
        pytest.param("P0D", 0, 0, 0, id="no days"),
        pytest.param(" pt90m ", 0, 0, 5400, id="untidy"),
    ],
)
def test_t3_calendar_steps_and_real_time_are_kept_apart(text, months, days, seconds):
    assert Interval.parse(text) == Interval(months, days, seconds)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1", "1D", "P1DT", "-P1D", "P-1D", "P1.5D", "P1D2W", "PT1D", "1 day"]
)
def test_t3_anything_else_is_refused_with_a_code_and_a_sentence(text):
    with pytest.raises(RuleBroken) as refused:
        Interval.parse(text)
    assert refused.value.code == "duration"
    assert refused.value.sentence == f"“{text}” is not a duration like P1D or PT24H."


@pytest.mark.parametrize(
    ("start", "text", "instant"),
    [
        pytest.param("2026-03-29T10:00", "P1D", "2026-03-28T10:00Z", id="a day before spring"),
        pytest.param("2026-03-29T10:00", "PT24H", "2026-03-28T09:00Z", id="24 hours before spring"),
        pytest.param("2026-10-25T10:00", "P1D", "2026-10-24T09:00Z", id="a day before autumn"),
        pytest.param("2026-10-25T10:00", "PT24H", "2026-10-24T10:00Z", id="24 hours before autumn"),
        pytest.param("2026-04-01T10:00", "P1W", "2026-03-25T10:00Z", id="a week over spring"),
        pytest.param("2026-03-31T10:00", "P1M", "2026-02-28T10:00Z", id="31 March minus a month"),
        pytest.param("2028-03-31T10:00", "P1M", "2028-02-29T10:00Z", id="the same, leap year"),
        pytest.param("2028-02-29T10:00", "P1Y", "2027-02-28T10:00Z", id="29 February minus a year"),
        pytest.param("2026-01-15T10:00", "P1M", "2025-12-15T10:00Z", id="into last year"),
        pytest.param("2026-12-15T10:00", "P12M", "2025-12-15T10:00Z", id="twelve months"),
        pytest.param("2026-03-31T10:00", "P1M1D", "2026-02-27T10:00Z", id="clamp, then a day"),
        pytest.param("2026-03-30T01:30", "P1D", "2026-03-29T01:30Z", id="lands in the gap"),
        pytest.param("2026-10-26T01:30", "P1D", "2026-10-25T00:30Z", id="lands on the repeat"),
        pytest.param("2026-03-30T01:30", "P1DT1H", "2026-03-29T00:30Z", id="day, then hour"),
    ],
)
def test_t3_day_units_step_the_local_calendar(start, text, instant):
    assert Interval.parse(text).before(at(start), LONDON) == at(instant)


@pytest.mark.parametrize("zone", [LONDON, NEW_YORK, ZoneInfo("Pacific/Kiritimati")], ids=str)
@pytest.mark.parametrize(
    "text", ["P9999Y", "P2025Y6M", "P9999W", "P9999D", "P2025Y5M11DT23H", "P2025Y5M9999D"]
)
def test_t3_a_time_before_all_calendars_can_still_be_said(text, zone):
    instant = Interval.parse(text).before(at("2026-06-12T10:00"), zone)
    assert instant >= EARLIEST
    assert to_local(instant, zone) < at("2026-06-12T10:00")


intervals = st.builds(
    Interval, st.integers(0, 30), st.integers(0, 400), st.integers(0, 10 * 86_400)
)
starts = st.datetimes(at("2024-01-01"), at("2030-01-01"))


@settings(max_examples=100, deadline=None)
@given(intervals, starts, st.sampled_from([LONDON, NEW_YORK]))
def test_t3_no_interval_ends_after_the_start_itself(interval, start, zone):
    before = interval.before(start, zone)
    assert before <= to_utc(start, zone)
    assert before.tzinfo is dt.UTC


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 800), starts)
def test_t3_whole_days_keep_the_time_on_the_wall(days, start):
    expected = to_utc(start - dt.timedelta(days=days), LONDON)
    assert Interval(days=days).before(start, LONDON) == expected


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), starts)
def test_t3_hours_are_elapsed_time(seconds, start):
    before = Interval(seconds=seconds).before(start, NEW_YORK)
    assert to_utc(start, NEW_YORK) - before == dt.timedelta(seconds=seconds)
