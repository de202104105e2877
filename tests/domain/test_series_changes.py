"""The plan of a series: each session is judged once, by what it is and what is wanted (R24, S2)."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from domain.local_time import to_utc
from domain.recurrence import Series, StartTime
from domain.series_changes import Slot, Standing, Wanted, plan_series
from domain.series_patterns import RoomFacts, SeriesWish, TimeWish, list_problems

ZONE = ZoneInfo("Europe/London")
NOW = dt.datetime(2026, 6, 4, 9, tzinfo=dt.UTC)
TODAY = dt.date(2026, 6, 4)
FRIDAY = dt.date(2026, 6, 5)
PATTERN = Series(
    group_id="g",
    weekdays=frozenset({"friday"}),
    start_times=[StartTime("a", dt.time(9))],
    first_day=FRIDAY,
    last_day=FRIDAY,
    duration=60,
    zone=ZONE,
)
WANTED = Wanted(PATTERN, room_id="hall", capacity=8, room_cap=20)


def slot(day=FRIDAY, hour=9, **given):
    local = dt.datetime.combine(day, dt.time(hour))
    start = to_utc(local, ZONE)
    return Slot(**{
        "local_start": local, "start_time": start, "end_time": start + dt.timedelta(hours=1),
        "room_id": "hall", "practitioner_id": None, "capacity": 8, **given,
    })  # fmt: skip


def session(**given):
    return Standing(
        **{"id": "s", "recurrence_date": FRIDAY, "start_time_id": "a", "slot": slot(), **given}
    )


def plan(wanted, *standing, now=NOW):
    return plan_series(wanted, standing, now=now, today=TODAY)


NOT_WANTED = replace(
    WANTED, series=replace(PATTERN, weekdays=frozenset({"monday"}), last_day=FRIDAY)
)
SMALLER = replace(WANTED, capacity=5)
ARCHIVED = replace(WANTED, is_live=False)
CLOSED = replace(WANTED, closed={FRIDAY: "Repairs"})


@pytest.mark.parametrize(
    ("wanted", "given", "what"),
    [
        (WANTED, {}, "unchanged"),
        (SMALLER, {}, "moved"),
        (SMALLER, {"is_sold": True}, "booked"),
        (SMALLER, {"overridden": frozenset({"capacity"})}, "unchanged"),
        (SMALLER, {"overridden": frozenset({"room_id"})}, "moved"),
        (SMALLER, {"is_live": False}, "cancelled"),
        (SMALLER, {"is_live": False, "withdrawn_by": "series"}, "brought_back"),
        (NOT_WANTED, {}, "withdrawn"),
        (NOT_WANTED, {"is_sold": True}, "booked"),
        (NOT_WANTED, {"overridden": frozenset({"capacity"})}, "by_hand"),
        (NOT_WANTED, {"is_live": False}, "nothing"),
        (NOT_WANTED, {"is_live": False, "withdrawn_by": "series"}, "nothing"),
        (ARCHIVED, {}, "withdrawn"),
        (ARCHIVED, {"overridden": frozenset({"capacity"})}, "withdrawn"),
        (ARCHIVED, {"is_sold": True}, "booked"),
        (CLOSED, {}, "withdrawn"),
        (CLOSED, {"is_sold": True}, "booked"),
        (CLOSED, {"is_live": False, "withdrawn_by": "closed_day"}, "nothing"),
        (WANTED, {"is_live": False, "withdrawn_by": "closed_day"}, "brought_back"),
    ],
)
def test_s2_every_session_is_judged_once(wanted, given, what):
    found = plan(wanted, session(**given))
    counts = {
        "unchanged": found.unchanged,
        "moved": len(found.moved),
        "brought_back": len(found.brought_back),
        "withdrawn": len(found.withdrawn),
        **{why: len(found.left_because(why)) for why in ("past", "booked", "by_hand", "cancelled")},
    }
    assert {name for name, number in counts.items() if number} == {what} - {"nothing"}
    assert found.made == ()


@pytest.mark.parametrize("wanted", [SMALLER, NOT_WANTED, ARCHIVED, CLOSED])
def test_s2_what_has_begun_is_left_alone(wanted):
    found = plan(wanted, session(), now=slot().start_time)
    assert found.is_nothing
    assert [one.because for one in found.left] == ["past"]


def test_a_closed_day_is_skipped_with_its_reason():
    found = plan(CLOSED)
    assert found.made == ()
    assert [(it.day, it.reason, it.sessions) for it in found.skipped] == [(FRIDAY, "Repairs", 1)]


def test_s2_a_session_moved_by_hand_to_a_closed_day_is_left_to_people():
    tomorrow = FRIDAY + dt.timedelta(days=1)
    moved = session(slot=slot(tomorrow), overridden=frozenset({"start_time"}))
    closed = replace(WANTED, closed={tomorrow: "Repairs"})
    found = plan(closed, moved)
    assert found.withdrawn == ()
    assert [one.because for one in found.left] == ["by_hand"]


def test_r5_a_session_changed_by_hand_follows_in_its_other_fields():
    by_hand = session(slot=slot(hour=11), overridden=frozenset({"start_time"}))
    wanted = replace(SMALLER, room_id="cave", series=replace(PATTERN, duration=90))
    (one,) = plan(wanted, by_hand).moved
    assert one.changes == ("duration", "room_id", "capacity")
    assert (one.slot.local_start.hour, one.slot.minutes, one.slot.capacity) == (11, 90, 5)


def test_r8_places_set_by_hand_keep_a_session_out_of_a_room_too_small_for_them():
    many = session(slot=slot(capacity=15), overridden=frozenset({"capacity"}))
    assert plan(replace(WANTED, room_id="cave", room_cap=10), many).unchanged == 1
    small = session(
        slot=slot(room_id="cave", capacity=4), overridden=frozenset({"room_id"}), own_room_cap=6
    )
    (one,) = plan(WANTED, small).moved
    assert one.slot.capacity == 6


def test_a_session_whose_new_time_is_over_goes():
    today = replace(PATTERN, weekdays=frozenset({"thursday"}), first_day=TODAY, last_day=TODAY)
    early = replace(WANTED, series=today)
    evening = session(recurrence_date=TODAY, slot=slot(TODAY, 18))
    assert len(plan(early, evening).withdrawn) == 1


def test_the_mark_differs_when_the_plan_does():
    marks = {plan(it, session()).mark for it in (WANTED, SMALLER, NOT_WANTED, ARCHIVED, CLOSED)}
    assert len(marks) == 5
    assert plan(SMALLER, session()).mark == plan(SMALLER, session()).mark


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"capacity": 21}, "capacity"),
        ({"capacity": 0}, "capacity"),
        ({"recurrence_end": TODAY}, None),
        ({"recurrence_start": dt.date(1, 1, 1)}, "recurrence_start"),
        ({"recurrence_end": dt.date(9999, 12, 31)}, "recurrence_end"),
        ({"start_times": (TimeWish("a", dt.time(9)), TimeWish("a", dt.time(10)))}, "times"),
        ({"recurrence_start": FRIDAY, "recurrence_end": TODAY}, "recurrence_end"),
        ({"start_times": (TimeWish("a", dt.time(9)), TimeWish("", dt.time(9)))}, "times"),
        ({"name": "x" * 121}, "name"),
        ({}, None),
    ],
)
def test_r23_r8_what_may_not_be_saved(given, field):
    found = list_problems(SeriesWish(**given), RoomFacts("Spring Hall", 20), TODAY)
    assert [name for name, _ in found] == ([field] if field else [])
