"""What every account is worth, known off the chain, and what deleveragings took from it.

Accounts are read once, when they were opened; then they, and the sides, follow the chain's events.
Screening is in floats and names too many rather than too few; the chain decides. Losses are exact:
`per_unit` of a side adds up what each deleveraging took from a scaled unit (`oracle.crisis.
charges`), so an account's loss is its scaled size times what was added while it held it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from oracle.crisis.charges import after_cut, taken_by
from oracle.engine import positions
from oracle.engine.positions import Market
from oracle.engine.sides import FLAT, Position
from oracle.engine.units import PPM, RAY, WAD, Scaled
from scripts.crisis_parts.chain import Chain
from scripts.crisis_parts.errors import CrisisError
from scripts.crisis_parts.solvency import Resolved, read_holdings, read_market, resolved_of
from scripts.demo_parts.contracts import Happened

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
UNIT: Final = RAY * WAD  # of `per_unit`


@dataclass
class Totals:
    """What deleveragings did. USD wad unless said otherwise."""

    charged: int = 0
    taken: int = 0  # from the sides: charges and rounding
    overshoot: int = 0  # taken beyond the charge and beyond what rounding can explain
    dust: int = 0  # taken beyond the charge
    dust_bound: int = 0
    cuts: int = 0  # count
    closed: int = 0  # notional at the mark


@dataclass
class Found:
    """Accounts at a mark, by index. USD."""

    equity: FloatArray
    mm: FloatArray
    notional: FloatArray


@dataclass
class Mirror:
    """All accounts, each in one market."""

    ids: list[int]
    market_of: list[int]
    mm_rate: int  # [ppm]
    markets: dict[int, Market]
    totals: Totals = field(default_factory=Totals)
    resolved: list[tuple[int, Resolved]] = field(default_factory=list)  # time [s]

    def __post_init__(self) -> None:
        count = len(self.ids)
        self.index = {account: i for i, account in enumerate(self.ids)}
        self.cash = [0] * count
        self.held: list[Position] = [FLAT] * count
        self.losses = [0] * count  # in UNITs of USD wad
        self.winners = np.zeros(count, dtype=bool)
        self.touched = np.zeros(count, dtype=bool)  # held a side that was cut or charged
        self.brought = [0] * count  # [USD wad] own money, with what it was paid for a take-over
        self._finals: dict[int, dict[tuple[bool, int], int]] = {m: {} for m in self.markets}
        self._per_unit = dict.fromkeys(
            ((m, side) for m in self.markets for side in (True, False)), 0
        )
        self._since = [0] * count
        self._market = np.array(self.market_of)
        self._cash = np.zeros(count)
        self._scaled = np.zeros(count)
        self._z = np.zeros(count)
        self._solvent = np.zeros(count, dtype=bool)
        self._ended = np.zeros(count, dtype=bool)  # whose position is of an epoch that ended

    # --- reading ---------------------------------------------------------------------------------

    def read(self, chain: Chain) -> None:
        """Accounts as they were opened at the mark, and the sides."""
        rows = read_holdings(chain, self.ids, self.market_of)
        for i, (cash, held) in enumerate(rows):
            self._put(i, cash, held)
            self.brought[i] = cash
        for market in self.markets:
            self.markets[market] = read_market(chain, market)

    def check_sides(self, chain: Chain) -> None:
        """Raise unless the chain's sides are those that the events led to."""
        for market, mine in self.markets.items():
            theirs = read_market(chain, market)
            for is_long in (True, False):
                if mine.side(is_long=is_long) != theirs.side(is_long=is_long):
                    raise CrisisError(
                        f"The {'long' if is_long else 'short'} side of market {market} is not what"
                        " the chain's events say: the replay cannot be trusted."
                    )

    # --- worth -----------------------------------------------------------------------------------

    def look(self, marks: Mapping[int, int]) -> Found:
        """Every account at the marks, g by market [USD wad]."""
        count = len(self.ids)
        value, notional = np.zeros(count), np.zeros(count)
        for market, g in marks.items():
            mine, price = self._market == market, g / WAD
            for is_long in (True, False):
                side = self.markets[market].side(is_long=is_long)
                chosen = mine & ((self._scaled > 0) if is_long else (self._scaled < 0))
                scaled = self._scaled[chosen]
                size = scaled * (side.scale / RAY)
                credited = np.abs(scaled) * (side.credit / RAY)
                value[chosen] = size * price + credited - self._z[chosen]
                notional[chosen] = np.abs(size) * price
        equity = self._cash + value
        for i in map(int, np.flatnonzero(self._ended)):
            equity[i], notional[i] = self.equity_of(i, 0) / WAD, 0.0
        self._solvent = equity >= 0
        return Found(equity, notional * (self.mm_rate / PPM), notional)

    def equity_of(self, i: int, g: int) -> int:
        """E exactly as the chain counts it [USD wad]."""
        market = self.market_of[i]
        held = positions.held(self.held[i], self.markets[market], self._finals[market])
        return self.cash[i] + held.size * g // WAD + held.base

    def loss_of(self, i: int) -> int:
        """What charges (and their dust) took from an account so far [USD wad], rounded down."""
        return (self.losses[i] + self._pending_loss(i)) // UNIT

    @property
    def open(self) -> BoolArray:
        """Which accounts have a position."""
        return self._scaled != 0

    # --- events ----------------------------------------------------------------------------------

    def apply(self, event: Happened, marks: Mapping[int, int]) -> None:
        """Follow one event of the chain."""
        values = event.values
        if event.name == "ClosedAtMark":
            self._close(self.index[values["account"]], values["market"], values["realised"])
        elif event.name == "TakenOver":
            self._take_over(values)
        elif event.name == "Transferred":
            self._pay(self.index[values["account"]], self.index[values["to"]], values["amount"])
        elif event.name == "Deleveraged":
            self._cut(values, marks[values["market"]])
        elif event.name == "MarketSettled":
            self._settle(values["market"], values["price_less_funding"])
        elif event.name == "WrittenOff":
            i = self.index[values["account"]]
            self._put(i, self.cash[i] + values["forgiven"], self.held[i])
        elif event.name == "LegResolved" and values["deficit"]:
            self._note_winners(values["market"], is_long=values["size"] < 0)
        elif event.name == "AccountResolved":
            i = self.index[values["account"]]
            self._put(i, self.cash[i] - values["reward"], self.held[i])
            self.resolved.append((event.time, resolved_of(event)))

    # --- internals -------------------------------------------------------------------------------

    def _put(self, i: int, cash: int, held: Position) -> None:
        self._settle_loss(i)
        self.cash[i], self.held[i] = cash, held
        self._cash[i], self._scaled[i], self._z[i] = cash / WAD, held.scaled / WAD, held.z / WAD
        self._since[i] = self._now_per_unit(i)
        self._ended[i] = False

    def _now_per_unit(self, i: int) -> int:
        held = self.held[i]
        market = self.market_of[i]
        if not held.scaled:
            return 0
        is_current = held.epoch == self.markets[market].side(is_long=held.is_long).epoch
        return self._per_unit[market, held.is_long] if is_current else self._since[i]

    def _pending_loss(self, i: int) -> int:
        return abs(self.held[i].scaled) * (self._now_per_unit(i) - self._since[i])

    def _settle_loss(self, i: int) -> None:
        self.losses[i] += self._pending_loss(i)
        self._since[i] = self._now_per_unit(i)

    def _close(self, i: int, market: int, realised: int) -> None:
        held = self.held[i]
        state = self.markets[market]
        if held.scaled and held.epoch == state.side(is_long=held.is_long).epoch:
            side = state.side(is_long=held.is_long)
            left = replace(side, total=Scaled(side.total - abs(held.scaled)))
            self.markets[market] = state.with_side(left, is_long=held.is_long)
        self._put(i, self.cash[i] + realised, FLAT)

    def _take_over(self, values: Mapping[str, int]) -> None:
        """Part of a position at a price; funding is 0. Who gives it up pays the fee."""
        market, price = values["market"], values["price"]
        moves = (
            (values["account"], -values["size"], values["fee"]),
            (values["taker"], values["size"], 0),
        )
        for account, delta, fee in moves:
            i = self.index[account]
            change = positions.change(
                self.held[i], self.markets[market], self._finals[market], delta, price
            )
            self.markets[market] = change.market
            self._put(i, self.cash[i] + change.realised - fee, change.position)
        self._pay(self.index[values["account"]], self.index[values["taker"]], values["payment"])

    def _pay(self, giver: int, taker: int, amount: int) -> None:
        for i, change in ((giver, -amount), (taker, amount)):
            self.brought[i] += change
            self._put(i, self.cash[i] + change, self.held[i])

    def _cut(self, values: Mapping[str, int], g: int) -> None:
        """Of the opposite side; of size 0 where the vault took the position: a charge alone."""
        is_long = bool(values["is_long"])
        state = self.markets[values["market"]]
        before = state.side(is_long=is_long)
        self.totals.closed += values["size"] * g // WAD
        if before.total == 0:
            return
        after = after_cut(before, values["scale"], values["credit"])
        taken = taken_by(before, after, g, is_long=is_long)
        self.markets[values["market"]] = state.with_side(after, is_long=is_long)
        self._per_unit[values["market"], is_long] += taken.per_unit
        self.touched |= self._on_side(values["market"], is_long=is_long)
        excess = taken.loss - values["charge"]
        totals = self.totals
        totals.cuts += 1
        totals.charged += values["charge"]
        totals.taken += taken.loss
        totals.dust += excess
        totals.dust_bound += taken.bound
        totals.overshoot += max(0, excess - taken.bound)

    def _settle(self, market: int, g: int) -> None:
        for i in range(len(self.ids)):
            if self.market_of[i] == market:
                self._settle_loss(i)
        fresh, finals = positions.settle(self.markets[market], g)
        self.markets[market] = fresh
        self._finals[market] |= finals
        self._per_unit[market, True] = self._per_unit[market, False] = 0
        self._ended |= (self._market == market) & (self._scaled != 0)

    def _note_winners(self, market: int, *, is_long: bool) -> None:
        self.winners |= self._on_side(market, is_long=is_long) & self._solvent

    def _on_side(self, market: int, *, is_long: bool) -> BoolArray:
        """Who has a position there."""
        side = (self._scaled > 0) if is_long else (self._scaled < 0)
        return (self._market == market) & side & ~self._ended
