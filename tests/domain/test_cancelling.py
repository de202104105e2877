"""Whether a customer may still cancel (M5)."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from domain.cancelling import can_cancel

LONDON = ZoneInfo("Europe/London")
START = dt.datetime.fromisoformat("2026-06-12T18:00")
SECOND = dt.timedelta(seconds=1)


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def ask(now, permitted="allowed", duration=None, *, start=START, is_paid=False, zone=LONDON):
    policy = {
        "customer_cancellation_permitted": permitted,
        "customer_cancellation_min_duration": duration,
    }
    return can_cancel(policy, local_start=start, zone=zone, is_paid=is_paid, now=now)


@pytest.mark.parametrize(
    ("duration", "start", "until"),
    [
        ("PT24H", START, "2026-06-11T17:00"),
        ("P1D", START, "2026-06-11T17:00"),
        ("PT2H", START, "2026-06-12T15:00"),
        # The night of 29 March has 23 hours (T3).
        ("P1D", "2026-03-29T10:00", "2026-03-28T10:00"),
        ("PT24H", "2026-03-29T10:00", "2026-03-28T09:00"),
        ("P1M", "2026-03-31T10:00", "2026-02-28T10:00"),
    ],
)
def test_m5_the_cut_off_is_allowed_and_a_second_later_is_not(duration, start, until):
    edge = utc(until)
    start = dt.datetime.fromisoformat(str(start))
    assert ask(edge, duration=duration, start=start).is_allowed
    assert ask(edge - SECOND, duration=duration, start=start).until == edge
    late = ask(edge + SECOND, duration=duration, start=start)
    assert (late.is_allowed, late.code, late.until) == (False, "too_late", edge)


def test_m5_the_sentence_says_until_when_by_the_sites_clock():
    answer = ask(utc("2026-06-04T09:00"), duration="P1D")
    assert answer.sentence == "Free to cancel until Thursday 11 June at 18:00"
    there = ask(utc("2026-06-04T09:00"), duration="P1D", zone=ZoneInfo("Asia/Tokyo"))
    assert there.sentence == answer.sentence
    assert there.until == utc("2026-06-11T09:00")


def test_m5_without_a_duration_the_start_is_the_end_of_it():
    start = utc("2026-06-12T17:00")
    assert ask(start - SECOND).is_allowed
    assert ask(start).code == "started"
    assert ask(start - SECOND, duration="PT0S").is_allowed
    assert ask(start + SECOND, "disallowed").code == "started"


def test_m5_disallowed_is_never_and_unpaid_until_something_was_paid():
    early = utc("2026-06-04T09:00")
    assert ask(early, "disallowed").code == "disallowed"
    assert ask(early, "unpaid", "P1D").is_allowed
    assert ask(early, "unpaid", "P1D", is_paid=True).code == "paid"
    assert ask(early, "allowed", "P1D", is_paid=True).is_allowed


def test_m8_a_line_without_a_policy_can_be_cancelled_until_it_starts():
    answer = can_cancel(
        {}, local_start=START, zone=LONDON, is_paid=False, now=utc("2026-06-12T16:59")
    )
    assert answer.is_allowed
