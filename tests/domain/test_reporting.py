"""Periods of a site's own days, and shares that never divide by nothing (T5)."""

import datetime as dt
import itertools
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reporting import (
    MOST_DAYS,
    BadPeriod,
    Period,
    beside,
    is_within_reach,
    read_period,
    say_lead,
    say_period,
    say_share,
    say_share_short,
    share,
    step_of,
    steps,
    this_period,
)

D = dt.date
THURSDAY = D(2026, 6, 4)
LONDON = ZoneInfo("Europe/London")

days = st.dates(D(2001, 1, 1), D(2098, 12, 31))
periods = st.builds(
    lambda first, length: Period(first, first + dt.timedelta(days=length)),
    st.dates(D(2001, 1, 1), D(2096, 12, 31)),
    st.integers(0, MOST_DAYS - 1),
)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("week", D(2026, 6, 1), D(2026, 6, 7)),
        ("month", D(2026, 6, 1), D(2026, 6, 30)),
        ("quarter", D(2026, 4, 1), D(2026, 6, 30)),
        ("year", D(2026, 1, 1), D(2026, 12, 31)),
    ],
)
def test_a_period_is_the_one_that_today_lies_in(name, first, last):
    found = read_period(name, "", "", THURSDAY)
    assert (found.first, found.last) == (first, last)


@given(days, st.sampled_from(["week", "month", "quarter", "year"]))
def test_every_day_lies_in_its_own_period_and_in_none_beside_it(today, name):
    found = this_period(name, today)
    assert found.first <= today <= found.last
    after, before = beside(found, 1), beside(found, -1)
    assert before.last + dt.timedelta(days=1) == found.first
    assert after.first == found.last + dt.timedelta(days=1)
    assert beside(after, -1) == beside(before, 1) == Period(found.first, found.last)


def test_days_alone_ask_for_those_days_and_nothing_asks_for_the_month():
    assert read_period("", "2026-06-03", "2026-06-03", THURSDAY).days == 1
    assert read_period("", "", "", THURSDAY) == this_period("month", THURSDAY)


@pytest.mark.parametrize(
    ("given_", "field", "words"),
    [
        (("fortnight", "", ""), "period", "Choose one of the periods."),
        (("custom", "", "2026-06-03"), "from", "Enter the first day."),
        (("custom", "2026-06-03", " "), "to", "Enter the last day."),
        (("custom", "3 June", "2026-06-03"), "from", "isn't a date"),
        (("custom", "2026-02-30", "2026-06-03"), "from", "isn't a date"),
        (("custom", "2026-06-04", "2026-06-03"), "to", "comes before"),
        (("custom", "2026-01-01", "2028-01-02"), "to", "at most two years"),
        (("custom", "1999-12-31", "2000-01-01"), "from", "2000 to 2099"),
        (("", "", "2026-06-03"), "from", "Enter the first day."),
    ],
)
def test_what_is_no_period_is_refused_with_its_field_and_a_sentence(given_, field, words):
    with pytest.raises(BadPeriod, match=words) as found:
        read_period(*given_, THURSDAY)
    assert found.value.field == field


def test_two_years_with_a_leap_day_are_the_most():
    assert read_period("", "2028-01-01", "2029-12-31", THURSDAY).days == MOST_DAYS


def test_t5_the_edges_are_the_sites_midnights_also_when_the_clocks_change():
    first, end = Period(D(2026, 3, 29), D(2026, 3, 29)).edges(LONDON)
    assert end - first == dt.timedelta(hours=23)
    assert first == dt.datetime(2026, 3, 29, tzinfo=dt.UTC)


@given(periods)
def test_steps_cover_each_day_once_and_are_few_enough_to_draw(period):
    found = steps(period)
    assert found[0].first == period.first
    assert found[-1].last == period.last
    for one, other in itertools.pairwise(found):
        assert other.first == one.last + dt.timedelta(days=1)
    assert len(found) <= 32
    assert step_of(found, period.first) == 0
    assert step_of(found, period.last) == len(found) - 1
    with pytest.raises(LookupError):
        step_of(found, period.last + dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (D(2026, 6, 1), D(2026, 6, 30), "June 2026"),
        (D(2026, 1, 1), D(2026, 12, 31), "2026"),
        (D(2026, 6, 4), D(2026, 6, 4), "4 June 2026"),
        (D(2026, 6, 1), D(2026, 6, 7), "1 to 7 June 2026"),
        (D(2026, 5, 25), D(2026, 6, 7), "25 May to 7 June 2026"),
        (D(2025, 12, 29), D(2026, 1, 4), "29 December 2025 to 4 January 2026"),
        (D(2026, 4, 1), D(2026, 6, 30), "1 April to 30 June 2026"),
    ],
)
def test_a_period_is_said_as_shortly_as_it_can_be(first, last, said):
    assert say_period(Period(first, last)) == said


def test_reports_end_where_the_years_they_know_end():
    assert is_within_reach(Period(D(2000, 1, 1), D(2099, 12, 31)))
    assert not is_within_reach(beside(Period(D(2000, 1, 1), D(2000, 1, 31)), -1))


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**12))
def test_a_share_is_the_nearest_tenth_of_a_percent_with_halves_up(part, whole):
    exact = Fraction(part * 1000, whole)
    found = share(part, whole)
    assert -Fraction(1, 2) < found - exact <= Fraction(1, 2)


@given(st.integers(-5, 5))
def test_without_a_whole_there_is_no_share_but_a_dash(part):
    assert share(part, 0) is None
    assert share(part, -3) is None
    assert say_share(None) == say_share_short(None) == "–"


@pytest.mark.parametrize(
    ("tenths", "said", "short"),
    [
        (0, "0.0%", "0%"),
        (743, "74.3%", "74%"),
        (745, "74.5%", "75%"),
        (31, "3.1%", "3.1%"),
        (1000, "100.0%", "100%"),
        (-125, "\N{MINUS SIGN}12.5%", "\N{MINUS SIGN}13%"),
    ],
)
def test_a_share_is_said_with_its_decimal_or_in_short(tenths, said, short):
    assert (say_share(tenths), say_share_short(tenths)) == (said, short)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"), (-60, "under an hour"), (3599, "under an hour"), (3600, "1 hour"),
        (47 * 3600, "47 hours"), (48 * 3600, "2 days"), (30 * 86400, "30 days"),
    ],
)  # fmt: skip
def test_a_lead_time_is_said_in_its_largest_unit(seconds, said):
    assert say_lead(seconds) == said
