"""Step 0: collateral sold to meet a debt."""

from __future__ import annotations

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .stage import DURATION, MAX_PRICE, PPM, UNKNOWN, USD, WAD, Stage, div_up, events_of

PRICE = 2_000 * USD
HAIRCUT = 100_000


@pytest.fixture
def account(stage: Stage) -> int:
    """Debt 900, collateral 1 WETH worth 1800 after haircut: E 900, MM 1720."""
    account = stage.account("trader", cash=500)
    stage.deposit_weth(account, WAD)
    stage.trade(account, stage.maker, 10 * WAD)
    stage.set_market(0, mark=860 * USD, mm=200_000, im=300_000)
    return account


def test_terms__debt_and_price(stage: Stage, account: int) -> None:
    terms = stage.liquidator.collateral_terms(account, 0)
    assert (terms.debt, terms.discount, terms.price) == (900 * USD, 0, PRICE)
    assert terms.most == div_up(900 * USD * WAD, PRICE)


def test_take_collateral__meets_the_debt_and_no_more(stage: Stage, account: int) -> None:
    cash, taker_cash = stage.cash(account), stage.cash(stage.taker)
    amount, payment = stage.take_weth(account, 2**200)
    assert amount == 45 * WAD // 100
    assert payment == 900 * USD
    assert stage.cash(account) == cash + payment
    assert stage.cash(stage.taker) == taker_cash - payment
    assert stage.weth_of(account) == WAD - amount
    assert stage.weth_of(stage.taker) == amount
    event = events_of(stage.liquidator)[-1]
    assert (event.taker, event.account, event.token) == (stage.taker, account, 0)
    assert (event.amount, event.payment) == (amount, payment)
    with boa.reverts("no debt"):
        stage.take_weth(account, 1)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    elapsed=st.integers(0, 3 * DURATION),
    amount=st.integers(10**6, WAD),
    price=st.integers(10**16, 9_000 * USD),
    haircut=st.integers(0, 900_000),
)
def test_take_collateral__any_time_and_price__payment_within_the_debt(
    stage: Stage, elapsed: int, amount: int, price: int, haircut: int
) -> None:
    with boa.env.anchor():
        account = stage.account("trader", cash=500)
        stage.deposit_weth(account, WAD)
        stage.engine.set_token(0, (10_000 * USD, 0, 0))
        stage.trade(account, stage.maker, 10 * WAD)
        stage.set_market(0, mark=860 * USD, mm=PPM, im=PPM)  # short at any price
        stage.engine.set_token(0, (price, haircut, 0))
        stage.liquidator.poke(account)
        boa.env.time_travel(seconds=elapsed)

        terms = stage.liquidator.collateral_terms(account, 0)
        equity = stage.margin(account)[0]
        sold, payment = stage.take_weth(account, amount)

        if elapsed < DURATION:
            discount = haircut * elapsed // DURATION
            assert discount < haircut or haircut == 0
        else:
            over = min(elapsed - DURATION, DURATION)
            discount = haircut + (PPM - haircut) * over // DURATION
        assert terms.discount == discount
        assert terms.price == div_up(price * (PPM - discount), PPM)
        assert sold == min(amount, terms.most)
        assert payment == div_up(sold * terms.price, WAD)
        assert payment <= terms.debt + div_up(terms.price, WAD)
        if discount <= haircut:
            assert stage.margin(account)[0] >= equity


def test_take_collateral__after_two_periods__free(stage: Stage, account: int) -> None:
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=2 * DURATION)
    assert stage.take_weth(account, 2**200) == (WAD, 0)
    assert stage.ledger.book(account).holdings == []


def test_take_collateral__equity_at_mm__reverts(stage: Stage, account: int) -> None:
    stage.shift_to(account, stage.margin(account)[1])
    with boa.reverts("not liquidatable"):
        stage.take_weth(account, WAD)


def test_take_collateral__in_the_backstop__still_sells(stage: Stage, account: int) -> None:
    stage.engine.set_token(0, (PRICE, PPM, 0))
    assert stage.state(account) == 4
    assert stage.take_weth(account, 2**200)[1] == 900 * USD


def test_take_collateral__price_unknown__waits(stage: Stage, account: int) -> None:
    for state in (UNKNOWN, 32):
        stage.engine.set_token(0, (PRICE, HAIRCUT, state))
        with boa.reverts("price unknown"):
            stage.take_weth(account, WAD)


def test_take_collateral__limit_price(stage: Stage, account: int) -> None:
    with boa.reverts("price limit"):
        stage.take_weth(account, WAD, limit=PRICE - 1)
    stage.take_weth(account, WAD, limit=PRICE)


def test_take_collateral__none_held__reverts(stage: Stage) -> None:
    account = stage.trader_with(10 * WAD, 1_000)
    stage.engine.set_mark(0, 850 * USD)
    with boa.reverts("no collateral"):
        stage.take_weth(account, WAD)


def test_take_collateral__not_the_takers_owner__reverts(stage: Stage, account: int) -> None:
    with boa.reverts("not owner"):
        stage.liquidator.take_collateral(
            account, 0, WAD, stage.taker, MAX_PRICE, sender=stage.owners["stranger"]
        )


def test_take_collateral__same_account__reverts(stage: Stage, account: int) -> None:
    with boa.reverts("same account"):
        stage.liquidator.take_collateral(
            account, 0, WAD, account, MAX_PRICE, sender=stage.owners["trader"]
        )


def test_take_collateral__taker_cannot_pay__reverts(stage: Stage, account: int) -> None:
    poor = stage.account("liquidator", cash=1)
    with boa.reverts("cash"):
        stage.liquidator.take_collateral(
            account, 0, WAD, poor, MAX_PRICE, sender=stage.owners["liquidator"]
        )


def test_take_collateral__paused__reverts(stage: Stage, account: int) -> None:
    stage.engine.set_clock(True, 0, 0)
    with boa.reverts("paused"):
        stage.take_weth(account, WAD)


def test_take_collateral__restores__clock_ends(stage: Stage, account: int) -> None:
    stage.liquidator.poke(account)
    stage.engine.set_token(0, (PRICE, 500_000, 0))  # E 100 before, 550 after selling for 900
    stage.set_market(0, mark=860 * USD, mm=50_000)  # MM 430
    assert stage.take_weth(account, 2**200) == (45 * WAD // 100, 900 * USD)
    assert stage.liquidator.auction(account)[0] is False
