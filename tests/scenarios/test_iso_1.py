"""ISO-1: a loss beyond an isolated account's margin changes no other account of its owner."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, ETH, ISOLATED, UNIT, USD, WAD, World


@pytest.mark.parametrize("price", [19_600, 19_000, 15_000])
def test_isolated_loss__leaves_the_owners_other_accounts_to_the_wei(
    world: World, price: int
) -> None:
    cross = world.open("owner", 20_000)
    bucket = world.open("owner", 500, mode=ISOLATED, sub=1)
    second = world.open("owner", 700, mode=ISOLATED, sub=2)
    other = world.open("other", 50_000)
    world.trade(bucket, other, WAD)
    world.trade(second, other, WAD, market=ETH)
    world.trade(cross, other, 3 * WAD, market=ETH)
    before = [
        (world.ledger.account_word(a), world.ledger.position_word(a, ETH), tuple(world.health(a)))
        for a in (cross, second)
    ]
    world.tick(60, p0=price * WAD)
    while world.mark(BTC) != price * WAD:
        world.tick(60)
    world.liquidator.resolve(bucket)
    assert world.cash(bucket) >= 0
    after = [
        (world.ledger.account_word(a), world.ledger.position_word(a, ETH), tuple(world.health(a)))
        for a in (cross, second)
    ]
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert [row[2][:2] for row in after] == [row[2][:2] for row in before]
    assert world.liquidator.state(cross) == 0


def test_isolated__takes_no_collateral_and_keeps_its_margin(world: World) -> None:
    world.bank()
    index, token = world.list_token()
    bucket = world.open("owner", 500, mode=ISOLATED, sub=1)
    with boa.reverts("mode"):
        world.deposit_collateral(bucket, index, token, WAD)
    world.trade(bucket, world.open("other", 10_000), WAD)
    world.deposit(bucket, 100 * UNIT)
    world.withdraw(bucket, 100 * UNIT)
    with boa.reverts("initial margin"):
        world.withdraw(bucket, 97 * UNIT)
    assert world.cash(bucket) == 496 * USD
