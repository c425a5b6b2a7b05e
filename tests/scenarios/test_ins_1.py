"""INS-1: winners cannot leave between the loss of another and its resolution."""

from __future__ import annotations

import boa

from tests.support.world import BTC, UNIT, USD, WAD, World


def crash(world: World) -> None:
    """By 15 %: held, then confirmed."""
    world.tick(60, p0=17_000 * WAD)
    assert world.state(BTC) & 1
    while world.mark(BTC) != 17_000 * WAD:
        world.tick(60)


def test_winner__during_and_after_the_crash__cannot_withdraw_until_resolved(
    world: World,
) -> None:
    loser, winner = world.open("loser", 500), world.open("winner", 10_000)
    other = world.open("other", 50_000)
    world.trade(loser, winner, WAD)
    world.trade(other, winner, WAD // 10)
    world.tick(60, p0=17_000 * WAD)
    with boa.reverts("settling"):
        world.withdraw(winner, UNIT)
    while world.mark(BTC) != 17_000 * WAD:
        world.tick(60)
    assert world.health(loser).equity < 0
    with boa.reverts("settling"):
        world.withdraw(winner, UNIT)
    with boa.reverts("settling"):
        world.transfer(winner, other, 1)
    world.trade(winner, other, WAD // 10)
    cash = world.cash(winner)
    with boa.reverts("settling"):
        world.withdraw(winner, UNIT)
    world.liquidator.resolve(loser)
    world.ledger.collect(winner, BTC)
    assert world.cash(winner) - cash <= 560 * USD


def test_winner__who_closed_before_the_crash__has_no_part_in_it(world: World) -> None:
    loser, winner = world.open("loser", 500), world.open("winner", 10_000)
    other = world.open("other", 50_000)
    world.trade(loser, winner, WAD)
    world.trade(winner, other, WAD)
    crash(world)
    world.withdraw(winner, UNIT)
    world.liquidator.resolve(loser)
    world.withdraw(winner, UNIT)


def test_everyone_in_the_market__is_barred_while_it_settles_and_free_after(
    world: World,
) -> None:
    loser, winner = world.open("loser", 500), world.open("winner", 10_000)
    world.trade(loser, winner, WAD)
    crash(world)
    world.liquidator.resolve(loser)
    world.ledger.collect(winner, BTC)
    assert world.account(winner).markets == ()
    world.withdraw(winner, UNIT)
