from __future__ import annotations

import boa

from tests.support.world import BTC, UNIT, WAD, World


def test_deposit_trade_withdraw(world: World) -> None:
    buyer, seller = world.open("buyer", 10_000), world.open("seller", 10_000)
    world.trade(buyer, seller, WAD)
    book = world.ledger.book(buyer)
    assert book.legs[0].size == WAD
    assert book.legs[0].base == -20_000 * WAD
    assert book.cash == 10_000 * WAD - 4 * WAD
    m = world.health(buyer, 0)
    print(m)
    world.withdraw(buyer, 1_000 * UNIT)
    world.report({BTC: 20_200 * WAD})
    print(world.health(buyer), world.health(seller))
    world.trade(seller, buyer, WAD)
    print(world.ledger.book(buyer), world.ledger.book(seller))
    with boa.reverts("cash"):
        world.withdraw(seller, 10_000 * UNIT)
