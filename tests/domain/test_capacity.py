import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.capacity import is_full, parties_left, places_left


@pytest.mark.parametrize(
    ("capacity", "taken", "left"),
    [
        pytest.param(14, 0, 14, id="empty"),
        pytest.param(14, 13, 1, id="one left"),
        pytest.param(14, 14, 0, id="just full"),
        pytest.param(14, 16, 0, id="never below nothing"),
    ],
)
def test_r8_places_left_are_those_nobody_holds(capacity, taken, left):
    assert places_left(capacity, taken) == left


@pytest.mark.parametrize(
    ("most", "taken", "left"),
    [
        pytest.param(None, 7, None, id="any number may come"),
        pytest.param(2, 1, 1, id="one left"),
        pytest.param(2, 2, 0, id="none left"),
        pytest.param(2, 3, 0, id="never below nothing"),
        pytest.param(0, 0, 0, id="a limit of none is a limit"),
    ],
)
def test_r9_h8_parties_left_have_a_limit_only_where_one_is_set(most, taken, left):
    assert parties_left(most, taken) == left


@pytest.mark.parametrize(
    ("capacity", "places", "most", "parties", "full"),
    [
        pytest.param(14, 13, None, 9, False, id="a place left"),
        pytest.param(14, 14, None, 9, True, id="no place left"),
        pytest.param(14, 2, 1, 1, True, id="no party left while places are"),
        pytest.param(14, 2, 2, 1, False, id="both left"),
    ],
)
def test_r9_h8_a_session_is_full_by_places_or_by_parties(capacity, places, most, parties, full):
    assert is_full(capacity, places, most, parties) is full


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 50),
    st.integers(0, 60),
    st.none() | st.integers(0, 9),
    st.integers(0, 9),
)
def test_r8_r9_full_means_that_nothing_is_left_of_one_or_the_other(capacity, taken, most, parties):
    nothing = places_left(capacity, taken) == 0 or parties_left(most, parties) == 0
    assert is_full(capacity, taken, most, parties) == nothing
