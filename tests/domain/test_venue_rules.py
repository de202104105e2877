"""What may stand in one field of a venue's settings."""

import pytest

from domain.errors import RuleBroken
from domain.venue_rules import (
    check_code,
    check_facts,
    check_line,
    check_lines,
    check_phone,
    check_slug,
    check_text,
    check_whole,
    check_zone,
    slug_of,
)
from domain.words import join_names


@pytest.mark.parametrize(
    "text", ["", "Europe/Atlantis", "../etc/passwd", "localtime", "EST", "x" * 300]
)
def test_t1_a_zone_that_nobody_knows_is_refused(text):
    with pytest.raises(RuleBroken) as broken:
        check_zone(text)
    assert broken.value.field == "zone"


def test_known_zones_are_kept():
    assert check_zone("Asia/Kolkata") == "Asia/Kolkata"
    assert check_zone("UTC") == "UTC"


@pytest.mark.parametrize("text", ["<b>Bath</b>", "a\x07b", "a\u202eb", "x" * 201])
def test_d5_lines_take_no_markup_nothing_unseen_and_not_too_much(text):
    with pytest.raises(RuleBroken):
        check_line(text, field="place")
    with pytest.raises(RuleBroken):
        check_lines(f"fine\n{text}", field="place")
    with pytest.raises(RuleBroken):
        check_text(text * 11, field="place")


def test_lines_are_tidied():
    assert check_lines(" a  b \r\n\r\nc", field="x") == ["a b", "c"]
    assert check_text("one \r\n two", field="x") == "one\ntwo"
    assert check_text("", field="x") == ""


@pytest.mark.parametrize("text", ["", "-1", "46", "1.5", "٣", "1e1", "nine", "99999999"])
def test_numbers_outside_their_bounds_are_refused(text):
    with pytest.raises(RuleBroken, match="from 1 to 45"):
        check_whole(text, field="hold_minutes", least=1, most=45)


def test_facts_are_pairs():
    assert check_facts("38° | warm water") == [["38°", "warm water"]]
    with pytest.raises(RuleBroken):
        check_facts("38° warm water")


@pytest.mark.parametrize(
    "text", ["", "Staff only", "-a", "a--b", "staff", "x" * 61, "ü", "account"]
)
def test_addresses_that_are_none_or_ours_are_refused(text):
    with pytest.raises(RuleBroken):
        check_slug(text, reserved=("staff", "account"))


def test_addresses_are_made_of_names():
    assert slug_of("Stillwater Reykjavík") == "stillwater-reykjavik"
    assert check_slug(" North-Light ") == "north-light"


def test_codes_and_telephones():
    assert check_code(" still ") == "STILL"
    assert check_phone("+44 (0)1225 555-0142") == "+44 (0)1225 555-0142"
    for bad in ("call us", "()", "1"):
        with pytest.raises(RuleBroken):
            check_phone(bad)
    with pytest.raises(RuleBroken):
        check_code("S")


def test_names_are_joined():
    assert join_names([]) == ""
    assert join_names(["A"]) == "A"
    assert join_names(["A", "B", "C"]) == "A, B and C"
    assert join_names(list("ABCDEFG"), most=3) == "A, B, C and 4 more"
