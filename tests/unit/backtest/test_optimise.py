"""The optimiser: honest objective, hard constraints, acceptance only beyond luck."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from oracle.feeds.bars import HOUR
from oracle.line import ChainRules, Feedback
from oracle.optimise import accept, objective, search
from oracle.optimise.main import optimise
from oracle.optimise.objective import Outcome, Setting
from oracle.optimise.walk import Plan, walk
from oracle.rule import Rule
from tests.unit.backtest.market import storms, write

START = Setting(1.0, 0.0, 0.0, 0.25)


@pytest.fixture(scope="module")
def market():
    bars = storms(21, 6 * 900, 4 * HOUR)
    return objective.prepare("ONE", bars, 24, 0.99, Rule())


def test_run__cost__is_margin_shortfall_and_calls(market) -> None:
    found = objective.run(market, Rule(), 0.99)
    known = np.flatnonzero(~np.isnan(found.margin))[1:]
    for k in known[::50]:
        m, before = found.margin[k], found.margin[k - 1]
        losses = market.moves[:, market.at[k]]
        lacking = float(np.mean(np.maximum(losses - m, 0.0))) / 0.01
        cost = (m + lacking + max(0.0, m - before)) / market.unit
        assert found.cost[k] == pytest.approx(cost)


def test_run__shortfall_weight__makes_the_quantile_best() -> None:
    """d/dm of margin + shortfall/alpha is 1 - P(X > m)/alpha: zero at the quantile."""
    losses = np.random.default_rng(1).exponential(0.02, 400_000)
    margins = np.quantile(losses, [0.97, 0.98, 0.985, 0.99, 0.995, 0.998])
    costs = [m + np.mean(np.maximum(losses - m, 0.0)) / 0.01 for m in margins]
    assert int(np.argmin(costs)) == 3


def test_violation__too_many_breaches_or_too_far__forbidden(market) -> None:
    everything = range(2**40)
    rule = replace(Rule(), chain=ChainRules(rise=1.98, feedback=Feedback(most=1.0)))
    base = objective.run(market, rule, 0.99)
    low = objective.run(market, Setting(0.5, 0.0, 0.0, 0.05).on(rule), 0.99)
    assert objective.violation([market], [base], [base], everything, 0.99) == 0.0
    assert objective.violation([market], [low], [low], everything, 0.99) > 0.0
    dear = Outcome(1.3 * base.margin, base.cost, 0.0 * base.breaches)
    assert objective.violation([market], [dear], [base], everything, 0.99) == pytest.approx(0.1)
    jumpy = base.margin.copy()
    jumpy[-1] = 9.0 * np.nanmax(jumpy)
    bad = Outcome(jumpy, base.cost, 0.0 * base.breaches)
    assert objective.violation([market], [bad], [bad], everything, 0.99) > 5.0


def test_inside__every_point__within_a_fifth() -> None:
    for point in np.random.default_rng(2).uniform(-3, 3, (200, 4)):
        found = search.inside(START, point)
        assert abs(found.buffer - 1.0) <= 0.2 + 1e-12
        assert 0.0 <= found.stress_weight <= 0.05 + 1e-12
        assert 0.0 <= found.floor_weight <= 0.1 + 1e-12
        assert abs(found.calm - 0.25) <= 0.05 + 1e-12


def test_search__seeded__same_settings_and_never_a_forbidden_best() -> None:
    asked = []

    def evaluate(settings):
        asked.append(len(settings))
        return [
            search.Tried(s, (s.buffer - 1.1) ** 2, 1.0 if s.buffer > 1.12 else 0.0)
            for s in settings
        ]

    first = search.search(START, evaluate, 41, 3)
    again = search.search(START, evaluate, 41, 3)
    assert first == again
    assert first != search.search(START, evaluate, 41, 4)
    assert len(first) == 41 == 1 + 5 * search.GENERATION
    chosen = search.best(first)
    assert chosen.violation == 0.0
    assert chosen.setting.buffer == pytest.approx(1.1, abs=0.03)
    nothing = [search.Tried(START, 1.0, 0.5), search.Tried(replace(START, buffer=2.0), 0.1, 0.9)]
    assert search.best(nothing).setting == START


def test_improvement__noise_is_refused_and_a_real_fall_accepted(market) -> None:
    rng = np.random.default_rng(4)
    base = objective.run(market, Rule(), 0.99)
    noise = Outcome(
        base.margin, base.cost + 0.1 * rng.standard_normal(base.cost.size), base.breaches
    )
    better = Outcome(base.margin, noise.cost - 0.05, base.breaches)
    span = range(2**40)
    lucky = [
        accept.improvement([market], [noise], [base], span, np.random.default_rng(k)).accepted
        for k in range(5)
    ]
    found = accept.improvement([market], [better], [base], span, np.random.default_rng(0))
    assert not any(lucky)
    assert found.accepted
    assert found.low < 0.05 < found.high


def test_block_means__spread__of_correlated_days_is_wider_than_of_shuffled() -> None:
    rng = np.random.default_rng(5)
    steps = rng.standard_normal(2000)
    slow = np.convolve(steps, np.ones(10) / 10.0, mode="same")
    blocks = accept.block_means(slow, 30, 1000, rng).std()
    single = accept.block_means(slow, 1, 1000, rng).std()
    assert blocks > 2.0 * single
    assert accept.block_means(np.full(50, 3.0), 10, 5, rng) == pytest.approx(3.0)


def test_walk__validation_changed__search_unmoved(market) -> None:
    """What the search tries and picks depends on nothing from the days held back."""
    plan = Plan(folds=1, evaluations=9, validate_days=200)
    (one,) = walk([market], Rule(), plan, 1)
    bars = market.bars
    now = int(np.searchsorted(bars.ts, one.decided_at - 200 * 86_400))
    factor = np.where(np.arange(len(bars)) < now, 1.0, 2.0)
    wild = replace(bars, high=bars.high * factor, low=bars.low / factor)
    changed = objective.prepare("ONE", wild, 24, 0.99, Rule())
    (other,) = walk([changed], Rule(), plan, 1)
    assert other.candidate == one.candidate
    assert other.searched == pytest.approx(one.searched)


def test_optimise__command__report_counts_and_repeats(tmp_path) -> None:
    write(storms(22, 6 * 800, 4 * HOUR), tmp_path / "perp_4h" / "AAA.csv")
    arguments = ["--data", str(tmp_path), "--folds", "1", "--evaluations", "9", "--jobs", "1"]
    reports = []
    for name in ("one", "two"):
        out = tmp_path / "out" / name
        result = CliRunner().invoke(optimise, [*arguments, "--out", str(out)])
        assert result.exit_code == 0, result.output
        reports.append(json.loads((out / "report.json").read_text()))
    assert reports[0] == reports[1]
    (fold,) = reports[0]["folds"]
    assert reports[0]["models_tried"] == fold["tried"] == 9
    assert fold["accepted"] == (reports[0]["proposed"] != reports[0]["start"])
    better = fold["validated"] is not None and fold["validated"]["low"] > 0.0
    assert fold["accepted"] == (better and fold["broken"] == 0.0)


def test_optimise__too_short__one_sentence(tmp_path) -> None:
    write(storms(23, 900, 4 * HOUR), tmp_path / "perp_4h" / "AAA.csv")
    result = CliRunner().invoke(optimise, ["--data", str(tmp_path), "--out", str(tmp_path / "o")])
    assert result.exit_code == 1
    assert "days of margins are fewer than the 730" in result.output
    assert "Traceback" not in result.output
