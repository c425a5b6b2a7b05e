"""TIER-6: an order chopped into n costs no less than whole, less n wei."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import WAD, World


@pytest.mark.parametrize("parts", [2, 7, 20])
def test_chopped_order__costs_at_least_the_whole(world: World, parts: int) -> None:
    a, b = world.open("a", 100_000), world.open("b", 100_000)
    size = 10**18 + 3
    price = 20_000 * WAD + 1
    with boa.env.anchor():
        world.trade(a, b, size, price=price)
        whole = (world.health(a).equity, world.health(b).equity, world.health(a).requirement)
    piece = size // parts
    for i in range(parts):
        world.trade(a, b, piece if i < parts - 1 else size - piece * (parts - 1), price=price)
    assert world.health(a).equity <= whole[0] + parts
    assert world.health(b).equity <= whole[1] + parts
    assert world.health(a).requirement == whole[2]
