"""What a list of rules does is found exactly: held against trying every day, time and viewer."""

import datetime as dt
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.price_checks import (
    Comparison,
    PricedSlot,
    cheapest_by_day,
    compare,
    count_by_rule,
    find_gaps,
    never_match,
    say_comparison,
    say_dead,
    say_gap,
    summarise_gaps,
)
from domain.pricing import PriceRule, price_of
from domain.words import WEEKDAYS

day = dt.date.fromisoformat
clock = dt.time.fromisoformat

FIRST = day("2026-06-01")
DAYS = [FIRST + dt.timedelta(days=n) for n in range(-10, 25)]
"""Every bound of the rules below lies well inside, with a whole week on either side."""
TIMES = [clock(f"{hour:02}:00") for hour in range(0, 24, 2)]
TYPES = ("gold", "river")
VIEWERS = [frozenset(), frozenset({"gold"}), frozenset({"river"}), frozenset(TYPES)]
MOMENTS = [dt.datetime.combine(*pair) for pair in product(DAYS, TIMES)]


def in_order(values):
    """Two bounds of which each may be missing; neither is after the other."""
    return st.tuples(st.none() | values, st.none() | values).filter(
        lambda pair: None in pair or pair[0] < pair[1]
    )


@st.composite
def some_rules(draw, most=5):
    rules = []
    for number in range(draw(st.integers(0, most))):
        dates = draw(in_order(st.integers(0, 14).map(lambda n: FIRST + dt.timedelta(days=n))))
        times = draw(in_order(st.sampled_from(TIMES)))
        rules.append(
            PriceRule(
                id=f"r{number}",
                price=draw(st.sampled_from([0, 3400, 4800])),
                date_from=dates[0],
                date_to=dates[1],
                time_from=times[0],
                time_to=times[1],
                weekdays=frozenset(draw(st.sets(st.sampled_from(WEEKDAYS), max_size=3))),
                membership_type_ids=frozenset(draw(st.sets(st.sampled_from(TYPES), max_size=2))),
            )
        )
    return rules


def winner(rules, moment, held):
    return price_of(moment, rules, membership_type_ids=held).rule_id


def is_inside(rule, moment, held):
    return winner([rule], moment, held) is not None


@given(some_rules())
def test_r17_rules_that_never_match_are_those_that_no_cell_reaches(rules):
    reached = {winner(rules, moment, held) for moment in MOMENTS for held in VIEWERS}
    expected = [at for at, rule in enumerate(rules) if rule.id not in reached]
    assert [dead.position for dead in never_match(rules)] == expected


@given(some_rules(most=4), st.sampled_from(DAYS))
def test_r17_seen_from_a_day_on_earlier_days_count_for_nothing(rules, since):
    cells = [moment for moment in MOMENTS if moment.date() >= since]
    later = [dt.datetime.combine(DAYS[-1] + dt.timedelta(days=n), t)
             for n in range(1, 8) for t in TIMES]  # fmt: skip
    reached = {winner(rules, moment, held) for moment in [*cells, *later] for held in VIEWERS}
    expected = [at for at, rule in enumerate(rules) if rule.id not in reached]
    assert [dead.position for dead in never_match(rules, since=since)] == expected


@given(some_rules())
def test_r17_a_hidden_rule_names_the_one_that_covers_it_else_all_that_price_its_cells(rules):
    for dead in never_match(rules):
        viewers = [frozenset({it}) for it in dead.rule.membership_type_ids] or [frozenset()]
        cells = [(m, v) for m in MOMENTS for v in viewers if is_inside(dead.rule, m, v)]
        priced = {winner(rules, *it) for it in cells}
        instead = [rule for rule in rules if rule.id in priced]
        alone = [it for it in instead if all(is_inside(it, *cell) for cell in cells)]
        assert [rules[at] for at in dead.hidden_by] == (alone[:1] or instead)
        assert (dead.why == "hidden") == bool(cells)


some_slots = st.lists(
    st.builds(
        lambda moment, own: (moment, own),
        st.sampled_from(MOMENTS),
        st.none() | st.sampled_from([0, 5000]),
    ),
    max_size=30,
).map(lambda pairs: [PricedSlot(f"s{at}", *pair) for at, pair in enumerate(pairs)])


@given(some_rules(), some_slots, st.sets(st.sampled_from(VIEWERS), min_size=1))
def test_p4_gaps_are_the_sessions_that_price_of_leaves_without_a_price(rules, slots, audiences):
    def has_gap(slot):
        asked = [
            price_of(slot.local_start, rules, override=slot.own_price, membership_type_ids=held)
            for held in audiences
        ]
        return any(price.amount is None for price in asked)

    found = find_gaps(rules, slots, list(audiences))
    assert found == [slot for slot in slots if has_gap(slot)]
    assert sum(gap.sessions for gap in summarise_gaps(found)) == len(found)


@given(some_rules(), some_rules(), some_slots, st.sampled_from(VIEWERS))
def test_the_comparison_counts_what_price_of_says_before_and_after(before, after, slots, held):
    def amount(rules, slot):
        return price_of(
            slot.local_start, rules, override=slot.own_price, membership_type_ids=held
        ).amount

    pairs = [(amount(before, slot), amount(after, slot)) for slot in slots]
    both = [(old, new) for old, new in pairs if old is not None and new is not None]
    found = compare(before, after, slots, held)
    assert found == Comparison(
        sessions=len(slots),
        up=sum(new > old for old, new in both),
        down=sum(new < old for old, new in both),
        newly_priced=sum(old is None and new is not None for old, new in pairs),
        no_longer_priced=sum(old is not None and new is None for old, new in pairs),
        own=sum(slot.own_price is not None for slot in slots),
    )
    assert found.changed == sum(old != new for old, new in pairs)


@given(some_rules(), some_slots, st.sampled_from(VIEWERS))
def test_the_calendar_and_the_counts_say_what_price_of_says(rules, slots, held):
    days = cheapest_by_day(rules, slots, held)
    assert set(days) == {slot.local_start.date() for slot in slots}
    for date, shown in days.items():
        prices = [
            price_of(it.local_start, rules, override=it.own_price, membership_type_ids=held)
            for it in slots
            if it.local_start.date() == date
        ]
        amounts = [price.amount for price in prices if price.amount is not None]
        assert shown.amount == min(amounts, default=None)
        assert (shown.sessions, shown.gaps) == (len(prices), len(prices) - len(amounts))
        lowest = {price.rule_id for price in prices if price.amount == shown.amount}
        assert shown.position is None or rules[shown.position].id in lowest
    counted = count_by_rule(rules, slots, held)
    for rule in rules:
        won = [winner(rules, it.local_start, held) for it in slots if it.own_price is None]
        assert counted.get(rule.id, 0) == won.count(rule.id)


ALWAYS = PriceRule("always", 4800, "Otherwise")
TUESDAY = PriceRule("tuesday", 3400, "Quiet Tuesdays", weekdays=frozenset({"tuesday"}))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        pytest.param(
            [ALWAYS, TUESDAY],
            ["Never applies: hidden by rule 1, Otherwise, which comes first."],
            id="a rule without conditions belongs last",
        ),
        pytest.param([TUESDAY, ALWAYS], [], id="in the right order"),
        pytest.param(
            [TUESDAY, ALWAYS, PriceRule("late", 1, time_from=clock("20:00"))],
            ["Never applies: hidden by rule 2, Otherwise, which comes first."],
            id="the one that covers it alone is enough",
        ),
        pytest.param(
            [
                PriceRule("am", 1, time_to=clock("12:00")),
                PriceRule("pm", 2, "Late", time_from=clock("12:00")),
                TUESDAY,
            ],
            ["Never applies: hidden by rule 1 and by rule 2, Late, which come first."],
            id="two that hide one together",
        ),
        pytest.param(
            [PriceRule("gone", 1, date_to=day("2026-05-31"))],
            ["Never applies: it ended on 31 May 2026."],
            id="over",
        ),
        pytest.param(
            [PriceRule("no", 1, date_from=day("2026-06-15"), date_to=day("2026-06-16"),
                       weekdays=frozenset({"sunday"}))],
            ["Never applies: none of its weekdays lies between its first and last day."],
            id="two days without a Sunday",
        ),
        pytest.param(
            [
                PriceRule("members", 1, membership_type_ids=frozenset({"gold", "river"})),
                PriceRule("gold", 2, membership_type_ids=frozenset({"gold"})),
            ],
            ["Never applies: hidden by rule 1, which comes first."],
            id="members who have a price already",
        ),
        pytest.param(
            [
                PriceRule("gold", 2, membership_type_ids=frozenset({"gold"})),
                PriceRule("members", 1, membership_type_ids=frozenset({"gold", "river"})),
            ],
            [],
            id="other members beside them",
        ),
    ],
)  # fmt: skip
def test_r17_why_a_rule_never_applies_is_said_in_words(rules, said):
    dead = never_match(rules, since=FIRST)
    assert [say_dead(it, rules) for it in dead] == said


def test_a_gap_and_a_comparison_read_as_sentences():
    first = dt.datetime.fromisoformat("2026-06-07T09:30")
    sundays = [PricedSlot(str(n), first + dt.timedelta(weeks=n)) for n in range(3)]
    (gap,) = summarise_gaps(sundays)
    assert say_gap(gap) == "Sundays at 09:30: 3 sessions from Sun 7 June to Sun 21 June"
    (gap,) = summarise_gaps(sundays[:1])
    assert say_gap(gap) == "Sun 7 June at 09:30"
    assert say_comparison(Comparison()) == "No coming session changes its price"
    found = Comparison(sessions=60, up=12, down=35)
    assert say_comparison(found) == "47 coming sessions change, 12 up, 35 down"
    found = Comparison(sessions=60, no_longer_priced=1)
    assert say_comparison(found) == "1 coming session changes, 1 without a price"
