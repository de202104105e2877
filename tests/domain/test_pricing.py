import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.eligibility import Membership, Offer, Slot, Viewer, price_for
from domain.pricing import Price, PriceRule, price_of, trace_price
from domain.words import WEEKDAYS

at = dt.datetime.fromisoformat
day = dt.date.fromisoformat
clock = dt.time.fromisoformat

ALWAYS = PriceRule("always", 4800, "Standard")
FRIDAY_EVENING = at("2026-06-12T18:00")


def slot_at(local, *, zone="Europe/London", price=None):
    start = at(local).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
    return Slot(
        id="s",
        start_time=start,
        end_time=start + dt.timedelta(hours=1),
        local_start=at(local),
        capacity=10,
        price=price,
    )


def matches(rule, local):
    return price_of(local, [rule]).source == "rule"


@pytest.mark.parametrize(
    ("override", "rules", "expected"),
    [
        pytest.param(3000, [ALWAYS], Price(3000, "override"), id="its own price first"),
        pytest.param(0, [ALWAYS], Price(0, "override"), id="its own price of nothing too"),
        pytest.param(None, [ALWAYS], Price(4800, "rule", "always", "Standard"), id="then a rule"),
        pytest.param(None, [], Price(None, "none"), id="then no price"),
        pytest.param(
            None,
            [PriceRule("late", 100, time_from=clock("20:00"))],
            Price(None, "none"),
            id="no rule that matches",
        ),
    ],
)
def test_r16_a_session_costs_its_own_price_else_its_rules_else_nothing_is_set(
    override, rules, expected
):
    assert price_of(FRIDAY_EVENING, rules, override=override) == expected


EVENING = PriceRule("evening", 5400, "Evening", time_from=clock("17:00"))
FRIDAY = PriceRule("friday", 3400, "Friday", weekdays=frozenset({"friday"}))


@pytest.mark.parametrize(
    ("rules", "amount"),
    [
        pytest.param([EVENING, FRIDAY], 5400, id="the dearer first"),
        pytest.param([FRIDAY, EVENING], 3400, id="swapped"),
        pytest.param([ALWAYS, FRIDAY, EVENING], 4800, id="not the narrowest"),
    ],
)
def test_p1_r17_first_match_wins(rules, amount):
    assert price_of(FRIDAY_EVENING, rules).amount == amount


@pytest.mark.parametrize(
    ("local", "taken"),
    [
        pytest.param("2026-05-31T23:59", False, id="the evening before"),
        pytest.param("2026-06-01T00:00", True, id="first minute of the first day"),
        pytest.param("2026-06-30T23:59", True, id="last minute of the last day"),
        pytest.param("2026-07-01T00:00", False, id="the day after"),
    ],
)
def test_p2_r18_dates_are_included_at_both_ends(local, taken):
    june = PriceRule("june", 1, date_from=day("2026-06-01"), date_to=day("2026-06-30"))
    assert matches(june, at(local)) is taken


def test_p2_the_date_is_the_sites_own_even_when_it_is_the_next_day_in_utc():
    june = PriceRule("june", 1, date_to=day("2026-06-30"))
    slot = slot_at("2026-06-30T23:59", zone="America/New_York")
    offer = Offer(id="t", name="Sauna", zone=ZoneInfo("America/New_York"), rules=(june,))
    assert slot.start_time.date() == day("2026-07-01")
    assert price_for(offer, slot, Viewer()).rule_id == "june"


@pytest.mark.parametrize(
    ("time", "taken"),
    [
        pytest.param("15:59:59.999999", False, id="just before"),
        pytest.param("16:00", True, id="the start is included"),
        pytest.param("16:59", True, id="the last minute"),
        pytest.param("16:59:59.999999", True, id="the last microsecond"),
        pytest.param("17:00", False, id="the end is not"),
    ],
)
def test_p3_r18_a_time_window_is_half_open(time, taken):
    rule = PriceRule("tea", 1, time_from=clock("16:00"), time_to=clock("17:00"))
    assert matches(rule, at(f"2026-06-12T{time}")) is taken


@pytest.mark.parametrize(
    ("bounds", "time", "taken"),
    [
        ({"time_from": clock("16:00")}, "16:00", True),
        ({"time_from": clock("16:00")}, "23:59", True),
        ({"time_from": clock("16:00")}, "15:59", False),
        ({"time_to": clock("16:00")}, "00:00", True),
        ({"time_to": clock("16:00")}, "15:59", True),
        ({"time_to": clock("16:00")}, "16:00", False),
    ],
)
def test_p3_one_bound_alone_is_allowed(bounds, time, taken):
    assert matches(PriceRule("r", 1, **bounds), at(f"2026-06-12T{time}")) is taken


@settings(max_examples=100, deadline=None)
@given(st.lists(st.times(), min_size=3, max_size=3, unique=True), st.times())
def test_p3_adjacent_windows_never_both_match(bounds, time):
    first, middle, last = sorted(bounds)
    local = dt.datetime.combine(day("2026-06-12"), time)
    before = matches(PriceRule("a", 1, time_from=first, time_to=middle), local)
    after = matches(PriceRule("b", 1, time_from=middle, time_to=last), local)
    both = matches(PriceRule("c", 1, time_from=first, time_to=last), local)
    assert not (before and after)
    assert both == (before or after)


@pytest.mark.parametrize(
    ("local", "taken"),
    [
        pytest.param("2026-06-12T00:00", True, id="Friday, first minute"),
        pytest.param("2026-06-12T23:59", True, id="Friday, last minute"),
        pytest.param("2026-06-13T00:00", False, id="Saturday"),
        pytest.param("2026-06-11T23:59", False, id="Thursday"),
    ],
)
def test_r18_t5_a_weekday_is_that_of_the_wall(local, taken):
    assert matches(FRIDAY, at(local)) is taken


@pytest.mark.parametrize(
    "wrong",
    [
        {"date_from": day("2026-06-13")},
        {"date_to": day("2026-06-11")},
        {"time_from": clock("18:01")},
        {"time_to": clock("18:00")},
        {"weekdays": frozenset({"saturday"})},
        {"membership_type_ids": frozenset({"silver"})},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_r18_every_condition_has_to_hold(wrong):
    rule = PriceRule(
        "all",
        1,
        date_from=day("2026-06-12"),
        date_to=day("2026-06-12"),
        time_from=clock("18:00"),
        time_to=clock("18:01"),
        weekdays=frozenset({"friday"}),
        membership_type_ids=frozenset({"gold"}),
    )
    assert price_of(FRIDAY_EVENING, [rule], membership_type_ids=["gold"]).amount == 1
    broken = replace(rule, **wrong)
    assert price_of(FRIDAY_EVENING, [broken], membership_type_ids=["gold"]).amount is None


@pytest.mark.parametrize("local", ["0001-01-01T00:00", "2026-06-12T23:59:59", "9999-12-31T12:00"])
def test_r17_a_rule_without_conditions_always_matches(local):
    assert matches(ALWAYS, at(local))


def test_p4_no_match_is_not_free_and_nothing_is_a_price():
    free = price_of(FRIDAY_EVENING, [PriceRule("open day", 0, "Open day")])
    gap = price_of(FRIDAY_EVENING, [])
    assert (free.amount, free.source, free.rule_id) == (0, "rule", "open day")
    assert (gap.amount, gap.source, gap.rule_id) == (None, "none", None)


def test_p4_a_rule_at_nothing_is_not_passed_over_for_a_dearer_one():
    assert price_of(FRIDAY_EVENING, [PriceRule("open day", 0), ALWAYS]).amount == 0


MEMBERS = PriceRule("members", 3600, "Members", membership_type_ids=frozenset({"gold", "silver"}))


@pytest.mark.parametrize(
    ("memberships", "amount"),
    [
        pytest.param((), 4800, id="a visitor"),
        pytest.param((Membership("gold", day("2026-01-01")),), 3600, id="no end"),
        pytest.param(
            (Membership("silver", day("2026-01-01"), day("2026-06-12")),), 3600, id="its last day"
        ),
        pytest.param(
            (Membership("gold", day("2026-01-01"), day("2026-06-11")),),
            4800,
            id="ends before the session",
        ),
        pytest.param((Membership("gold", day("2026-06-12")),), 3600, id="its first day"),
        pytest.param((Membership("gold", day("2026-06-13")),), 4800, id="begins after the session"),
        pytest.param((Membership("bronze", day("2026-01-01")),), 4800, id="of another type"),
        pytest.param(
            (
                Membership("gold", day("2025-01-01"), day("2025-12-31")),
                Membership("silver", day("2026-06-01")),
            ),
            3600,
            id="an old one and a valid one",
        ),
    ],
)
def test_p10_a_membership_counts_on_the_date_of_the_session(memberships, amount):
    offer = Offer(id="t", name="Sauna", zone=ZoneInfo("Europe/London"), rules=(MEMBERS, ALWAYS))
    viewer = Viewer(is_signed_in=True, memberships=memberships)
    assert price_for(offer, slot_at("2026-06-12T18:00"), viewer).amount == amount


def test_p10_t5_the_last_day_of_a_membership_is_the_sites_own():
    zone = ZoneInfo("America/New_York")
    offer = Offer(id="t", name="Sauna", zone=zone, rules=(MEMBERS, ALWAYS))
    late = slot_at("2026-06-12T23:30", zone="America/New_York")
    member = Viewer(True, (Membership("gold", day("2026-01-01"), day("2026-06-12")),))
    assert late.start_time.date() == day("2026-06-13")
    assert price_for(offer, late, member).amount == 3600


def test_p10_asked_without_a_viewer_the_price_is_the_visitors():
    assert price_of(FRIDAY_EVENING, [MEMBERS, ALWAYS]).amount == 4800
    assert price_of(FRIDAY_EVENING, [MEMBERS]).amount is None


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (PriceRule("r", 1, date_from=day("2026-06-13")), "starts on a later date"),
        (PriceRule("r", 1, date_to=day("2026-06-11")), "has ended by then"),
        (PriceRule("r", 1, weekdays=frozenset({"monday"})), "is for other weekdays"),
        (PriceRule("r", 1, time_from=clock("19:00")), "is for later in the day"),
        (PriceRule("r", 1, time_to=clock("18:00")), "is for earlier in the day"),
        (PriceRule("r", 1, membership_type_ids=frozenset({"gold"})), "is for members"),
    ],
)
def test_p9_the_trace_says_why_a_rule_did_not_match(rule, reason):
    trace = trace_price(FRIDAY_EVENING, [rule, ALWAYS])
    assert [(step.rule, step.matched, step.why_not) for step in trace.steps] == [
        (rule, False, reason),
        (ALWAYS, True, ""),
    ]


def test_p9_a_session_with_its_own_price_looks_at_no_rule():
    trace = trace_price(FRIDAY_EVENING, [ALWAYS], override=0)
    assert trace.price == Price(0, "override")
    assert trace.steps == ()


types = st.sampled_from(["gold", "silver"])
rules = st.builds(
    PriceRule,
    id=st.sampled_from("abcdef"),
    price=st.integers(0, 10_000),
    date_from=st.none() | st.dates(day("2026-06-01"), day("2026-06-20")),
    date_to=st.none() | st.dates(day("2026-06-05"), day("2026-06-30")),
    time_from=st.none() | st.sampled_from([clock("09:00"), clock("16:00"), clock("18:00")]),
    time_to=st.none() | st.sampled_from([clock("16:00"), clock("18:00"), clock("22:00")]),
    weekdays=st.frozensets(st.sampled_from(WEEKDAYS), max_size=5),
    membership_type_ids=st.frozensets(types),
)
questions = st.tuples(
    st.datetimes(at("2026-06-01"), at("2026-07-01")),
    st.lists(rules, max_size=6),
    st.none() | st.integers(0, 500),
    st.frozensets(types),
)


@settings(max_examples=150, deadline=None)
@given(questions)
def test_p9_the_trace_and_the_price_are_never_two_amounts(question):
    local, tried, override, held = question
    price = price_of(local, tried, override=override, membership_type_ids=held)
    trace = trace_price(local, tried, override=override, membership_type_ids=held)
    assert trace.price == price
    assert [step.rule for step in trace.steps] == tried[: len(trace.steps)]
    matched = [step.rule for step in trace.steps if step.matched]
    if override is not None:
        assert price == Price(override, "override")
    elif matched:
        assert matched == [trace.steps[-1].rule]
        assert (price.amount, price.rule_id) == (matched[0].price, matched[0].id)
    else:
        assert price.amount is None
        assert len(trace.steps) == len(tried)
    assert all(step.matched is not bool(step.why_not) for step in trace.steps)


@settings(max_examples=100, deadline=None)
@given(questions)
def test_r17_rules_after_the_match_do_not_matter(question):
    local, tried, _, held = question
    looked_at = len(trace_price(local, tried, membership_type_ids=held).steps)
    price = price_of(local, tried, membership_type_ids=held)
    assert price_of(local, tried[:looked_at], membership_type_ids=held) == price
    assert price_of(local, [*tried, ALWAYS], membership_type_ids=held) == (
        price if price.source == "rule" else Price(4800, "rule", "always", "Standard")
    )


@settings(max_examples=100, deadline=None)
@given(questions)
def test_p10_nobody_without_a_membership_gets_a_rule_for_members(question):
    local, tried, _, _ = question
    price = price_of(local, tried)
    assert price == price_of(local, [rule for rule in tried if not rule.membership_type_ids])
