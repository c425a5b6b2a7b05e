"""The comparisons that docs/backtest.md reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from oracle.backtest.cells import PUSHED, Job, score_market
from oracle.backtest.checks import by_length, by_window, checks, keeper_asks
from oracle.backtest.data import coarser
from oracle.backtest.pipeline import hold
from oracle.feeds.bars import HOUR
from oracle.models.fhs import adverse_moves
from oracle.rule import Rule, RuleModel, VotePlan, asked_series
from tests.unit.backtest.market import storms, write

QUICK = Rule(memory_days=60, least_days=10, plan=VotePlan(first_days=5, every_days=20))


def test_by_length__hourly_and_cut_down__are_the_rows_of_the_backtest() -> None:
    bars = storms(31, 2600)
    found = by_length(bars, Rule(), 2**40)
    for name, each in (
        ("hourly pipeline", bars),
        ("four-hour bars, an hour after the push", coarser(bars, 4 * HOUR)),
    ):
        scored = score_market(Job("X", "perp", each, Rule(), (0.99,), fast=True))
        rows = [r for r in scored.rows if r.model == PUSHED and r.hours == 4]
        assert tuple(r.breaches for r in rows) == found[name].breaches
        assert {r.windows for r in rows} == {found[name].windows}
    strict = tuple(r.strict_breaches for r in rows)
    assert strict == found["four-hour bars, in the block of the push"].breaches


def test_by_window__keeper__asks_what_its_window_and_the_table_say() -> None:
    bars, model = storms(32, 3000), RuleModel(QUICK, window_days=60)
    held = hold(bars, adverse_moves(bars, 1), 1, 0.99, QUICK)
    since = int(bars.ts[2000])
    asked = keeper_asks(bars, model, held, since)
    assert np.all(asked[:2000] == -1)
    inside = [vote.time for vote in held.pushed.votes if since < vote.time <= int(bars.ts[-1])]
    first = int(np.searchsorted(bars.ts, inside[0]))
    table = held.pushed.votes[int(held.pushed.vote[first])]
    window = bars.slice(first - 60 * 24, first + 1)
    assert asked[first] == asked_series(window, model, table.calm[0], table.storm[0])[-2]
    backtest, keeper, ratio = by_window(bars, replace(model, window_days=4000), since)
    assert backtest.windows == keeper.windows == 1000
    assert keeper.average == pytest.approx(backtest.average, rel=0.05)
    assert np.all(np.abs(ratio - 1.0) < 0.5)


def test_checks__folder__told_in_lines(tmp_path) -> None:
    write(storms(33, 2600), tmp_path / "perp_1h" / "AAA.csv")
    arguments = ["--data", str(tmp_path), "--until", "2020-12-20"]
    result = CliRunner().invoke(checks, [*arguments, "--since", "2020-12-01"])
    assert result.exit_code == 0, result.output
    assert "four-hour bars, in the block of the push: " in result.output
    assert "AAA, an hour, " in result.output
    for more, message in (
        (["--since", "2031-01-01"], "Error: 0 windows of 1 hours are too few to compare."),
        (["--market", "BBB"], "no such hourly market is in the folder."),
    ):
        result = CliRunner().invoke(checks, [*arguments, *more])
        assert result.exit_code == 1
        assert message in result.output
