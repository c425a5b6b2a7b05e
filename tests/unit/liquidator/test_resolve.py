"""Step 3: whom it accepts, what it closes, and who pays: D = sum of c + d."""

from __future__ import annotations

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .stage import (
    AFTERMATH,
    DURATION,
    MARK,
    MIN_DEFICIT,
    UNKNOWN,
    USD,
    WAD,
    Stage,
    div_up,
    events_of,
)


@pytest.fixture
def account(stage: Stage) -> int:
    """Long 10 at 1000 with $1000."""
    return stage.trader_with(10 * WAD, 1_000)


def names(stage: Stage) -> list[str]:
    return [type(e).__name__ for e in events_of(stage.liquidator)]


# --- whom ---


def test_resolve__healthy__says_so(stage: Stage, account: int) -> None:
    with boa.reverts("healthy"):
        stage.liquidator.resolve(account)


def test_resolve__empty_account__healthy(stage: Stage) -> None:
    with boa.reverts("healthy"):
        stage.liquidator.resolve(stage.account("trader"))


def test_resolve__called__says_so(stage: Stage, account: int) -> None:
    stage.engine.set_mark(0, MARK - 1)
    with boa.reverts("called"):
        stage.liquidator.resolve(account)


def test_resolve__auction_running__says_so(stage: Stage, account: int) -> None:
    stage.shift_to(account, 499 * USD)
    with boa.reverts("auction running"):
        stage.liquidator.resolve(account)
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=DURATION - 1)
    with boa.reverts("auction running"):
        stage.liquidator.resolve(account)


def test_resolve__auction_over__closes_at_mark(stage: Stage, account: int) -> None:
    stage.engine.set_mark(0, 940 * USD)
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=DURATION)
    stage.liquidator.resolve(account)
    assert stage.size(account) == 0
    assert stage.cash(account) == 400 * USD, "what is left stays with the trader"
    assert stage.liquidator.auction(account)[0] is False
    with boa.reverts("healthy"):
        stage.liquidator.resolve(account)


@pytest.mark.parametrize(("below", "allowed"), [(-1, False), (0, False), (1, True), (2, True)])
def test_resolve__around_two_thirds_of_mm(
    stage: Stage, account: int, below: int, allowed: bool
) -> None:
    stage.shift_to(account, div_up(2 * 500 * USD, 3) - below)
    if allowed:
        stage.liquidator.resolve(account)
        assert stage.size(account) == 0
    else:
        with boa.reverts("auction running"):
            stage.liquidator.resolve(account)


def test_resolve__paused__reverts(stage: Stage, account: int) -> None:
    stage.engine.set_mark(0, 800 * USD)
    stage.engine.set_clock(True, 0, 0)
    with boa.reverts("paused"):
        stage.liquidator.resolve(account)


def test_resolve__collateral_and_debt__collateral_first(stage: Stage) -> None:
    account = stage.account("trader", cash=500)
    stage.deposit_weth(account, WAD)
    stage.trade(account, stage.maker, 10 * WAD)
    stage.engine.set_mark(0, 800 * USD)
    stage.shift_to(account, -1)
    with boa.reverts("collateral first"):
        stage.liquidator.resolve(account)
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=2 * DURATION)
    stage.take_weth(account, 2**200)
    stage.liquidator.resolve(account)
    assert stage.cash(account) == 0


def test_resolve__collateral_but_no_debt__closes(stage: Stage) -> None:
    """Short by haircuts alone: step 0 has nothing to sell for, and closing leaves no hole."""
    account = stage.account("trader", cash=500)
    stage.deposit_weth(account, WAD)
    stage.trade(account, stage.maker, 10 * WAD)
    stage.set_market(0, mark=960 * USD, mm=500_000)
    with boa.reverts("no debt"):
        stage.take_weth(account, WAD)
    stage.liquidator.resolve(account)
    assert stage.size(account) == 0
    assert stage.cash(account) == 100 * USD
    assert stage.weth_of(account) == WAD


# --- who pays ---


def totals(stage: Stage) -> int:
    """Claims of everyone who trades here, at the mark."""
    return sum(stage.margin(a)[0] for a in (stage.maker, stage.taker))


@pytest.mark.parametrize("side", [1, -1])
def test_resolve__bankrupt__winners_are_charged_to_the_wei(stage: Stage, side: int) -> None:
    account = stage.trader_with(side * 10 * WAD, 1_000)
    mark = MARK - side * 150 * USD
    stage.engine.set_mark(0, mark)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, MARK, 2)
    before = stage.margin(stage.maker)[0]

    stage.liquidator.resolve(account)

    leg, result = events_of(stage.liquidator)[-2:]
    assert (leg.market, leg.size, leg.loss) == (0, side * 10 * WAD, 1_500 * USD)
    assert (leg.deficit, leg.insured, leg.charged) == (500 * USD, 0, 500 * USD)
    assert (result.cash, result.deficit) == (-500 * USD, 500 * USD)
    assert (result.insured, result.charged, result.socialised) == (0, 500 * USD, 0)
    assert stage.cash(account) == 0
    assert stage.custody.totals().deficit == 0
    assert before - 500 * USD - 10**12 <= stage.margin(stage.maker)[0] <= before - 500 * USD
    assert stage.size(stage.maker) == 0


def test_resolve__charge_bounded_by_what_winners_own__rest_socialised(stage: Stage) -> None:
    """No move since P_ref: winners at MM own calm MMR_0 of it, 1 % of 10,000."""
    account = stage.trader_with(10 * WAD, 1_000)
    stage.engine.set_mark(0, 850 * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, 850 * USD, 2)
    stage.liquidator.resolve(account)
    result = events_of(stage.liquidator)[-1]
    assert (result.deficit, result.charged) == (500 * USD, 85 * USD - 1)  # rounded down
    assert result.socialised == 415 * USD + 1
    assert stage.custody.totals().deficit == 415 * USD + 1


def test_resolve__adverse_move_since_reference__leaves_nothing_sure(stage: Stage) -> None:
    account = stage.trader_with(10 * WAD, 1_000)
    stage.engine.set_mark(0, 850 * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, 700 * USD, 2)  # since then the price rose, against the shorts
    stage.liquidator.resolve(account)
    assert events_of(stage.liquidator)[-1].charged == 0, (
        "7 a unit at 700, and 150 a unit lost since"
    )


def test_resolve__charged_before_in_the_round__counts(stage: Stage) -> None:
    first, second = (stage.trader_with(10 * WAD, 1_000) for _ in range(2))
    stage.engine.set_mark(0, 850 * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, 850 * USD, 2)
    stage.liquidator.resolve(first)
    assert events_of(stage.liquidator)[-1].charged == 170 * USD - 1  # 1 % of 20 at 850
    stage.liquidator.resolve(second)
    assert events_of(stage.liquidator)[-1].charged == 0  # all of it was taken from all of them


def test_resolve__new_round__charge_starts_anew(stage: Stage) -> None:
    first, second = (stage.trader_with(10 * WAD, 1_000) for _ in range(2))
    stage.engine.set_mark(0, 850 * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, 850 * USD, 2)
    stage.liquidator.resolve(first)
    stage.engine.set_reference(0, 850 * USD, 3)
    stage.liquidator.resolve(second)
    assert events_of(stage.liquidator)[-1].charged == 85 * USD - 1


def test_resolve__aftermath_begun_by_the_first__its_charge_counts_for_the_second(
    stage: Stage,
) -> None:
    """The aftermath takes P_ref anew at this very mark: both may not be charged in full."""
    first, second = (stage.trader_with(10 * WAD, 1_000) for _ in range(2))
    stage.engine.set_mark(0, 850 * USD)
    stage.liquidator.resolve(first)
    assert stage.engine.aftermaths(0) == 1
    assert events_of(stage.liquidator)[-1].charged == 170 * USD - 1
    stage.liquidator.resolve(second)
    assert events_of(stage.liquidator)[-1].charged == 0


@pytest.mark.parametrize(("over", "begun"), [(0, 0), (1, 1)])
def test_resolve__aftermath__only_above_the_minimum(stage: Stage, over: int, begun: int) -> None:
    account = stage.trader_with(WAD, 100)
    stage.engine.set_mark(0, MARK - 100 * USD - MIN_DEFICIT - over)
    stage.liquidator.resolve(account)
    assert events_of(stage.liquidator)[-1].deficit == MIN_DEFICIT + over
    assert stage.engine.aftermaths(0) == begun


def test_resolve__two_losing_markets__split_by_loss(stage: Stage) -> None:
    account = stage.account("trader", cash=3_000)
    stage.trade(account, stage.maker, 10 * WAD, market=0)
    stage.trade(account, stage.maker, -10 * WAD, market=1)
    stage.trade(account, stage.maker, 10 * WAD, market=2)
    stage.engine.set_mark(0, 800 * USD)  # loses 2000
    stage.engine.set_mark(1, 1_300 * USD)  # loses 3000
    stage.engine.set_mark(2, 1_001 * USD)  # wins 10
    for market in range(3):
        stage.engine.set_state(market, AFTERMATH)
        stage.engine.set_reference(market, MARK, 2)
    stage.liquidator.resolve(account)
    legs = {e.market: e for e in events_of(stage.liquidator) if type(e).__name__ == "LegResolved"}
    deficit = 1_990 * USD
    assert legs[0].deficit == deficit * 2 // 5
    assert legs[1].deficit == deficit - deficit * 2 // 5
    assert (legs[2].deficit, legs[2].charged, legs[2].loss) == (0, 0, 0)
    assert stage.size(stage.maker, 2) == 0, "a winning leg is deleveraged at mark, uncharged"
    assert stage.cash(account) == 0


def test_resolve__one_price_unknown__splits_what_is_missing_at_best(stage: Stage) -> None:
    """The frozen leg stays and counts at its better price: what is missing then is missing."""
    account = stage.account("trader", cash=2_000)
    stage.trade(account, stage.maker, 10 * WAD, market=0)
    stage.trade(account, stage.maker, WAD, market=1)
    stage.engine.set_mark(0, 700 * USD)
    stage.set_market(1, state=UNKNOWN, pending=1_300 * USD)
    stage.liquidator.resolve(account)
    assert (stage.size(account, 0), stage.size(account, 1)) == (0, WAD)
    result = events_of(stage.liquidator)[-1]
    assert (result.cash, result.deficit) == (-1_000 * USD, 700 * USD)
    assert result.charged + result.socialised == 700 * USD
    assert stage.cash(account) == -300 * USD
    assert stage.margin(account)[0] == 0


def test_resolve__only_frozen_legs__price_unknown(stage: Stage) -> None:
    account = stage.trader_with(10 * WAD, 1_000)
    stage.set_market(0, mark=800 * USD, state=UNKNOWN)
    with boa.reverts("price unknown"):
        stage.liquidator.resolve(account)


def test_resolve__flat_debtor__all_socialised(stage: Stage) -> None:
    """No leg, so no market to charge: a loss realised against collateral that then fell."""
    account = stage.account("trader", cash=500)
    stage.deposit_weth(account, WAD)
    stage.trade(account, stage.maker, 10 * WAD)
    stage.engine.set_mark(0, 900 * USD)
    stage.trade(account, stage.maker, -10 * WAD, price=900 * USD)
    stage.engine.set_token(0, (100 * USD, 100_000, 0))
    assert stage.take_weth(account, 2**200) == (WAD, 100 * USD)
    stage.liquidator.resolve(account)
    result = events_of(stage.liquidator)[-1]
    assert (result.deficit, result.charged, result.socialised) == (400 * USD, 0, 400 * USD)
    assert stage.cash(account) == 0


def test_resolve__position_of_an_ended_epoch__settled_first(stage: Stage) -> None:
    """Two longs, one short: resolving the short spends the shorts and ends both epochs."""
    longs = [stage.account("trader", cash=10_000) for _ in range(2)]
    short = stage.account("trader", cash=1_000)
    stage.trade(longs[0], short, 10 * WAD)
    stage.trade(longs[1], stage.maker, 4 * WAD, market=1)
    stage.engine.set_mark(0, 1_200 * USD)
    stage.liquidator.resolve(short)
    assert stage.ledger.book(longs[0]).legs == []
    assert stage.market_list(longs[0]) == 1
    stage.shift_to(longs[0], -1)
    stage.liquidator.resolve(longs[0])
    assert stage.market_list(longs[0]) == 0
    assert events_of(stage.liquidator)[-1].deficit == 0


def test_resolve__owner_is_a_contract_that_reverts__succeeds(stage: Stage) -> None:
    """LIQ-6: nothing is pushed to the owner, so whoever he is cannot stop it."""
    owner = stage.engine.address  # no receive function
    stage.owners["trader"] = owner
    account = stage.trader_with(10 * WAD, 1_000)
    stage.engine.set_mark(0, 940 * USD)
    stage.shift_to(account, 1)
    stage.liquidator.resolve(account)
    assert stage.cash(account) == 400 * USD


def test_resolve__twice__second_reverts(stage: Stage, account: int) -> None:
    """LIQ-13."""
    stage.engine.set_mark(0, 850 * USD)
    stage.liquidator.resolve(account)
    with boa.reverts("healthy"):
        stage.liquidator.resolve(account)
    stage.deposit(account, 2_000)
    stage.engine.set_state(0, 0)
    stage.trade(account, stage.maker, 10 * WAD, price=850 * USD)
    with boa.reverts("healthy"):
        stage.liquidator.resolve(account)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_resolve__random_books__deficit_is_paid_exactly(stage: Stage, data: st.DataObject) -> None:
    with boa.env.anchor():
        count = data.draw(st.integers(1, 5))
        account = stage.account("trader", cash=50_000)
        for market in range(count):
            size = data.draw(st.integers(WAD // 10, 100 * WAD)) * data.draw(
                st.sampled_from([1, -1])
            )
            stage.trade(account, stage.maker, size, market=market)
        for market in range(count):
            stage.engine.set_mark(market, data.draw(st.integers(500 * USD, 2_000 * USD)))
            if data.draw(st.booleans()):
                stage.engine.set_state(market, AFTERMATH)
                stage.engine.set_reference(market, data.draw(st.integers(USD, 3_000 * USD)), 2)
        equity = stage.margin(account)[0]
        if equity >= 0:
            stage.shift_to(account, -1)
        before = stage.custody.totals().deficit
        stage.liquidator.resolve(account)
        *legs, result = (
            e
            for e in events_of(stage.liquidator)
            if type(e).__name__ in ("LegResolved", "AccountResolved")
        )
        assert result.cash == equity, "closing at mark leaves exactly E"
        assert result.deficit == max(0, -equity)
        assert result.deficit == result.charged + result.socialised
        assert sum(leg.deficit for leg in legs) == result.deficit
        assert sum(leg.charged for leg in legs) == result.charged
        assert all(leg.charged <= min(leg.deficit, leg.loss) for leg in legs)
        assert stage.custody.totals().deficit == before + result.socialised
        assert stage.cash(account) == max(0, equity)
        assert stage.market_list(account) == 0
