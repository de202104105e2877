"""When a reminder goes, and until when it helps."""

import datetime as dt

import pytest

from domain.reminders import is_reminder_useful, reminder_moment

START = dt.datetime(2026, 6, 12, 17, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("hours", "booked", "expected"),
    [
        (24, START - 25 * HOUR, START - 24 * HOUR),
        (24, START - 24 * HOUR - SECOND, START - 24 * HOUR),
        (24, START - 24 * HOUR, None),
        (24, START - HOUR, None),
        (0, START - 25 * HOUR, None),
    ],
)
def test_e2_none_when_booked_after_the_moment_had_passed(hours, booked, expected):
    assert reminder_moment(START, hours, now=booked) == expected


@pytest.mark.parametrize(
    ("hours", "before", "expected"),
    [
        (24, 24 * HOUR, True),
        (24, HOUR, True),
        (24, HOUR - SECOND, False),
        (24, -HOUR, False),
        (1, HOUR / 2, True),
        (1, HOUR / 2 - SECOND, False),
    ],
)
def test_e2_after_an_outage_only_while_it_helps(hours, before, expected):
    assert is_reminder_useful(START, hours, now=START - before) is expected
