import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import domain
from domain.money import Money, exponent

amounts = st.integers(-(10**12), 10**12)


@pytest.mark.parametrize(
    ("currency", "places"),
    [
        ("GBP", 2),
        ("eur", 2),
        ("JPY", 0),
        ("krw", 0),
        ("ISK", 0),
        ("CLP", 0),
        ("KWD", 3),
        ("tnd", 3),
        ("CLF", 4),
        ("UYW", 4),
    ],
)
def test_p8_r32_the_exponent_is_that_of_iso_4217(currency, places):
    assert exponent(currency) == places


@pytest.mark.parametrize("module", ["money.py", "pricing.py"])
def test_p8_no_float_and_no_true_division_stands_near_a_price(module):
    path = Path(domain.__file__).parent / module
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float))
        assert not isinstance(node, ast.Div)
        assert not (isinstance(node, ast.Name) and node.id == "float")


def test_p8_two_currencies_are_never_added():
    with pytest.raises(ValueError, match="GBP and JPY"):
        Money(100, "GBP") + Money(100, "JPY")


def test_p4_zero_is_a_price_and_it_is_free():
    assert Money(0, "GBP").is_free
    assert not Money(1, "GBP").is_free
    assert (Money(0, "GBP") * 3).is_free


@settings(max_examples=50, deadline=None)
@given(amounts, amounts, st.integers(0, 100), st.sampled_from(["GBP", "JPY", "KWD"]))
def test_p8_sums_and_products_are_whole_minor_units(first, second, places, currency):
    total = (Money(first, currency) + Money(second, currency)) * places
    assert total == Money(first * places, currency) + Money(second * places, currency)
    assert type(total.amount) is int
    assert total.currency == currency
