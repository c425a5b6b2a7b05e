"""Liquidation prices: the border is exact to the wei, and equals the exchanges' published examples.

The reference file holds the expectations of freqtrade's tests. Read as one rule, E = MM with:

* binance: ``MM = N·mmr - cum``, a table whose first bracket asks nothing;
* gate, okx: ``MM = N·(mmr + taker fee)``, the fee of leaving counted in;
* bybit: ``MM = N_entry·mmr``, at the price of entry, so it does not move with the price;
* binance cross: the other positions' PnL and MM stand still at their marks.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import liquidation
from oracle.engine.liquidation import Exposure, Load
from oracle.engine.tiers import Bracket, Table, settled
from oracle.engine.units import MAX_PRICE, PPM, Ppm

from .test_tiers import tables

FILE = Path(__file__).parents[2] / "data" / "vectors" / "liquidation_price.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())
MMR, CUM, TAKER_FEE = Fraction(1, 100), Fraction(1, 100), Fraction(6, 10_000)


def exact(number: float) -> Fraction:
    return Fraction(str(number))


def wad(number: Fraction) -> int:
    return int(number * 10**18)


def table_of(rate: Fraction, cum: Fraction) -> Table:
    """N·rate - cum for every N beyond cum/rate: nothing below it."""
    top = Bracket(10**12, Ppm(int(rate * PPM)), Ppm(int(rate * PPM)))
    if cum == 0:
        return (top,)
    free = cum / rate
    assert free.denominator == 1
    return (Bracket(int(free), Ppm(0), Ppm(0)), top)


def price_of(
    cash: Fraction, size: Fraction, entry: Fraction, table: Table, fixed: Fraction = Fraction(0)
) -> Fraction | None:
    """Liquidation price in USD of a position opened at ``entry``; ``fixed`` is MM that stays."""
    found = liquidation.liquidation_price(
        Exposure(
            size=wad(size),
            base=-wad(size * entry),
            funding=0,
            other_equity=wad(cash),
            other_requirement=wad(fixed),
            load=Load(settled(table), Ppm(0), Ppm(PPM)),
        )
    )
    return None if found is None else Fraction(found, 10**18)


@pytest.mark.parametrize("row", VECTORS["isolated"], ids=lambda row: row["exchange"])
def test_isolated__reference_row__agrees(row: dict[str, Any]) -> None:
    sign = -1 if row["is_short"] else 1
    entry, amount = exact(row["open_rate"]), exact(row["amount"])
    wallet = amount * entry / exact(row["leverage"])
    fixed, table = Fraction(0), table_of(MMR, CUM)
    if row["exchange"] in ("gate", "okx"):
        table = table_of(MMR + TAKER_FEE, Fraction(0))
    elif row["exchange"] == "bybit":
        fixed, table = amount * entry * MMR, ()
    found = price_of(wallet, sign * amount, entry, table, fixed)
    assert found is not None
    assert abs(found - exact(row["expected"])) < Fraction(1, 10**6)


@pytest.mark.parametrize("row", VECTORS["binance"], ids=lambda row: row["pair"])
def test_binance__reference_row__agrees(row: dict[str, Any]) -> None:
    sign = -1 if row["is_short"] else 1
    cash, fixed = exact(row["wallet_balance"]), Fraction(0)
    if row["margin_mode"] == "cross":
        for other in row["open_trades"]:
            if other["pair"] == row["pair"]:
                continue
            amount, mark = exact(other["amount"]), exact(other["mark_price"])
            cash += amount * (mark - exact(other["open_rate"]))
            fixed += amount * mark * exact(other["mm_ratio"]) - exact(other["maintenance_amt"])
    table = table_of(exact(row["mm_ratio"]), exact(row["maintenance_amt"]))
    found = price_of(cash, sign * exact(row["amount"]), exact(row["open_rate"]), table, fixed)
    assert found is not None
    assert round(found, 2) == exact(row["expected"])


@st.composite
def exposures(draw: st.DrawFn) -> Exposure:
    table = draw(tables())
    price = 10 ** draw(st.integers(9, 26))
    notional = draw(st.integers(1, 3 * table[-1].bound)) * 10**18
    size = (notional * 10**18 // price + 1) * draw(st.sampled_from([1, -1]))
    entry = draw(st.integers(1, 2 * price))
    return Exposure(
        size=size,
        base=-size * entry // 10**18,
        funding=draw(st.integers(-price // 10, price // 10)),
        other_equity=draw(st.integers(-notional, notional)),
        other_requirement=draw(st.integers(0, notional // 2)),
        load=Load(settled(table), Ppm(draw(st.integers(0, PPM))), Ppm(PPM)),
    )


@given(exposures())
def test_price__any_exposure__is_the_last_safe_one(exposure: Exposure) -> None:
    found = liquidation.liquidation_price(exposure)
    step = -1 if exposure.size > 0 else 1
    if found is None:
        ends = [liquidation.surplus_at(exposure, price) for price in (1, MAX_PRICE)]
        assert min(ends) >= 0 or max(ends) < 0 or (ends[0] < 0) is (exposure.size < 0)
        return
    assert liquidation.surplus_at(exposure, found) >= 0
    assert liquidation.surplus_at(exposure, found + step) < 0


@given(exposures())
def test_price__rational_rule__agrees_within_its_roundings(exposure: Exposure) -> None:
    """Without rounding the border is safe; one wei further it lacks, up to three wei of money."""
    found = liquidation.liquidation_price(exposure)
    if found is None:
        return
    for price, safe in ((found, True), (found + (-1 if exposure.size > 0 else 1), False)):
        size = Fraction(exposure.size, 10**18)
        surplus = exposure.other_equity + size * (price - exposure.funding) + exposure.base
        surplus -= exposure.other_requirement + exposure.load.exact(abs(size) * price)
        assert surplus >= 0 if safe else surplus < 3


def test_price__covered_long__is_none() -> None:
    """A long whose cash covers its whole cost cannot be liquidated."""
    assert price_of(Fraction(200), Fraction(1), Fraction(100), table_of(MMR, Fraction(0))) is None


def test_price__sunk_whatever_the_market_does__is_none() -> None:
    assert price_of(Fraction(-(10**10)), Fraction(1), Fraction(1), ()) is None
    assert price_of(Fraction(-(10**10)), Fraction(-1), Fraction(1), ()) is None


def test_price__no_position__is_none() -> None:
    assert price_of(Fraction(0), Fraction(0), Fraction(1), ()) is None


def test_price__funding_paid__moves_the_border_by_it() -> None:
    base = Exposure(10**18, -(10**20), 0, 10**19, 0, Load(settled(()), Ppm(0), Ppm(PPM)))
    paid = Exposure(10**18, -(10**20), 10**18, 10**19, 0, base.load)
    before, after = liquidation.liquidation_price(base), liquidation.liquidation_price(paid)
    assert (before, after) == (90 * 10**18, 91 * 10**18)
