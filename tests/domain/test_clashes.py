"""Rooms and people wanted twice (S4)."""

import datetime as dt
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clashes import Away, Busy, find_clashes

DAY = dt.datetime(2026, 6, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def busy(key, start, end, room="hall", person="tomas"):
    begin = DAY + start * MINUTE
    return Busy(
        key, key, begin, DAY + end * MINUTE, begin.replace(tzinfo=None), room or None, person
    )


@pytest.mark.parametrize(
    ("start", "end", "rest", "clashes"),
    [
        (60, 120, 0, False),  # touching
        (59, 120, 0, True),
        (60, 120, 15, True),  # no time to turn the room round
        (74, 120, 15, True),
        (75, 120, 15, False),
        (-60, 0, 0, False),
        (-60, -14, 15, True),
        (-60, -15, 15, False),
        (10, 20, 0, True),
    ],
)
def test_s4_ranges_are_half_open_and_a_room_needs_its_turnaround(start, end, rest, clashes):
    found = find_clashes(
        [busy("new", start, end, person=None)],
        [busy("old", 0, 60, person=None)],
        turnaround={"hall": rest * MINUTE},
    )
    assert [it.other.key for it in found if it.other] == (["old"] if clashes else [])


def test_s4_a_person_needs_no_turnaround_and_two_wanted_ones_clash_too():
    one, two = busy("one", 0, 60, room=None), busy("two", 30, 90, room=None)
    three = busy("three", 90, 120, room=None)
    found = find_clashes([one, two, three], [], turnaround={"hall": 15 * MINUTE})
    assert [(it.wanted.key, it.other.key, it.kind) for it in found if it.other] == [
        ("one", "two", "practitioner"),
        ("two", "one", "practitioner"),
    ]


@pytest.mark.parametrize(
    ("start", "end", "clashes"), [(-60, 0, False), (60, 90, False), (59, 90, True), (-5, 1, True)]
)
def test_who_is_away_clashes(start, end, clashes):
    local = DAY.replace(tzinfo=None)
    away = Away("tomas", local + start * MINUTE, local + end * MINUTE, "Dentist")
    found = find_clashes([busy("new", 0, 60)], [], away=[away])
    assert [it.reason for it in found] == (["Dentist"] if clashes else [])


spans = st.tuples(
    st.integers(0, 60), st.integers(1, 30), st.sampled_from(["", "a", "b"]), st.sampled_from("xy")
)


@given(st.lists(spans, max_size=8), st.lists(spans, max_size=8), st.integers(0, 20))
def test_s4_the_sweep_finds_what_comparing_all_pairs_finds(wanted, standing, rest):
    asked = [busy(f"w{n}", s, s + d, r, p) for n, (s, d, r, p) in enumerate(wanted)]
    there = [busy(f"s{n}", s, s + d, r, p) for n, (s, d, r, p) in enumerate(standing)]
    gap = rest * MINUTE
    pairs = [(one, other) for one, other in product(asked, [*asked, *there]) if one is not other]
    expected = {
        ("room", one.key, other.key)
        for one, other in pairs
        if one.room_id and one.room_id == other.room_id
        if one.start < other.end + gap and other.start < one.end + gap
    } | {
        ("practitioner", one.key, other.key)
        for one, other in pairs
        if one.practitioner_id == other.practitioner_id
        if one.start < other.end and other.start < one.end
    }
    found = find_clashes(asked, there, turnaround={"a": gap, "b": gap})
    assert {(it.kind, it.wanted.key, it.other.key) for it in found if it.other} == expected
    assert len(found) == len(expected)
