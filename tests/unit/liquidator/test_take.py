"""Step 1: who may be taken from, how much, at what price."""

from __future__ import annotations

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .stage import (
    AFTERMATH,
    D_MAX,
    D_MIN,
    DURATION,
    F_INS,
    MARK,
    MAX_PRICE,
    PPM,
    REDUCE_ONLY,
    UNKNOWN,
    USD,
    WAD,
    Stage,
    div_up,
)

DOWN = 940 * USD  # a long of 10 opened at 1000 with $1000 then has E 400, MM 470
UP = 1_055 * USD


def short_of_margin(stage: Stage, size: int = 10 * WAD) -> int:
    """A trader's account with E between 2/3 MM and MM."""
    account = stage.trader_with(size, 1_000)
    stage.engine.set_mark(0, DOWN if size > 0 else UP)
    return account


@pytest.mark.parametrize("above", [0, 1, 2])
def test_take__equity_at_or_above_mm__reverts(stage: Stage, above: int) -> None:
    account = short_of_margin(stage)
    stage.shift_to(account, stage.margin(account)[1] + above)
    with boa.reverts("not liquidatable"):
        stage.take(account, WAD)


@pytest.mark.parametrize("below", [1, 2])
def test_take__equity_a_wei_below_mm__takes(stage: Stage, below: int) -> None:
    account = short_of_margin(stage)
    stage.shift_to(account, stage.margin(account)[1] - below)
    assert stage.take(account, 10 * WAD) > 0


@pytest.mark.parametrize(("above", "allowed"), [(-2, False), (-1, False), (0, True), (1, True)])
def test_take__around_two_thirds_of_mm(stage: Stage, above: int, allowed: bool) -> None:
    account = short_of_margin(stage)
    stage.shift_to(account, div_up(2 * stage.margin(account)[1], 3) + above)
    if allowed:
        assert stage.take(account, 10 * WAD) > 0
    else:
        with boa.reverts("backstop"):
            stage.take(account, WAD)


def test_take__auction_over__reverts(stage: Stage) -> None:
    account = short_of_margin(stage)
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=DURATION)
    with boa.reverts("backstop"):
        stage.take(account, WAD)


@pytest.mark.parametrize("elapsed", [0, 1, 299, 599])
@pytest.mark.parametrize("size", [10 * WAD, -10 * WAD])
def test_take__price_and_fee__to_the_wei(stage: Stage, elapsed: int, size: int) -> None:
    account = short_of_margin(stage, size)
    mark = DOWN if size > 0 else UP
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=elapsed)
    cash, taker_cash = stage.cash(account), stage.cash(stage.taker)

    taken = stage.take(account, WAD)
    logs = stage.liquidator.get_logs()
    (event,) = [log for log in logs if type(log).__name__ == "TakenOver"]

    share = D_MIN + (D_MAX - D_MIN) * elapsed // DURATION
    discount = 10_000 * share // PPM
    fee = div_up(div_up(taken * mark, WAD) * (10_000 * F_INS // PPM), PPM)
    if size > 0:
        price = div_up(mark * (PPM - discount), PPM)
        realised = taken * price // WAD - div_up(taken * MARK, WAD)
    else:
        price = mark * (PPM + discount) // PPM
        realised = -div_up(taken * price, WAD) + taken * MARK // WAD
    assert stage.cash(account) == cash + realised - fee
    assert stage.cash(stage.taker) == taker_cash
    assert stage.fees(0) == fee
    assert stage.size(stage.taker) == (taken if size > 0 else -taken)
    assert (event.account, event.taker, event.market) == (account, stage.taker, 0)
    assert (event.size, event.price) == (stage.size(stage.taker), price)
    assert (event.fee, event.payment) == (fee, 0)


def test_take__more_than_allowed__is_cut_to_q_star(stage: Stage) -> None:
    account = short_of_margin(stage)
    terms = stage.liquidator.terms(account, 0)
    assert stage.take(account, 2**200) == terms.most
    equity, mm = stage.margin(account)
    assert 4 * equity >= 5 * mm, "restored"
    assert 4 * (equity - USD) < 5 * mm, "and hardly more"


def test_take__second_time_after_restored__reverts(stage: Stage) -> None:
    account = short_of_margin(stage)
    stage.take(account, 2**200)
    with boa.reverts("not liquidatable"):
        stage.take(account, WAD)


def test_take__least_size__a_tenth_of_q_star(stage: Stage) -> None:
    account = short_of_margin(stage)
    terms = stage.liquidator.terms(account, 0)
    assert terms.least == div_up(terms.most, 10)
    with boa.reverts("size too small"):
        stage.take(account, terms.least - 1)
    assert stage.take(account, terms.least) == terms.least


def test_take__least_size__not_below_the_minimum(stage: Stage) -> None:
    stage.set_market(0, min_size=2 * WAD)
    account = short_of_margin(stage)
    assert stage.liquidator.terms(account, 0).least == 2 * WAD
    with boa.reverts("size too small"):
        stage.take(account, 2 * WAD - 1)
    stage.take(account, 2 * WAD)


def test_take__q_star_below_the_minimum__exactly_q_star(stage: Stage) -> None:
    stage.set_market(0, min_size=3 * WAD)
    account = short_of_margin(stage)
    stage.shift_to(account, stage.margin(account)[1] - 1)
    terms = stage.liquidator.terms(account, 0)
    assert terms.least == terms.most < 3 * WAD
    assert stage.take(account, 10 * WAD) == terms.most


def test_take__dust_would_remain__whole_leg_goes(stage: Stage) -> None:
    stage.set_market(0, min_size=7 * WAD)
    account = short_of_margin(stage)  # q* is about 3.4 of 10
    assert stage.liquidator.terms(account, 0).most == 10 * WAD
    with boa.reverts("size too small"):
        stage.take(account, 8 * WAD)
    assert stage.take(account, 10 * WAD) == 10 * WAD
    assert stage.size(account) == 0


@pytest.mark.parametrize("size", [10 * WAD, -10 * WAD])
def test_take__limit_price(stage: Stage, size: int) -> None:
    account = short_of_margin(stage, size)
    price = stage.liquidator.terms(account, 0).price
    worse = 1 if size < 0 else -1
    with boa.reverts("price limit"):
        stage.take(account, WAD, limit=price + worse)
    stage.take(account, WAD, limit=price)


def test_take__not_the_takers_owner__reverts(stage: Stage) -> None:
    account = short_of_margin(stage)
    with boa.reverts("not owner"):
        stage.liquidator.take(
            account, 0, WAD, stage.taker, MAX_PRICE, sender=stage.owners["stranger"]
        )


def test_take__into_the_same_account__reverts(stage: Stage) -> None:
    account = short_of_margin(stage)
    with boa.reverts("same account"):
        stage.liquidator.take(account, 0, WAD, account, MAX_PRICE, sender=stage.owners["trader"])


def test_take__no_leg_in_the_market__reverts(stage: Stage) -> None:
    account = short_of_margin(stage)
    with boa.reverts("no position"):
        stage.take(account, WAD, market=1, limit=MAX_PRICE)


def test_take__taker_without_margin__reverts(stage: Stage) -> None:
    account = short_of_margin(stage)
    poor = stage.account("liquidator", cash=1)
    with boa.reverts("initial margin"):
        stage.liquidator.take(account, 0, WAD, poor, MAX_PRICE, sender=stage.owners["liquidator"])


def test_take__own_other_subaccount__costs_the_fee(stage: Stage) -> None:
    """LIQ-1: the owner who liquidates himself pays f_ins, and nobody else pays anything."""
    account = short_of_margin(stage)
    other = stage.account("trader", cash=100_000)
    before = stage.margin(account)[0] + stage.margin(other)[0]
    fees, maker = stage.fees(0), stage.margin(stage.maker)
    stage.liquidator.take(account, 0, 2**200, other, MAX_PRICE, sender=stage.owners["trader"])
    after = stage.margin(account)[0] + stage.margin(other)[0]
    fee = stage.fees(0) - fees
    assert fee > 0
    assert before - fee - 2 <= after <= before - fee
    assert stage.margin(stage.maker) == maker


def test_take__unknown_price__reverts(stage: Stage) -> None:
    account = short_of_margin(stage)
    stage.engine.set_state(0, UNKNOWN)
    stage.shift_to(account, -1)  # short although the leg asks no MM
    with boa.reverts():
        stage.take(account, WAD)


def test_take__another_leg_unknown__live_leg_may_be_taken(stage: Stage) -> None:
    """A frozen dust leg is no immunity."""
    account = stage.trader_with(10 * WAD, 1_020)
    stage.trade(account, stage.maker, WAD // 5, market=1)
    stage.engine.set_mark(0, DOWN)
    stage.engine.set_state(1, UNKNOWN)
    assert stage.take(account, 2**200) > 0
    with boa.reverts("not liquidatable"):
        stage.take(account, WAD, market=1, limit=MAX_PRICE)


@pytest.mark.parametrize("state", [AFTERMATH, REDUCE_ONLY])
def test_take__settling_or_reduce_only__takes(stage: Stage, state: int) -> None:
    account = short_of_margin(stage)
    stage.engine.set_state(0, state)
    assert stage.take(account, 2**200) > 0


def test_take__paused__reverts(stage: Stage) -> None:
    account = short_of_margin(stage)
    stage.engine.set_clock(True, 0, 0)
    with boa.reverts("paused"):
        stage.take(account, WAD)
    with boa.reverts("paused"):
        stage.liquidator.poke(account)


def test_take__rates_the_setter_could_not_foresee__postcondition_refuses(stage: Stage) -> None:
    """Were the discount above what MM frees, the take would worsen E/MM: it must not pass."""
    stage.set_market(0, mm=50_000, calm_mmr=140_000)
    account = short_of_margin(stage)
    stage.liquidator.poke(account)
    boa.env.time_travel(seconds=DURATION - 1)
    with boa.reverts("not improved"):
        stage.take(account, 2**200)


def test_take__in_a_loop__every_take_improves(stage: Stage) -> None:
    """LIQ-3: partial takes improve E/MM until the account is restored, and end."""
    account = short_of_margin(stage)
    stage.shift_to(account, div_up(2 * stage.margin(account)[1], 3))
    for _ in range(100):
        equity, mm = stage.margin(account)
        if equity >= mm:
            break
        stage.take(account, stage.liquidator.terms(account, 0).least)
        after, mm_after = stage.margin(account)
        assert after >= 0
        assert after * mm > equity * mm_after
    else:
        pytest.fail("never restored")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    size=st.integers(WAD // 5, 100 * WAD),
    is_long=st.booleans(),
    share=st.integers(0, 10**6),
    elapsed=st.integers(0, DURATION - 1),
    part=st.integers(0, 10**6),
)
def test_take__any_size_and_time__improves(
    stage: Stage, size: int, is_long: bool, share: int, elapsed: int, part: int
) -> None:
    with boa.env.anchor():
        account = stage.trader_with(size if is_long else -size, 20_000)
        mm = stage.margin(account)[1]
        low = div_up(2 * mm, 3)
        stage.shift_to(account, low + (mm - 1 - low) * share // 10**6)
        stage.liquidator.poke(account)
        boa.env.time_travel(seconds=elapsed)
        terms = stage.liquidator.terms(account, 0)
        wanted = terms.least + (terms.most - terms.least) * part // 10**6
        if 0 < abs(stage.size(account)) - wanted < WAD // 10:
            wanted = terms.most
        equity, mm = stage.margin(account)
        stage.take(account, wanted)
        after, mm_after = stage.margin(account)
        assert after >= 0
        assert after * mm >= equity * mm_after
        assert 4 * after <= 5 * mm_after + 8 * USD or stage.size(account) == 0
