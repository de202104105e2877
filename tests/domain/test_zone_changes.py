"""Another zone for a site: wall time stays, instants are others (T6)."""

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from domain.local_time import UTC, to_utc
from domain.zone_changes import Coming, plan_zone_change, rederive

LONDON, PARIS, TOKYO = (ZoneInfo(f) for f in ("Europe/London", "Europe/Paris", "Asia/Tokyo"))
NOW = dt.datetime(2026, 6, 4, 9, tzinfo=UTC)


def coming(text: str, zone: ZoneInfo = LONDON, minutes: int = 60, **given) -> Coming:
    local = dt.datetime.fromisoformat(text)
    start = to_utc(local, zone)
    end = start + dt.timedelta(minutes=minutes)
    return Coming(given.pop("id", text), "Bathe", local, start, end, **given)


def test_t6_nine_o_clock_stays_nine_o_clock():
    moved = rederive(coming("2026-06-12T09:00"), PARIS)
    assert moved.start_time.astimezone(PARIS).replace(tzinfo=None) == moved.session.local_start
    assert moved.later == dt.timedelta(hours=-1)


@given(
    after=st.integers(0, 525_600),
    minutes=st.integers(1, 600),
)
def test_t6_a_session_lasts_as_long_as_it_did_in_every_zone(after, minutes):
    local = dt.datetime.fromisoformat("2026-06-05") + dt.timedelta(minutes=after)
    one = coming(local.isoformat(), minutes=minutes)
    for zone in (PARIS, TOKYO, ZoneInfo("America/New_York"), ZoneInfo("Pacific/Chatham")):
        moved = rederive(one, zone)
        assert moved.end_time - moved.start_time == dt.timedelta(minutes=minutes)
        assert moved.start_time == to_utc(local, zone)


def test_t2_a_time_that_the_new_clocks_skip_or_repeat_is_told():
    skipped, twice = coming("2027-03-28T02:30"), coming("2026-10-25T02:30")
    plan = plan_zone_change([skipped, twice, coming("2026-07-01T09:00")], PARIS, now=NOW)
    assert [(one.id, what) for one, what in plan.odd] == [
        (skipped.id, "skipped"),
        (twice.id, "repeated"),
    ]
    assert plan.same == 1, "the skipped one takes the offset before the gap, as London has it"


def test_t6_what_would_have_begun_already_is_told():
    soon, later = coming("2026-06-04T15:00"), coming("2026-06-06T15:00")
    plan = plan_zone_change([soon, later], TOKYO, now=NOW)
    assert [one.session.id for one in plan.begun] == [soon.id]
    assert plan.sessions == 2


def test_t6_cancelled_sessions_move_but_are_not_counted():
    plan = plan_zone_change([coming("2026-06-12T09:00", is_live=False)], PARIS, now=NOW)
    assert len(plan.moved) == 1
    assert (plan.sessions, plan.same, plan.shifts) == (0, 0, ())


def test_the_mark_stands_for_sessions_and_bookings():
    one = coming("2026-06-12T09:00")
    mark = plan_zone_change([one], PARIS, bookings=["a"], now=NOW).mark
    assert mark == plan_zone_change([one], PARIS, bookings=["a"], now=NOW).mark
    assert mark != plan_zone_change([one], PARIS, bookings=["a", "b"], now=NOW).mark
    assert mark != plan_zone_change([], PARIS, bookings=["a"], now=NOW).mark
    assert mark != plan_zone_change([one], TOKYO, bookings=["a"], now=NOW).mark
