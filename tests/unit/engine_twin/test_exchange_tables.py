"""Real exchange tables as calm schedules: `notional·mmr - cum` to the wei, for every row."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from oracle.engine import tiers
from oracle.engine.tiers import Bracket, Table
from oracle.engine.units import PPM, Ppm

FOLDER = Path(__file__).parents[2] / "data" / "margin_tiers"
FILES = ("binance_2024-10.csv.gz", "binance_2026-09.csv.gz")
BUFFER = 250_000
Row = dict[str, str]


@cache
def rows_by_symbol(name: str) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    with gzip.open(FOLDER / name, "rt") as lines:
        for row in csv.DictReader(lines):
            grouped.setdefault(row["symbol"], []).append(row)
    return grouped


def maintenance_table(rows: list[Row]) -> Table:
    rates = [Ppm(whole(row["mmr"], PPM)) for row in rows]
    return tuple(
        Bracket(whole(row["cap"], 1), rate, rate) for row, rate in zip(rows, rates, strict=True)
    )


def initial_table(rows: list[Row], mm: Table) -> Table:
    leverages = [Fraction(row["max_leverage"]) for row in rows]
    rates = tiers.initial_rates([bracket.calm for bracket in mm], leverages, BUFFER)
    return tuple(Bracket(b.bound, r, r) for b, r in zip(mm, rates, strict=True))


def whole(text: str, unit: int) -> int:
    value = Fraction(text) * unit
    assert value.denominator == 1
    return int(value)


def edges(row: Row) -> Iterator[int]:
    """Both bounds of a bracket, one wei to each side, and its middle."""
    low, high = whole(row["floor"], 10**18), whole(row["cap"], 10**18)
    yield from (low, low + 1, (low + high) // 2, high - 1, high)


@pytest.mark.parametrize("name", FILES)
def test_maintenance__every_row_and_bound__is_the_exchange_s_own(name: str) -> None:
    count = 0
    for rows in rows_by_symbol(name).values():
        table = maintenance_table(rows)
        assert tiers.is_valid_table(table)
        for row in rows:
            count += 1
            rate, cum = Fraction(row["mmr"]), Fraction(row["cum"]) * 10**18
            for notional in edges(row):
                expected = math.ceil(notional * rate - cum)
                assert tiers.requirement(table, notional, 0, PPM) == expected, row
    assert count == {FILES[0]: 2_172, FILES[1]: 5_783}[name]


@pytest.mark.parametrize("name", FILES)
def test_maintenance__one_wei_below_a_bound__is_the_lower_bracket_s(name: str) -> None:
    recursions = 0
    for rows in rows_by_symbol(name).values():
        table = maintenance_table(rows)
        for lower, row in pairwise(rows):
            recursions += 1
            notional = whole(row["floor"], 10**18) - 1
            rate, cum = Fraction(lower["mmr"]), Fraction(lower["cum"]) * 10**18
            expected = math.ceil(notional * rate - cum)
            assert tiers.requirement(table, notional, 0, PPM) == expected, row
    assert recursions == {FILES[0]: 2_172 - 270, FILES[1]: 5_783 - 722}[name]


@pytest.mark.parametrize("name", FILES)
def test_initial__every_table__is_valid_beside_its_maintenance(name: str) -> None:
    for rows in rows_by_symbol(name).values():
        mm = maintenance_table(rows)
        im = initial_table(rows, mm)
        assert tiers.is_valid_table(im)
        assert tiers.is_valid_pair(im, mm, BUFFER)
        for row, bracket in zip(rows, im, strict=True):
            assert bracket.calm * Fraction(row["max_leverage"]) >= PPM
        top = whole(rows[-1]["cap"], 10**18)
        for notional in (1, top // 3, top):
            initial = tiers.requirement(im, notional, 0, PPM)
            assert initial * 4 >= 5 * (tiers.requirement(mm, notional, 0, PPM) - 1)


@pytest.mark.parametrize("name", FILES)
def test_bounds__every_table__fit_the_decimal_float(name: str) -> None:
    for rows in rows_by_symbol(name).values():
        for bracket in maintenance_table(rows):
            word = tiers.encode_decimal(bracket.bound)
            assert word is not None
            assert tiers.decode_decimal(word) == bracket.bound
