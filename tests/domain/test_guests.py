"""Guests named once and given to lines: limits, defaults, overlaps (max_per_guest, H9)."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.guests import (
    Attending,
    Named,
    Stay,
    check_assignment,
    find_overlaps,
    most_people,
    number_people,
    people_needed,
    usual_assignment,
)
from domain.people import guest_key

START = dt.datetime.fromisoformat("2026-06-12T18:00")
at = dt.datetime.fromisoformat


def line(places, limit=None, type_id="sound"):
    return Attending(type_id, "Sound bath", START, places, limit)


@pytest.mark.parametrize(
    ("lines", "needed"),
    [
        pytest.param([line(2)], 2, id="one line"),
        pytest.param([line(2), line(3)], 3, id="the same people may come to both"),
        pytest.param([line(2, 1), line(3, 1)], 5, id="nobody may come to both"),
        pytest.param([line(2, 2), line(3, 2)], 3, id="everybody may come twice"),
        pytest.param([line(2, 2), line(2, 2), line(2, 2)], 3, id="six places, two each"),
        pytest.param([line(2, 1), line(3, 1, "other")], 3, id="two types are counted apart"),
        pytest.param([], 0, id="nothing asks for names"),
    ],
)
def test_as_few_people_are_asked_for_as_the_limits_allow(lines, needed):
    assert people_needed(lines) == needed


lines_of_types = st.lists(
    st.builds(
        lambda places, type_id, limits: line(places, limits[type_id], type_id),
        st.integers(1, 6),
        st.sampled_from(("a", "b")),
        st.shared(
            st.fixed_dictionaries(
                {"a": st.none() | st.integers(1, 3), "b": st.none() | st.integers(1, 3)}
            ),
            key="limits",
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(lines=lines_of_types, data=st.data())
def test_the_usual_assignment_fills_every_line_and_keeps_every_limit(lines, data):
    people = data.draw(st.integers(people_needed(lines), most_people(lines)))
    check_assignment(lines, usual_assignment(lines, people), [f"p{n}" for n in range(people)])


@given(lines=lines_of_types)
def test_with_one_person_fewer_no_assignment_is_right(lines):
    people = people_needed(lines) - 1
    chosen = usual_assignment(lines, people) if people else tuple(() for _ in lines)
    with pytest.raises(RuleBroken):
        check_assignment(lines, chosen, [f"p{n}" for n in range(people)])


@pytest.mark.parametrize(
    ("who", "refused"),
    [
        ((0, 1), False),
        ((0,), True),
        ((0, 1, 2), True),
        ((0, 0), True),
        ((0, 1, 1), True),
        ((1, 1), True),
        ((0, 3), True),
        ((0, -1), True),
        ((), True),
    ],
)
def test_a_line_takes_exactly_its_places_of_people_who_exist(who, refused):
    if not refused:
        check_assignment([line(2)], (who,), ["a", "b", "c"])
        return
    with pytest.raises(RuleBroken) as broken:
        check_assignment([line(2)], (who,), ["a", "b", "c"])
    assert broken.value.field == "who-0"
    assert "Choose 2 guests for Sound bath on Fri 12 June, 18:00." in broken.value.sentence


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_max_per_guest_takes_up_to_the_limit_and_no_more(limit):
    times = [line(1, limit)] * limit
    check_assignment(times, ((0,),) * limit, ["a"])
    with pytest.raises(RuleBroken) as broken:
        check_assignment([*times, line(1, limit)], ((0,),) * (limit + 1), ["a"])
    assert broken.value.code == "max_per_guest"
    assert broken.value.field == f"who-{limit}"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("José", "Jose\u0301", True),
        (" ana  reyes ", "Ana Reyes", True),
        ("\uff21\uff2e\uff21", "ana", True),
        ("B\u200bo", "Bo", True),
        ("Jose", "José", False),
    ],
)
def test_h9_two_spellings_of_one_name_are_one_guest(first, second, same):
    keys = [guest_key(name=first), guest_key(name=second)]
    if not same:
        check_assignment([line(2, 1)], ((0, 1),), keys)
        return
    with pytest.raises(RuleBroken) as broken:
        check_assignment([line(2, 1)], ((0, 1),), keys)
    assert broken.value.code == "max_per_guest"


def stay(start, end, people=(0,)):
    return Stay(start, at(f"2026-06-12T{start}Z"), at(f"2026-06-12T{end}Z"), frozenset(people))


@pytest.mark.parametrize(
    ("first", "second", "meets"),
    [
        pytest.param(stay("10:00", "11:00"), stay("10:59", "12:00"), True, id="by a minute"),
        pytest.param(stay("10:00", "11:00"), stay("11:00", "12:00"), False, id="touching"),
        pytest.param(stay("10:00", "13:00"), stay("11:00", "12:00"), True, id="inside"),
        pytest.param(stay("10:00", "11:00"), stay("10:00", "11:00"), True, id="the same"),
        pytest.param(stay("10:00", "11:00"), stay("10:00", "11:00", (1,)), False, id="others"),
        pytest.param(stay("10:00", "11:00", (0, 1)), stay("10:30", "12:00", (1,)), True, id="one"),
    ],
)
def test_h9_overlapping_sessions_of_one_guest_are_found_and_touching_ones_are_not(
    first, second, meets
):
    assert bool(find_overlaps([first, second])) is meets
    assert bool(find_overlaps([second, first])) is meets


@pytest.mark.parametrize(
    ("party", "numbers"),
    [
        ([Named("Jude"), Named("Ana")], (1, 0)),
        ([Named("Ana", "ana@example.com"), Named("Ana")], (0, 1)),
        ([Named("Ana", "other@example.com"), Named("Anna", "ANA@example.com")], (1, 0)),
        ([Named("Jude"), Named("Bo")], (1, 2)),
    ],
)
def test_h9_the_booker_is_known_among_a_party_that_is_named(party, numbers):
    assert number_people(Named("ana", "ana@example.com"), party) == numbers
