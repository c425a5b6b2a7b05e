"""Scales, ticks and shapes."""

import re
import xml.etree.ElementTree as ET

import pytest

from scripts.demo_parts.svg import Scale, drawing, legend, panel, round_ticks, text

DAY = 86_400
MONDAY = 1_583_712_000  # 9 March 2020, midnight UTC


def test_scale_may_run_either_way():
    assert Scale(0, 10, 100, 0).at(2.5) == 75
    assert Scale(5, 5, 0, 10).at(5) == 0  # no span


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (3_801, 8_100, [4_000, 5_000, 6_000, 7_000, 8_000]),
        (-3, 9, [-2.5, 0, 2.5, 5, 7.5]),
        (0.05, 0.26, [0.05, 0.1, 0.15, 0.2, 0.25]),
    ],
)
def test_round_ticks(low, high, ticks):
    assert round_ticks(low, high) == pytest.approx(ticks)


def test_a_flat_range_has_a_tick():
    assert round_ticks(1, 1) == [1]


def test_days_are_named_at_noon_and_short_spans_by_the_hour():
    days = panel([MONDAY, MONDAY + 3 * DAY], 0, 1, 0, 100).time_axis(labels=True)
    assert ">Mon 9 Mar<" in days
    assert "12:00" not in days
    hours = panel([MONDAY, MONDAY + 4 * 3600], 0, 1, 0, 100).time_axis(labels=True)
    assert ">01:00<" in hours


def test_area_keeps_values_until_the_next():
    area = panel([0, 10, 20], 0, 10, 0, 100)
    points = area.area([0, 10, 20], [0, 0, 0], [1, 5, 5], "red").count(",")
    assert points == 4 + 2  # up at 10 by a step; the lower edge needs its two ends


def test_a_legend_begins_where_it_is_told_and_does_not_overlap():
    places = re.findall(
        r'<text x="([\d.]+)"', legend([("red", "long label"), ("blue", "b")], 50, 9)
    )
    first, second = map(float, places)
    assert first == 50 + 19
    assert second > first + 10 * 6


def test_a_dot_lies_at_its_time_and_value():
    area = panel([0, 10], 0, 10, 0, 100)
    dot = ET.fromstring(area.dot(5, 2.5, "red"))
    assert float(dot.attrib["cx"]) == pytest.approx((area.x.start + area.x.end) / 2, abs=0.1)
    assert float(dot.attrib["cy"]) == 75


def test_everything_is_escaped_and_well_formed():
    area = panel([0, DAY], 0, 1, 20, 100)
    parts = [
        area.frame("a < b", [(0.5, "½ & more")]),
        area.band(0, 10, "x", 'say "no"'),
        area.marker(0, 10, "x"),
        area.line([0, 1], [0, 1], "red"),
        legend([("red", "<one>"), ("blue", "two")], 500, 10),
        text(0, 0, "<script>", "x"),
    ]
    root = ET.fromstring(drawing(200, parts, "title & all"))
    assert root.attrib["aria-label"] == "title & all"
