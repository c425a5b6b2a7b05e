"""Price paths from csv: what is read, and which row is named where it cannot be."""

from itertools import pairwise

import pytest

from oracle.crisis.path import Step, parse_path, read_path, recorded_path, without_gaps
from oracle.engine.units import WAD
from oracle.feeds.bars import FeedError


def _parse(*rows, header="ts,price"):
    return parse_path([header, *rows], "crash.csv", "SOL")


def test_prices__become_wads_on_the_minute():
    assert _parse("59,0.1", "121,100.5") == [
        Step(0, {"SOL": 10**17}),
        Step(120, {"SOL": 1005 * 10**17}),
    ]


def test_columns__any_order_and_others_ignored():
    steps = _parse("x,7,60", "x,8,120", header=" note ,Price,ts")
    assert steps == [Step(60, {"SOL": 7 * WAD}), Step(120, {"SOL": 8 * WAD})]


def test_bars__are_walked_open_low_high_close():
    steps = _parse("3600,10,12,8,11", "7200,11,11,5,6", header="ts,open,high,low,close")
    assert [step.time for step in steps] == [3600 + 900 * k for k in range(8)]
    prices = [step.prices["SOL"] // WAD for step in steps]
    assert prices == [10, 8, 12, 11, 11, 5, 11, 6]


def test_bars__of_five_minutes__keep_their_distance():
    steps = _parse("300,1,2,1,2", "600,2,3,2,3", header="ts,open,high,low,close")
    assert [step.time for step in steps][:5] == [300, 360, 420, 480, 600]


@pytest.mark.parametrize(
    ("rows", "row", "what"),
    [
        (["60,1", "120,-2"], 3, "outside"),
        (["60,1", "120,0"], 3, "outside"),
        (["60,1", "120,nan"], 3, "outside"),
        (["60,1", "120,1e10"], 3, "outside"),
        (["60,1", "120,1_0"], 3, "not a number"),
        (["60,x", "120,1"], 2, "not a number"),
        (["60,1e-30", "120,1"], 2, "rounds down to 0"),
        (["60,1", "61.5,1"], 3, "whole Unix seconds"),
        (["60,1", "90,1"], 3, "later minute"),
        (["60,1", "1583971200000,1"], 3, "whole Unix seconds"),
        (["120,1", "60,1"], 3, "later minute"),
        (["60,1", "120"], 3, "1 cells for 2 columns"),
    ],
)
def test_bad_row__is_named(rows, row, what):
    with pytest.raises(FeedError, match=rf"^crash.csv: row {row}\b.*{what}"):
        _parse(*rows)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([], "the file is empty"),
        (["ts,close", "60,1"], "row 1, the header, has neither"),
        (["price", "1"], "row 1, the header, has no column ts"),
        (["ts,price,price", "60,1,1"], "row 1, the header, has twice the column price"),
        (["ts,price"], "no row after the header"),
        (["ts,price", "60,1"], "at least two prices"),
        (["ts,open,high,low,close", "3600,10,9,8,10", "7200,1,1,1,1"], "row 2, .* outside low"),
        (["ts,open,high,low,close", "3600,1,1,1,1", "3600,1,1,1,1"], "row 3, .* not later"),
        (["ts,open,high,low,close", "60,1,1,1,1", "120,1,1,1,1"], "too short"),
    ],
)
def test_bad_file__is_refused_in_one_sentence(lines, what):
    with pytest.raises(FeedError, match=what) as error:
        parse_path(lines, "crash.csv", "SOL")
    assert str(error.value).startswith("crash.csv: ")
    assert str(error.value).count("\n") == 0


def test_absent_file__is_named(tmp_path):
    with pytest.raises(FeedError, match=r"^none\.csv: the file cannot be read"):
        read_path(tmp_path / "none.csv", "SOL")


def test_recorded_day__every_five_minutes():
    steps = recorded_path("2020-03-12")
    assert len(steps) == 5 * 24 * 12
    assert {b.time - a.time for a, b in pairwise(steps)} == {300}
    assert set(steps[0].prices) == {"BTC", "ETH"}


def test_gaps__are_filled_with_the_price_before():
    one, two = Step(0, {"SOL": 1}), Step(1_000, {"SOL": 2})
    assert without_gaps([one, two], 400) == [one, Step(400, {"SOL": 1}), Step(800, {"SOL": 1}), two]
    assert without_gaps([one, two], 1_000) == [one, two]
