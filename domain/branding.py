"""A venue's colours: what was chosen, and what of it can be read (WCAG 2, 4.5 to 1)."""

import colorsys
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.colour import ENOUGH, contrast
from domain.errors import RuleBroken

OURS = "#1c5b57"
"""The accent of a venue that has chosen none."""

RADII = ("0px", "2px", "6px", "10px", "16px")
"""How round corners may be."""

FACES = ("serif", "sans")
"""What headings are set in."""

_COLOUR = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
# Whatever text in the accent may stand on: page, card, recess; and what floats in the dark.
_LIGHT = ("#faf8f4", "#ffffff", "#f3efe8")
_DARK = ("#161412", "#211e1b", "#2f2b27")
_STEPS = 400

WELL = 7.0
"""What a colour of our own choice reaches where it can."""


@dataclass(frozen=True, slots=True)
class Colours:
    """The four tokens of an accent, and a sentence for each colour that was changed for reading."""

    brand: str
    brand_dark: str
    on_brand: str
    on_brand_dark: str
    light_contrast: float
    dark_contrast: float
    said: tuple[str, ...] = ()

    @property
    def tokens(self) -> dict[str, str]:
        """As the site's brand keeps them."""
        return {
            name: getattr(self, name)
            for name in ("brand", "brand_dark", "on_brand", "on_brand_dark")
        }


def check_colour(text: str, *, field: str = "brand") -> str:
    """A colour as #rrggbb in small letters, or RuleBroken."""
    found = _COLOUR.fullmatch(text.strip())
    if found is None:
        raise RuleBroken(
            "Enter a colour like #1c5b57: a # and six digits or letters from a to f.",
            code="colour",
            field=field,
        )
    digits = found[1].lower()
    return "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))


def derive(accent: str, dark: str = "", *, neutrals: Mapping[str, Any] | None = None) -> Colours:
    """What the shop is drawn in for these wishes; `dark` empty: the accent itself, made lighter.

    A colour that can't be read on the venue's paper keeps its hue and gets darker in the light
    scheme, lighter in the dark one, until it can.
    """
    light_paper = _paper(neutrals, 0, _LIGHT)
    dark_paper = _paper(neutrals, 1, _DARK)
    brand = readable(accent, light_paper, darker=True)
    # What is derived may read well; what was chosen must only read.
    brand_dark = readable(dark or accent, dark_paper, darker=False, enough=ENOUGH if dark else WELL)
    said = []
    if brand != accent:
        said.append(
            f"{accent} is too pale to read on light paper, so {brand} is used there instead."
        )
    if dark and brand_dark != dark:
        said.append(f"{dark} is too dark to read at night, so {brand_dark} is used instead.")
    return Colours(
        brand=brand,
        brand_dark=brand_dark,
        on_brand=ink_on(brand),
        on_brand_dark=ink_on(brand_dark),
        light_contrast=_least(brand, light_paper),
        dark_contrast=_least(brand_dark, dark_paper),
        said=tuple(said),
    )


def readable(colour: str, paper: Sequence[str], *, darker: bool, enough: float = ENOUGH) -> str:
    """The colour, or the nearest of its hue that reads on all of this paper."""
    if _least(colour, paper) >= enough:
        return colour
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    end = 0.0 if darker else 1.0
    for step in range(1, _STEPS + 1):
        nearer = lightness + (end - lightness) * step / _STEPS
        found = _hex(colorsys.hls_to_rgb(hue, nearer, saturation))
        if _least(found, paper) >= enough:
            return found
    return "#000000" if darker else "#ffffff"


def ink_on(ground: str) -> str:
    """What text on this colour is written in: white, or else a near black of its own hue."""
    if contrast("#ffffff", ground) >= ENOUGH:
        return "#ffffff"
    return readable(ground, (ground,), darker=True, enough=WELL)


def _paper(neutrals: Mapping[str, Any] | None, scheme: int, ours: Sequence[str]) -> list[str]:
    named = [
        pair[scheme]
        for name, pair in (neutrals or {}).items()
        if name in ("ground", "surface", "sunken", "raised")
    ]
    return named or list(ours)


def _least(colour: str, paper: Sequence[str]) -> float:
    return min(contrast(colour, ground) for ground in paper)


def _hex(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * max(0.0, min(1.0, part))):02x}" for part in parts)
