"""The pushes of the backtest against the policy and the integer twin, by ==."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from oracle.engine.clocks import Line, Slopes, loads, push
from oracle.engine.steward import LinePush, PushRules, check_line
from oracle.engine.tiers import Blend
from oracle.engine.units import PPM, WAD, Ppm, Seconds
from oracle.feeds.bars import HOUR
from oracle.line import DAY, RAMPS, ChainRules, EarlyVotes, Feedback, Outcomes, Vote, push_through
from oracle.policy import next_push, severity_for
from oracle.rule import Rule

ROOT = Path(__file__).parents[3]
START = 1_700_000_000 // HOUR * HOUR
BOUNDS = (1_000_000, 4_000_000, 24_000_000)
VOTES = (
    Vote(START, (8_000, 12_000, 20_000), (90_000, 150_000, 300_000)),
    Vote(START + 200 * HOUR, (9_500, 14_000, 30_000), (160_000, 200_000, 400_000)),
)
SLOPES = Slopes(50_000, 10_000, 250_000, 10_000, 9_000, Ppm(250_000))


def _needs(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(0.03 * np.exp(np.cumsum(0.2 * rng.standard_normal(count + 1))), 0.001, 0.5)


@pytest.mark.parametrize("period", [HOUR, HOUR // 4, 4 * HOUR])
def test_push_through__every_open__equals_policy_and_twin(period) -> None:
    count = 400 if period < 4 * HOUR else 120
    need = _needs(period, count)
    ts = START + period * np.arange(count, dtype=np.int64)
    rules = ChainRules(ramp=3 * DAY)
    found = push_through(need, ts, period, VOTES, rules)
    line, opens = None, [*ts.tolist(), int(ts[-1]) + period]
    for i, time in enumerate(opens):
        for later in range(0, period, HOUR) if period > HOUR else (0,):
            line = _step(line, time + later, float(need[i]), rules)
            if later == 0:
                wait = HOUR if period > HOUR else 0
                assert found.opening[i] == loads(line, time, SLOPES).severity_mm
                assert found.severity[i] == loads(line, time + wait, SLOPES).severity_mm
    assert found.pushes > 90


def _step(line: Line | None, time: int, need: float, rules: ChainRules) -> Line:
    """One attempt of the keeper, through policy, steward and clocks."""
    need_ppm = -(-int(Fraction(need) * PPM * 10**12) // 10**12)
    blend = _blend(time, rules)
    asked = _severity(need_ppm, blend)
    if line is None:
        whole = Ppm(PPM)
        return Line(Ppm(asked), Ppm(asked), Ppm(asked), whole, whole, whole, Seconds(time))
    elapsed = time - line.pushed
    wanted = next_push(line.severity, PPM, asked, PPM, rules.limits, elapsed=elapsed)
    if wanted is None and elapsed < rules.limits.min_delay:
        return line
    severity = line.severity if wanted is None else wanted.severity
    check_line(LinePush(0, severity, PPM, line.pushed), line, PushRules(), time)
    return push(line, severity, PPM, time, SLOPES)


def _blend(time: int, rules: ChainRules) -> Blend:
    new = VOTES[1] if time >= VOTES[1].time else VOTES[0]
    elapsed = rules.ramp if new is VOTES[0] else min(rules.ramp, time - VOTES[1].time)
    return Blend(new.table(BOUNDS), VOTES[0].table(BOUNDS), elapsed, rules.ramp)


def _severity(need_ppm: int, blend: Blend) -> int:
    """Smallest severity whose bracket 0 covers the need, by bisection on the twin's own rate."""
    if blend.elapsed == blend.ramp:
        return severity_for(need_ppm, blend.new[0].calm, blend.new[0].storm)
    low, high = 0, PPM
    while low < high:
        middle = (low + high) // 2
        covers = blend.marginal(WAD, middle, PPM) >= need_ppm * PPM * blend.ramp
        low, high = (low, middle) if covers else (middle + 1, high)
    return low


def test_average_rate__every_bracket__is_the_twins_requirement() -> None:
    count = 300
    need, ts = _needs(7, count), START + HOUR * np.arange(count, dtype=np.int64)
    rules = ChainRules(ramp=3 * DAY)
    found = push_through(need, ts, HOUR, VOTES, rules)
    for i in range(0, count, 17):
        blend = _blend(int(ts[i]), rules)
        for k, bound in enumerate(BOUNDS):
            asked = blend.requirement(bound * WAD, int(found.severity[i]), PPM)
            rate = found.average_rate(BOUNDS, k)[i]
            assert rate == pytest.approx(asked / (bound * WAD), rel=1e-12)


def test_push_through__restraint__no_rate_above_its_multiple() -> None:
    need = np.full(1000, 0.01)
    need[300:] = 0.08
    ts = START + HOUR * np.arange(999, dtype=np.int64)
    votes = [Vote(START, (5_000,), (200_000,))]
    rates = push_through(need, ts, HOUR, votes, ChainRules(rise=2.0)).rates()
    lowest = np.array([rates[max(0, i - 120) : i + 1].min() for i in range(1000)])
    assert np.all(rates <= 2.0 * lowest + 1e-6)
    assert rates[-1] == pytest.approx(0.08, abs=1e-5)
    free = push_through(need, ts, HOUR, votes, ChainRules()).rates()
    assert free[330] == pytest.approx(0.08, abs=1e-5)


def test_push_through__rise_counts_an_hour_later_and_a_fall_at_once() -> None:
    need = np.array([0.05, 0.05, 0.06, 0.06, 0.05, 0.05])
    ts = START + HOUR * np.arange(5, dtype=np.int64)
    rates = push_through(need, ts, HOUR, [Vote(START, (10_000,), (1_010_000,))], ChainRules())
    assert rates.rates() == pytest.approx([0.05, 0.05, 0.05, 0.06, 0.05, 0.05])


def test_push_through__unknown_need__no_push() -> None:
    need = np.array([np.nan, 0.05, np.nan, 0.06])
    ts = START + HOUR * np.arange(3, dtype=np.int64)
    found = push_through(need, ts, HOUR, [Vote(START, (10_000,), (100_000,))], ChainRules())
    assert found.pushes == 2
    assert np.isnan(found.rates()[0])
    assert found.severity[0] == -1


def test_feedback__breached_more_often_than_promised__asks_for_more() -> None:
    count = 2000
    need, ts = np.full(count + 1, 0.02), START + HOUR * np.arange(count, dtype=np.int64)
    votes = [Vote(START, (10_000,), (100_000,))]
    moves = np.zeros((2, count))
    moves[0, ::25] = 0.021  # four times the rate promised
    outcomes = Outcomes(moves, 1, 0.01)
    steered = push_through(need, ts, HOUR, votes, ChainRules(), outcomes).rates()
    off = ChainRules(feedback=Feedback(most=1.0))
    assert np.all(push_through(need, ts, HOUR, votes, off, outcomes).rates() == off_rate(0.02))
    assert steered[-1] > 0.0209
    assert np.mean(moves[0] > steered[:-1]) < 0.02
    quiet = push_through(need, ts, HOUR, votes, ChainRules(), Outcomes(0 * moves, 1, 0.01))
    assert np.all(quiet.rates() == off_rate(0.02))


def off_rate(need: float) -> float:
    """The rate that covers `need` under a vote of 1 % and 10 %."""
    severity = severity_for(round(need * PPM), 10_000, 100_000)
    return (10_000 * PPM + severity * 90_000) / PPM**2


# --- what is deployed -----------------------------------------------------------------------------


def test_chain_rules__ramp_that_the_chain_refuses__one_sentence() -> None:
    for ramp in (30 * DAY, RAMPS[1] + 1, RAMPS[0] - 1):
        said = f"the chain accepts a ramp of 600 to 604800 seconds, not {ramp}."
        with pytest.raises(ValueError, match=re.escape(said)):
            ChainRules(ramp=ramp)
    assert [ChainRules(ramp=ramp).ramp for ramp in RAMPS] == [600, 604_800]


def test_ramps__are_the_bounds_of_the_contract() -> None:
    source = (ROOT / "contracts/modules/load_line.vy").read_text()
    (bounds,) = re.findall(r"_check_bounds\(_clocks\.ramp, ([\d_]+), ([\d_]+)\)", source)
    assert tuple(int(bound) for bound in bounds) == RAMPS


def test_rule__clocks_and_delays__are_what_production_deploys() -> None:
    text = (ROOT / "scripts/config/production.example.toml").read_text()
    deployed, chain = tomllib.loads(text), Rule().chain
    assert chain.ramp == deployed["clocks"]["ramp"]
    assert chain.slope == deployed["clocks"]["severity_up"]
    assert chain.limits.min_delay == deployed["push_rules"]["min_delay"]
    assert chain.early.delay_days * DAY == deployed["roles"]["timelock_delay"]


# --- votes out of turn ----------------------------------------------------------------------------

CEILING = 50_000
EARLY = EarlyVotes(saturated_days=5, within_days=14, apart_days=30, delay_days=2)


def _saturated(votes: list[Vote], saturated: np.ndarray, early: EarlyVotes = EARLY):
    """The walk through hours that ask for more than any storm, or for little; and the decisions."""
    decisions = []

    def draft(decided: int, time: int) -> Vote:
        decisions.append((decided, time))
        return Vote(time, (10_000,), (CEILING + 1_000 * len(decisions),))

    need = np.where(saturated, 0.5, 0.02)
    ts = START + HOUR * np.arange(saturated.size - 1, dtype=np.int64)
    rules = ChainRules(early=early)
    found = push_through(need, ts, HOUR, votes, rules, draft=draft)
    again = push_through(need, ts, HOUR, found.votes, rules)
    for name in ("severity", "opening", "vote", "elapsed", "asked"):
        np.testing.assert_array_equal(getattr(found, name), getattr(again, name))
    return found, [((a - START) / DAY, (b - START) / DAY) for a, b in decisions]


def test_early_vote__five_days_of_fourteen__decided_in_that_hour_and_after_the_timelock() -> None:
    hours = np.arange(60 * 24)
    found, decisions = _saturated([Vote(START, (10_000,), (CEILING,))], hours >= 40 * 24)
    assert decisions == [(45 - 1 / 24, 47 - 1 / 24)]  # hours of 40, 41, .. 44 d 23 h
    assert found.votes[1].time == START + 47 * DAY - HOUR
    assert found.vote[47 * 24 - 2] == 0
    assert found.vote[47 * 24 - 1] == 1


@pytest.mark.parametrize(("each", "wanted"), [(3, 0), (2, 1)])
def test_early_vote__hours_apart__count_within_the_look_back_alone(each, wanted) -> None:
    hours = np.arange(60 * 24)
    saturated = (hours >= 40 * 24) & (hours % each == 0)
    # At most 112 hours of 336 by every third, which is less than 120.
    assert len(_saturated([Vote(START, (10_000,), (CEILING,))], saturated)[1]) == wanted


def test_early_vote__market_that_stays_saturated__thirty_days_apart() -> None:
    always = np.full(120 * 24, True)
    votes = [Vote(START, (10_000,), (CEILING,))]
    found, decisions = _saturated(votes, always)
    assert decisions == [(28, 30), (58, 60), (88, 90), (118, 120)]
    assert [vote.storm[0] for vote in found.votes] == [50_000, 51_000, 52_000, 53_000, 54_000]
    assert not _saturated(votes, always, replace(EARLY, saturated_days=15))[1]


def test_early_vote__regular_one_soon_after__falls_away_and_a_later_one_stays() -> None:
    hours = np.arange(100 * 24)
    days = (0, 46, 60, 80)
    votes = [Vote(START + day * DAY, (10_000,), (CEILING,)) for day in days]
    found, _ = _saturated(votes, (hours >= 40 * 24) & (hours < 50 * 24))
    assert [round((vote.time - START) / DAY) for vote in found.votes] == [0, 47, 80]


def test_early_vote__regular_one_lately__waits() -> None:
    hours = np.arange(100 * 24)
    votes = [Vote(START + day * DAY, (10_000,), (CEILING,)) for day in (0, 42)]
    assert _saturated(votes, hours >= 40 * 24)[1] == [(70, 72)]
