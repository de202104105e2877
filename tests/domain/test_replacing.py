"""Who stands in: a proposal never clashes, and none is missing that could be made (R6, S4)."""

import datetime as dt
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.replacing import Person, Place, Slot, assign, check_chosen, rank_replacements

DAY = dt.datetime.fromisoformat("2026-06-12")
ZERO = DAY.replace(tzinfo=dt.UTC)
STEP = dt.timedelta(minutes=15)


def slot(number, start, length, **given):
    begins = ZERO + start * STEP
    defaults = {"type_id": "bathe", "capacity": 8, "needed": 4}
    return Slot(
        f"s{number}", begins, begins + length * STEP, DAY + start * STEP, **{**defaults, **given}
    )


def between(start, length):
    return ZERO + start * STEP, ZERO + (start + length) * STEP


SPANS = st.tuples(st.integers(0, 24), st.integers(1, 8))
SLOTS = st.lists(st.tuples(SPANS, st.sampled_from(["bathe", "yoga"])), min_size=1, max_size=6).map(
    lambda rows: [slot(n, *span, type_id=kind) for n, (span, kind) in enumerate(rows)]
)
BUSY = st.lists(SPANS, max_size=4).map(lambda spans: tuple(between(*span) for span in spans))
AWAY = st.lists(SPANS, max_size=2).map(
    lambda spans: tuple((DAY + a * STEP, DAY + (a + b) * STEP) for a, b in spans)
)


@st.composite
def people(draw):
    return [
        Person(
            f"p{n}", f"Person {n}", draw(BUSY), away=draw(AWAY),
            leads=draw(st.frozensets(st.sampled_from(["bathe", "yoga"]))),
            led_types=draw(st.frozensets(st.sampled_from(["bathe", "yoga"]))),
        )
        for n in range(draw(st.integers(0, 4)))
    ]  # fmt: skip


@st.composite
def rooms(draw):
    return [
        Place(
            f"r{n}", f"Room {n}", draw(BUSY), cap=draw(st.integers(1, 12)),
            turnaround=draw(st.sampled_from([0, 15, 40])),
        )
        for n in range(draw(st.integers(0, 4)))
    ]  # fmt: skip


def minutes(first, last):
    """Every quarter of an hour that a range covers: what brute force looks at."""
    while first < last:
        yield first
        first += dt.timedelta(minutes=5)


def can_take(one, it):
    """The question asked minute by minute, without ranges."""
    rest = dt.timedelta(minutes=one.turnaround) if isinstance(one, Place) else dt.timedelta()
    wanted = set(minutes(it.start - rest, it.end + rest))
    if any(wanted & set(minutes(*taken)) for taken in one.busy):
        return False
    if isinstance(one, Place):
        return one.cap >= it.needed
    local = set(minutes(it.local_start, it.local_start + (it.end - it.start)))
    return it.type_id in one.leads and not any(local & set(minutes(*off)) for off in one.away)


def can_take_both(one, it, other):
    rest = dt.timedelta(minutes=one.turnaround) if isinstance(one, Place) else dt.timedelta()
    return not (set(minutes(it.start - rest, it.end + rest)) & set(minutes(other.start, other.end)))


def proposals(slots, candidates):
    return assign([(it, rank_replacements(it, candidates)) for it in slots])


@given(SLOTS, st.one_of(people(), rooms()))
def test_s4_a_proposal_never_clashes_with_anything_nor_with_another(slots, candidates):
    known, chosen = {one.id: one for one in candidates}, proposals(slots, candidates)
    for it in slots:
        ranked = {one.id for one in rank_replacements(it, candidates)}
        assert ranked == {one.id for one in candidates if can_take(one, it)}
        assert chosen.get(it.id) in {None, *ranked}
    for it, other in product(slots, slots):
        who = chosen.get(it.id)
        if it.id != other.id and who is not None and who == chosen.get(other.id):
            assert can_take_both(known[who], it, other)
    check_chosen({it.id: it for it in slots}, chosen, known)


@given(SLOTS, st.one_of(people(), rooms()))
def test_no_session_is_left_without_one_who_is_not_needed_by_an_overlapping_one(slots, candidates):
    chosen = proposals(slots, candidates)
    for it in slots:
        if it.id in chosen:
            continue
        for one in candidates:
            if can_take(one, it):
                given_to = [other for other in slots if chosen.get(other.id) == one.id]
                assert any(not can_take_both(one, it, other) for other in given_to)


@given(
    st.lists(st.frozensets(st.sampled_from(["a", "b", "c", "d"])), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_of_sessions_at_one_time_as_many_as_possible_are_covered(able, number):
    """Against every way to share out the people; each session is a type of its own."""
    slots = [slot(n, 4, 4, type_id=f"t{n}") for n in range(len(able))]
    names = "abcd"[:number]
    candidates = [
        Person(who, who, leads=frozenset(f"t{n}" for n, they in enumerate(able) if who in they))
        for who in names
    ]
    best = 0
    for share in product([None, *names], repeat=len(able)):
        used = [who for who in share if who]
        fits = all(who is None or who in able[n] for n, who in enumerate(share))
        if fits and len(used) == len(set(used)):
            best = max(best, len(used))
    assert len(proposals(slots, candidates)) == best


def person(name, **given):
    return Person(name, name, **{"leads": frozenset(["bathe"]), **given})


def test_who_led_the_series_then_the_type_then_has_least_to_do_comes_first():
    it = slot(0, 40, 4, series_id="mondays")
    monday, friday = dt.date(2026, 6, 8), dt.date(2026, 6, 12)
    ranked = rank_replacements(
        it,
        [
            person("Zoe"),
            person("Anna"),
            person("Busy this week", days={monday: 3}),
            person("Busy today", days={friday: 1}),
            person("Knows the type", led_types=frozenset(["bathe"]), days={friday: 5}),
            person("Knows the series", led_series=frozenset(["mondays"]), days={friday: 9}),
            person("Leads yoga", leads=frozenset(["yoga"])),
        ],
    )
    assert [one.name for one in ranked] == [
        "Knows the series", "Knows the type", "Anna", "Zoe", "Busy this week", "Busy today",
    ]  # fmt: skip


def test_rooms_that_hold_all_places_then_the_same_zone_then_the_smallest_come_first():
    it = slot(0, 40, 4, capacity=8, needed=3, zone_id="baths")
    ranked = rank_replacements(
        it,
        [
            Place("1", "Large elsewhere", cap=20),
            Place("2", "Just right elsewhere", cap=8),
            Place("3", "Large here", cap=20, zone_id="baths"),
            Place("4", "Holds who has booked", cap=4),
            Place("5", "Holds more of them", cap=6),
            Place("6", "Too small", cap=2, zone_id="baths"),
        ],
    )
    assert [one.name for one in ranked] == [
        "Large here", "Just right elsewhere", "Large elsewhere", "Holds more of them",
        "Holds who has booked",
    ]  # fmt: skip


def test_s4_touching_is_no_clash_but_a_room_is_turned_round_first():
    it = slot(0, 8, 4)
    before, after = between(4, 4), between(12, 4)
    assert rank_replacements(it, [person("Mira", busy=(before, after))])
    for taken in (before, after):
        assert rank_replacements(it, [Place("r", "Room", (taken,), cap=9)])
        assert not rank_replacements(it, [Place("r", "Room", (taken,), cap=9, turnaround=10)])


def test_one_who_is_chosen_for_two_sessions_at_once_is_refused_at_the_second():
    slots = {it.id: it for it in (slot(0, 4, 4), slot(1, 6, 4), slot(2, 8, 4))}
    mira = {"m": Person("m", "Mira Holt")}
    check_chosen(slots, {"s0": "m", "s2": "m"}, mira)
    with pytest.raises(RuleBroken, match="Mira Holt is chosen for two sessions at once") as raised:
        check_chosen(slots, {"s1": "m", "s0": "m"}, mira)
    assert raised.value.field == "s1"


def test_what_is_proposed_on_the_way_counts_so_the_work_is_shared():
    slots = [slot(n, 8 * n, 4) for n in range(4)]
    chosen = proposals(slots, [person("Anna"), person("Zoe")])
    assert list(chosen.values()) == ["Anna", "Zoe", "Anna", "Zoe"]


def test_a_session_whose_one_candidate_is_given_away_gets_it_back_when_others_can_help():
    early, late = slot(0, 4, 4, type_id="both"), slot(1, 6, 4, type_id="one")
    anna = person("Anna", leads=frozenset(["both", "one"]))
    zoe = person("Zoe", leads=frozenset(["both"]))
    assert proposals([early, late], [anna, zoe]) == {"s0": "Zoe", "s1": "Anna"}
