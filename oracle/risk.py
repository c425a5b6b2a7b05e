"""What a market's margin must be right now, from the bars that were complete by now.

An estimator is stateless between calls: each answer is a function of one window of mark bars and
one day of traded volume, and carries the hash of both, so that anyone with the public data can
recompute it. Two rules answer: ``mixture`` is the one that the backtest scores (`oracle.rule`,
docs/backtest.md) and that a live keeper runs; ``tail`` (`oracle.models.tails`) has the tables of
the recorded replays, and every collateral token. `estimator_for` chooses.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, Self

import numpy as np
from eth_utils.crypto import keccak

from oracle.feeds.bars import HOUR, Bars
from oracle.models.fhs import Side
from oracle.models.haircuts import haircut
from oracle.models.tails import (
    HOURS_PER_DAY,
    CostModel,
    RiskError,
    TailModel,
    Tails,
    estimate,
    needs,
)
from oracle.policy import (
    Calibration,
    CollateralCalibration,
    Limits,
    Rates,
    Schedule,
    depth_for,
    depth_with_book,
    ppm_up,
    severity_for,
    window_hash,
)
from oracle.rule import RuleModel, asked_series, rule_costs, rule_tails

RuleName = Literal["mixture", "tail"]
MIXTURE: Final = "mixture"
TAIL: Final = "tail"


@dataclass(frozen=True)
class Books:
    """What order books held within a distance of the middle, the smaller side of each, whole USD.

    Attributes:
        reference: at depth 1.
        depths: of recent books.
    """

    reference: int
    depths: tuple[int, ...]


@dataclass(frozen=True)
class InForce:
    """The rates that a severity was solved for: those in force at a time.

    Attributes:
        rates: of bracket 0 on the chain.
        at: effective time of the push [s].
    """

    rates: Rates
    at: int

    @property
    def hourly(self) -> tuple[int, int]:
        """Calm and storm at the full hour before, ppm rounded up: the table that feedback and
        restraint are reckoned with, like everything that is computed once an hour."""
        return self.rates.rounded(self.at - self.at % HOUR)


@dataclass(frozen=True)
class Ask:
    """What the model asks the chain for, before the steward's steps are applied.

    Attributes:
        time: when it was asked, Unix seconds.
        need: loss to cover on a position of bracket 0's bound, ppm; may be above the storm rate.
        severity: smallest that covers `need`, ppm; 1e6 when the storm rate does not.
        depth: ppm of the depth the bounds were set for.
        input_hash: keccak-256 of the window it was made from, and of `books` where there are any.
        books: order books that depth was lowered by.
        in_force: what severity was solved for; None: for the rates of the calibration.
    """

    time: int
    need: int
    severity: int
    depth: int
    input_hash: bytes
    books: Books | None = None
    in_force: InForce | None = None

    def solved(self, in_force: InForce | None) -> Ask:
        """With the severity that covers its need at the rates of then; as it is without them."""
        if in_force is None:
            return self
        severity = in_force.rates.severity_for(self.need, in_force.at)
        return replace(self, severity=severity, in_force=in_force)


@dataclass(frozen=True)
class MarginEstimator:
    """The margin of one market.

    Attributes:
        rule: its name, in reports.
        symbol: the market.
        calibration: its schedule and the volume and depth that schedule was made for.
    """

    rule: ClassVar[RuleName] = TAIL

    symbol: str
    calibration: Calibration
    model: TailModel = field(default_factory=TailModel)
    costs: CostModel = field(default_factory=CostModel)
    limits: Limits = field(default_factory=Limits)

    def window(self, mark: Bars, time: int) -> Bars:
        """The last bars complete at `time`.

        Raises:
            RiskError: the newest complete bar ended more than one period before `time`.
        """
        window = mark.before(time).last(self.model.window_bars)
        if not len(window) or time - (int(window.ts[-1]) + window.period) >= window.period:
            raise RiskError(f"{self.symbol}: the bar before {time} is missing.")
        return window

    def tails(self, mark: Bars, time: int) -> Tails:
        """The tail estimate (T = 1) from bars strictly before `time`.

        Raises:
            RiskError: the window is stale or too short.
        """
        return estimate(self.window(mark, time), self.model)

    def need(self, mark: Bars, time: int, notional: int | None = None) -> int:
        """Loss to cover, in ppm of a position of `notional` USD (default: bracket 0's bound).

        Raises:
            RiskError: as `tails`, or a position too large for the longest horizon.
        """
        size = float(self.calibration.schedule.bounds[0] if notional is None else notional)
        volume = self.calibration.volume_per_hour
        return ppm_up(float(needs(self.tails(mark, time), size, volume, self.costs)[0]))

    def depth(self, mark: Bars, traded: Bars, time: int) -> int:
        """Depth in ppm from the last day's volume and mark range.

        Raises:
            RiskError: an hour of the day is missing in either feed, or nothing moved.
        """
        return depth_for(self._day(mark, traded, time), self.calibration.liquidity, self.limits)

    def ask(self, mark: Bars, traded: Bars, time: int) -> Ask:
        """Severity and depth to ask for at `time`, with the hash of what they were made from.

        Raises:
            RiskError: as `need` and `depth`.
        """
        need = self.need(mark, time)
        schedule = self.calibration.schedule
        day = self._day(mark, traded, time)
        return Ask(
            time=time,
            need=need,
            severity=severity_for(need, schedule.calm_mmr[0], schedule.storm_mmr[0]),
            depth=depth_for(day, self.calibration.liquidity, self.limits),
            input_hash=window_hash(self.symbol, self.window(mark, time), day),
        )

    def under(self, calm: int, storm: int, limits: Limits | None = None) -> Self:
        """The same with other rates of bracket 0 [ppm], and limits of the steward."""
        values = self.calibration.schedule.as_dict()
        values["calm_mmr"][0], values["storm_mmr"][0] = calm, storm
        calibration = replace(self.calibration, schedule=Schedule.from_dict(values))
        return replace(self, calibration=calibration, limits=limits or self.limits)

    def _day(self, mark: Bars, traded: Bars, time: int) -> Bars:
        """Mark prices of the last 24 complete hours, with the volume traded in them."""
        day = self.window(mark, time).last(HOURS_PER_DAY)
        joined = with_volume(day, traded)
        if len(joined) != HOURS_PER_DAY:
            raise RiskError(f"{self.symbol}: the day before {time} lacks hours of traded volume.")
        return joined


@dataclass(frozen=True)
class CollateralEstimator(MarginEstimator):
    """The haircut of one collateral token: falls alone, no funding, inside an exponential.

    `need` is the MM haircut in ppm of an amount of `notional` USD; severity and depth follow from
    it as a market's do.
    """

    calibration: CollateralCalibration
    costs: CostModel = field(default_factory=lambda: CostModel(funding_per_hour=0.0))

    def tails(self, mark: Bars, time: int) -> Tails:
        """As of a market, of falls alone."""
        return estimate(self.window(mark, time), self.model, (Side.LONG,))

    def need(self, mark: Bars, time: int, notional: int | None = None) -> int:
        """The haircut to apply, in ppm of an amount of `notional` USD (default: bracket 0's bound).

        Raises:
            RiskError: as of a market.
        """
        kept = self.calibration
        size = float(kept.schedule.bounds[0] if notional is None else notional)
        loss = needs(self.tails(mark, time), size, kept.volume_per_hour, self.costs)
        return ppm_up(float(haircut(loss, peg=kept.peg, wrong_way=kept.wrong_way)[0]))


@dataclass(frozen=True)
class RuleEstimator(MarginEstimator):
    """The margin of one market by the rule of the backtest.

    `need` of bracket 0 is what the backtest's keeper would ask for at the end of the window, with
    feedback and restraint (`rule.asked_series`) under the table in force; of any other size the
    quantile at that size's own horizon, which is what its table was made from.
    """

    rule: ClassVar[RuleName] = MIXTURE

    model: RuleModel = field(default_factory=RuleModel)  # type: ignore[assignment]
    costs: CostModel = field(default_factory=rule_costs)

    def tails(self, mark: Bars, time: int) -> Tails:
        """Quantiles at every horizon at `time`, before feedback and restraint.

        Raises:
            RiskError: the window is stale, odd or too short.
        """
        found = rule_tails(self.window(mark, time), self.model)
        latest = found.between(time - HOUR + 1, time + 1)
        if not len(latest):
            raise RiskError(f"{self.symbol}: nothing can be said at {time}.")
        return latest

    def need(self, mark: Bars, time: int, notional: int | None = None) -> int:
        """Loss to cover, in ppm of a position of `notional` USD (default: bracket 0's bound).

        Raises:
            RiskError: as `tails`, or a position too large for the longest horizon.
        """
        if notional is not None:
            return super().need(mark, time, notional)
        window, table = self.window(mark, time), self.calibration.schedule
        last = int(asked_series(window, self.model, table.calm_mmr[0], table.storm_mmr[0])[-1])
        if last < 0:
            days = self.model.rule.least_days
            raise RiskError(
                f"{self.symbol}: the {len(window)} bars before {time} do not have {days} days of "
                "usable losses."
            )
        return last


def estimator_for(rule: RuleName, symbol: str, calibration: Calibration) -> MarginEstimator:
    """Who answers for an asset by a rule, with the rule's own parameters.

    Raises:
        RiskError: no such rule.
    """
    if isinstance(calibration, CollateralCalibration):
        return CollateralEstimator(symbol, calibration)
    if rule == MIXTURE:
        return RuleEstimator(symbol, calibration)
    if rule == TAIL:
        return MarginEstimator(symbol, calibration)
    raise RiskError(f"there is no rule {rule!r}, only {MIXTURE} and {TAIL}.")


def with_books(ask: Ask, books: Books, limits: Limits) -> Ask:
    """The ask with the depth that books leave of it (`policy.depth_with_book`), its hash over both.

    Books are recorded nowhere but in the ask: ``keccak(input_hash | "plimsoll.books.v1" | reference
    u64 | depths u64..)``, big-endian, binds a push to them.

    Raises:
        ValueError: no book, or one outside 0 to 2^64 USD.
    """
    depths = np.array(books.depths, dtype=np.float64)
    if not depths.size:
        raise ValueError("there is no book.")
    depth = depth_with_book(ask.depth, depths, float(books.reference), limits)
    try:
        rows = struct.pack(f">{1 + depths.size}Q", books.reference, *books.depths)
    except struct.error:
        raise ValueError(f"a book of {max(books.depths)} USD cannot be.") from None
    digest = bytes(keccak(ask.input_hash + b"plimsoll.books.v1" + rows))
    return replace(ask, depth=depth, input_hash=digest, books=books)


def with_volume(mark: Bars, traded: Bars) -> Bars:
    """The mark bars of the hours both feeds have, carrying the traded volume.

    Raises:
        RiskError: `traded` has no volume.
    """
    if traded.volume is None:
        raise RiskError("the traded bars have no volume.")
    _, here, there = np.intersect1d(mark.ts, traded.ts, assume_unique=True, return_indices=True)
    return Bars(
        mark.ts[here],
        mark.open[here],
        mark.high[here],
        mark.low[here],
        mark.close[here],
        traded.volume[there],
        mark.period,
    )
