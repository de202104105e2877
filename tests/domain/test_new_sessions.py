"""What is said before a single session is made."""

import datetime as dt

import pytest

from domain.errors import RuleBroken
from domain.new_sessions import Making, NewSession, check_new, say_outside_hours

HOURS = {"monday": ["07:00", "22:00"], "tuesday": ["09:30", "18:00"]}
MONDAY = dt.datetime(2026, 6, 15)  # noqa: DTZ001 - wall time
NOW = dt.datetime(2026, 6, 4, 9, tzinfo=dt.UTC)


def at(text, day=MONDAY):
    hour, minute = text.split(":")
    return day + dt.timedelta(hours=int(hour), minutes=int(minute))


@pytest.mark.parametrize(
    ("start", "end", "day", "said"),
    [
        ("07:00", "22:00", 0, ""),
        ("06:59", "08:00", 0, "The venue is open from 07:00 to 22:00 on Mondays."),
        ("21:00", "22:01", 0, "The venue is open from 07:00 to 22:00 on Mondays."),
        ("21:00", "25:00", 0, "The venue is open from 07:00 to 22:00 on Mondays."),
        ("09:30", "10:00", 1, ""),
        ("09:00", "10:00", 1, "The venue is open from 09:30 to 18:00 on Tuesdays."),
        ("12:00", "13:00", 2, "The venue is closed on Wednesdays."),
    ],
)
def test_hours_are_those_of_the_weekday(start, end, day, said):
    on = MONDAY + dt.timedelta(days=day)
    assert say_outside_hours(HOURS, at(start, on), at(end, on)) == said


@pytest.mark.parametrize(("end", "is_said"), [("24:00", False), ("24:01", True)])
def test_a_venue_may_be_open_until_midnight(end, is_said):
    hours = {"monday": ["18:00", "24:00"]}
    said = say_outside_hours(hours, at("22:00"), at(end))
    assert bool(said) == is_said
    assert "18:00 to 24:00" in said or not is_said


def test_a_venue_without_hours_is_never_closed():
    assert say_outside_hours({}, at("03:00"), at("04:00")) == ""


def check(capacity=8, cap=10, starts=NOW + dt.timedelta(days=1), duration=60, **given):
    wanted = NewSession("type", at("10:00"), **given)
    return check_new(
        wanted, duration=duration, capacity=capacity, room="Hall", room_cap=cap, starts=starts,
        now=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"starts": NOW}, "time"),
        ({"duration": 0}, "duration"),
        ({"duration": 7 * 24 * 60 + 1}, "duration"),
        ({"capacity": None}, "capacity"),
        ({"capacity": 0}, "capacity"),
        ({"capacity": 11}, "capacity"),
        ({"capacity": 1001, "cap": None}, "capacity"),
        ({"max_baskets": 0}, "max_baskets"),
        ({"price": -1}, "price"),
    ],
)
def test_r7_r8_r9_what_can_not_be_is_named(given, field):
    with pytest.raises(RuleBroken) as broken:
        check(**given)
    assert broken.value.field == field


def test_r8_the_rooms_cap_is_allowed():
    assert check(capacity=10) == 10
    assert check(capacity=1000, cap=None) == 1000


def test_s3_only_what_speaks_against_it_asks():
    plain = Making("Yoga", at("10:00"), at("11:00"), lacks_price=True)
    assert not plain.asks
    closed = Making("Yoga", at("10:00"), at("11:00"), closed="")
    assert closed.asks
    assert closed.mark != plain.mark
