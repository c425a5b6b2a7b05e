"""The auction clock: when it starts, runs, stands still, ends and expires (FORMULAS 4)."""

from __future__ import annotations

import boa
import pytest

from .stage import (
    BACKSTOP,
    D_MAX,
    D_MIN,
    DURATION,
    HEALTHY,
    LIQUIDATABLE,
    MARK,
    TAIL,
    UNKNOWN,
    USD,
    WAD,
    Stage,
    div_up,
    events_of,
)


@pytest.fixture
def account(stage: Stage) -> int:
    """MM is 500 at the mark of 1000."""
    return stage.trader_with(10 * WAD, 1_000)


def clock(stage: Stage, account: int) -> tuple[bool, int]:
    running, elapsed, _ = stage.liquidator.auction(account)
    return bool(running), int(elapsed)


def start(stage: Stage, account: int) -> None:
    stage.shift_to(account, 499 * USD)
    stage.liquidator.poke(account)


def test_poke__equity_below_mm__starts(stage: Stage, account: int) -> None:
    stage.shift_to(account, 500 * USD - 1)
    assert stage.liquidator.poke(account) == LIQUIDATABLE
    assert [type(e).__name__ for e in events_of(stage.liquidator)] == ["AuctionStarted"]
    boa.env.time_travel(seconds=7)
    assert clock(stage, account) == (True, 7)


def test_poke__equity_at_mm__does_not_start(stage: Stage, account: int) -> None:
    stage.shift_to(account, 500 * USD)
    stage.liquidator.poke(account)
    assert events_of(stage.liquidator) == []
    assert clock(stage, account) == (False, 0)


def test_poke__repeated__starts_once(stage: Stage, account: int) -> None:
    start(stage, account)
    for _ in range(5):
        boa.env.time_travel(seconds=50)
        stage.liquidator.poke(account)
        assert events_of(stage.liquidator) == []
    assert clock(stage, account) == (True, 250)


def test_clock__never_touched__starts_at_the_first_call_not_at_the_crossing(
    stage: Stage, account: int
) -> None:
    stage.shift_to(account, 499 * USD)
    boa.env.time_travel(seconds=10_000)
    assert clock(stage, account) == (True, 0)
    assert stage.state(account) == LIQUIDATABLE


@pytest.mark.parametrize("equity", [500 * USD, 625 * USD - 1])
def test_clock__between_mm_and_restored__kept(stage: Stage, account: int, equity: int) -> None:
    start(stage, account)
    boa.env.time_travel(seconds=100)
    stage.shift_to(account, equity)
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=100)
    stage.shift_to(account, 499 * USD)
    assert clock(stage, account) == (True, 200)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_clock__restored__ends(stage: Stage, account: int, above: int) -> None:
    start(stage, account)
    stage.shift_to(account, 625 * USD + above)
    stage.liquidator.poke(account)
    assert [type(e).__name__ for e in events_of(stage.liquidator)] == ["AuctionEnded"]
    boa.env.time_travel(seconds=100)
    stage.shift_to(account, 499 * USD)
    assert clock(stage, account) == (True, 0)


def test_clock__partial_take__kept(stage: Stage, account: int) -> None:
    start(stage, account)
    boa.env.time_travel(seconds=100)
    stage.take(account, stage.liquidator.terms(account, 0).least)
    boa.env.time_travel(seconds=100)
    assert clock(stage, account) == (True, 200)


def test_clock__after_tail_with_equity_above_mm__expires(stage: Stage, account: int) -> None:
    start(stage, account)
    boa.env.time_travel(seconds=DURATION + TAIL - 1)
    stage.shift_to(account, 500 * USD)
    assert clock(stage, account) == (True, DURATION + TAIL - 1)
    boa.env.time_travel(seconds=1)
    assert clock(stage, account) == (False, 0)


def test_clock__after_tail_with_equity_below_mm__backstop(stage: Stage, account: int) -> None:
    start(stage, account)
    boa.env.time_travel(seconds=DURATION + TAIL + 1)
    assert stage.state(account) == BACKSTOP


def test_clock__seen_cured_and_short_again_after_tail__new_auction(
    stage: Stage, account: int
) -> None:
    start(stage, account)
    stage.shift_to(account, 501 * USD)
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=DURATION + TAIL)
    stage.shift_to(account, 499 * USD)
    assert stage.state(account) == LIQUIDATABLE
    assert clock(stage, account) == (True, 0)


def test_clock__seen_cured_and_short_again_before_tail__same_auction(
    stage: Stage, account: int
) -> None:
    start(stage, account)
    stage.shift_to(account, 501 * USD)
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=DURATION + TAIL - 1)
    stage.shift_to(account, 499 * USD)
    assert stage.state(account) == BACKSTOP


def test_clock__price_unknown__stands_still(stage: Stage, account: int) -> None:
    start(stage, account)
    boa.env.time_travel(seconds=100)
    stage.liquidator.poke(account)
    stage.engine.set_state(0, UNKNOWN)
    boa.env.time_travel(seconds=1_000)
    stage.liquidator.poke(account)  # a leg without MM looks restored, yet the auction does not end
    assert clock(stage, account) == (True, 100)
    boa.env.time_travel(seconds=1_000)
    stage.engine.set_state(0, 0)
    stage.engine.set_clock(False, 0, boa.env.evm.patch.timestamp)
    boa.env.time_travel(seconds=30)
    assert clock(stage, account) == (True, 130)


def test_clock__untouched_episode__time_before_its_end_does_not_count(
    stage: Stage, account: int
) -> None:
    start(stage, account)
    boa.env.time_travel(seconds=1_000)
    stage.engine.set_clock(False, 0, boa.env.evm.patch.timestamp)
    boa.env.time_travel(seconds=30)
    assert clock(stage, account) == (True, 30)


def test_clock__known_again_before_the_touch__touch_counts(stage: Stage, account: int) -> None:
    stage.engine.set_clock(False, 0, boa.env.evm.patch.timestamp - 50)
    start(stage, account)
    boa.env.time_travel(seconds=30)
    assert clock(stage, account) == (True, 30)


def test_clock__pause__does_not_count(stage: Stage, account: int) -> None:
    start(stage, account)
    boa.env.time_travel(seconds=5_000)
    stage.engine.set_clock(False, 4_900, 0)
    assert clock(stage, account) == (True, 100)


def test_auction__discount__linear_then_flat(stage: Stage, account: int) -> None:
    start(stage, account)
    for elapsed, share in [
        (0, D_MIN),
        (300, (D_MIN + D_MAX) // 2),
        (600, D_MAX),
        (5_000, D_MAX),
    ]:
        with boa.env.anchor():
            boa.env.time_travel(seconds=elapsed)
            assert stage.liquidator.auction(account)[2] == share


def test_state__thresholds(stage: Stage, account: int) -> None:
    mm = stage.margin(account)[1]
    two_thirds = div_up(2 * mm, 3)
    for equity, state in [
        (mm, HEALTHY),
        (mm - 1, LIQUIDATABLE),
        (two_thirds, LIQUIDATABLE),
        (two_thirds - 1, BACKSTOP),
        (0, BACKSTOP),
        (-1, 4),
    ]:
        stage.shift_to(account, equity)
        assert stage.state(account) == state, equity


def test_state__below_initial_margin__called(stage: Stage, account: int) -> None:
    stage.engine.set_mark(0, MARK - 1)
    assert stage.state(account) == 1


def test_state__paused__view_answers(stage: Stage, account: int) -> None:
    stage.engine.set_clock(True, 0, 0)
    assert stage.state(account) == HEALTHY
    assert clock(stage, account) == (False, 0)
