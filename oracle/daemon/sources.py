"""Where prices and numbers come from: two small protocols, and what is behind them.

`Prices.latest` and `Numbers.ask` are all a signer needs. Where sources say what their numbers are
made with (`Sources.voted`), the signer tells them with each question which rates the chain has in
force then, so that votes and ramps are followed. Here is a recorded market day
(`replay_sources`) and the door for anything else (`load_sources`): a function named in the
configuration, ``module:function``, that is given the markets and its own options and returns
`Sources`. Whatever it raises as `SourceError`, `FeedError` or `RiskError` leaves that market out.
Exchanges are in `oracle.daemon.live`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, Protocol

from oracle.calibrate import load_calibration
from oracle.daemon.alarms import DaemonError, Exit
from oracle.feeds.bars import HOUR, Bars, FeedError
from oracle.feeds.scenario import SPANS, Scenario, load_scenario, walk
from oracle.models.tails import RiskError
from oracle.policy import PPM, Limits, Rates
from oracle.risk import TAIL, Ask, InForce, MarginEstimator, estimator_for
from oracle.verify import Voted

WALK_STEP: Final = 60  # [s] between two recorded prices
MOST_PREMIUM: Final = 2_000  # [ppm] only funding uses it


class SourceError(ValueError):
    """No price or number that may be used. One sentence naming market and source."""


REFUSALS: Final = (SourceError, FeedError, RiskError)


class Prices(Protocol):
    """Mark prices."""

    def latest(self, market: str, time: int) -> int:
        """[USD wad] at `time`, from data known by then.

        Raises:
            SourceError: there is none to be trusted.
        """


class Numbers(Protocol):
    """What margins should be."""

    def ask(self, market: str, time: int, basis: Basis | None = None) -> Ask:
        """Severity, depth, need and the hash of the input window, from data known at `time`.

        Args:
            basis: what to make them with; given only where `Sources.voted` has the market.

        Raises:
            SourceError: there is none to be trusted.
        """


@dataclass(frozen=True)
class Basis:
    """What an ask is made with.

    Attributes:
        estimator: with the rates of the hour and the steward's limits.
        in_force: what its severity is solved for.
    """

    estimator: MarginEstimator
    in_force: InForce


class Premiums(Protocol):
    """Of the perpetual over its index."""

    def premium(self, market: str, time: int) -> int:
        """[ppm]"""


class NoPremium:
    """Funding rests."""

    def premium(self, market: str, time: int) -> int:
        """0 [ppm]"""
        return 0


Reread = Callable[[], Mapping[str, Voted]]


@dataclass(frozen=True)
class Sources:
    """Of the signers of one process.

    Attributes:
        voted: by market, what numbers are made with; without it pushes have no report, and the
            signer is to be started again after a vote.
        reread: `voted` as a file has it by now; None where it cannot change.
        close: let go of connections.
    """

    prices: Prices
    numbers: Numbers
    premiums: Premiums = field(default_factory=NoPremium)
    voted: Mapping[str, Voted] = field(default_factory=dict)
    reread: Reread | None = None
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class MarketInfo:
    """What a source is told of a market.

    Attributes:
        symbol: as in the deployment.
        asset: its id.
        calm_mmr0, storm_mmr0: rates of bracket 0 on the chain, as voted last [ppm].
        limits: of the steward.
        rates: of bracket 0 with the table that is blended out; severity is solved for these.
        bounds: of the brackets, as voted last [USD].
    """

    symbol: str
    asset: int
    calm_mmr0: int
    storm_mmr0: int
    limits: Limits = field(default_factory=Limits)
    rates: Rates | None = None
    bounds: tuple[int, ...] = ()


# --- what was voted ---------------------------------------------------------------------------


class Ballot:
    """What the numbers of a process are made with, kept to the tables that the chain has.

    Rates are the chain's at any time. What else a calibration says (volume, liquidity) was measured
    for its bounds: where the chain has others there are no numbers until its file has them too. One
    without a file, for trying out, is good for the bounds of the start, whatever they are.
    """

    def __init__(
        self,
        voted: Mapping[str, Voted],
        infos: Mapping[str, MarketInfo],
        reread: Reread | None = None,
    ) -> None:
        """
        Args:
            infos: by market, of the start.
            reread: `voted`, as the file has it by now.
        """
        self.infos = infos
        self._voted = dict(voted)
        self._bounds = {market: info.bounds for market, info in infos.items()}
        if reread is not None:
            made = {m: each.estimator.calibration.schedule.bounds for m, each in voted.items()}
            self._bounds.update(made)
        self._reread = reread

    def __contains__(self, market: str) -> bool:
        return market in self._voted

    def basis(
        self, market: str, bounds: tuple[int, ...], in_force: InForce, limits: Limits
    ) -> Basis:
        """For an ask of a market.

        Raises:
            SourceError: as `of`.
        """
        estimator = self.of(market, bounds).estimator.under(*in_force.hourly, limits)
        return Basis(estimator, in_force)

    def of(self, market: str, bounds: tuple[int, ...]) -> Voted:
        """What is good for a table with these bounds.

        Raises:
            SourceError: the market is unknown, or other bounds were voted than it was made for.
        """
        if market not in self._voted:
            raise SourceError(f"{market}: there is no calibration of it.")
        if bounds != self._bounds.get(market, bounds):
            self._voted[market] = self._made_for(market, bounds)
            self._bounds[market] = bounds
        return self._voted[market]

    def _made_for(self, market: str, bounds: tuple[int, ...]) -> Voted:
        if self._reread is None:
            raise SourceError(f"{market}: other brackets were voted: start this signer again.")
        again = self._reread().get(market)
        if again is None or again.estimator.calibration.schedule.bounds != bounds:
            what = f"{market}: the chain's brackets are not the calibration's: put theirs there."
            raise SourceError(what)
        return again


# --- numbers from bars ----------------------------------------------------------------------------

Window = Callable[[str, int], tuple[Bars, Bars, int]]


class Estimated:
    """Numbers from bars, wherever those come from; each hour is computed once."""

    def __init__(self, voted: Mapping[str, Voted], window: Window) -> None:
        """
        Args:
            voted: by market; see `in_force`.
            window: of a market and a time: mark bars, bars with traded volume, and the full hour up
                to which they may be looked at.
        """
        self._voted = voted
        self._window = window
        self._asks: dict[tuple[str, int], tuple[MarginEstimator, Ask]] = {}

    def ask(self, market: str, time: int, basis: Basis | None = None) -> Ask:
        """From the bars complete at the beginning of the hour, solved for the table in force."""
        ask = self.unsolved(market, time, basis)
        return ask.solved(None if basis is None else basis.in_force)

    def unsolved(self, market: str, time: int, basis: Basis | None = None) -> Ask:
        """All but its severity."""
        if market not in self._voted:
            raise SourceError(f"{market}: there is no calibration of it.")
        mark, traded, hour = self._window(market, time)
        estimator = self._voted[market].estimator if basis is None else basis.estimator
        key = (market, hour)
        if key not in self._asks or self._asks[key][0] != estimator:
            self._asks = {k: known for k, known in self._asks.items() if k[1] >= hour - HOUR}
            self._asks[key] = (estimator, estimator.ask(mark, traded, hour))
        return self._asks[key][1]


# --- a recorded day -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tape:
    """Maps the chain's time onto a recording's: `origin` on the chain is `start` there."""

    origin: int  # [s] chain
    start: int  # [s] recording
    end: int  # [s] recording, past the last

    def at(self, time: int) -> int:
        """[s] of the recording.

        Raises:
            SourceError: before its beginning or after its end.
        """
        there = self.start + time - self.origin
        if not self.start <= there < self.end:
            why = "has not begun" if there < self.start else "is over"
            raise SourceError(f"the recording has nothing at {there}: it {why}.")
        return there


class Recording:
    """A scenario as prices, bars and premiums; pure, so equal in every process."""

    def __init__(self, scenario: Scenario, tape: Tape) -> None:
        self._scenario = scenario
        self._tape = tape
        self._walks: dict[tuple[str, int], list[int]] = {}

    def latest(self, market: str, time: int) -> int:
        """[USD wad] as the walk through the hour's bar has it."""
        at = self._tape.at(time)
        hour, within = divmod(at, HOUR)
        key = (market, hour)
        if key not in self._walks:
            bars = self._mark(market).between(hour * HOUR, (hour + 1) * HOUR)
            if len(bars) != 1:
                raise SourceError(f"{market}: the recording lacks the hour of {at}.")
            self._walks[key] = walk(bars, 0, HOUR // WALK_STEP)
        return self._walks[key][within // WALK_STEP]

    def bars(self, market: str, time: int) -> tuple[Bars, Bars, int]:
        """For `Estimated`: everything recorded; the estimator looks at nothing after the hour."""
        hour = self._tape.at(time) // HOUR * HOUR
        return self._mark(market), self._scenario.traded[market], hour

    def premium(self, market: str, time: int) -> int:
        """Of the perpetual over the mark at the last closes, within bounds."""
        mark, traded, hour = self.bars(market, time)
        last, perpetual = mark.before(hour).close[-1], traded.before(hour).close[-1]
        ppm = round(PPM * (float(perpetual) / float(last) - 1.0))
        return max(-MOST_PREMIUM, min(MOST_PREMIUM, ppm))

    def _mark(self, market: str) -> Bars:
        if market not in self._scenario.mark:
            raise SourceError(f"{market}: the recording {self._scenario.name} does not have it.")
        return self._scenario.mark[market]


def replay_sources(name: str, markets: Mapping[str, MarketInfo], origin: int) -> Sources:
    """A recorded scenario that begins at `origin` on the chain.

    Raises:
        DaemonError: no such scenario, or its data cannot be used.
    """
    if name not in SPANS:
        raise DaemonError(f"There is no recording {name!r}, only {', '.join(SPANS)}.", Exit.CONFIG)
    try:
        scenario = _scenario(name)
    except (FeedError, OSError, ValueError) as error:
        raise DaemonError(str(error), Exit.SOURCE) from None
    tape = Tape(origin, scenario.start, scenario.end)
    recording = Recording(scenario, tape)
    voted = in_force(recorded(name), markets)
    return Sources(recording, Estimated(voted, recording.bars), recording, voted)


@cache
def _scenario(name: str) -> Scenario:
    """Read once for all signers of a process: nobody can change it."""
    return load_scenario(name)


def recorded(name: str) -> dict[str, Voted]:
    """What a recorded scenario was calibrated to, by symbol: tables of the tail rule."""
    kept = load_calibration(name)
    estimators = {symbol: estimator_for(TAIL, symbol, each) for symbol, each in kept.items()}
    return {symbol: Voted(each, symbol) for symbol, each in estimators.items()}


def in_force(voted: Mapping[str, Voted], markets: Mapping[str, MarketInfo]) -> dict[str, Voted]:
    """Of the markets that are there, with what the chain has: rates of bracket 0, and limits.

    Severity is solved for those rates. A market that is not in `voted` is left out.
    """
    found = {}
    for symbol, info in markets.items():
        if symbol in voted:
            kept = voted[symbol].estimator
            estimator = kept.under(info.calm_mmr0, info.storm_mmr0, info.limits)
            found[symbol] = replace(voted[symbol], estimator=estimator)
    return found


# --- anything else --------------------------------------------------------------------------------

Factory = Callable[[Mapping[str, MarketInfo], Mapping[str, Any]], Sources]


def load_sources(
    factory: str, markets: Mapping[str, MarketInfo], options: Mapping[str, Any]
) -> Sources:
    """What the function ``module:function`` makes of the markets and its options.

    Raises:
        DaemonError: no such function, or it refuses its options.
    """
    module, _, name = factory.partition(":")
    try:
        make: Factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        what = f"The source {factory!r} is not there: {error}."
        raise DaemonError(what, Exit.CONFIG) from None
    try:
        return make(markets, options)
    except (TypeError, *REFUSALS) as error:
        what = f"The source {factory!r} refuses its options: {error}"
        raise DaemonError(what.rstrip(".") + ".", Exit.CONFIG) from None
