"""What changing a booking costs, and how much of it may go (M2, M4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.changing import (
    Books,
    check_leaving,
    check_release,
    cost_of,
    least_party,
    most_leaving,
    release_sizes,
    renumbered,
)
from domain.errors import NO_CHANGES, NotChangeable

MONEY = st.integers(0, 10_000_00)


@pytest.mark.parametrize(
    ("entries", "difference", "to_pay", "to_return"),
    [
        # Nothing paid: less is due, and nothing comes back.
        ([("charge", 9600)], -4800, 4800, 0),
        ([("charge", 9600)], -9600, 0, 0),
        # All of it paid: what is given back comes back.
        ([("charge", 9600), ("payment", -9600)], -4800, 0, 4800),
        # A deposit: only what was paid beyond the new total.
        ([("charge", 9600), ("payment", -2000)], -4800, 2800, 0),
        ([("charge", 9600), ("payment", -6000)], -4800, 0, 1200),
        # What went back already is not given back again.
        ([("charge", 9600), ("payment", -9600), ("refund", 9600)], -9600, 0, 0),
        # A dearer session: more to pay, out of what was paid too much first.
        ([("charge", 4800), ("payment", -4800)], 600, 600, 0),
        ([("charge", 4800), ("adjustment", -4800), ("payment", -4800)], 600, 0, 4200),
        ([], 0, 0, 0),
    ],
)
def test_what_a_change_does_to_the_books(entries, difference, to_pay, to_return):
    cost = cost_of(Books.of(entries), difference)
    assert (cost.to_pay, cost.to_return) == (to_pay, to_return)
    assert cost.taken_back == max(0, -difference)


@given(charge=MONEY, paid=MONEY, back=MONEY, difference=st.integers(-10_000_00, 10_000_00))
def test_m4_a_refund_is_never_above_captured_minus_refunded(charge, paid, back, difference):
    books = Books.of([("charge", charge), ("payment", -paid), ("refund", min(back, paid))])
    cost = cost_of(books, difference)
    assert 0 <= cost.to_return <= paid - min(back, paid)
    assert cost.to_pay >= 0
    assert cost.to_pay == 0 or cost.to_return == 0


@given(price=MONEY, parts=st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_m2_giving_back_each_part_gives_the_whole(price, parts):
    places = sum(parts)
    charge = ("charge", price * places)
    entries, returned = [charge, ("payment", -price * places)], 0
    for part in parts:
        cost = cost_of(Books.of(entries), -price * part)
        entries += [("adjustment", -price * part), ("refund", cost.to_return)]
        returned += cost.to_return
    assert returned == price * places
    assert Books.of(entries) == Books(0, price * places, price * places)


@pytest.mark.parametrize(
    ("places", "policy", "most"),
    [(3, {}, 2), (1, {}, 0), (3, {"min_guests": 2}, 1), (2, {"min_guests": 2}, 0),
     (2, {"min_guests": 5}, 0), (4, {"min_guests": 0}, 3), (4, {"min_guests": None}, 3)],
)  # fmt: skip
def test_m8_no_more_leave_than_the_agreed_smallest_party_allows(places, policy, most):
    assert most_leaving(places, policy) == most
    assert least_party(policy) >= 1
    for leaving in range(1, most + 1):
        check_leaving(places, leaving, policy)
    for leaving in (0, most + 1, places + 1):
        with pytest.raises(NotChangeable) as refused:
            check_leaving(places, leaving, policy)
        assert refused.value.field == "who"
        assert refused.value.code in NO_CHANGES


@pytest.mark.parametrize(
    ("places", "leaving", "least", "sentence"),
    [
        (2, 2, 1, "That is everybody. Cancel the whole booking instead."),
        (2, 1, 2, "This is for 2 guests or more. Cancel the whole booking instead."),
        (4, 3, 2, "This is for 2 guests or more, so at most 2 can leave."),
        (2, 0, 1, "Choose who can't come."),
    ],
)
def test_a_refusal_says_what_can_be_done(places, leaving, least, sentence):
    with pytest.raises(NotChangeable) as refused:
        check_leaving(places, leaving, {"min_guests": least})
    assert refused.value.sentence == sentence


@given(places=st.integers(1, 30), least=st.integers(1, 30))
def test_places_given_up_are_all_or_leave_an_agreed_party(places, least):
    sizes = release_sizes(places, {"min_guests": least})
    assert sizes[-1] == places
    for number in range(-1, places + 3):
        if number in sizes:
            assert number == places or places - number >= least
            check_release(places, number, {"min_guests": least})
        else:
            with pytest.raises(NotChangeable):
                check_release(places, number, {"min_guests": least})


@pytest.mark.parametrize(
    ("before", "leaving", "after", "moved"),
    [
        ([0, 1, 2], [1], [0, 1], {2: 1}),
        ([0, 1, 2], [2], [0, 1], {}),
        # Named guests keep their numbers.
        ([0, 1, 2], [1], [0, 2], {}),
        # Somebody without a name takes the lowest number that is free.
        ([0, 1, 2, 3], [0], [0, 2, 3], {1: 0}),
        ([0, 1, 2, 3], [1, 2], [0, 1], {3: 1}),
    ],
)
def test_who_stays_is_found_again(before, leaving, after, moved):
    assert renumbered(before, leaving, after) == moved
