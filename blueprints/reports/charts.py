"""Where the marks of a chart stand; the macros of templates/reports/_charts.html draw them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

CARD, PAGE = 640, 980
"""Widths of a chart in a card of the dashboard, and across a page."""
_LEFT, _TOP, _FLOOR = 44, 22, 196
_LABEL = 34
"""The least room of a label; with less only some are written."""
TONES = 6
"""So many series have a colour of their own; what is beyond shares the last."""


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of the bars: its name, the class of its colour, and its values by bar."""

    name: str
    tone: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One rectangle of a bar."""

    tone: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with what it says when pointed at."""

    x: float
    upper: str
    lower: str
    is_now: bool
    said: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over an axis, with the title and description that stand for them."""

    key: str
    title: str
    width: int
    description: str
    bars: tuple[Bar, ...]
    # Height of the line and what it says.
    ticks: tuple[tuple[float, str], ...]
    legend: tuple[tuple[str, str], ...] = ()


def make_chart(
    key: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    say: Callable[[int], str],
    say_tick: Callable[[int], str] | None = None,
    now: int | None = None,
    unit: int = 1,
    at_least: int = 0,
    chart_width: int = PAGE,
) -> Chart:
    """Stacked bars of `series`; values below 0 are told in the table and draw nothing.

    `unit`: the least whole step of the axis (100 for pounds in pence).
    """
    heights = [sum(max(0, one.values[n]) for one in series) for n in range(len(labels))]
    top, step = _axis(max([at_least, *heights, 0]), unit)
    scale = (_FLOOR - _TOP) / top
    slot = (chart_width - _LEFT) / max(1, len(labels))
    width = round(min(34.0, slot * 0.64), 1)
    under = _labels(labels, now, slot)
    bars = []
    for number, label in enumerate(labels):
        x = round(_LEFT + slot * (number + 0.5) - width / 2, 1)
        bars.append(
            Bar(
                x=round(x + width / 2, 1),
                upper=under[number][0],
                lower=under[number][1],
                is_now=number == now,
                said=f"{label}: {_said(series, number, say)}",
                blocks=_stack(series, number, x, width, scale),
            )
        )
    ticks = tuple(
        (round(_FLOOR - value * scale, 1), (say_tick or say)(value))
        for value in range(0, top + 1, step)
    )
    legend = tuple((one.name, one.tone) for one in series) if len(series) > 1 else ()
    said = _describe(labels, heights, say)
    return Chart(key, title, chart_width, said, tuple(bars), ticks, legend)


def line_of(values: Sequence[int | None]) -> str:
    """The path of a small line in a box of 100 by 32; empty for fewer than two points."""
    known = [value or 0 for value in values]
    if len(known) < 2:
        return ""
    most, least = max(known), min(known)
    spread = max(1, most - least)
    points = [
        f"{100 * number / (len(known) - 1):.1f} {28 - 26 * (value - least) / spread:.1f}"
        for number, value in enumerate(known)
    ]
    return "M" + "L".join(points)


def warmth(tenths: int | None) -> int:
    """0 (nothing on offer) and 1 to 6 by how full it is: the class of a cell of the heat table."""
    return 0 if tenths is None else 1 + min(5, max(0, tenths) * 6 // 1001)


def _labels(labels: Sequence[str], now: int | None, slot: float) -> list[tuple[str, str]]:
    """Two lines under each bar, empty where there is no room; what repeats is said once.

    A day stands over its month; the bar of the present is always named.
    """
    every = max(1, -(-_LABEL // max(1, int(slot))))
    written, before = [], ""
    for number, label in enumerate(labels):
        is_near = now is not None and 0 < abs(number - now) < every
        if (number % every and number != now) or is_near:
            written.append(("", ""))
            continue
        words = label.split()
        middle = 1 if len(words) == 2 else -(-len(words) // 2)
        upper, lower = " ".join(words[:middle]), " ".join(words[middle:])
        is_day = upper.isdigit()
        written.append((upper, "" if is_day and lower == before and number != now else lower))
        before = lower if is_day else ""
    return written


def _stack(
    series: Sequence[Series], number: int, x: float, width: float, scale: float
) -> tuple[Block, ...]:
    blocks, y = [], float(_FLOOR)
    for one in series:
        height = max(0, one.values[number]) * scale
        if height > 0:
            y -= height
            blocks.append(Block(one.tone, x, round(y, 1), width, round(max(0.8, height - 1), 1)))
    return tuple(blocks)


def _axis(most: int, unit: int) -> tuple[int, int]:
    """A round top and the step between lines: 1, 2 or 5 times a power of ten."""
    step = unit
    while True:
        for factor in (1, 2, 5):
            if step * factor * 4 >= most:
                lines = max(1, -(-most // (step * factor)))
                return step * factor * lines, step * factor
        step *= 10


def _said(series: Sequence[Series], number: int, say: Callable[[int], str]) -> str:
    parts = [(one.name, one.values[number]) for one in series if one.values[number]]
    if len(series) == 1:
        return say(series[0].values[number])
    total = sum(value for _, value in parts)
    listed = ", ".join(f"{name} {say(value)}" for name, value in parts)
    return f"{say(total)} ({listed})" if listed else say(0)


def _describe(labels: Sequence[str], heights: Sequence[int], say: Callable[[int], str]) -> str:
    if not any(heights):
        return "There is nothing in this period."
    high = max(range(len(heights)), key=lambda n: heights[n])
    low = min(range(len(heights)), key=lambda n: heights[n])
    return (
        f"{len(labels)} bars. The highest is {labels[high]} with {say(heights[high])},"
        f" the lowest {labels[low]} with {say(heights[low])}. The numbers are in the table."
    )
