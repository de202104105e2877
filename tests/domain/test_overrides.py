"""Who may book in spite of which rule (R20)."""

import pytest

from domain.eligibility import CHECKS
from domain.overrides import (
    ABOUT_THE_PERSON,
    NOBODY,
    may_override,
    name_of,
    right_to_override,
    say_overridden,
)


@pytest.mark.parametrize(
    "code", ["type_live", "session_live", "party_left", "places_left", "priced"]
)
def test_r20_staff_are_bound_by_places_parties_and_what_is_live(code):
    assert right_to_override(code) is None
    assert not may_override([code], {"CUSTOMERS_MANAGE", "RESERVATIONS_MANAGE"})


@pytest.mark.parametrize("code", ["signed_in", "member", "max_bookings_per_member"])
def test_rules_about_the_person_need_the_right_over_customers(code):
    assert right_to_override(code) == "CUSTOMERS_MANAGE"
    assert not may_override([code], {"RESERVATIONS_MANAGE"})


@pytest.mark.parametrize("code", ["window_open", "window_closed", "min_guests", "a_new_rule"])
def test_all_others_unknown_ones_too_need_the_right_over_bookings(code):
    assert right_to_override(code) == "RESERVATIONS_MANAGE"
    assert may_override([code], {"RESERVATIONS_MANAGE"})
    assert not may_override([code], {"CUSTOMERS_MANAGE"})


def test_every_failed_check_must_be_theirs_to_override():
    assert not may_override(["member", "window_closed"], {"RESERVATIONS_MANAGE"})
    assert may_override(["member", "window_closed"], {"RESERVATIONS_MANAGE", "CUSTOMERS_MANAGE"})
    assert may_override([], set())


def test_every_check_has_a_name_and_unknown_ones_are_readable():
    assert all(name_of(code) != code.replace("_", " ").capitalize() for code in CHECKS)
    assert set(CHECKS) >= NOBODY | ABOUT_THE_PERSON
    assert name_of("full_moon") == "Full moon"
    assert say_overridden(["member", "full_moon"]) == "for members, full moon"
