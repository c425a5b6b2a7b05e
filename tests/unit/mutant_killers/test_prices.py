"""Guards of reports, clocks of pushes, funding."""

from __future__ import annotations

from oracle.engine.units import HOUR, PPM, WAD
from tests.stateful.actions import Actions
from tests.stateful.stage import PERIOD, SETTINGS, Stage

TRADER = 2


def mark(stage: Stage, market: int = 0) -> int:
    return int(stage.engine.call("quote", market)[0])


def test_confirmed_jump__is_the_nearer_of_the_two(stage: Stage, do: Actions) -> None:
    do.next_grid()
    stage.report({0: 80 * WAD})
    assert mark(stage) == 100 * WAD
    stage.advance(SETTINGS.price_rules.confirm_delay)
    do.next_grid()
    stage.report({0: 70 * WAD})
    assert mark(stage) == 80 * WAD


def test_held_jump__counts_at_the_worse_price_for_initial_margin(stage: Stage, do: Actions) -> None:
    do.next_grid()
    stage.report({0: 80 * WAD})
    long = stage.engine.call("assess", 0, 0, 0, [(0, WAD, 0, 0)], [])
    short = stage.engine.call("assess", 0, 0, 0, [(0, -WAD, 0, 0)], [])
    assert long[0] == 80 * WAD
    assert short[0] == -100 * WAD
    kept = stage.engine.call("assess", 2, 0, 0, [(0, WAD, 0, 0)], [])
    assert kept[:2] == (100 * WAD, 0)


def test_second_report_in_a_block__is_skipped(stage: Stage, do: Actions) -> None:
    stage.advance(2 * PERIOD - stage.time % PERIOD)
    stage.report({0: 101 * WAD}, observed=stage.time - PERIOD)
    stage.report({0: 102 * WAD})
    assert mark(stage) == 101 * WAD


def test_move_above_maintenance__bars_opening_and_outflow(stage: Stage, do: Actions) -> None:
    do.next_grid()
    stage.report({0: 105 * WAD})
    trader = stage.accounts[TRADER]
    assert not stage.trade(trader, do.backer, 0, WAD, mark(stage)).ok
    assert stage.withdraw(trader, 255, 1).reason == "settling"


def test_funding__positive_premium__is_paid_by_longs(stage: Stage, do: Actions) -> None:
    do.next_grid()
    stage.report({0: 100 * WAD}, premium=80_000)
    before = stage.engine.call("assess", 2, 0, 0, [(0, WAD, 0, 0)], [])[0]
    stage.advance(100)
    after = stage.engine.call("assess", 2, 0, 0, [(0, WAD, 0, 0)], [])[0]
    assert before - after == 100 * WAD * (80_000 * 125 // 36) * 100 // 10**11


def test_repeated_push__keeps_the_clock(stage: Stage, do: Actions) -> None:
    step = SETTINGS.push_rules.step_up
    push(stage, step)
    stage.advance(300)
    before = stage.engine.call("severity_now", 0)
    push(stage, step)
    assert stage.engine.call("severity_now", 0)[0] >= before[0] > 0
    stage.advance(HOUR)
    assert stage.engine.call("severity_now", 0)[0] == step


def test_push__one_above_the_step__is_refused(stage: Stage, do: Actions) -> None:
    stage.advance(60)
    line = stage.model.engine.asset(0).line
    over = (0, line.severity + SETTINGS.push_rules.step_up + 1, PPM, line.pushed)
    assert stage.push([over]).reason == "out of bounds"


def test_push__at_its_own_block__moves_no_maintenance_margin(stage: Stage, do: Actions) -> None:
    before = stage.engine.call("tier_requirement", 0, 5_000 * WAD, 2)
    push(stage, SETTINGS.push_rules.step_up, -SETTINGS.push_rules.depth_fall)
    assert stage.engine.call("tier_requirement", 0, 5_000 * WAD, 2) == before
    assert stage.engine.call("tier_requirement", 0, 5_000 * WAD, 0) > before


def test_new_table__at_its_own_block__moves_no_maintenance_margin(
    stage: Stage, do: Actions
) -> None:
    from tests.stateful.stage import LATER_ROWS

    before = stage.engine.call("tier_requirement", 0, 5_000 * WAD, 2)
    assert stage.set_schedule(0, LATER_ROWS).ok
    assert stage.engine.call("tier_requirement", 0, 5_000 * WAD, 2) == before


def push(stage: Stage, severity: int, deeper: int = 0) -> None:
    line = stage.model.engine.asset(0).line
    stage.advance(max(0, line.pushed + SETTINGS.push_rules.min_delay - stage.time))
    assert stage.push([(0, severity, line.depth + deeper, line.pushed)]).ok
