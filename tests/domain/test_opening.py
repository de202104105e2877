"""Opening hours: what is inside them, what may be typed, and how a week is said."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.opening import check_day, check_hours, hours_of, is_open, say_week
from domain.words import WEEKDAYS

WEEK = {"friday": ["07:00", "24:00"], "saturday": ["00:00", "12:00"], "monday": ["09:00", "17:30"]}


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        ("2026-06-08T09:00", "2026-06-08T17:30", True),
        ("2026-06-08T08:59", "2026-06-08T10:00", False),
        ("2026-06-08T17:00", "2026-06-08T17:31", False),
        ("2026-06-09T10:00", "2026-06-09T11:00", False),
        ("2026-06-12T23:00", "2026-06-13T01:00", True),
        ("2026-06-12T23:00", "2026-06-13T00:00", True),
        ("2026-06-13T11:00", "2026-06-13T12:01", False),
        ("2026-06-12T06:00", "2026-06-13T01:00", False),
    ],
)
def test_a_session_is_inside_the_hours_from_opening_to_closing(start, end, inside):
    assert is_open(WEEK, at(start), at(end)) is inside


def test_without_hours_nothing_is_outside_them():
    assert is_open({}, at("2026-06-09T03:00"), at("2026-06-09T04:00"))


@given(
    hours=st.dictionaries(
        st.sampled_from(WEEKDAYS),
        st.tuples(st.integers(0, 23), st.integers(0, 24)).filter(lambda pair: pair[0] < pair[1]),
        min_size=1,
    ),
    start=st.integers(0, 7 * 24 - 1),
    lasts=st.integers(1, 30),
)
def test_hours_agree_with_counting_each_hour(hours, start, lasts):
    week = {day: [f"{a:02}:00", f"{b:02}:00"] for day, (a, b) in hours.items()}
    first = at("2026-06-08T00:00") + dt.timedelta(hours=start)
    every = [first + dt.timedelta(hours=number) for number in range(lasts)]
    brute = all(
        (named := hours.get(WEEKDAYS[one.weekday()])) and named[0] <= one.hour < named[1]
        for one in every
    )
    assert is_open(week, first, first + dt.timedelta(hours=lasts)) is bool(brute)


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ("22:00", "07:00"), ("07:00", "07:00"), ("7", "22:00"), ("24:00", "24:00"), ("07:00", ""),
        ("25:00", "26:00"), ("0\u0667:00", "22:00"),
    ],
)  # fmt: skip
def test_hours_that_are_none_are_refused_at_their_day(opens, closes):
    with pytest.raises(RuleBroken) as broken:
        check_hours({"monday": [opens, closes]})
    assert broken.value.field == "monday"
    assert broken.value.sentence.startswith("Monday:")


def test_midnight_as_an_end_is_the_end_of_the_day():
    assert check_day("friday", "18:00", "00:00") == ["18:00", "24:00"]
    assert hours_of({"friday": ["18:00", "24:00"]}, dt.date(2026, 6, 12)) == (1080, 1440)
    assert hours_of({}, dt.date(2026, 6, 12)) is None


def test_a_week_is_said_in_as_few_lines_as_it_takes():
    same = ["07:00", "22:00"]
    assert say_week(dict.fromkeys(WEEKDAYS, same)) == ["Daily, 07:00 to 22:00"]
    assert say_week({**dict.fromkeys(WEEKDAYS[:5], same), "saturday": ["09:00", "12:00"]}) == [
        "Monday to Friday, 07:00 to 22:00",
        "Saturday, 09:00 to 12:00",
        "Sunday, closed",
    ]
