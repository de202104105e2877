"""A site's brand as plain colours for mail, where no stylesheet of ours can be asked."""

import re
from collections.abc import Mapping
from typing import Any

from domain.colour import readable_on

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LENGTH = re.compile(r"\d{1,2}px")

LIGHT, DARK = 0, 1

_NEUTRALS = {
    "ground": ("#faf8f4", "#161412"),
    "surface": ("#ffffff", "#211e1b"),
    "sunken": ("#f3efe8", "#100e0c"),
    "line": ("#e5dfd5", "#34302c"),
    "ink": ("#211e1b", "#f2eee7"),
    "ink_2": ("#554f47", "#c2bbb0"),
    "ink_3": ("#6e675d", "#a1998d"),
}
_ACCENT = (("brand", "#1c5b57"), ("brand_dark", "#93cdc3"))
_ON_ACCENT = (("on_brand", "#ffffff"), ("on_brand_dark", "#0d2422"))


def palette(brand: Mapping[str, Any], scheme: int) -> dict[str, str]:
    """The colours of one scheme, text kept readable whatever the venue chose."""
    neutrals = dict(brand.get("neutrals") or {})
    colours = {
        name: _colour(_pair(neutrals.get(name))[scheme], pair[scheme])
        for name, pair in _NEUTRALS.items()
    }
    for name in ("ink", "ink_2", "ink_3"):
        colours[name] = readable_on(colours["surface"], colours[name])
    name, ours = _ACCENT[scheme]
    accent = _colour(brand.get(name), ours)
    name, ours = _ON_ACCENT[scheme]
    colours["accent"] = accent
    colours["on_accent"] = readable_on(accent, _colour(brand.get(name), ours))
    colours["link"] = readable_on(colours["surface"], accent)
    colours["foot_link"] = readable_on(colours["ground"], accent)
    colours["foot"] = readable_on(colours["ground"], colours["ink_3"])
    return colours


def corner(brand: Mapping[str, Any]) -> str:
    """The radius of buttons and the sheet."""
    radius = str(brand.get("radius", ""))
    return radius if _LENGTH.fullmatch(radius) else "10px"


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, list | tuple) and len(value) == 2 else ("", "")


def _colour(value: Any, ours: str) -> str:
    return str(value) if _COLOUR.fullmatch(str(value)) else ours
