# BUG: what came in since the last payment is room for ever, however long ago it came and whose it
# is. The level only follows what was held *after the last payment*: a token with deposits and few
# withdrawals has no outflow limit at all (a new token: level 0, all of it may leave in one
# block), so a thief takes everything at once. DESIGN 4 "caps how fast value can leave". Cure:
# take note of what is held at deposits too (or let a keeper call `release`, and say so): the first
# for collateral, the second for the settlement token, whose deposits must stay cheap.
from __future__ import annotations

from tests.support.world import SETTLEMENT, UNIT, USD, WAD, World


def test_withdraw__of_what_came_in_long_ago__is_bounded_by_the_cap(world: World) -> None:
    first = world.open("first", 10)
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 100 * USD, 3_600)
    world.withdraw(first, UNIT)
    savers = world.open("savers", 100_000)
    world.custody.release(SETTLEMENT, world.owner)  # the keeper's daily note
    world.system.wait(30 * 86_400)
    world.withdraw(savers, 100_000 * UNIT)
    assert world.token.balanceOf(world.owner_of(savers)) <= 101 * UNIT


def test_withdraw__of_collateral_never_withdrawn_before__is_bounded_by_the_cap(
    world: World,
) -> None:
    saver = world.open("saver", 100_000)
    index, token = world.list_token(outflow=WAD, window=3_600)
    world.deposit_collateral(saver, index, token, 50 * WAD)
    world.pass_time(86_400, every=600)
    world.withdraw_collateral(saver, index, 50 * WAD)
    assert token.balanceOf(world.owner_of(saver)) <= 2 * WAD
