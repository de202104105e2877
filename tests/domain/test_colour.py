"""Contrast, as WCAG counts it."""

import pytest

from domain.colour import ENOUGH, contrast, readable_on


def test_contrast_is_counted_as_wcag_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize("ground", ["#ffffff", "#000000", "#ffe000", "#808080", "#2b3fbf"])
@pytest.mark.parametrize("wanted", ["#ffffff", "#777777", "#ffee88"])
def test_text_can_always_be_read(ground, wanted):
    assert contrast(readable_on(ground, wanted), ground) >= ENOUGH
