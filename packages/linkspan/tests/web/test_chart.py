"""The chart of times to restore: an XML document that says in words what it shows."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkspan.web.chart import Column, duration, svg

SVG = "{http://www.w3.org/2000/svg}"
SECONDS = st.floats(min_value=0, max_value=1e9, allow_nan=False)


def test_a_column_shows_median_percentile_and_mean() -> None:
    tree = ElementTree.fromstring(svg("T", [Column(label="2026-01", n=3, mean=5400, median=3600, p90=9360)]))
    bars = [bar for group in tree.iter(f"{SVG}g") for bar in group.findall(f"{SVG}rect") if bar.get("x")]
    titles = [title.text for title in tree.iter(f"{SVG}title")]
    assert "2026-01: n 3, median 60 min, mean 90 min, p90 2.6 h" in titles
    assert len(bars) == 2  # the legend's and the column's


def test_bars_are_to_scale() -> None:
    columns = [
        Column(label="a", n=1, mean=3600, median=3600, p90=3600),
        Column(label="b", n=1, mean=7200, median=7200, p90=7200),
    ]
    tree = ElementTree.fromstring(svg("T", columns))
    bars = [g.find(f"{SVG}rect") for g in tree.iter(f"{SVG}g") if g.find(f"{SVG}title") is not None]
    one, two = (float(bar.get("height", "")) for bar in bars if bar is not None)
    assert two == pytest.approx(2 * one, abs=0.2)


def test_nothing_is_said_in_words() -> None:
    assert "Nothing to show yet" in svg("T", [Column(label="a", n=0, mean=None, median=None, p90=None)])


def test_what_people_wrote_stays_text() -> None:
    text = svg("<script>", [Column(label="a&<b>", n=1, mean=1, median=1, p90=1)])
    assert "<script>" not in text
    assert ElementTree.fromstring(text) is not None


def test_no_inline_style_for_a_strict_page() -> None:
    assert "style=" not in svg("T", [Column(label="a", n=1, mean=1, median=1, p90=1)])


@given(st.lists(st.tuples(SECONDS, SECONDS, SECONDS), max_size=40))
def test_any_figures_make_a_picture(values: list[tuple[float, float, float]]) -> None:
    columns = [
        Column(label=f"{place}", n=1, mean=a, median=b, p90=c) for place, (a, b, c) in enumerate(values)
    ]
    ElementTree.fromstring(svg("T", columns))


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (None, "\N{EN DASH}"),
        (0, "0"),
        (5400, "90 min"),
        (79560, "22.1 h"),
        (641417.7, "7.42 d"),
        (45, "45 s"),
    ],
)
def test_durations_for_people(seconds: float | None, says: str) -> None:
    assert duration(seconds) == says


def test_what_xml_cannot_hold_does_not_break_it() -> None:
    label = "\x00a\x0bb\ufffe\ud800c"
    tree = ElementTree.fromstring(svg(label, [Column(label=label, n=1, mean=1, median=1, p90=1)]))
    assert "\ufffda\ufffdb\ufffd\ufffdc" in [text.text for text in tree.iter(f"{SVG}text")]


def test_a_long_name_is_cut_at_the_axis_and_whole_where_it_is_read_out() -> None:
    name = "Network and Infrastructure Operations EMEA"
    tree = ElementTree.fromstring(svg("T", [Column(label=name, n=1, mean=1, median=1, p90=1)]))
    texts = [text.text or "" for text in tree.iter(f"{SVG}text")]
    assert any(text.startswith("Network") and len(text) <= 12 for text in texts)
    assert name not in texts
    assert any((title.text or "").startswith(name) for title in tree.iter(f"{SVG}title"))
