"""The margin gate of a trade: E_im >= IM, or E' >= 0 and E'·MM >= E·MM' in a reduction."""

from __future__ import annotations

from collections.abc import Callable

import boa
import pytest

from tests.support.world import (
    BTC,
    CALM_IM,
    INITIAL,
    ISOLATED,
    UNIT,
    USD,
    WAD,
    World,
    fees,
    requirement,
)

PRICE = 20_000 * WAD


def largest(fits: Callable[[int], bool], high: int) -> int:
    """The largest integer up to high for which a falling condition holds."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def stressed_long(world: World, cash: int, price: int = 19_900 * WAD) -> tuple[int, int]:
    """Long 2 BTC from 20,000 with exactly that cash, and a rich account to trade with."""
    trader, other = world.open("trader", 10_000), world.open("other", 100_000)
    world.trade(trader, other, 2 * WAD)
    world.set_cash(trader, cash)
    world.drive(BTC, price)
    return trader, other


@pytest.mark.parametrize("is_maker", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("spare", [0, 1, -1])
def test_open__needs_initial_margin_after_the_fee(
    world: World, is_maker: bool, sign: int, spare: int
) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 100_000)
    size = 7 * WAD
    fee = fees(size, PRICE)[0 if is_maker else 1]
    world.set_cash(trader, requirement(size, PRICE, CALM_IM) + fee + spare)
    maker, taker = (trader, other) if is_maker else (other, trader)
    change = sign * size if is_maker else -sign * size

    def attempt() -> None:
        world.gateway.trade(maker, taker, BTC, change, PRICE, 0)

    if spare < 0:
        with boa.reverts("initial margin"):
            attempt()
    else:
        attempt()
        assert world.surplus(trader, INITIAL) == spare
        assert world.liquidator.state(trader) == 0, "open allowed implies not liquidatable"


@pytest.mark.parametrize("spare", [0, -1])
def test_open__off_the_mark__the_loss_counts_at_once(world: World, spare: int) -> None:
    """LIQ-20: what is paid above the mark is margined in the same trade."""
    trader, other = world.open("trader", 10_000), world.open("other", 100_000)
    price = 20_900 * WAD
    needed = 400 * USD + 900 * USD + fees(WAD, price)[0]
    world.set_cash(trader, needed + spare)
    if spare < 0:
        with boa.reverts("initial margin"):
            world.trade(trader, other, WAD, price=price)
    else:
        world.trade(trader, other, WAD, price=price)


def test_open__profit_of_another_leg__counts_for_margin(world: World) -> None:
    trader, other = world.open("trader", 500), world.open("other", 100_000)
    world.trade(trader, other, WAD)
    world.drive(BTC, 20_400 * WAD)
    world.trade(trader, other, WAD)
    assert world.size(trader) == 2 * WAD


def test_flip__needs_initial_margin_for_the_new_side(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 100_000)
    world.trade(trader, other, 2 * WAD)
    fee = fees(5 * WAD, PRICE)[1]
    needed = requirement(3 * WAD, PRICE, CALM_IM) + fee
    assert needed < requirement(2 * WAD, PRICE, CALM_IM) + 500 * USD
    world.set_cash(trader, needed - 1)
    with boa.reverts("initial margin"):
        world.trade(other, trader, 5 * WAD)
    world.set_cash(trader, needed)
    world.trade(other, trader, 5 * WAD)
    assert world.size(trader) == -3 * WAD


def test_flip__smaller_than_before__is_no_reduction(world: World) -> None:
    """Through zero new risk opens: a called account may close, not turn."""
    trader, other = stressed_long(world, 900 * USD)
    assert world.surplus(trader) > 0 > world.surplus(trader, INITIAL)
    with world.as_owner_of(trader):
        world.ledger.configure(trader, 1, 1_000_000)
    with boa.reverts("initial margin"):
        world.trade(other, trader, 2 * WAD + WAD // 2)
    world.trade(other, trader, 2 * WAD)


def test_reduce__by_a_called_account__to_the_wei_of_the_condition(world: World) -> None:
    """E = 700, halving the position: what it pays below the mark may not exceed E/2."""
    trader, other = stressed_long(world, 900 * USD)
    equity = world.health(trader).equity
    assert equity == 700 * USD
    mark = 19_900 * WAD

    def fits(below: int) -> bool:
        return 2 * (equity - below - fees(WAD, mark - below)[1]) >= equity

    below = largest(fits, 400 * USD)
    with boa.env.anchor():
        world.trade(other, trader, WAD, price=mark - below)
        after = world.health(trader)
        assert after.equity - equity // 2 in (0, 1)
        assert after.equity < world.health(trader, INITIAL).requirement
    with boa.reverts("margin"):
        world.trade(other, trader, WAD, price=mark - below - 1)


def test_reduce__of_a_short__to_the_wei_of_the_condition(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 100_000)
    world.trade(other, trader, 2 * WAD)
    world.set_cash(trader, 900 * USD)
    world.drive(BTC, 20_100 * WAD)
    equity, mark = world.health(trader).equity, 20_100 * WAD
    assert equity == 700 * USD

    def fits(above: int) -> bool:
        return 2 * (equity - above - fees(WAD, mark + above)[0]) >= equity

    above = largest(fits, 400 * USD)
    with boa.env.anchor():
        world.trade(trader, other, WAD, price=mark + above)
    with boa.reverts("margin"):
        world.trade(trader, other, WAD, price=mark + above + 1)


def test_close__whole__down_to_no_equity_at_all(world: World) -> None:
    """MM' = 0: E' >= 0 is what is left of the condition."""
    trader, other = stressed_long(world, 900 * USD)
    equity, mark = world.health(trader).equity, 19_900 * WAD

    def left(below: int) -> int:
        return equity - 2 * below - fees(2 * WAD, mark - below)[1]

    below = largest(lambda b: left(b) >= 0, 500 * USD)
    with boa.env.anchor():
        world.trade(other, trader, 2 * WAD, price=mark - below)
        assert world.cash(trader) == left(below) in (0, 1, 2)
    with boa.reverts("margin"):
        world.trade(other, trader, 2 * WAD, price=mark - below - 1)


def test_reduce__by_a_liquidatable_account__is_allowed(world: World) -> None:
    trader, other = stressed_long(world, 900 * USD, price=19_700 * WAD)
    assert world.surplus(trader) < 0 < world.health(trader).equity
    world.trade(other, trader, WAD)
    assert world.surplus(trader) > 0


def test_reduce__by_a_liquidatable_account__a_wei_is_refused_where_fees_make_it_worse(
    world: World,
) -> None:
    """At E/MM small a fee can cost more margin than the size frees."""
    trader, other = stressed_long(world, 813 * USD, price=19_600 * WAD)
    before = world.health(trader)
    assert 0 < before.equity < before.requirement // 20
    with boa.reverts("margin"):
        world.trade(other, trader, WAD)


@pytest.mark.parametrize("equity", [0, -1])
def test_reduce__without_equity__reverts(world: World, equity: int) -> None:
    """An account with E < 0 cannot trade; at E = 0 the fee alone makes it negative."""
    trader, other = stressed_long(world, 900 * USD, price=19_600 * WAD)
    world.transfer(world.bank(), trader, 1 * USD)
    lacking = world.health(trader).equity
    assert lacking == 101 * USD
    world.drive(BTC, 19_549_500_000_000_000_000_000)
    if equity:
        world.drive(BTC, world.mark(BTC) - 1)
    assert world.health(trader).equity == (2 * equity if equity else 0)
    with boa.reverts("margin"):
        world.trade(other, trader, WAD)
    with boa.reverts("margin"):
        world.trade(other, trader, 2 * WAD)


def test_reduce__with_zero_fees_and_no_equity__is_allowed_at_the_mark(world: World) -> None:
    world.set_config(BTC, maker_fee=0, taker_fee=0)
    trader, other = stressed_long(world, 800 * USD, price=19_600 * WAD)
    assert world.health(trader).equity == 0
    world.trade(other, trader, WAD)
    with boa.reverts("margin"):
        world.trade(other, trader, WAD, price=19_600 * WAD - 1)
    world.trade(other, trader, WAD)
    assert world.cash(trader) == 0


def test_open__by_a_called_account__reverts_in_any_market(world: World) -> None:
    trader, other = stressed_long(world, 900 * USD)
    with boa.reverts("initial margin"):
        world.trade(trader, other, 10**15)
    with boa.reverts("initial margin"):
        world.trade(trader, other, 10**15, market=1)
    with boa.reverts("initial margin"):
        world.trade(other, trader, 10**15, market=1)


def test_reduce__flag__refuses_opens_increases_and_flips(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    for flags in (1, 3):
        with boa.reverts("reduce only"):
            world.trade(trader, other, WAD // 10, reduce=flags)
    with boa.reverts("reduce only"):
        world.trade(trader, other, WAD // 10, reduce=2)
    world.trade(trader, other, WAD // 10)
    with boa.reverts("reduce only"):
        world.trade(trader, other, WAD // 10, reduce=1)
    with boa.reverts("reduce only"):
        world.trade(other, trader, WAD // 5, reduce=2)
    world.trade(other, trader, WAD // 10, reduce=3)
    assert world.size(trader) == 0


def test_reduce__flag_of_the_other_side__does_not_bind(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    third = world.open("third", 10_000)
    world.trade(trader, other, WAD // 10)
    world.trade(third, trader, WAD // 10, reduce=2)
    assert (world.size(third), world.size(trader)) == (WAD // 10, 0)
    with boa.reverts("reduce only"):
        world.trade(trader, third, WAD // 10, reduce=1)


def test_trade__both_parties__pass_the_gate(world: World) -> None:
    """A poor taker stops the trade of a rich maker."""
    rich, poor = world.open("rich", 100_000), world.open("poor", 100)
    for maker, taker, size in ((rich, poor, WAD), (rich, poor, -WAD), (poor, rich, WAD)):
        with boa.reverts("initial margin"):
            world.gateway.trade(maker, taker, BTC, size, PRICE, 0)


def test_trade__isolated__counts_its_own_cash_only(world: World) -> None:
    bucket = world.open("owner", 300, mode=ISOLATED, sub=1)
    world.open("owner", 100_000)
    with boa.reverts("initial margin"):
        world.trade(bucket, world.open("other", 10_000), WAD)
    world.deposit(bucket, 104 * UNIT)
    world.trade(bucket, world.open("another", 10_000), WAD)


def test_trade__interest_due__counts_in_the_gate(world: World) -> None:
    """LIQ-17: interest is settled before the check."""
    debtor = world.make_debtor("debtor", 5_000 * USD, tokens=20)
    other = world.open("other", 100_000)
    with world.as_owner():
        world.ledger.set_interest_rate(10**27 // (365 * 86_400))
    # 4 % of N less 2,000 and the maker's fee of .02 %
    size = (world.surplus(debtor, INITIAL) + 2_000 * USD) * WAD // (804 * USD)
    assert size > 10 * WAD
    with boa.env.anchor():
        world.trade(debtor, other, size)
    world.refresh()
    with boa.reverts("initial margin"):
        world.trade(debtor, other, size)
    world.trade(debtor, other, size * 99 // 100)
