# BUG (griefing): the outflow bucket counts gross, so anyone with capital for one transaction (a
# flash loan) fills it by a deposit and a withdrawal, at no risk and no cost, and every other
# withdrawal waits for a window, again and again. DESIGN 4 says "a net-outflow bucket per token";
# FORMULAS 9 writes the gross one.
from __future__ import annotations

from tests.support.world import SETTLEMENT, UNIT, USD, World


def test_withdraw__after_a_stranger_put_in_and_took_out_as_much__is_paid(world: World) -> None:
    saver, stranger = world.open("saver", 100), world.open("stranger")
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 1_000 * USD, 86_400)
    world.deposit(stranger, 1_000 * UNIT)
    world.withdraw(stranger, 1_000 * UNIT)
    assert world.token.balanceOf(world.owner_of(stranger)) == 1_000 * UNIT
    world.withdraw(saver, 100 * UNIT)
    assert world.token.balanceOf(world.owner_of(saver)) == 100 * UNIT
