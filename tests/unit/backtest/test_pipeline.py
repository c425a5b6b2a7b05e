"""The whole pipeline: no look-ahead in any column, any bars, any start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oracle.backtest.cells import PUSHED, Job, score_market
from oracle.backtest.challengers import HINDSIGHT, Question, answer_all, exchange_rate, volatilities
from oracle.backtest.pipeline import hold, hold_brackets
from oracle.backtest.votes import Ballots
from oracle.feeds.bars import HOUR, Bars
from oracle.line import DAY, EarlyVotes, Outcomes
from oracle.models.fhs import adverse_moves
from oracle.models.overlay import Overlay
from oracle.models.target import ask
from oracle.rule import Rule, VotePlan
from tests.unit.backtest.market import START, storms, waking, without

QUICK = Rule(memory_days=60, least_days=10, plan=VotePlan(first_days=5, every_days=20))
TEMPERED = replace(QUICK, overlay=Overlay(1.1, 0.25, 1.0), stress_days=30, floor_days=90)


def _tomorrow_changed(bars: Bars, now: int) -> Bars:
    """The same bars until `now`, wild ones after it."""
    factor = np.where(np.arange(len(bars)) < now, 1.0, 3.0)
    spread = np.where(np.arange(len(bars)) < now, 1.0, 2.0)
    high, low = bars.high * factor * spread, bars.low * factor / spread
    return Bars(bars.ts, bars.open * factor, high, low, bars.close * factor, None, bars.period)


@pytest.mark.parametrize("rule", [QUICK, TEMPERED], ids=["plain", "tempered"])
@pytest.mark.parametrize("horizon", [1, 4])
def test_hold__tomorrow_changed__nothing_until_today_changes(rule, horizon) -> None:
    bars, now = storms(1, 1500), 1200
    other = _tomorrow_changed(bars, now)
    columns = []
    for each in (bars, other):
        moves = adverse_moves(each, horizon)
        held = hold(each, moves, horizon, 0.99, rule)
        asked = held.asked
        columns.append(
            {
                "asked": asked.value_at_risk,
                "asked shortfall": asked.shortfall,
                "margin": held.margin,
                "shortfall": held.shortfall,
                "at open": held.at_open,
                "severity": held.pushed.severity,
                "vote": held.pushed.vote,
                "ramp": held.pushed.elapsed,
                "larger": hold_brackets(
                    each,
                    [asked, ask(each, adverse_moves(each, 24), 24, 0.99, rule)],
                    [horizon, 24],
                    Outcomes(moves, horizon, 0.01),
                    rule,
                )[1],
            }
        )
    for name, values in columns[0].items():
        # Entry `now` is for the bar that opens then: it knows bars up to now - 1.
        np.testing.assert_array_equal(values[: now + 1], columns[1][name][: now + 1], err_msg=name)
    assert np.any(columns[0]["margin"][now + 1 :] != columns[1]["margin"][now + 1 :])


@pytest.mark.parametrize(("horizon", "period"), [(1, HOUR), (4, HOUR), (1, 4 * HOUR)])
def test_hold__market_that_wakes__early_votes_look_at_nothing_to_come(horizon, period) -> None:
    rule = replace(QUICK, plan=VotePlan(first_days=5, every_days=200))
    bars, now = waking(1, 3000, 1500, 5.0, period), 2500
    cut = bars.slice(0, now)  # a shorter recording is another way not to know
    columns = []
    for each in (bars, _tomorrow_changed(bars, now), cut):
        moves = adverse_moves(each, horizon)
        held = hold(each, moves, horizon, 0.99, rule)
        pushed, end = held.pushed, bars.ts[now]
        tables = [(v.time, v.calm, v.storm) for v in pushed.votes if v.time <= end]
        columns.append((held.margin[: now + 1], pushed.severity[: now + 1], tables))
    never = replace(rule, chain=replace(rule.chain, early=EarlyVotes(saturated_days=15)))
    moves = adverse_moves(bars, horizon)
    in_turn = {vote.time for vote in hold(bars, moves, horizon, 0.99, never).pushed.votes}
    assert {time for time, _, _ in columns[0][2]} - in_turn  # one was called for, and in force
    for margin, severity, tables in columns[1:]:
        np.testing.assert_array_equal(margin, columns[0][0])
        np.testing.assert_array_equal(severity, columns[0][1])
        assert tables == columns[0][2]


def test_challengers__tomorrow_changed__nothing_until_today_changes() -> None:
    bars, now = storms(2, 2000), 1700
    answers = []
    for each in (bars, _tomorrow_changed(bars, now)):
        moves = adverse_moves(each, 4)
        question = Question("ETC", each, moves, 4, 0.99, volatilities(each, fast=False))
        answers.append(answer_all(question, fast=False))
    assert len(answers[0]) >= 15
    for name, asked in answers[0].items():
        for column in ("value_at_risk", "shortfall"):
            ours, theirs = getattr(asked, column), getattr(answers[1][name], column)
            if name == HINDSIGHT:
                assert ours[0] != theirs[0]
                continue
            np.testing.assert_array_equal(ours[: now + 1], theirs[: now + 1], err_msg=name)


def test_vote__uses_strictly_earlier_asks() -> None:
    plan = VotePlan(first_days=5, every_days=20)
    ts = START + HOUR * np.arange(2000, dtype=np.int64)
    rates = np.full((1, 2000), 0.02)
    first = Ballots.of(rates, ts, plan).regular()
    at = int(np.searchsorted(ts, first[1].time))
    rates[0, at:] = 0.5
    again = Ballots.of(rates, ts, plan).regular()
    assert again[:2] == first[:2]
    assert again[2].storm[0] > first[2].storm[0]
    assert first[0].calm == (20_000,)
    assert first[0].storm == (40_000,)  # doubled: the history is shorter than two years
    assert first[0].time == START + 5 * DAY


def test_ask__scale_of_the_market__scales_the_ask() -> None:
    bars = storms(3, 900)
    one = ask(bars, adverse_moves(bars, 1), 1, 0.99, QUICK).value_at_risk
    thousand = Bars(
        bars.ts, 1e3 * bars.open, 1e3 * bars.high, 1e3 * bars.low, 1e3 * bars.close, None, HOUR
    )
    again = ask(thousand, adverse_moves(thousand, 1), 1, 0.99, QUICK).value_at_risk
    np.testing.assert_allclose(one, again, rtol=1e-9)


def test_table__out_of_turn__from_asks_before_the_decision() -> None:
    ts = START + HOUR * np.arange(2000, dtype=np.int64)
    rates = np.full((1, 2000), 0.02)
    rates[0, 1000:] = 0.03
    ballots = Ballots.of(rates, ts, VotePlan())
    at, later = int(ts[1000]), int(ts[1048])
    assert ballots.table(at, later).storm == (40_000,)
    table = ballots.table(at + 1, later)
    assert (table.time, table.calm, table.storm) == (later, (20_000,), (60_000,))


def test_score_market__volatility_rises_for_good__covered_because_of_early_votes() -> None:
    """A calm year, then two of ten times its volatility: Basel-red with votes in turn alone."""
    bars = waking(1, 3 * 8760, 8760, 10.0)
    never = replace(Rule(), chain=replace(Rule().chain, early=EarlyVotes(saturated_days=15)))
    scored = {}
    for name, rule in (("early", Rule()), ("in turn", never)):
        rows = score_market(Job("WAKE", "perp", bars, rule, (0.99,), fast=True)).rows
        scored[name] = [r for r in rows if r.model == PUSHED]
    assert not any(r.too_many or r.zone == "red" for r in scored["early"])
    assert all(r.rise_5d <= 2.5 for r in scored["early"])
    assert {r.zone for r in scored["in turn"]} == {"red"}


def test_score_market__gap_and_short_history__scored_on_what_is_there() -> None:
    bars = without(storms(4, 2600), 1500, 1700)
    scored = score_market(Job("GAP", "perp", bars, Rule(), (0.99,), fast=True))
    rows = [r for r in scored.rows if r.model == PUSHED]
    assert {(r.side, r.hours) for r in rows} >= {("long", 1), ("short", 1), ("long", 4)}
    assert all(r.windows > 0 and 0.0 < r.average < 1.0 for r in rows)
    assert all(r.strict_breaches == r.breaches for r in rows)


def test_score_market__four_hour_bars__no_one_hour_cell() -> None:
    scored = score_market(Job("P", "perp", storms(5, 900, 4 * HOUR), Rule(), (0.99,), fast=True))
    assert {r.hours for r in scored.rows} == {4, 24}
    assert {b["hours"] for b in scored.brackets} == {4, 24}


def test_score_market__quiet_stablecoin_that_breaks__scored_without_a_fault() -> None:
    rng = np.random.default_rng(6)
    close = np.round(1.0 + 1e-4 * rng.integers(-1, 2, 2500), 4)
    close[2000:] = np.round(close[2000:] * 0.9, 4)
    opens = np.append(1.0, close[:-1])
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    ts = START + HOUR * np.arange(2500, dtype=np.int64)
    bars = Bars(ts, opens, high, low, close, None, HOUR)
    scored = score_market(Job("USDX", "spot", bars, Rule(), (0.99,), fast=True))
    (row,) = [r for r in scored.rows if (r.model, r.side, r.hours) == (PUSHED, "long", 1)]
    assert row.worst > 0.09
    assert row.average < 0.05


def test_score_market__crash_on_the_first_day_scored__one_breach_not_a_fault() -> None:
    bars = storms(7, 2200)
    crash = 69 * 24 + 5
    factor = np.where(np.arange(len(bars)) < crash, 1.0, 0.5)
    low = bars.low * factor
    low[crash] = bars.close[crash - 1] * 0.45
    high = bars.high * factor
    high[crash] = max(high[crash], bars.open[crash] * factor[crash])
    shaken = Bars(bars.ts, bars.open * factor, high, low, bars.close * factor, None, HOUR)
    scored = score_market(Job("CRASH", "perp", shaken, Rule(), (0.99,), fast=True))
    (row,) = [r for r in scored.rows if (r.model, r.side, r.hours) == (PUSHED, "long", 1)]
    assert row.worst > 0.3
    assert row.rise_5d <= 2.0


def test_score_market__too_short__says_so_in_one_sentence() -> None:
    scored = score_market(Job("NEW", "perp", storms(8, 300), Rule(), (0.99,), fast=True))
    assert not scored.rows
    assert scored.note.startswith("NEW 1h: ")
    assert scored.note.count(". ") == 0


@pytest.mark.parametrize(
    ("period", "count", "hours"),
    [(24 * HOUR, 100, {24}), (8 * HOUR, 500, {24}), (2 * HOUR, 1000, {4, 24})],
)
def test_score_market__other_bars_and_young_markets__scored(period, count, hours) -> None:
    bars = storms(10, count, period, 0.01)
    scored = score_market(Job("ODD", "perp", bars, Rule(), (0.99,), fast=False))
    assert {r.hours for r in scored.rows} <= hours
    assert 24 in {r.hours for r in scored.rows} or period < 24 * HOUR
    assert scored.rows


def test_score_market__price_that_never_moves__says_so() -> None:
    flat = np.ones(2500)
    ts = START + HOUR * np.arange(2500, dtype=np.int64)
    still = Bars(ts, flat, flat, flat, flat, None, HOUR)
    scored = score_market(Job("FLAT", "spot", still, Rule(), (0.99,), fast=True))
    assert not scored.rows
    assert "too few in which the price moved" in scored.note


def test_score_market__since__scores_later_windows_only_with_the_same_margins() -> None:
    bars = storms(9, 2600)
    job = Job("X", "perp", bars, Rule(), (0.99,), fast=True)
    since = int(bars.ts[2000])
    whole, late = score_market(job), score_market(replace(job, since=since))
    (first,) = [r for r in late.rows if (r.model, r.side, r.hours) == (PUSHED, "long", 1)]
    assert first.first == since
    picture, later = whole.pictures[1], late.pictures[1]
    np.testing.assert_array_equal(picture.margin[picture.ts >= since], later.margin)


def test_exchange_rate__progressive__equals_the_published_table() -> None:
    assert exchange_rate("BTC", 10_000) == pytest.approx(0.004)
    assert exchange_rate("BTC", 1_000_000) == pytest.approx(0.0057, abs=0.0005)
    assert exchange_rate("NO-SUCH-COIN", 1.0) is None
