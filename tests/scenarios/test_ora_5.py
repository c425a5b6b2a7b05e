"""ORA-3, ORA-5: whoever trades before a known price move takes it from his counterparty alone.

There is no pool that trades at the mark: a fill needs a signed order at its own price. What must
hold is that nobody else pays.
"""

from __future__ import annotations

import pytest

from tests.support.world import BTC, PPM, WAD, World, fees


@pytest.mark.parametrize("move", [9_000, -9_000])
def test_trade_before_a_report_and_back_after__is_zero_sum_between_two(
    world: World, move: int
) -> None:
    sniper, maker = world.open("sniper", 50_000), world.open("maker", 50_000)
    bystanders = [world.open(f"bystander {i}", 50_000) for i in range(2)]
    world.trade(bystanders[0], bystanders[1], WAD)
    start = world.cash(sniper) + world.cash(maker)
    others = world.health(bystanders[0]).equity + world.health(bystanders[1]).equity
    size = WAD if move > 0 else -WAD
    paid = 0
    for _ in range(5):
        mark = world.mark(BTC)
        world.gateway.trade(maker, sniper, BTC, -size, mark, 0)
        world.tick(p0=mark * (PPM + move) // PPM)
        after = world.mark(BTC)
        world.gateway.trade(maker, sniper, BTC, size, after, 0)
        paid += sum(fees(WAD, mark)) + sum(fees(WAD, after))
    assert world.cash(sniper) > 50_000 * WAD
    assert 0 <= start - paid - (world.cash(sniper) + world.cash(maker)) <= 20
    left = world.health(bystanders[0]).equity + world.health(bystanders[1]).equity
    assert others - 2 <= left <= others


@pytest.mark.parametrize("size", [10**15, WAD, 50 * WAD])
def test_round_trip_at_a_pushed_price__of_two_own_accounts__costs_the_fees(
    world: World, size: int
) -> None:
    """Moving the price and trading with oneself, five times: all that comes of it are fees."""
    a, b = world.open("a", 500_000), world.open("b", 500_000)
    total = world.cash(a) + world.cash(b)
    for step in range(5):
        price = 20_000 * WAD * (PPM + (step + 1) * 8_000) // PPM
        world.drive(BTC, price)
        world.trade(a, b, size)
        world.drive(BTC, price - 150 * WAD)
        world.trade(b, a, size)
    spent = total - world.cash(a) - world.cash(b)
    assert spent >= world.market().fees > 0
    assert spent - world.market().fees <= 20
