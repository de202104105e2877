"""A venue's accent, neutrals, radius, faces and logo as a stylesheet of tokens (VISUAL, Tokens)."""

import re

from services.facts import Venue

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LENGTH = re.compile(r"\d{1,2}(px|rem)")
_LOGO = re.compile(r"[a-z0-9-]+")
_NEUTRALS = (
    "ground",
    "surface",
    "sunken",
    "raised",
    "line",
    "line-2",
    "ink",
    "ink-2",
    "ink-3",
    "sun",
)


def brand_css(venue: Venue, static: str) -> str:
    """Only values of the expected shape are written; anything else leaves the default."""
    brand = venue.brand
    lines = []
    for name in ("brand", "brand_dark", "on_brand", "on_brand_dark"):
        if _COLOUR.fullmatch(str(brand.get(name, ""))):
            lines.append(f"--{name.replace('_', '-')}: {brand[name]};")
    if _LENGTH.fullmatch(str(brand.get("radius", ""))):
        lines.append(f"--radius: {brand['radius']};")
    if brand.get("display") == "sans":
        lines.append("--font-display: var(--font-ui);")
        lines.append("--display-weight: 550;")
        lines.append("--display-tracking: -0.034em;")
    for name, pair in dict(brand.get("neutrals") or {}).items():
        token = name.replace("_", "-")
        if token in _NEUTRALS and all(_COLOUR.fullmatch(str(value)) for value in pair):
            lines.append(f"--{token}: light-dark({pair[0]}, {pair[1]});")
    if _LOGO.fullmatch(str(brand.get("logo", ""))):
        lines.append(f'--logo: url("{static}img/{brand["logo"]}.svg");')
    body = "\n    ".join(lines)
    return f"@layer tokens {{\n  :root {{\n    {body}\n  }}\n}}\n"
