# BUG: in the grace after a pause the twin left the auction clock of a flat, resolved account
# running (an unknown price stops clocks, and without a leg the engine's own state counts); the
# contract ended it. Nothing is left to liquidate: it ends. Found by the long profile.
from __future__ import annotations

from oracle.engine.units import WAD
from tests.support.cash import move_cash, move_twin_cash
from tests.support.world import USD, World
from tests.unit.engine_twin.world import BANK
from tests.unit.engine_twin.world import World as Twin


def test_resolve__flat_account_in_grace__ends_its_clock(world: World) -> None:
    flat, bank = world.open("flat"), world.bank()
    move_cash(world.ledger, flat, bank, 100 * USD)
    world.liquidator.poke(flat)
    assert world.liquidator.auction(flat)[0]
    with world.as_guardian():
        world.engine.pause()
        world.engine.unpause()
    world.liquidator.resolve(flat)
    assert not world.liquidator.auction(flat)[0]


def test_resolve__flat_account_in_grace__ends_its_clock_in_the_twin() -> None:
    p = Twin().p
    move_twin_cash(p.ledger, 1, BANK, 100 * WAD)
    p.poke(1)
    assert p.liquidator.auction(1)[0]
    p.pause()
    p.unpause()
    p.resolve(1)
    assert not p.liquidator.auction(1)[0]
