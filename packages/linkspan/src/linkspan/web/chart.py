"""A chart of times to restore, as SVG that needs no script: shown on a page, saved to a file, printed.

One column a period: a bar to the median, a line on to the 90th percentile, a diamond at the mean. Colours
are presentation attributes, because a page's security policy refuses inline styles, and ``currentColor``
for what is text, so that the same picture reads on light and on dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax import saxutils

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
UNITS = (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", 1.0))
BAR, LINE, MEAN = "#2f6fde", "#8aa4c8", "#d9822b"
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 58
HEIGHT = 320
LEAST_WIDTH = 560
COLUMN = 64
LABELS = 24  # more labels than that would run into each other
LETTERS = 12  # of a label at the axis
# What an XML document cannot hold, not even escaped (W3C: XML 1.0, Char).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One period. Durations in seconds, None where there is nothing to say."""

    label: str
    n: int
    mean: float | None
    median: float | None
    p90: float | None


def svg(title: str, columns: Sequence[Column]) -> str:
    """The chart. An empty one says so instead of showing axes without bars."""
    width = max(LEAST_WIDTH, LEFT + RIGHT + COLUMN * len(columns))
    shown = [one for one in columns if one.n]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" '
        f'height="{HEIGHT}" role="img" aria-labelledby="chart-title chart-says" '
        'font-family="Inter, system-ui, sans-serif" font-size="12" fill="currentColor">',
        f'<title id="chart-title">{escape(title)}</title>',
        f'<desc id="chart-says">{escape(_in_words(shown))}</desc>',
    ]
    if shown:
        parts += _legend(width)
        parts += _plot(columns, shown, width)
    else:
        parts.append(
            f'<text x="{width / 2}" y="{HEIGHT / 2}" text-anchor="middle">Nothing to show yet</text>'
        )
    return "\n".join([*parts, "</svg>"])


def escape(text: str) -> str:
    """Text of a document, with a mark for each character that no document can hold."""
    return saxutils.escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def _short(label: str) -> str:
    return label if len(label) <= LETTERS else f"{label[: LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def duration(seconds: float | None) -> str:
    """A duration for a person: ``1.5 h``, ``22.1 h``, ``7.4 d``; an en dash for none."""
    if seconds is None:
        return "\N{EN DASH}"
    for unit, length in UNITS:
        if abs(seconds) >= 2 * length or unit == "s":
            return f"{seconds / length:.3g} {unit}" if seconds else "0"
    raise AssertionError("the last unit takes everything")


def _plot(columns: Sequence[Column], shown: Sequence[Column], width: int) -> list[str]:
    tallest = max(value for one in shown for value in (one.mean, one.median, one.p90) if value is not None)
    unit, length = next(((u, s) for u, s in UNITS if tallest >= 2 * s), UNITS[-1])
    step = _step(tallest / length)
    top_value = max(math.ceil(tallest / length / step), 1) * step
    scale = (HEIGHT - TOP - BOTTOM) / (top_value * length)
    floor = HEIGHT - BOTTOM

    def y(seconds: float) -> float:
        return round(floor - seconds * scale, 1)

    parts = []
    for tick in range(round(top_value / step) + 1):
        at = y(tick * step * length)
        parts.append(
            f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{at}" y2="{at}" stroke="currentColor" '
            f'stroke-opacity="{0.35 if tick == 0 else 0.12}"/>'
            f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end" fill-opacity="0.7">'
            f"{tick * step:g} {unit}</text>"
        )
    every = math.ceil(len(columns) / LABELS)
    space = (width - LEFT - RIGHT) / len(columns)
    for place, one in enumerate(columns):
        middle = round(LEFT + space * (place + 0.5), 1)
        parts.append(_column(one, middle, min(space * 0.56, 40), y, floor))
        if place % every == 0:
            parts.append(
                f'<text x="{middle}" y="{floor + 18}" text-anchor="middle">{escape(_short(one.label))}</text>'
                f'<text x="{middle}" y="{floor + 34}" text-anchor="middle" font-size="11" '
                f'fill-opacity="0.6">n = {one.n:,}</text>'
            )
    return parts


def _column(one: Column, middle: float, wide: float, y: Callable[[float], float], floor: float) -> str:
    if not one.n or one.median is None or one.mean is None or one.p90 is None:
        return ""
    says = (
        f"{one.label}: n {one.n:,}, median {duration(one.median)}, mean {duration(one.mean)}, "
        f"p90 {duration(one.p90)}"
    )
    top, end, mean, half = y(one.median), y(one.p90), y(one.mean), 5
    return (
        f"<g><title>{escape(says)}</title>"
        f'<line x1="{middle}" x2="{middle}" y1="{end}" y2="{floor}" stroke="{LINE}" stroke-width="2"/>'
        f'<line x1="{middle - 7}" x2="{middle + 7}" y1="{end}" y2="{end}" stroke="{LINE}" stroke-width="2"/>'
        f'<rect x="{round(middle - wide / 2, 1)}" y="{top}" width="{round(wide, 1)}" '
        f'height="{round(max(floor - top, 1), 1)}" rx="3" fill="{BAR}"/>'
        f'<path d="M{middle} {mean - half}l{half} {half}l{-half} {half}l{-half} {-half}z" fill="{MEAN}"/></g>'
    )


def _legend(width: int) -> list[str]:
    left = width - RIGHT - 250
    return [
        f'<g font-size="12"><rect x="{left}" y="8" width="12" height="12" rx="3" fill="{BAR}"/>'
        f'<text x="{left + 18}" y="18">median</text>'
        f'<line x1="{left + 80}" x2="{left + 92}" y1="14" y2="14" stroke="{LINE}" stroke-width="2"/>'
        f'<text x="{left + 98}" y="18">to p90</text>'
        f'<path d="M{left + 162} 9l5 5l-5 5l-5 -5z" fill="{MEAN}"/>'
        f'<text x="{left + 173}" y="18">mean</text></g>'
    ]


def _step(top: float) -> float:
    """A round distance between ticks, four to eight of them."""
    raw = top / 5
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)


def _in_words(shown: Sequence[Column]) -> str:
    return "; ".join(
        f"{one.label}: n {one.n}, median {duration(one.median)}, mean {duration(one.mean)}, "
        f"p90 {duration(one.p90)}"
        for one in shown
    )
