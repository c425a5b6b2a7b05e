"""The keeper runs the rule that the backtest scores: the same asks, tables and reports."""

from __future__ import annotations

import json
import time as clock
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from oracle.backtest.pipeline import hold, opens
from oracle.backtest.votes import Ballots
from oracle.calibrate import load_calibration
from oracle.calibration.derive import Derived, Terms, derive_market, derive_token
from oracle.calibration.history import History
from oracle.calibration.report import write
from oracle.daemon.live_config import Feeds
from oracle.feeds.bars import HOUR, Bars, load_bars
from oracle.feeds.scenario import DATA
from oracle.line import DAY, Vote
from oracle.models.fhs import adverse_moves
from oracle.models.tails import RiskError
from oracle.models.target import ask
from oracle.policy import marginal_rates
from oracle.risk import (
    MIXTURE,
    TAIL,
    CollateralEstimator,
    MarginEstimator,
    RuleEstimator,
    estimator_for,
)
from oracle.rule import Rule, RuleModel, VotePlan, rule_costs, rule_tails
from oracle.verify import (
    Before,
    Source,
    estimator_of,
    line_report,
    push_report,
    read_voted,
    verify_report,
)
from tests.unit.backtest.market import START, storms

QUICK = RuleModel(Rule(memory_days=40, least_days=10), window_days=60)
UNTIL = START + 2_000 * HOUR
BEFORE = Before(severity=100_000, depth=900_000, elapsed=3_600)


def _with_volume(bars: Bars) -> Bars:
    volume = np.full(len(bars), 1e6)
    return Bars(bars.ts, bars.open, bars.high, bars.low, bars.close, volume, bars.period)


@pytest.fixture(scope="module")
def market() -> Bars:
    return _with_volume(storms(11, 2_400))


@pytest.fixture(scope="module")
def derived(market: Bars) -> Derived:
    return derive_market(History("AAA", market, market, True), Terms(UNTIL, rule_model=QUICK))


@pytest.fixture(scope="module")
def estimator(derived: Derived) -> RuleEstimator:
    return RuleEstimator("AAA", derived.calibration, QUICK)


@pytest.fixture(scope="module")
def bitcoin() -> Bars:
    return load_bars(DATA / "mark_1h" / "BTC.csv.gz")


def _table(estimator: MarginEstimator, time: int) -> Vote:
    schedule = estimator.calibration.schedule
    return Vote(time, schedule.calm_mmr[:1], schedule.storm_mmr[:1])


# --- the same asks --------------------------------------------------------------------------------


def test_need__same_window__equals_the_series_of_the_backtest(
    market: Bars, estimator: RuleEstimator
) -> None:
    """One run of the backtest from the window's beginning, compared at times along it."""
    bars = market.slice(0, QUICK.window_bars)
    moves, table = adverse_moves(bars, 1), _table(estimator, int(bars.ts[0]))
    held = hold(bars, moves, 1, QUICK.level, QUICK.rule, [table])
    raw = ask(bars, moves, 1, QUICK.level, QUICK.rule).value_at_risk
    times, told = opens(bars), held.pushed.asked
    sampled = range(450, len(times), 37)
    found = [estimator.need(bars, int(times[i])) for i in sampled]
    assert found == [int(told[i]) for i in sampled]
    quantiles = [int(np.ceil(1e6 * raw[i])) for i in sampled]
    assert sum(a > b for a, b in zip(found, quantiles, strict=True)) > 3, "feedback never showed"
    assert np.any(told[450:] < np.ceil(1e6 * raw[450:])), "restraint never showed"


@pytest.mark.parametrize("back", [0, 5_001, 9_000])
def test_need__recorded_bitcoin__equals_the_backtest_of_its_window(
    bitcoin: Bars, back: int
) -> None:
    """With the published parameters, on windows that begin in the middle of the recording."""
    estimator = estimator_for(MIXTURE, "BTC", load_calibration("2026-02-05")["BTC"])
    time = int(bitcoin.ts[-1 - back]) + HOUR
    window = estimator.window(bitcoin, time)
    assert len(window) == RuleModel().window_bars < len(bitcoin.before(time))
    held = hold(
        window, adverse_moves(window, 1), 1, 0.99, Rule(), [_table(estimator, int(window.ts[0]))]
    )
    assert estimator.need(bitcoin, time) == held.pushed.asked[-1]


def test_model__defaults__are_the_rule_that_is_scored() -> None:
    assert RuleModel().rule == Rule()
    assert RuleModel().level == 0.99
    assert Feeds.model_fields["rule"].default == MIXTURE
    assert Terms(UNTIL).rule == MIXTURE
    costs = rule_costs()
    assert (costs.fee, costs.funding_per_hour, costs.impact) == (0.0, 0.0, 0.0)


def test_need__full_window__within_two_seconds(bitcoin: Bars) -> None:
    estimator = estimator_for(MIXTURE, "BTC", load_calibration("2026-02-05")["BTC"])
    time = int(bitcoin.ts[-1]) + HOUR
    began = clock.process_time()
    estimator.need(bitcoin, time)
    assert clock.process_time() - began < 2.0


def test_ask__bars_outside_the_window__change_nothing(
    market: Bars, estimator: RuleEstimator
) -> None:
    time = int(market.ts[2_100])
    inside = estimator.window(market, time)
    factor = np.where((market.ts >= inside.ts[0]) & (market.ts < time), 1.0, 1.7)
    columns = [factor * each for each in (market.open, market.high, market.low, market.close)]
    other = Bars(market.ts, *columns, market.volume, HOUR)
    assert estimator.ask(other, other, time) == estimator.ask(market, market, time)
    later = estimator.ask(market, market, time + HOUR)
    assert later.input_hash != estimator.ask(market, market, time).input_hash


def test_need__larger_sizes__what_their_bracket_was_made_from(
    market: Bars, estimator: RuleEstimator
) -> None:
    time, bounds = int(market.ts[2_100]), estimator.calibration.schedule.bounds
    window = estimator.window(market, time)
    smallest = ask(window, adverse_moves(window, 1), 1, QUICK.level, QUICK.rule).value_at_risk[-1]
    assert estimator.need(market, time, bounds[0]) == int(np.ceil(1e6 * smallest))
    needed = [estimator.need(market, time, bound) for bound in bounds]
    assert needed == sorted(needed)
    assert needed[-1] > needed[0]


def test_need__what_it_cannot_answer__one_sentence(market: Bars, estimator: RuleEstimator) -> None:
    with pytest.raises(RiskError, match=r"AAA: the 300 bars before .* 10 days of usable losses"):
        estimator.need(market.slice(0, 300), int(market.ts[300]))
    with pytest.raises(RiskError, match="is missing"):
        estimator.need(market, int(market.ts[-1]) + 5 * HOUR)
    four = storms(1, 400, 4 * HOUR)
    with pytest.raises(RiskError, match="hourly bars, got 360 of 14400 seconds"):
        replace(estimator, model=replace(QUICK, window_days=15)).need(
            four, int(four.ts[-1]) + 4 * HOUR
        )


def test_estimator_for__each_rule__its_class(derived: Derived, market: Bars) -> None:
    assert type(estimator_for(MIXTURE, "AAA", derived.calibration)) is RuleEstimator
    assert type(estimator_for(TAIL, "AAA", derived.calibration)) is MarginEstimator
    history = History("AAA", market, market, True)
    token = derive_token("TOK", history, Terms(UNTIL))
    assert token.rule == TAIL
    assert type(estimator_for(MIXTURE, "TOK", token.calibration)) is CollateralEstimator
    with pytest.raises(RiskError, match="no rule 'best', only mixture and tail"):
        estimator_for("best", "AAA", derived.calibration)  # type: ignore[arg-type]


# --- the same tables ------------------------------------------------------------------------------


def test_schedule__every_bracket__equals_the_vote_of_the_backtest(
    market: Bars, derived: Derived
) -> None:
    tails = rule_tails(market, QUICK)
    kept = derived.calibration
    rates = marginal_rates(tails, kept.schedule.bounds, kept.volume_per_hour, rule_costs())
    days = (UNTIL - int(tails.ts[0])) // DAY
    plan = replace(QUICK.rule.plan, first_days=days)
    late = Terms(int(tails.ts[0]) + days * DAY - HOUR, rule_model=QUICK)
    again = derive_market(History("AAA", market, market, True), late).calibration.schedule
    rates = marginal_rates(tails, again.bounds, kept.volume_per_hour, rule_costs())
    voted = Ballots.of(rates.T, tails.ts, plan).regular()[0]
    assert voted.time == late.until + HOUR  # votes see what was asked strictly before them
    assert again.calm_mmr == voted.calm
    assert again.storm_mmr == voted.storm
    assert {reason.calm_quantile for reason in derived.reasons} == {VotePlan().calm} == {0.25}
    assert derived.reasons[0].hours == 1.0


# --- the same reports -----------------------------------------------------------------------------


def test_verify__push_of_the_rule__equal_and_every_lie_found(
    market: Bars, estimator: RuleEstimator
) -> None:
    now = int(market.ts[2_200]) + 120
    line = line_report(7, estimator, estimator.ask(market, market, now), BEFORE)
    report = json.loads(json.dumps(push_report(now, [line])))
    assert report["lines"][0]["rule"] == MIXTURE
    assert estimator_of(report["lines"][0]) == estimator
    sources = {"AAA": Source(market, market)}
    assert verify_report(report, sources).equal
    for key, lie in (("rise", 3.0), ("rise_days", 2)):
        report["lines"][0]["model"]["rule"]["chain"][key] = lie
    report["lines"][0]["model"]["level"] = 0.95
    verdict = verify_report(report, sources)
    assert "AAA.need" in {check.name for check in verdict.checks if not check.equal}


def test_read_voted__calibration_of_the_rule__its_estimators(
    tmp_path: Path, market: Bars, derived: Derived
) -> None:
    history, terms = History("AAA", market, market, True), Terms(UNTIL, rule_model=QUICK)
    write(tmp_path, [derived, derive_token("TOK", history, terms)], terms)
    voted = read_voted(tmp_path / "report.json")
    assert voted["AAA"].estimator == RuleEstimator("AAA", derived.calibration, QUICK)
    assert type(voted["TOK"].estimator) is CollateralEstimator
    kept = json.loads((tmp_path / "report.json").read_text())
    assert [asset["rule"] for asset in kept["assets"]] == [MIXTURE, TAIL]
    assert RuleModel.from_dict(kept["terms"]["rule_model"]) == QUICK
    assert asdict(QUICK)["rule"]["plan"]["calm"] == 0.25
