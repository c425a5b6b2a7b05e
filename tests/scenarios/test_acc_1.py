"""ACC-1: reducing in parts comes to the same as closing at once; interest is what the rate says."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, UNIT, USD, WAD, World, fees

PRICE = 20_000 * WAD
SIZE = 3 * 10**18 + 1


@pytest.mark.parametrize("sign", [1, -1])
def test_reduce_in_three_parts__realises_what_one_close_does(world: World, sign: int) -> None:
    trader, other = world.open("trader", 50_000), world.open("other", 50_000)
    world.gateway.trade(trader, other, BTC, sign * SIZE, PRICE, 0)
    world.drive(BTC, 20_555 * WAD + 7)
    mark = world.mark(BTC)

    def close(size: int) -> None:
        world.gateway.trade(trader, other, BTC, -sign * size, mark, 0)

    with boa.env.anchor():
        close(SIZE)
        at_once = world.cash(trader)
    third = SIZE // 3
    paid = 0
    for size in (third, third, SIZE - 2 * third):
        position = world.position(trader)
        leverage = position.z * WAD // position.scaled
        close(size)
        paid += fees(size, mark)[0]
        left = world.position(trader)
        if left.scaled:
            assert abs(left.z * WAD // left.scaled - leverage) <= 1, "cost a unit stays"
    extra_fee = paid - fees(SIZE, mark)[0]
    assert 0 <= at_once - world.cash(trader) <= extra_fee + 3
    assert world.account(trader).markets == ()


def test_margin_freed_by_a_reduction__can_be_withdrawn(world: World) -> None:
    """Nothing of it is lost: deposit, open, reduce, close, and all but fees comes back."""
    trader, other = world.open("trader", 1_000), world.open("other", 50_000)
    world.trade(trader, other, 2 * WAD)
    with boa.reverts("initial margin"):
        world.withdraw(trader, 500 * UNIT)
    world.trade(other, trader, WAD)
    world.withdraw(trader, 500 * UNIT)
    world.trade(other, trader, WAD)
    paid = fees(2 * WAD, PRICE)[0] + 2 * fees(WAD, PRICE)[1]
    world.withdraw(trader, (500 * USD - paid) // 10**12)
    assert world.cash(trader) == 0
