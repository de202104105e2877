"""Contrast of two colours, as WCAG 2 counts it."""

ENOUGH = 4.5
"""For text of usual size."""


def contrast(one: str, other: str) -> float:
    """From 1 to 21, for two colours like #1c5b57."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def readable_on(ground: str, wanted: str) -> str:
    """The wanted colour if it can be read on this ground, else black or white, whichever can."""
    if contrast(wanted, ground) >= ENOUGH:
        return wanted
    return max(("#000000", "#ffffff"), key=lambda colour: contrast(colour, ground))


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
