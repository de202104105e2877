import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.words import (
    count,
    full_stop,
    initials,
    say_day,
    say_duration,
    say_moment,
    say_month,
    say_short_day,
    say_time,
    say_weekday_short,
)

at = dt.datetime.fromisoformat
FRIDAY = dt.date(2026, 6, 12)


def test_r32_a_day_is_said_as_the_shop_says_it():
    assert say_day(FRIDAY) == "Friday 12 June"
    assert say_weekday_short(FRIDAY) == "Fri 12 June"
    assert say_short_day(dt.date(2026, 6, 5)) == "5 Jun"
    assert say_month(2026, 6) == "June 2026"
    assert say_month(2026, 12) == "December 2026"


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (dt.time(18, 0), "18:00"),
        (dt.time(0, 5), "00:05"),
        (at("2026-06-12T09:30:59"), "09:30"),
    ],
)
def test_r32_times_are_on_the_24_hour_clock(moment, said):
    assert say_time(moment) == said


def test_t4_an_edge_is_said_with_day_and_time():
    assert say_moment(at("2026-06-05T10:00")) == "Friday 5 June at 10:00"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((0, "place"), "0 places"),
        ((1, "place"), "1 place"),
        ((2, "place"), "2 places"),
        ((1, "half day", "half days"), "1 half day"),
        ((3, "entry", "entries"), "3 entries"),
    ],
)
def test_h2_one_place_is_not_one_places(args, said):
    assert count(*args) == said


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "0 minutes"),
        (1, "1 minute"),
        (45, "45 minutes"),
        (60, "1 hour"),
        (75, "1 hour 15 minutes"),
        (121, "2 hours 1 minute"),
        (240, "4 hours"),
    ],
)
def test_r7_a_duration_is_said_in_hours_and_minutes(minutes, said):
    assert say_duration(minutes) == said


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ana Reyes", "AR"),
        ("ana", "A"),
        ("Ana Maria de la Cruz", "AC"),
        ("(Ana) Reyes", "R"),
        ("Émile Zola", "ÉZ"),
        ("ßaskia ßmith", "SS"),
        ("山田 太郎", "山太"),
        ("", "?"),
        ("- !", "?"),
    ],
)
def test_h9_initials_are_the_first_and_the_last(name, letters):
    assert initials(name) == letters


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_h9_initials_are_one_or_two_signs(name):
    assert 1 <= len(initials(name)) <= 2


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("The boiler broke", "The boiler broke."),
        (" Closed. ", "Closed."),
        ("Why?", "Why?"),
        ("", ""),
    ],
)
def test_what_staff_typed_stands_as_a_sentence(typed, said):
    assert full_stop(typed) == said
