"""ACC-2: tiny amounts in and out, in any order, never gain a wei."""

from __future__ import annotations

import random

from tests.support.world import UNIT, WAD, WAD_PER_UNIT, World


def test_tiny_deposits_and_withdrawals__with_a_deficit__never_gain(world: World) -> None:
    rng = random.Random(2)
    saver = world.open("saver", 1)
    world.open("other", 1_000)
    with world.as_liquidator():
        world.ledger.write_off(world.open("lost"), 0, 123_456_789_123_456_789)
    owner = world.owner_of(saver)
    put_in = UNIT
    for _ in range(120):
        units = rng.randint(1, 3)
        if rng.random() < 0.5:
            world.deposit(saver, units)
            put_in += units
        elif world.cash(saver) >= units * WAD_PER_UNIT:
            world.withdraw(saver, units)
        out = world.token.balanceOf(owner)
        owned = world.cash(saver) + world.custody.ticket_of(saver)[0]
        assert out * WAD_PER_UNIT + owned == put_in * WAD_PER_UNIT


def test_round_trips__of_the_least_size_at_odd_prices__only_lose(world: World) -> None:
    rng = random.Random(3)
    a, b = world.open("a", 10), world.open("b", 10)
    mark = world.mark(0)
    for _ in range(25):
        before = world.cash(a) + world.cash(b) + world.market().fees
        price = mark + rng.randint(-(10**6), 10**6)
        size = 10**15 + rng.randint(0, 3)
        world.trade(a, b, size, price=price)
        world.trade(b, a, size, price=price)
        after = world.cash(a) + world.cash(b) + world.market().fees
        assert 0 <= before - after <= 4
    assert world.dust([a, b]) >= 0


def test_collateral__units_of_eight_decimals__round_trip_exactly(world: World) -> None:
    world.bank()
    index, token = world.list_token(price=20_000 * WAD, decimals=8)
    saver = world.open("saver")
    rng = random.Random(4)
    held = 0
    for _ in range(40):
        units = rng.randint(1, 3)
        if rng.random() < 0.5 or held < units:
            world.deposit_collateral(saver, index, token, units)
            held += units
        else:
            world.withdraw_collateral(saver, index, units)
            held -= units
        assert world.custody.collateral_of(saver, index) == held * 10**10
        assert token.balanceOf(world.custody.address) == held
