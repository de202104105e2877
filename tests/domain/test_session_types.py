"""What the fields of a session type may hold, by tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.durations import Interval
from domain.errors import RuleBroken
from domain.session_types import (
    CURRENCIES,
    UNITS,
    check_slug,
    interval_of,
    read_fields,
    say_interval,
    slug_of,
    split_interval,
    state_of,
)

OPENS, CLOSES = "max_advance_bookings_interval", "min_advance_bookings_interval"
BEFORE = {
    "visibility": "public", "members_only": False, "min_guests": 1, "max_guests": None,
    OPENS: None, CLOSES: "PT120M",
}  # fmt: skip


NESTED = {"a": [[[[[[[[[[1]]]]]]]]]]}


def window(opens=None):
    return {"membership_type_id": "gold", OPENS: opens, CLOSES: None}


def offering(kind="session", config=None, **given):
    return {"offering_type": kind, "offering_id": "1", "offering_config": config, **given}


def read(**given):
    reading = read_fields(given, BEFORE)
    return reading.values, [problem.field for problem in reading.problems]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({}, {}),
        ({"name": "  Evening   bath "}, {"name": "Evening bath"}),
        ({"duration": "90"}, {"duration": 90}),
        ({"duration": 90}, {"duration": 90}),
        ({"max_guests": ""}, {"max_guests": None}),
        ({"max_guests": None}, {"max_guests": None}),
        ({"currency": "gbp"}, {"currency": "GBP"}),
        ({"offered_online": "false"}, {"offered_online": False}),
        ({"description": "a\r\nb"}, {"description": "a\nb"}),
        ({"description": None}, {"description": ""}),
        ({"product_code": ""}, {"product_code": None}),
        (
            {"min_advance_bookings_interval": ("2", "hours")},
            {"min_advance_bookings_interval": "PT120M"},
        ),
        (
            {"max_advance_bookings_interval": ("2", "weeks")},
            {"max_advance_bookings_interval": "P2W"},
        ),
        ({"max_advance_bookings_interval": "p1m"}, {"max_advance_bookings_interval": "P1M"}),
        ({"max_advance_bookings_interval": ("", "days")}, {"max_advance_bookings_interval": None}),
        ({"nobody_knows_it": 1}, {}),
        # C1: the words of create and update.
        ({"visibility": "hidden"}, {"visibility": "link_only"}),
        ({"visibility": "members_only"}, {"visibility": "public", "members_only": True}),
        # C2: the older form.
        ({"private": True}, {"visibility": "link_only"}),
        ({"private": False}, {"visibility": "public"}),
        ({"private": True, "visibility": "public"}, {"visibility": "public"}),
    ],
)
def test_r3_r4_fields_are_tidied_and_absent_ones_left_alone(given, values):
    assert read(**given) == (values, [])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "<i>x</i>"}, "name"),
        ({"name": None}, "name"),
        ({"slug": "With Space"}, "slug"),
        ({"slug": "basket"}, "slug"),
        ({"summary": "x" * 301}, "summary"),
        ({"summary": "a <b>"}, "summary"),
        ({"description": "x" * 20_001}, "description"),
        ({"description": "a\x07b"}, "description"),
        ({"duration": "0"}, "duration"),
        ({"duration": ""}, "duration"),
        ({"duration": "1441"}, "duration"),
        ({"duration": "1e3"}, "duration"),
        ({"duration": True}, "duration"),
        ({"duration": "٣"}, "duration"),
        ({"currency": "GB"}, "currency"),
        ({"max_guests": "0"}, "max_guests"),
        ({"min_guests": 4, "max_guests": 3}, "max_guests"),
        ({"visibility": "secret"}, "visibility"),
        ({"visibility": "members_only", "members_only": False}, "members_only"),
        ({"offered_online": "maybe"}, "offered_online"),
        ({"max_advance_bookings_interval": "soon"}, "max_advance_bookings_interval"),
        ({"max_advance_bookings_interval": ("x", "days")}, "max_advance_bookings_interval"),
        ({"max_advance_bookings_interval": ("2", "moons")}, "max_advance_bookings_interval"),
        ({"max_advance_bookings_interval": ("1", "hours")}, "max_advance_bookings_interval"),
        ({"customer_cancellation_permitted": "perhaps"}, "customer_cancellation_permitted"),
        ({"spec": [["Water", ""]]}, "spec"),
        ({"upsell_offerings": [{"offering_type": "", "offering_id": "1"}]}, "upsell_offerings"),
        ({"membership_booking_windows": [window(), window()]}, "membership_booking_windows"),
        ({"cross_sell_offerings": [offering(config={"a": "\0"})]}, "cross_sell_offerings"),
        ({"cross_sell_offerings": [offering(config={"\0": 1})]}, "cross_sell_offerings"),
        ({"cross_sell_offerings": [offering(config={"a": float("inf")})]}, "cross_sell_offerings"),
        ({"cross_sell_offerings": [offering(config=NESTED)]}, "cross_sell_offerings"),
        ({"bring": ["x"] * 21}, "bring"),
    ],
)
def test_d5_what_cannot_be_is_refused_under_its_field(given, field):
    assert read(**given)[1] == [field]


def test_all_wrong_fields_are_named_at_once():
    assert read(name="", slug="!", duration=0)[1] == ["name", "slug", "duration"]


def test_what_is_written_anew_goes_out_as_it_was_written():
    assert read(**{CLOSES: "PT2H"})[0] == {CLOSES: "PT2H"}
    assert read(**{CLOSES: ("2", "hours")})[0] == {CLOSES: "PT120M"}


def test_a_window_without_ends_says_at_any_time_unless_a_form_left_it_empty():
    def kept(given, *was):
        name = "membership_booking_windows"
        return read_fields({name: [given]}, {name: list(was)}).values[name]

    assert kept(window()) == [window()]
    assert kept(window(("", "days"))) == []
    assert kept(window(("", "days")), window()) == [window()]


def test_goods_keep_their_name_and_sessions_have_that_of_their_type():
    salt = {"offering_type": "retail", "offering_id": "1", "offering_name": "Salt"}
    name = "related_retail_offerings"
    given = [offering("retail", display_name=None), offering(offering_name="Mine")]
    assert read_fields({name: given}, {name: [salt]}).values[name] == [
        salt, {"offering_type": "session", "offering_id": "1"},
    ]  # fmt: skip
    assert read_fields({name: given[:1]}, {}).values[name] == [{**salt, "offering_name": "1"}]


def test_c2_the_older_word_changes_no_staff_only_type():
    reading = read_fields({"private": False}, {**BEFORE, "visibility": "private"})
    assert reading.values == {}


@given(st.integers(0, 9999), st.sampled_from(sorted(UNITS)))
def test_an_interval_is_shown_as_it_was_typed(number, unit):
    stored = interval_of(str(number), unit)
    Interval.parse(stored)
    assert split_interval(stored) == (str(number), unit)


@pytest.mark.parametrize(
    ("stored", "said"), [("P1D", "1 day"), ("PT24H", "24 hours"), ("P1DT2H", "P1DT2H"), (None, "")]
)
def test_an_interval_is_said_in_words_where_it_has_one_unit(stored, said):
    assert say_interval(stored) == said


@given(st.text(max_size=100))
def test_any_name_makes_an_address(name):
    assert check_slug(slug_of(name))


def test_an_address_says_the_name():
    assert slug_of("Évening bath, for two") == "evening-bath-for-two"
    assert slug_of("Basket") == "basket-sessions"
    with pytest.raises(RuleBroken):
        check_slug("-x-")


def test_currencies_are_known_by_three_letters():
    assert {"GBP", "EUR", "ISK", "USD", "JPY"} <= CURRENCIES
    assert all(len(code) == 3 and code.isupper() for code in CURRENCIES)


@pytest.mark.parametrize(
    ("archived", "visibility", "online", "state"),
    [
        (True, "public", True, "archived"),
        (False, "public", True, "on_sale"),
        (False, "link_only", True, "link_only"),
        (False, "private", True, "staff_only"),
        (False, "public", False, "staff_only"),
        (False, "link_only", False, "staff_only"),
    ],
)
def test_r30_where_a_type_can_be_bought(archived, visibility, online, state):
    assert state_of(is_archived=archived, visibility=visibility, offered_online=online) == state
