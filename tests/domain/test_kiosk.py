"""When a party can check itself in, and which of its bookings is meant."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.kiosk import (
    MOST_TRIES,
    OPENS,
    WINDOW,
    Arrival,
    KioskPaused,
    check_kiosk_name,
    check_kiosk_tries,
    choose,
    judge,
)

START = dt.datetime(2026, 6, 12, 17, 0, tzinfo=dt.UTC)
TODAY = dt.date(2026, 6, 12)
LOCAL = dt.datetime.combine(TODAY, dt.time(18))
BOOKED = Arrival(START, START + dt.timedelta(hours=1), LOCAL)
SECOND = dt.timedelta(seconds=1)


def say(now=START, today=TODAY, **given):
    return judge(replace(BOOKED, **given), now=now, today=today)


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (START - OPENS - SECOND, "too_early"),
        (START - OPENS, "ready"),
        (START, "ready"),
        (BOOKED.end - SECOND, "ready"),
        (BOOKED.end, "over"),
    ],
)
def test_check_in_is_open_from_an_hour_before_the_start_to_the_end(now, code):
    assert say(now).code == code


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ({"is_waiting": True}, "waiting", "waiting list"),
        ({"is_cancelled": True}, "cancelled", "was cancelled"),
        ({"is_session_cancelled": True}, "session_cancelled", "session was cancelled"),
        ({"has_arrived": True}, "arrived", ""),
        ({"is_no_show": True}, "no_show", "at the desk"),
    ],
)
def test_every_refusal_has_its_sentence(given, code, says):
    verdict = say(**given)
    assert (verdict.code, says in verdict.sentence) == (code, True)
    assert not verdict.is_ready


def test_another_day_is_named():
    verdict = say(START - dt.timedelta(days=2), TODAY - dt.timedelta(days=2))
    assert verdict.code == "not_today"
    assert "Friday 12 June at 18:00" in verdict.sentence


def test_just_after_midnight_is_no_other_day_shortly_before():
    soon = replace(BOOKED, local_start=LOCAL + dt.timedelta(hours=6, minutes=15))
    assert judge(soon, now=START - dt.timedelta(minutes=20), today=TODAY).is_ready


def test_the_booking_that_is_ready_is_chosen_over_all_others():
    later = replace(
        BOOKED,
        start=START + dt.timedelta(days=1),
        end=BOOKED.end + dt.timedelta(days=1),
        local_start=BOOKED.local_start + dt.timedelta(days=1),
    )
    others = [replace(BOOKED, is_cancelled=True), later, replace(BOOKED, has_arrived=True)]
    assert choose([*others, BOOKED], now=START, today=TODAY) == 3
    assert choose(others, now=START, today=TODAY) == 2
    assert choose(others[:2], now=START, today=TODAY) == 1
    assert choose([], now=START, today=TODAY) is None


@given(st.lists(st.integers(0, 900), max_size=40).map(sorted))
def test_no_window_ever_has_more_tries_than_allowed(seconds):
    made: list[dt.datetime] = []
    for second in seconds:
        now = START + dt.timedelta(seconds=second)
        try:
            check_kiosk_tries(made, now)
        except KioskPaused as paused:
            again = now + dt.timedelta(seconds=paused.seconds)
            check_kiosk_tries(made, again)
        else:
            made.append(now)
    spans = [b - a for a, b in zip(made, made[MOST_TRIES:], strict=False)]
    assert all(span >= WINDOW for span in spans)
    assert all(a <= b for a, b in pairwise(made))


@pytest.mark.parametrize("name", ["", "  ", "<b>", "x" * 61, "a\u202eb"])
def test_a_kiosk_has_a_short_plain_name(name):
    with pytest.raises(RuleBroken) as broken:
        check_kiosk_name(name)
    assert broken.value.field == "name"
