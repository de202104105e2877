import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.holds import CEILING, HOLD, can_renew, first_deadline, renewed_deadline

SINCE = dt.datetime.fromisoformat("2026-06-12T10:00Z")
SECOND = dt.timedelta(seconds=1)


def after(minutes):
    return SINCE + dt.timedelta(minutes=minutes)


def test_h3_a_hold_lasts_fifteen_minutes_unless_the_site_says_otherwise():
    assert first_deadline(SINCE) == after(15)
    assert first_deadline(SINCE, dt.timedelta(minutes=30)) == after(30)


@pytest.mark.parametrize(
    ("minutes", "deadline"),
    [
        pytest.param(0, 15, id="at once"),
        pytest.param(14, 29, id="near the end"),
        pytest.param(30, 45, id="exactly to the ceiling"),
        pytest.param(31, 45, id="held back by the ceiling"),
        pytest.param(44, 45, id="one minute left"),
    ],
)
def test_h3_renewing_gives_fifteen_minutes_up_to_the_ceiling(minutes, deadline):
    assert renewed_deadline(after(minutes), SINCE) == after(deadline)


@pytest.mark.parametrize(
    ("now", "expires", "possible"),
    [
        pytest.param(after(10), after(15), True, id="time to gain"),
        pytest.param(after(15) - SECOND, after(15), True, id="in the last second"),
        pytest.param(after(15), after(15), False, id="run out"),
        pytest.param(after(16), after(15), False, id="long over"),
        pytest.param(after(0), after(15), False, id="nothing to gain yet"),
        pytest.param(after(31), after(45), False, id="already at the ceiling"),
        pytest.param(after(30), after(40), True, id="five minutes under the ceiling"),
    ],
)
def test_h3_keep_my_places_is_offered_only_while_it_gives_more_time(now, expires, possible):
    assert can_renew(now, SINCE, expires) is possible


def test_h3_a_site_with_longer_holds_renews_by_its_own_time():
    assert can_renew(after(5), SINCE, after(30), dt.timedelta(minutes=30))
    assert not can_renew(after(5), SINCE, after(30), dt.timedelta(minutes=15))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 20 * 60), max_size=12), st.integers(1, 45))
def test_h3_no_row_of_renewals_passes_the_ceiling_or_shortens_a_hold(pauses, minutes):
    hold = dt.timedelta(minutes=minutes)
    now, expires = SINCE, first_deadline(SINCE, hold)
    for pause in pauses:
        now += dt.timedelta(seconds=pause)
        if can_renew(now, SINCE, expires, hold):
            renewed = renewed_deadline(now, SINCE, hold)
            assert expires < renewed <= SINCE + CEILING
            expires = renewed
    assert expires <= SINCE + CEILING


def test_h3_the_default_is_shorter_than_the_ceiling():
    assert HOLD < CEILING
