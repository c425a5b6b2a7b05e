"""TIER-9: at a tier's bound ± 1 wei the requirement is continuous and nobody flips."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.support.world import BTC, INITIAL, LIVE, MAINTENANCE, PPM, WAD, World

PRICE = 20_000 * WAD


@pytest.mark.parametrize("bound", [100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("basis", [INITIAL, LIVE, MAINTENANCE])
@pytest.mark.parametrize("steps", [0, 3])
def test_requirement__around_a_bound__is_continuous_monotone_convex(
    world: World, bound: int, basis: int, steps: int
) -> None:
    for _ in range(steps):
        world.pass_time(3_600, every=1_800)
        world.system.push({BTC: (world.settings.line_of(BTC).severity + 50_000, 900_000)})
    world.pass_time(7_200 if steps else 60, every=3_600)
    depth = world.engine.severity_now(BTC)[2 if basis == MAINTENANCE else 3]
    if basis == LIVE:
        depth = world.settings.line_of(BTC).depth
    edge = bound * depth // PPM * 10**18 // 20_000
    sizes = range(edge - 3, edge + 4)
    asked = [world.engine.tier_requirement(BTC, size, basis) for size in sizes]
    steps_up = [b - a for a, b in pairwise(asked)]
    one_wei = 20_000  # of size is this much of notional
    assert all(0 <= step <= one_wei for step in steps_up)
    assert all(b >= a - 2 for a, b in pairwise(steps_up))


def test_account__a_wei_above_a_bound__does_not_become_liquidatable(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 100_000)
    world.trade(trader, other, 5 * WAD - 1)
    before = world.surplus(trader)
    world.trade(trader, other, 10**15)
    world.trade(other, trader, 10**15 - 1)
    assert world.size(trader) == 5 * WAD
    assert world.surplus(trader) > before - 20 * WAD
    world.trade(trader, other, 10**15)
    assert world.liquidator.state(trader) == 0
