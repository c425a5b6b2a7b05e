"""Margin rates as the chain would have held them: severity solved, pushed in steps, on its clock.

At every push time the keeper solves for the smallest severity whose lowest bracket covers what it
asks (`policy.severity_for`, with the ramp of a new tier table blended in), moves toward it by the
steward's steps (`policy.next_push`), and the maintenance clock follows (`engine.clocks`). All in
ppm integers; tests compare every hour of samples with those modules by ``==``.

What a window is scored against is the maintenance rate of a held position at the window's open, in
the block of the push made then: a push never raises it in its own block, so a rise asked at the
open counts an hour later, while a fall counts at once.

Bars longer than an hour hide what a keeper sees each hour: on the open of a four-hour bar it would
have pushed three times already on what the recording shows only now. So there the rate scored is
the one held when the clock of the push at the open has run an hour: one step on news an hour too
fresh, instead of four steps on news an hour old. On hourly markets cut down to four-hour bars this
breaches more often than the hourly pipeline does (docs/backtest.md); the rate at the open itself
is kept as `Pushed.opening` and reported beside it.

Depth is held at 1: it comes from books and volume, which a folder of prices may not have.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isnan

import numpy as np

from oracle.engine.tiers import Bracket, Table
from oracle.engine.units import PPM, Ppm
from oracle.feeds.bars import HOUR, FloatArray, IntArray
from oracle.policy import Limits, ppm_up

DAY = 86_400
RAMPS = (600, 604_800)
"""Shortest and longest ramp that the chain accepts, seconds (contracts/modules/load_line.vy)."""


@dataclass(frozen=True)
class Vote:
    """A tier table of K brackets in force from `time` (Unix seconds); rates in ppm, marginal."""

    time: int
    calm: tuple[int, ...]
    storm: tuple[int, ...]

    def table(self, bounds: Sequence[int]) -> Table:
        """The table on the integer twin's form; bounds in whole USD."""
        return tuple(
            Bracket(bound, Ppm(calm), Ppm(storm))
            for bound, calm, storm in zip(bounds, self.calm, self.storm, strict=True)
        )


@dataclass(frozen=True)
class Feedback:
    """The keeper's control of its own coverage: what was breached on-chain makes it ask for more.

    ``ln k <- clip(ln k + step * ([breach] - aim), 0, ln most)`` per side, as each window ends; the
    ask is multiplied by the larger k (quantile tracking: Angelopoulos, Candès and Tibshirani,
    "Conformal PID control for time series prediction", NeurIPS 2023, equation 4, on the logarithm
    of the margin). It repairs what steps, clocks and restraint take from a quantile that was right
    when it was asked. Windows that overlap share one step.

    Attributes:
        step: of ln k for a breach, at a horizon of one hour; it grows with the root of the
            horizon, because longer windows are fewer.
        aim: rate of breaches steered to, as a part of the rate promised.
        most: largest k. 1 switches the control off.
    """

    step: float = 0.005
    aim: float = 0.9
    most: float = 1.5


@dataclass(frozen=True)
class EarlyVotes:
    """When governance votes before its turn: the line cannot follow what is asked.

    A push is saturated when it asks for more than storm. The decision is taken in the hour in which
    saturated pushes make up `saturated_days` of the last `within_days`; the table, from what was
    asked before that hour, comes into force when the timelock lets it.

    Attributes:
        saturated_days, within_days: as above.
        apart_days: from the table before it to an early one, both coming into force; a regular
            vote that would follow sooner than that falls away.
        delay_days: of the timelock.
    """

    saturated_days: int = 5
    within_days: int = 14
    apart_days: int = 30
    delay_days: int = 2


Draft = Callable[[int, int], Vote]
"""The table from what was asked strictly before the first time, in force from the second."""


@dataclass(frozen=True)
class ChainRules:
    """What bounds a push, a clock and a vote.

    Attributes:
        limits: the steward's steps and delay.
        slope: of the maintenance clock, ppm of severity an hour, up.
        ramp: seconds over which a voted table blends in, in `RAMPS`; the longest that the chain
            accepts is the default, because severity falls by .24 a day and a higher storm rate
            that comes faster than that lifts margin above what is asked.
        push_every: seconds between the keeper's attempts.
        rise: the keeper asks for no rate above this multiple of the lowest held in the last
            `rise_days`; its own restraint, the chain does not know it. Infinity for none.
        rise_days: its look-back.
        feedback: its control of coverage.
        early: when a saturated market votes again.

    Raises:
        ValueError: a ramp that the chain would refuse.
    """

    limits: Limits = field(default_factory=Limits)
    slope: int = 50_000
    ramp: int = 7 * DAY
    push_every: int = HOUR
    rise: float = float("inf")
    rise_days: int = 5
    feedback: Feedback = field(default_factory=Feedback)
    early: EarlyVotes = field(default_factory=EarlyVotes)

    def __post_init__(self) -> None:
        shortest, longest = RAMPS
        if not shortest <= self.ramp <= longest:
            raise ValueError(
                f"the chain accepts a ramp of {shortest} to {longest} seconds, not {self.ramp}."
            )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What the control learns from: (S, n) losses over `horizon` bars, at 1 - alpha."""

    moves: FloatArray
    horizon: int
    alpha: float


@dataclass(frozen=True, eq=False)
class Pushed:
    """What the chain held at the open of each of n + 1 bars.

    Attributes:
        severity: (n + 1,) of the maintenance clock as scored, ppm; -1 before the first vote.
        opening: (n + 1,) of the clock in the block of the push at the open; the same where bars
            are no longer than a push interval.
        vote: (n + 1,) index of the newest vote, -1 before the first.
        elapsed: (n + 1,) seconds of its ramp; `ramp` when it is over.
        asked: (n + 1,) what the keeper asked for at the open, feedback and restraint included, ppm;
            -1 where it did not.
        pushes: how many were signed; saturated: of them, those that asked for more than storm.
        early: votes out of turn that were decided.
        votes, ramp: what the indices mean.
    """

    severity: IntArray
    opening: IntArray
    vote: IntArray
    elapsed: IntArray
    asked: IntArray
    pushes: int
    saturated: int
    early: int
    votes: tuple[Vote, ...]
    ramp: int

    def rates(self, bracket: int = 0, *, at_open: bool = False) -> FloatArray:
        """(n + 1,) maintenance rate of a bracket, a fraction; NaN before the first vote.

        Exact at 1e12 times the ramp before the one division: at most 2.6e18, inside int64.

        Args:
            at_open: of `opening` instead of `severity`.
        """
        severity = self.opening if at_open else self.severity
        found = np.full(severity.size, np.nan)
        for index, vote in enumerate(self.votes):
            at = np.flatnonzero(self.vote == index)
            old = self.votes[max(index - 1, 0)]
            done = self.elapsed[at]
            calm = old.calm[bracket] * (self.ramp - done) + vote.calm[bracket] * done
            storm = old.storm[bracket] * (self.ramp - done) + vote.storm[bracket] * done
            numerator = calm * PPM + severity[at] * (storm - calm)
            found[at] = numerator / (PPM * PPM * self.ramp)
        return found

    def average_rate(self, bounds: Sequence[float], bracket: int) -> FloatArray:
        """(n + 1,) requirement over notional of a position as large as the bracket's bound."""
        total, below = np.zeros(self.severity.size), 0.0
        for k in range(bracket + 1):
            total += self.rates(k) * (bounds[k] - below)
            below = bounds[k]
        return total / below


def push_through(
    need: FloatArray,
    ts: IntArray,
    period: int,
    votes: Sequence[Vote],
    rules: ChainRules,
    outcomes: Outcomes | None = None,
    draft: Draft | None = None,
) -> Pushed:
    """Walk the keeper and the chain through a history.

    Args:
        need: (n + 1,) what bracket 0 must cover, a fraction of notional, known at each bar's open;
            NaN where unknown: the keeper does not push.
        ts: (n,) open times of the bars; entry n of `need` is for the bar after the last.
        period: seconds a bar. Bars longer than `push_every` hold several pushes of the same ask.
        votes: oldest first; the first starts the market, at the severity then asked.
        outcomes: for the control; None leaves it out.
        draft: makes the tables of early votes; None: there are none.

    Returns:
        The line at each open. Nothing at t depends on need or votes after t.
    """
    opens = np.append(ts, ts[-1] + period)
    line = np.full((5, opens.size), -1, dtype=np.int64)
    walk = _Walk(votes, rules, draft)
    is_long = period > rules.push_every
    repeats = range(0, period, rules.push_every) if is_long else (0,)
    wait = rules.push_every if is_long else 0
    control = None if outcomes is None else _Control(outcomes, rules.feedback, period)
    for i, (time, wanted) in enumerate(zip(opens.tolist(), need.tolist(), strict=True)):
        factor = 1.0 if control is None else control.factor(i)
        ask = -1 if isnan(wanted) else ppm_up(factor * wanted)
        for later in repeats:
            asked = walk.step(time + later, ask)
            if later == 0:
                line[4, i] = asked
            if later == 0 and walk.pushes:
                held = walk.held(time + wait)
                line[:4, i] = held, walk.held(time), walk.index, walk.blended(time)
                if control is not None:
                    control.margins[i] = walk.rate(time, held)
    scored, opening, vote, elapsed, told = line
    counts = walk.pushes, walk.saturated, walk.decided
    return Pushed(scored, opening, vote, elapsed, told, *counts, tuple(walk.votes), rules.ramp)


class _Walk:
    """The line of one market: last push, its clock, the tables being blended."""

    def __init__(self, votes: Sequence[Vote], rules: ChainRules, draft: Draft | None) -> None:
        self.votes, self.rules, self.draft = list(votes), rules, draft
        self.index = -1
        self.severity = self.clock = self.pushed = 0
        self.pushes = self.saturated = 0
        self.lowest: deque[tuple[int, int]] = deque()
        self.full: deque[int] = deque()
        self.decided = self.early = 0

    def step(self, time: int, ask: int) -> int:
        """One attempt of the keeper at `time` to make bracket 0 cover `ask` ppm.

        Returns:
            What it asked for after restraint, ppm; -1 where it could not.
        """
        votes = self.votes
        while self.index + 1 < len(votes) and votes[self.index + 1].time <= time:
            self.index += 1
        if self.index < 0 or ask < 0:
            return -1
        calm, storm = self._blend(time)
        ramp = self.rules.ramp
        ask = self._restrained(ask, time)
        is_saturated = ask * ramp > storm
        wanted = _solve(ask * ramp, calm, storm)
        if not self.pushes:
            self.clock = wanted
            self._sign(time, wanted, is_saturated)
        elif time - self.pushed >= self.rules.limits.min_delay:
            self.clock = self.held(time)
            limits = self.rules.limits
            up, down = self.severity + limits.severity_up, self.severity - limits.severity_down
            self._sign(time, min(max(wanted, down), up), is_saturated)
        self._remember(time, calm, storm)
        self._vote_early(time)
        return ask

    def held(self, time: int) -> int:
        """s_mm(t) = min(s, s0 + (t - t0) * slope), the twin's rounding."""
        slope = self.rules.slope
        moved = time * slope // HOUR - self.pushed * slope // HOUR
        return min(self.severity, self.clock + moved)

    def blended(self, time: int) -> int:
        """Seconds of the ramp that are over; the first table has none."""
        if self.index <= 0:
            return self.rules.ramp
        return min(self.rules.ramp, time - self.votes[self.index].time)

    def rate(self, time: int, severity: int) -> float:
        """Maintenance rate of bracket 0, a fraction."""
        calm, storm = self._blend(time)
        return (calm * PPM + severity * (storm - calm)) / (PPM * PPM * self.rules.ramp)

    def _blend(self, time: int) -> tuple[int, int]:
        """Calm and storm rate of bracket 0, in ppm times the ramp."""
        new, old = self.votes[self.index], self.votes[max(self.index - 1, 0)]
        done = self.blended(time)
        left = self.rules.ramp - done
        return old.calm[0] * left + new.calm[0] * done, old.storm[0] * left + new.storm[0] * done

    def _sign(self, time: int, severity: int, is_saturated: bool) -> None:
        self.pushed, self.severity = time, severity
        self.pushes += 1
        self.saturated += is_saturated
        if is_saturated:
            self.full.append(time)

    def _vote_early(self, time: int) -> None:
        """A table more, where too many pushes of late were saturated and none came lately."""
        early = self.rules.early
        while self.full and self.full[0] <= time - early.within_days * DAY:
            self.full.popleft()
        full = len(self.full) * self.rules.push_every
        if self.draft is None or full < early.saturated_days * DAY:
            return
        start = time + early.delay_days * DAY
        apart = early.apart_days * DAY
        if start - max(self.early, self.votes[self.index].time) < apart:
            return
        later = [vote for vote in self.votes[self.index + 1 :] if vote.time - start >= apart]
        self.votes[self.index + 1 :] = [self.draft(time, start), *later]
        self.decided, self.early = self.decided + 1, start

    def _restrained(self, ask: int, time: int) -> int:
        """The ask, at most `rise` times the lowest rate held in the look-back."""
        oldest = time - self.rules.rise_days * DAY
        while self.lowest and self.lowest[0][0] < oldest:
            self.lowest.popleft()
        if not self.lowest or self.rules.rise == float("inf"):
            return ask
        return min(ask, int(self.rules.rise * self.lowest[0][1]))

    def _remember(self, time: int, calm: int, storm: int) -> None:
        """Keep the running minimum of the held rate, ppm rounded down."""
        rate = (calm * PPM + self.held(time) * (storm - calm)) // (PPM * self.rules.ramp)
        while self.lowest and self.lowest[-1][1] >= rate:
            self.lowest.pop()
        self.lowest.append((time, rate))


class _Control:
    """`Feedback` at work on one market."""

    def __init__(self, outcomes: Outcomes, feedback: Feedback, period: int) -> None:
        hours = outcomes.horizon * period / HOUR
        self.horizon = outcomes.horizon
        self.step = feedback.step * math.sqrt(hours) / self.horizon
        self.aim, self.most = feedback.aim * outcomes.alpha, math.log(feedback.most)
        self.losses = [row.tolist() for row in outcomes.moves]
        self.logs = [0.0] * len(self.losses)
        self.margins = [float("nan")] * (outcomes.moves.shape[1] + 1)

    def factor(self, i: int) -> float:
        """k at the open of bar i, after the window that ended there."""
        ended = i - self.horizon
        if ended >= 0 and not isnan(self.margins[ended]):
            margin = self.margins[ended]
            for side, losses in enumerate(self.losses):
                loss = losses[ended]
                if not isnan(loss):
                    moved = self.logs[side] + self.step * ((loss > margin) - self.aim)
                    self.logs[side] = min(max(moved, 0.0), self.most)
        return math.exp(max(self.logs))


def _solve(ask: int, calm: int, storm: int) -> int:
    """`policy.severity_for` on a common denominator."""
    if ask <= calm:
        return 0
    return PPM if ask > storm else -(-(ask - calm) * PPM // (storm - calm))
