"""What keeps a type from being sold, by tables; gaps against brute force."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.durations import Interval
from domain.selling_checks import ComingSession, SellingFacts, find_gaps, find_hurdles, say_gap

LONDON = ZoneInfo("Europe/London")
NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 6, 8)


def at(day, time, *, price=True, **given):
    """A session `day` days after Monday 8 June."""
    hour, minute = map(int, time.split(":"))
    start = dt.datetime.combine(MONDAY + dt.timedelta(days=day), dt.time(hour, minute))
    return ComingSession(start, has_price=price, **given)


FINE = (at(0, "10:00"), at(1, "10:00"))


def said(**given):
    facts = SellingFacts(**{"zone": LONDON, "sessions": FINE, **given})
    return [(one.sentence, one.stops) for one in find_hurdles(facts, NOW)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"is_archived": True, "offered_online": False, "sessions": ()}, [("Archived", True)]),
        ({"offered_online": False}, [("Not offered online: only staff can book it", True)]),
        ({"visibility": "private"}, [("Staff only: customers can't see it", True)]),
        ({"visibility": "link_only"}, [("Hidden: link only", False)]),
        ({"sessions": ()}, [("No sessions scheduled", True)]),
        (
            {"sessions": (), "live_series": 2},
            [("No sessions scheduled, though it has 2 series", True)],
        ),
        (
            {"sessions": (at(0, "10:00", is_full=True), at(1, "10:00", is_full=True))},
            [("No places left on any coming session", True)],
        ),
        ({"sessions": (at(0, "10:00", is_full=True), at(1, "10:00"))}, []),
        (
            {"opens_before": Interval.parse("P1D")},
            [("Booking opens only Sunday 7 June at 10:00", True)],
        ),
        (
            {
                "opens_before": Interval.parse("P1D"),
                "members_open_before": (Interval.parse("P9D"),),
            },
            [("Booking opens only Sunday 7 June at 10:00, for members it is open", False)],
        ),
        ({"opens_before": Interval.parse("P30D")}, []),
        (
            {"closes_before": Interval.parse("P30D")},
            [("Booking has closed for every coming session", True)],
        ),
        (
            {"members_only": True},
            [("Members only, and there is no membership type", True)],
        ),
        (
            {"members_only": True, "membership_types": 3, "permitted": 1, "permitted_live": 0},
            [("Members only, and no membership type is permitted any more", True)],
        ),
        ({"members_only": True, "membership_types": 3, "permitted": 2, "permitted_live": 1}, []),
        ({"members_only": True, "membership_types": 3}, []),
        (
            {"sessions": (at(0, "10:00", archived_room="Spring Hall"), at(1, "10:00"))},
            [("Its room is archived: Spring Hall, 1 coming session", False)],
        ),
        (
            {"sessions": (at(0, "10:00", price=False), at(1, "10:00", price=False))},
            [("No price on any coming session (2 sessions)", True)],
        ),
        (
            {"visibility": "link_only", "sessions": ()},
            [("No sessions scheduled", True), ("Hidden: link only", False)],
        ),
    ],
)
def test_each_hurdle_is_told_and_what_stops_all_sales_first(given, expected):
    assert said(**given) == expected


@pytest.mark.parametrize(
    ("sessions", "expected"),
    [
        (FINE, []),
        (
            [at(6, "08:00", price=False), at(6, "09:00", price=False), at(6, "10:00")],
            ["No price on Sundays before 10:00"],
        ),
        (
            [
                at(5, "08:00", price=False),
                at(5, "10:00"),
                at(6, "09:00", price=False),
                at(6, "10:00"),
            ],
            ["No price on Saturdays and Sundays before 10:00"],
        ),
        ([at(0, "10:00"), at(6, "10:00", price=False), at(7, "10:00")], ["No price on Sundays"]),
        (
            [at(0, "10:00"), at(0, "18:00", price=False), at(1, "10:00")],
            ["No price on Mondays from 18:00 on"],
        ),
        (
            [at(0, "10:00"), at(0, "12:00", price=False), at(0, "14:00"), at(1, "12:00")],
            ["No price on Mondays from 12:00 until 14:00"],
        ),
        ([at(0, "10:00"), at(7, "10:00", price=False)], ["No price from Monday 15 June on"]),
        ([at(0, "10:00", price=False), at(7, "10:00")], ["No price up to Monday 8 June"]),
        (
            [at(0, "10:00"), at(7, "10:00", price=False), at(14, "10:00")],
            ["No price on Monday 15 June at 10:00"],
        ),
        (
            [
                at(day, time, price=time != "08:00")
                for day in range(7)
                for time in ("08:00", "10:00")
            ],
            ["No price before 10:00"],
        ),
    ],
)
def test_gaps_are_gathered_by_weekday_time_and_date(sessions, expected):
    assert [say_gap(gap) for gap in find_gaps(sessions)] == expected


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(6, 22), st.booleans()),
        max_size=40,
        unique_by=lambda one: (one[0], one[1]),
    )
)
def test_p4_gaps_cover_just_the_sessions_without_a_price(drawn):
    sessions = [at(day, f"{hour}:00", price=price) for day, hour, price in drawn]
    gaps = find_gaps(sessions)
    for one in sessions:
        assert any(gap.covers(one.local_start) for gap in gaps) is not one.has_price
    assert sum(gap.sessions for gap in gaps) == sum(not one.has_price for one in sessions)
    assert all(say_gap(gap).startswith("No price ") for gap in gaps)
