"""`margin.assess` for many accounts at once, to the wei.

Numbers reach 2^220 on the way and must not round, so arrays hold Python integers (dtype object) and
numpy loops over them in C: a whole column costs 30 to 100 ns a number and an operation. What makes
it fast is that legs of one market and side share everything but their size and base: price,
funding, status, severity, depth and the tier table are worked out once each, by the scalar twin's
own functions, and the requirement becomes ``(N·slope_k - intercept_k) / denominator`` with k found
by bisection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oracle.engine import margin, prices
from oracle.engine.effective_time import UNKNOWN
from oracle.engine.liquidation import Load
from oracle.engine.margin import ABOVE_BIT, Basis, Context, Holding, Leg, Margin
from oracle.engine.prices import Asset
from oracle.engine.rounding import clamp, wad_mul_ceil
from oracle.engine.tiers import BOUND_UNIT, Table
from oracle.engine.units import PPM, TOKEN_ASSETS, WAD

Integers = npt.NDArray[np.object_]
IntArray = npt.NDArray[np.int64]
BitArray = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Books:
    """Books of n accounts, with m legs and h holdings in all, in any order.

    Attributes:
        cash: (n,) [USD wad]; floors: (n,) own least initial rates [ppm].
        leg_account, leg_market: (m,) row of `cash`, and market id.
        sizes, bases: (m,) [base wad] effective and signed, [USD wad].
        holding_account, holding_token: (h,); amounts: (h,) [wad].
        open_interest: of each market [base wad].
    """

    cash: Integers
    floors: Integers
    leg_account: IntArray
    leg_market: IntArray
    sizes: Integers
    bases: Integers
    holding_account: IntArray
    holding_token: IntArray
    amounts: Integers
    open_interest: Mapping[int, int]

    def __len__(self) -> int:
        return int(self.cash.size)


@dataclass(frozen=True, eq=False)
class Margins:
    """The answers, (n,) each; see `margin.Margin`."""

    equity: Integers
    requirement: Integers
    state: BitArray
    known_since: IntArray

    def __getitem__(self, account: int) -> Margin:
        return Margin(
            self.equity[account],
            self.requirement[account],
            int(self.state[account]),
            int(self.known_since[account]),
        )

    @property
    def short(self) -> npt.NDArray[np.bool_]:
        """(n,) equity below the requirement."""
        return np.asarray(self.equity < self.requirement, dtype=np.bool_)


def books_of(
    accounts: Sequence[tuple[int, int, Iterable[Leg], Iterable[Holding]]],
) -> Books:
    """Columns from accounts given as (cash, floor, legs, holdings).

    All legs of a market have the same open interest, the market's.
    """
    legs = [(row, leg) for row, (_, _, held, _) in enumerate(accounts) for leg in held]
    kept = [(row, each) for row, (_, _, _, held) in enumerate(accounts) for each in held]
    return Books(
        cash=integers([cash for cash, _, _, _ in accounts]),
        floors=integers([floor for _, floor, _, _ in accounts]),
        leg_account=np.array([row for row, _ in legs], dtype=np.int64),
        leg_market=np.array([leg.market for _, leg in legs], dtype=np.int64),
        sizes=integers([leg.size for _, leg in legs]),
        bases=integers([leg.base for _, leg in legs]),
        holding_account=np.array([row for row, _ in kept], dtype=np.int64),
        holding_token=np.array([each.token for _, each in kept], dtype=np.int64),
        amounts=integers([each.amount for _, each in kept]),
        open_interest={leg.market: leg.open_interest for _, leg in legs},
    )


def integers(values: Sequence[int]) -> Integers:
    """(n,) Python integers, exact whatever their size."""
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def assess_many(context: Context, books: Books, assets: Mapping[int, Asset]) -> Margins:
    """`margin.assess` of every account; `context.floor` is not used, each account has its own."""
    cash = books.cash
    if context.basis is not Basis.MAINTENANCE and context.clock.in_doubt:
        cash = np.minimum(cash, 0)
    values, needs = np.empty_like(books.sizes), np.empty_like(books.sizes)
    bits = np.zeros(books.sizes.size, dtype=np.uint64)
    since = np.zeros(books.sizes.size, dtype=np.int64)
    is_long = np.asarray(books.sizes > 0, dtype=np.bool_)
    for market in np.unique(books.leg_market).tolist():
        for long in (True, False):
            rows = np.flatnonzero((books.leg_market == market) & (is_long == long))
            if rows.size:
                group = _assess_group(context, books, assets[market], market, rows, long)
                values[rows], needs[rows], bits[rows], since[rows] = group
    worth = np.empty_like(books.amounts)
    for token in np.unique(books.holding_token).tolist():
        rows = np.flatnonzero(books.holding_token == token)
        worth[rows] = _worth(context, assets[TOKEN_ASSETS + token], books.amounts[rows])
    size = len(books)
    equity = cash + _summed(books.leg_account, values, size)
    return Margins(
        equity=equity + _summed(books.holding_account, worth, size),
        requirement=_summed(books.leg_account, needs, size),
        state=_gathered(np.bitwise_or, books.leg_account, bits, size, context.base),
        known_since=_gathered(
            np.maximum, books.leg_account, since, size, context.clock.grace_until
        ),
    )


def _assess_group(
    context: Context, books: Books, asset: Asset, market: int, rows: IntArray, long: bool
) -> tuple[Integers, Any, Any, Any]:
    """Value, requirement, state and known-since of the legs of one market and side."""
    sizes = books.sizes[rows]
    status = prices.status_of(asset, context.base, context.now)
    price = margin.counted_price(asset, 1 if long else -1, context.basis)
    funding = prices.funding_at(asset.mark, context.now, asset.config.price_max_age)
    values = sizes * (price - funding) // WAD + books.bases[rows]
    if context.basis is Basis.MAINTENANCE and status.bits & UNKNOWN:
        return values, 0, status.bits, status.known_since
    notionals = -(-abs(sizes) * price // WAD)
    load = margin.load_of(asset, context)
    bits = np.full(rows.size, status.bits, dtype=np.uint64)
    bits[_is_above(load, notionals)] |= np.uint64(1 << ABOVE_BIT + market)
    needs = _requirement(load, notionals)
    if context.basis is not Basis.MAINTENANCE:
        floors = np.minimum(books.floors[books.leg_account[rows]], PPM)
        needs = np.maximum(needs, -(-notionals * floors // PPM))
    if context.basis is Basis.INITIAL and asset.config.hard_cap:
        needs = needs + _surcharge(notionals - needs, asset, books.open_interest[market])
    return values, needs, bits, status.known_since


def _surcharge(free: Integers, asset: Asset, open_interest: int) -> Integers:
    """`margin.surcharge` of legs of one market."""
    low, high = asset.config.soft_cap * WAD, asset.config.hard_cap * WAD
    run = clamp(wad_mul_ceil(open_interest, asset.mark.price) - low, 0, high - low)
    found: Integers = -(-free * run // (high - low))
    return found


def _worth(context: Context, asset: Asset, amounts: Integers) -> Any:
    """`margin.holding_value` of holdings of one token."""
    status = prices.status_of(asset, context.base, context.now)
    if context.basis is not Basis.MAINTENANCE and status.bits & UNKNOWN:
        return 0
    raw = amounts * asset.mark.price // WAD
    return raw - np.minimum(raw, _requirement(margin.load_of(asset, context), raw))


def _requirement(load: Load, notionals: Integers) -> Integers:
    """`Load.requirement` of each notional."""
    blend = load.blend
    total = _numerator(blend.new, load, notionals, blend.elapsed)
    if blend.ramp != blend.elapsed:
        total = total + _numerator(blend.old, load, notionals, blend.ramp - blend.elapsed)
    found: Integers = -(-total // blend.denominator)
    return found


def _numerator(table: Table, load: Load, notionals: Integers, weight: int) -> Integers:
    """`tiers.sum_brackets` times `weight`, as one line a bracket: N·slope_k - intercept_k."""
    if not table:
        return notionals * 0
    starts, slopes, intercepts = [0], [], []
    below = intercept = 0
    for bracket in table:
        rate = bracket.rate(load.severity)
        intercept += (rate - below) * starts[-1]
        slopes.append(rate * weight)
        intercepts.append(intercept * weight)
        starts.append(load.depth * bracket.bound * BOUND_UNIT)
        below = rate
    # A bound belongs to either of its brackets: the lines meet there.
    inner = integers(starts[1:-1])
    k = np.searchsorted(inner, notionals) if inner.size else np.zeros(notionals.size, np.int64)
    found: Integers = notionals * integers(slopes)[k] - integers(intercepts)[k]
    return found


def _is_above(load: Load, notionals: Integers) -> npt.NDArray[np.bool_]:
    """`Blend.is_above` of each notional."""
    above = np.zeros(notionals.size, dtype=np.bool_)
    for table in (load.blend.old, load.blend.new):
        last = load.depth * table[-1].bound * BOUND_UNIT if table else -1
        above |= np.asarray(notionals > last, dtype=np.bool_)
    return above


def _summed(accounts: IntArray, values: Integers, size: int) -> Integers:
    """(size,) sums by account."""
    found = integers([0] * size)
    if accounts.size:
        order, starts = _runs(accounts)
        found[accounts[order[starts]]] = np.add.reduceat(values[order], starts)
    return found


def _gathered(combine: np.ufunc, accounts: IntArray, values: Any, size: int, start: int) -> Any:
    """(size,) `combine` of each account's values and `start`."""
    found = np.full(size, start, dtype=values.dtype)
    if accounts.size:
        order, starts = _runs(accounts)
        rows = accounts[order[starts]]
        found[rows] = combine(found[rows], combine.reduceat(values[order], starts))
    return found


def _runs(accounts: IntArray) -> tuple[IntArray, IntArray]:
    """An order that brings each account's entries together, and where each run starts in it."""
    order = np.argsort(accounts, kind="stable")
    ranked = accounts[order]
    return order, np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))


def sample_of(books: Books, account: int, context: Context, assets: Mapping[int, Asset]) -> Margin:
    """One account by the scalar twin: what `assess_many` must equal."""
    legs = [
        Leg(market, books.sizes[row], books.bases[row], books.open_interest[market])
        for row in np.flatnonzero(books.leg_account == account)
        for market in [int(books.leg_market[row])]
    ]
    holdings = [
        Holding(int(books.holding_token[row]), books.amounts[row])
        for row in np.flatnonzero(books.holding_account == account)
    ]
    own = replace(context, floor=books.floors[account])
    return margin.assess(own, books.cash[account], legs, holdings, assets)
