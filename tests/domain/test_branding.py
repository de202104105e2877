"""Any colour a venue may choose becomes one that can be read, and keeps its hue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.branding import check_colour, derive, ink_on
from domain.colour import ENOUGH, contrast
from domain.errors import RuleBroken

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
LIGHT = ("#faf8f4", "#ffffff", "#f3efe8")
DARK = ("#161412", "#211e1b", "#2f2b27")


@given(accent=COLOURS, dark=st.one_of(st.just(""), COLOURS))
def test_whatever_is_chosen_can_be_read_in_both_schemes(accent, dark):
    found = derive(accent, dark)
    assert all(contrast(found.brand, paper) >= ENOUGH for paper in LIGHT)
    assert all(contrast(found.brand_dark, paper) >= ENOUGH for paper in DARK)
    assert contrast(found.on_brand, found.brand) >= ENOUGH
    assert contrast(found.on_brand_dark, found.brand_dark) >= ENOUGH
    assert bool(found.said) == (found.brand != accent or (bool(dark) and found.brand_dark != dark))


@given(accent=COLOURS)
def test_what_can_be_read_already_is_left_alone(accent):
    if all(contrast(accent, paper) >= ENOUGH for paper in LIGHT):
        assert derive(accent).brand == accent


@given(ground=COLOURS)
def test_text_can_be_read_on_every_ground(ground):
    assert contrast(ink_on(ground), ground) >= ENOUGH


def test_a_pale_accent_is_made_darker_and_it_is_said():
    found = derive("#f5d90a")
    assert found.brand != "#f5d90a"
    assert "#f5d90a is too pale" in found.said[0]
    assert found.brand in found.said[0]


def test_the_papers_of_the_venue_are_asked():
    on_grey = derive("#6f6f6f", neutrals={"ground": ["#dddddd", "#000000"]})
    assert contrast(on_grey.brand, "#dddddd") >= ENOUGH


@pytest.mark.parametrize(
    "text", ["red", "#12345", "#12345g", "", "#1234567", "rgb(1,2,3)", "#12 456"]
)
def test_text_that_is_no_colour_is_refused(text):
    with pytest.raises(RuleBroken):
        check_colour(text)


def test_colours_are_kept_in_one_spelling():
    assert check_colour(" 1C5B57 ") == "#1c5b57"
    assert check_colour("#AbC") == "#aabbcc"
