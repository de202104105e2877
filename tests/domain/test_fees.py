"""What coming late or not at all costs, by tables and against a plain recount."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.fees import (
    LATE,
    NO_SHOW,
    Charged,
    Coming,
    Fee,
    FeeRules,
    Settling,
    check_waivable,
    fee_of,
    is_late,
    may_waive,
    say_fees,
    settle,
    waivable_until,
)
from domain.visits import Visit

START = dt.datetime(2026, 6, 12, 17, 0, tzinfo=dt.UTC)
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
RULES = FeeRules(late_after=15, late=1000, no_show=2500, waivable_hours=24)
PARTY = Coming(start=START, booked_at=START - HOUR * 48, places=2)


def came(at):
    return Visit("confirmed", "arrived", at)


def missed():
    return Visit("confirmed", is_no_show=True)


@pytest.mark.parametrize(
    ("after_start", "late"),
    [(-60, False), (0, False), (15 * 60, False), (15 * 60 + 1, True), (7200, True)],
)
def test_late_begins_a_second_after_the_agreed_minutes(after_start, late):
    assert is_late(RULES, PARTY, START + SECOND * after_start) is late


def test_t7_late_counts_real_minutes_over_the_night_the_clock_is_turned():
    zone = ZoneInfo("Europe/London")
    # 00:50 in winter time; fifteen minutes later the clock on the wall says 02:05.
    start = dt.datetime(2026, 3, 29, 0, 50, tzinfo=zone)
    party = Coming(start=start, booked_at=start - HOUR, places=1)
    assert not is_late(RULES, party, dt.datetime(2026, 3, 29, 2, 5, tzinfo=zone))
    assert is_late(RULES, party, dt.datetime(2026, 3, 29, 2, 5, 1, tzinfo=zone))


def test_walk_ins_and_who_booked_after_the_start_are_never_late():
    at = START + HOUR
    assert not is_late(RULES, Coming(START, START, 1), at)
    assert not is_late(RULES, Coming(START, START - HOUR, 1, is_walk_in=True), at)


def test_a_no_show_pays_for_the_places_it_kept_and_not_before_the_start():
    assert fee_of(RULES, PARTY, missed(), START) == Fee(NO_SHOW, 5000)
    assert fee_of(RULES, PARTY, missed(), START - SECOND) is None
    one_left = Coming(START, START - HOUR, places=2, given_up=1)
    assert fee_of(RULES, one_left, missed(), START) == Fee(NO_SHOW, 2500)
    gone = Coming(START, START - HOUR, places=2, given_up=2)
    assert fee_of(RULES, gone, missed(), START) is None


def test_nothing_set_charges_nothing():
    for policy in ({}, {"late_after_minutes": 5, "late_fee": None, "no_show_fee": 0}):
        rules = FeeRules.of(policy)
        assert not rules.charges
        assert fee_of(rules, PARTY, came(START + HOUR), START + HOUR) is None
        assert fee_of(rules, PARTY, missed(), START + HOUR) is None
        assert say_fees(rules, str) == ""


AT = Charged("1", NO_SHOW, 5000, START)


@pytest.mark.parametrize(
    ("before", "after", "standing", "may", "expected"),
    [
        (None, Fee(LATE, 2000), None, False, Settling(charge=Fee(LATE, 2000))),
        (Fee(LATE, 2000), Fee(LATE, 2000), None, True, Settling()),
        (None, Fee(NO_SHOW, 5000), AT, True, Settling()),
        (Fee(NO_SHOW, 5000), None, AT, True, Settling(takes_back=True)),
        (Fee(NO_SHOW, 5000), None, AT, False, Settling()),
        (Fee(NO_SHOW, 5000), Fee(LATE, 2000), AT, True, Settling(True, Fee(LATE, 2000))),
        (Fee(NO_SHOW, 5000), Fee(LATE, 2000), AT, False, Settling()),
        (Fee(NO_SHOW, 5000), None, None, True, Settling()),
    ],
)
def test_what_a_tap_does_to_the_fee(before, after, standing, may, expected):
    assert settle(before, after, standing, may_waive=may) == expected


def test_a_fee_is_waived_until_the_last_second_of_its_time_and_without_end_where_none_is_set():
    until = waivable_until(RULES, START)
    assert until == START + HOUR * 24
    assert may_waive(RULES, START, until)
    assert not may_waive(RULES, START, until + SECOND)
    assert may_waive(FeeRules(late=1), START, START + HOUR * 9999)
    assert check_waivable(RULES, AT, until) is AT
    for standing, now, code in ((None, START, "no_fee"), (AT, until + SECOND, "fee_too_old")):
        with pytest.raises(RuleBroken) as refused:
            check_waivable(RULES, standing, now)
        assert refused.value.code == code


def test_the_customer_is_told_in_plain_words():
    assert say_fees(RULES, lambda minor: f"£{minor // 100}") == (
        "Coming more than 15 minutes late costs £10 a guest. "
        "Not coming costs £25 a guest, on top of the price."
    )
    assert say_fees(FeeRules(late=500), str) == "Coming late costs 500 a guest."


taps = st.lists(
    st.tuples(st.sampled_from(("in", "out", "missed", "there")), st.integers(0, 60 * 60)),
    max_size=12,
)


@given(
    taps,
    st.integers(0, 60),
    st.sampled_from((0, 700)),
    st.sampled_from((0, 1900)),
    st.sampled_from((None, 1, 24)),
)
def test_m1_whatever_is_tapped_at_most_one_fee_stands_and_it_is_an_agreed_one(
    wanted, after, late, no_show, hours
):
    """Against a plain recount: the fee of the state, unless one has stood too long to go."""
    rules = FeeRules(after, late, no_show, hours)
    ledger: list[Charged | None] = []
    standing, visit, now = None, Visit("confirmed"), START - MINUTE * 5
    expected = 0  # what the recount says stands
    expected_at = now
    for what, wait in wanted:
        now += SECOND * wait
        then = {
            "in": came(visit.checked_in_at or now),
            "out": Visit("confirmed"),
            "missed": missed(),
            "there": Visit("confirmed"),
        }[what]
        before, after_tap = (fee_of(rules, PARTY, one, now) for one in (visit, then))
        free = standing is None or may_waive(rules, standing.at, now)
        deed = settle(before, after_tap, standing, may_waive=free)
        if deed.takes_back:
            assert standing is not None
            ledger.append(None)
            standing = None
        if deed.charge:
            assert standing is None
            standing = Charged(str(len(ledger)), deed.charge.kind, deed.charge.amount, now)
            ledger.append(standing)
        # The recount knows sums only.
        is_in_time = then.checked_in_at is None or (
            (then.checked_in_at - START).total_seconds() <= after * 60
        )
        sum_now = 2 * no_show if then.is_no_show and now >= START else 0
        sum_now = sum_now or (0 if is_in_time else 2 * late)
        was = (before.kind, before.amount) if before else ("", 0)
        has = (after_tap.kind, after_tap.amount) if after_tap else ("", 0)
        kept = expected and hours is not None and now > expected_at + HOUR * hours
        if was != has and not kept and sum_now != expected:
            expected, expected_at = sum_now, now
        assert (standing.amount if standing else 0) == expected
        visit = then
