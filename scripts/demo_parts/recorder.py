"""Listens to the chain: one sample a step, one row a liquidation. Nothing here acts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from oracle.policy import PPM, Calibration
from scripts.demo_parts.contracts import Happened
from scripts.demo_parts.venue import CALLED, HEALTHY, UNKNOWN, WAD, Health, Market

STATES: Final = ("healthy", "called", "liquidatable", "backstop", "bankrupt", "no position")
FLAT: Final = len(STATES) - 1


@dataclass
class MarketPath:
    """One market, a value a step."""

    price: list[int] = field(default_factory=list)  # [USD wad] as recorded at the exchange
    mark: list[int] = field(default_factory=list)  # [USD wad] on the chain
    state: list[int] = field(default_factory=list)  # state bits of the engine
    severity: list[int] = field(default_factory=list)  # [ppm] pushed
    depth: list[int] = field(default_factory=list)  # [ppm] pushed
    im: list[int] = field(default_factory=list)  # [ppm] of bracket 0 now
    mm: list[int] = field(default_factory=list)  # [ppm] of bracket 0 now


@dataclass(frozen=True)
class Liquidation:
    """One act of the waterfall on one position (or one kind of collateral)."""

    time: int
    account: int
    market: str
    step: int  # 0 collateral, 1 partial, 2 vault, 3 against the opposite side
    size: int  # [base wad] signed: of the account's position, or collateral sold
    price: int  # [USD wad]
    mark: int  # [USD wad]
    amounts: dict[str, int]  # [USD wad] by name


@dataclass(frozen=True)
class Resolution:
    """An account closed in step 2 or 3. [USD wad]"""

    time: int
    account: int
    step: int
    returned: int  # what it kept
    reward: int  # of who called
    deficit: int
    insured: int
    charged: int
    socialised: int


class Recorder:
    """What happened, in order."""

    def __init__(
        self,
        symbols: Mapping[int, str],
        calibration: Mapping[str, Calibration],
        collateral: tuple[str, str],
        rings: Collection[int] = (),
    ) -> None:
        """
        Args:
            symbols: by asset id.
            collateral: symbol of the collateral token, and of the market that prices it.
            rings: accounts of the backstop vault.
        """
        self._rings = frozenset(rings)
        self._symbols = symbols
        self._calibration = calibration
        self._collateral = collateral
        self.times: list[int] = []
        self.paths = {symbol: MarketPath() for symbol in symbols.values()}
        self.states: list[list[int]] = []  # count by state, a row a step
        self.equity: dict[int, list[int]] = {}  # [USD wad] by account, a value a step
        self.liquidations: list[Liquidation] = []
        self.resolutions: list[Resolution] = []
        self.margin_calls = 0
        self.pushes = 0
        self.held_jumps = 0
        self.reports = 0
        self.has_stock = False  # whether a ring may have a position
        self._payments: dict[tuple[int, int], int] = {}  # account, market -> the last
        self._taken = False  # whether the vault took the leg resolved last
        self._marks: dict[str, int] = {}
        self._is_flat: dict[int, bool] = {}
        self._last: dict[int, int] = {}  # state by account

    def sample(
        self,
        time: int,
        prices: Mapping[str, int],
        views: Mapping[str, Market],
        health: Mapping[int, Health],
    ) -> None:
        """One step. Accounts in `health` are the traders'."""
        self.times.append(time)
        for symbol, view in views.items():
            self._marks[symbol] = view.price
            self._sample_market(symbol, prices[symbol], view)
        counts = [0] * len(STATES)
        known = not any(view.state & UNKNOWN for view in views.values())
        for account, now in health.items():
            # A leg of unknown price needs no margin either: then nobody's position ends.
            if known:
                self._is_flat[account] = now.mm == 0
            counts[FLAT if self._is_flat.get(account, True) else now.state] += 1
            self._note_state(account, now)
            path = self.equity.setdefault(account, [])
            path.append(now.equity)
        self.states.append(counts)

    def hear(self, event: Happened) -> None:
        """An event of the chain."""
        handler = getattr(self, f"_on_{event.name}", None)
        if handler is not None:
            handler(event.time, **event.values)

    @property
    def severity_moved(self) -> dict[str, tuple[int, int]]:
        """Lowest and highest severity pushed, by symbol [ppm]."""
        return {
            symbol: (min(path.severity), max(path.severity)) for symbol, path in self.paths.items()
        }

    def of_step(self, step: int) -> list[Liquidation]:
        """Liquidations of one step of the waterfall."""
        return [liquidation for liquidation in self.liquidations if liquidation.step == step]

    # --- samples ---------------------------------------------------------------------------------

    def _sample_market(self, symbol: str, price: int, view: Market) -> None:
        path, schedule = self.paths[symbol], self._calibration[symbol].schedule
        path.price.append(price)
        path.mark.append(view.price)
        path.state.append(view.state)
        path.severity.append(view.severity)
        path.depth.append(view.depth)
        path.mm.append(rate(schedule.calm_mmr[0], schedule.storm_mmr[0], view.severity_mm))
        path.im.append(rate(schedule.calm_imr[0], schedule.storm_imr[0], view.severity_im))

    def _note_state(self, account: int, now: Health) -> None:
        before = self._last.get(account, HEALTHY)
        if before < CALLED <= now.state:
            self.margin_calls += 1
        self._last[account] = now.state

    # --- events ----------------------------------------------------------------------------------

    def _on_Reported(self, time: int, **_: Any) -> None:
        self.reports += 1

    def _on_Pushed(self, time: int, **_: Any) -> None:
        self.pushes += 1

    def _on_JumpHeld(self, time: int, **_: Any) -> None:
        self.held_jumps += 1

    def _on_TakenOver(
        self,
        time: int,
        taker: int,
        account: int,
        market: int,
        size: int,
        price: int,
        fee: int,
        payment: int,
    ) -> None:
        if taker in self._rings:  # the whole book goes to the vault: told by LegResolved
            self.has_stock = True
            self._payments[account, market] = payment
            return
        symbol = self._symbols[market]
        mark = self._marks[symbol]
        discount = abs(mark - price) * abs(size) // WAD
        self._add(time, account, symbol, 1, size, price, mark, {"discount": discount, "fee": fee})

    def _on_CollateralTaken(
        self, time: int, taker: int, account: int, token: int, amount: int, payment: int
    ) -> None:
        symbol, priced_by = self._collateral
        mark = self._marks[priced_by]
        price = payment * WAD // amount
        discount = max(0, amount * mark // WAD - payment)
        amounts = {"payment": payment, "discount": discount}
        self._add(time, account, symbol, 0, amount, price, mark, amounts)

    def _on_LegResolved(
        self,
        time: int,
        account: int,
        market: int,
        size: int,
        taken: bool,
        loss: int,
        deficit: int,
        insured: int,
        charged: int,
    ) -> None:
        symbol = self._symbols[market]
        mark = self._marks[symbol]
        self._taken = taken
        amounts = {"loss": loss, "deficit": deficit, "insured": insured, "charged": charged}
        if taken:
            amounts["payment"] = self._payments.pop((account, market), 0)
        self._add(time, account, symbol, 2 if taken else 3, size, mark, mark, amounts)

    def _on_AccountResolved(
        self,
        time: int,
        caller: str,
        account: int,
        cash: int,
        reward: int,
        deficit: int,
        insured: int,
        charged: int,
        socialised: int,
    ) -> None:
        self.resolutions.append(
            Resolution(
                time=time,
                account=account,
                step=2 if self._taken else 3,
                returned=max(0, cash),
                reward=reward,
                deficit=deficit,
                insured=insured,
                charged=charged,
                socialised=socialised,
            )
        )
        self._taken = False

    def _add(
        self,
        time: int,
        account: int,
        market: str,
        step: int,
        size: int,
        price: int,
        mark: int,
        amounts: dict[str, int],
    ) -> None:
        notional = {"notional": abs(size) * mark // WAD}
        self.liquidations.append(
            Liquidation(time, account, market, step, size, price, mark, notional | amounts)
        )


def rate(calm: int, storm: int, severity: int) -> int:
    """Between calm and storm [ppm]."""
    return calm + (storm - calm) * severity // PPM
