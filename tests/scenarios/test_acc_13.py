"""ACC-13: the outflow limit holds on every path, whatever an asset is turned into before."""

from __future__ import annotations

from tests.support.world import SETTLEMENT, UNIT, USD, WAD, World, address_of

HOUR = 3_600


def limited(world: World) -> int:
    """100 USD of cash and one token of collateral an hour."""
    thief = world.open("thief", 10_000)
    index, token = world.list_token(outflow=WAD, window=HOUR)
    world.deposit_collateral(thief, index, token, 9 * WAD)
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 100 * USD, HOUR)
    nobody = address_of("nobody")
    world.custody.release(SETTLEMENT, nobody)
    world.custody.release(index, nobody)
    world.pass_time(HOUR)
    return thief


def test_every_path__together__passes_the_caps_only(world: World) -> None:
    thief = limited(world)
    owner, helper = world.owner_of(thief), world.open("helper")
    world.withdraw(thief, 4_000 * UNIT)
    world.transfer(thief, helper, 3_000 * USD)
    world.withdraw(helper, 3_000 * UNIT)
    world.withdraw(thief, 3_000 * UNIT, address_of("elsewhere"))
    world.withdraw_collateral(thief, 0, 9 * WAD)
    paid = sum(
        world.token.balanceOf(a) for a in (owner, world.owner_of(helper), address_of("elsewhere"))
    )
    assert paid == 100 * UNIT
    assert world.custody.waiting(0, owner) == 8 * WAD


def test_profit_of_a_trade_and_cash_for_collateral__leave_by_the_same_bucket(
    world: World,
) -> None:
    """What another account lost, or paid for collateral, is cash like any other."""
    thief = limited(world)
    accomplice = world.open("accomplice", 5_000)
    world.custody.release(SETTLEMENT, address_of("nobody"))
    world.pass_time(HOUR)
    with world.as_liquidator():
        world.custody.move(thief, accomplice, 0, 5 * WAD)
        world.ledger.pay_for_collateral(accomplice, thief, 5_000 * USD)
    world.withdraw(thief, 15_000 * UNIT)
    assert world.token.balanceOf(world.owner_of(thief)) == 100 * UNIT
