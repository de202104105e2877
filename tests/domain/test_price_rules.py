"""What a rule may say, and how it reads."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.money import write_amount
from domain.price_rules import (
    MAX_PRICE,
    TooManyRules,
    check_label,
    check_rule,
    check_rules,
    read_price,
    say_conditions,
    values_of,
)
from domain.pricing import PriceRule

NAMES = {"g": "Gold", "r": "River", "s": "Shore membership"}
day = dt.date.fromisoformat
clock = dt.time.fromisoformat


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("48", "GBP", 4800),
        ("48.50", "GBP", 4850),
        ("48.5", "GBP", 4850),
        ("£1,200", "GBP", 120000),
        ("0", "GBP", 0),
        ("1,500", "JPY", 1500),
        ("¥1500", "JPY", 1500),
        ("4,900", "ISK", 4900),
        ("1.500", "KWD", 1500),
        ("1.5", "KWD", 1500),
        (" 48 ", "GBP", 4800),
    ],
)
def test_p8_a_price_is_read_in_the_minor_units_of_its_currency(typed, currency, minor):
    assert read_price(typed, currency) == minor


@pytest.mark.parametrize(
    ("typed", "currency", "said"),
    [
        ("", "GBP", "Enter a price, or 0 if it is free."),
        ("48.505", "GBP", "Enter a price such as 48 or 48.50."),
        ("48,50", "GBP", "Enter a price such as 48 or 48.50."),
        ("-5", "GBP", "Enter a price such as 48 or 48.50."),
        ("a lot", "GBP", "Enter a price such as 48 or 48.50."),
        ("1500.5", "JPY", "JPY has no decimals: enter a price such as 1500."),
        ("1.5000", "KWD", "Enter a price such as 48 or 48.500."),
        ("999999999", "GBP", "That price is too high. Look at its zeros again."),
        ("٤٨", "GBP", "Enter a price such as 48 or 48.50."),
        ("1e3", "GBP", "Enter a price such as 48 or 48.50."),
    ],
)
def test_p8_what_is_no_price_is_refused_with_a_sentence(typed, currency, said):
    with pytest.raises(RuleBroken) as refused:
        read_price(typed, currency)
    assert refused.value.sentence == said


@given(st.integers(0, MAX_PRICE), st.sampled_from(["GBP", "JPY", "ISK", "KWD", "CLF"]))
def test_p8_what_is_shown_for_editing_reads_back_as_the_same_price(minor, currency):
    assert read_price(write_amount(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"date_from": day("2026-06-02"), "date_to": day("2026-06-01")}, "date_to"),
        ({"time_from": clock("17:00"), "time_to": clock("17:00")}, "time_to"),
        ({"time_from": clock("22:00"), "time_to": clock("02:00")}, "time_to"),
        ({"time_to": clock("00:00")}, "time_to"),
        ({"weekdays": frozenset({"funday"})}, "weekdays"),
        ({"membership_type_ids": frozenset({"another house's"})}, "membership_type_ids"),
        ({"label": "<b>Peak</b>"}, "label"),
        ({"label": "x" * 201}, "label"),
        ({"price": -1}, "price"),
        ({"price": MAX_PRICE + 1}, "price"),
    ],
)
def test_r18_r22_a_rule_that_makes_no_sense_is_refused_at_its_field(rule, field):
    with pytest.raises(RuleBroken) as refused:
        check_rules([PriceRule(**{"id": "r7", "price": 100, **rule})], {"river"})
    assert refused.value.field == f"{field}-r7"


def test_r18_one_day_and_one_bound_alone_are_fine():
    one_day = PriceRule("r", 0, " Mid  summer ", day("2026-06-21"), day("2026-06-21"))
    assert check_rule(one_day, ()).label == "Mid summer"
    check_rule(PriceRule("r", 0, time_to=clock("10:00")), ())


def test_there_are_at_most_a_hundred_rules():
    check_rules([PriceRule(str(n), 1) for n in range(100)], ())
    with pytest.raises(TooManyRules):
        check_rules([PriceRule(str(n), 1) for n in range(101)], ())


@pytest.mark.parametrize("text", ["<script>", "a &lt; b", "bell\x07", "x" * 201])
def test_d5_a_label_is_plain_and_short(text):
    with pytest.raises(RuleBroken):
        check_label(text)


def test_d5_a_label_may_compare_and_join():
    assert check_label("Under 3 < 4 & more") == "Under 3 < 4 & more"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, ("Always",)),
        ({"weekdays": {"friday", "sunday"}}, ("Fridays and Sundays",)),
        ({"weekdays": {"monday", "tuesday", "wednesday"}}, ("Monday to Wednesday",)),
        ({"time_from": clock("17:00"), "time_to": clock("22:00")}, ("17:00 to 22:00",)),
        ({"time_from": clock("17:00")}, ("from 17:00",)),
        ({"time_to": clock("10:00")}, ("before 10:00",)),
        ({"date_from": day("2026-07-01"), "date_to": day("2026-08-31")},
         ("1 Jul to 31 Aug 2026",)),
        ({"date_from": day("2026-12-20"), "date_to": day("2027-01-05")},
         ("20 Dec 2026 to 5 Jan 2027",)),
        ({"date_from": day("2026-07-01"), "date_to": day("2026-07-01")}, ("1 Jul 2026",)),
        ({"date_from": day("2026-07-01")}, ("from 1 Jul 2026",)),
        ({"date_to": day("2026-07-01")}, ("until 1 Jul 2026",)),
        ({"membership_type_ids": {"g", "r"}}, ("Gold and River members",)),
        ({"membership_type_ids": {"s"}}, ("Shore membership",)),
    ],
)  # fmt: skip
def test_conditions_read_as_a_person_says_them(rule, said):
    sets = {name: frozenset(it) if isinstance(it, set) else it for name, it in rule.items()}
    assert say_conditions(PriceRule("r", 1, **sets), NAMES) == said


def test_d4_what_was_seen_tells_order_and_every_field():
    one, two = PriceRule("a", 1), PriceRule("b", 2)
    assert values_of([one, two]) != values_of([two, one])
    assert values_of([one]) != values_of([PriceRule("a", 1, "Label")])
