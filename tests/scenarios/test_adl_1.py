"""ADL-1, ADL-3, ADL-4: deleveraging has no list to game: all of a side, pro rata, at the mark."""

from __future__ import annotations

import boa

from tests.support.world import BTC, ETH, USD, WAD, World


def stage(world: World) -> tuple[int, list[int]]:
    """A long of 3 BTC that will fail, and shorts of 1 BTC each."""
    loser = world.open("loser", 1_500)
    shorts = [world.open(f"short {i}", 5_000) for i in range(3)]
    for short in shorts:
        world.trade(loser, short, WAD)
    return loser, shorts


def fail(world: World) -> None:
    world.drive(BTC, 19_560 * WAD)


def test_deleveraging__where_it_is_not_called_for__is_refused(world: World) -> None:
    loser, _ = stage(world)
    with boa.reverts("healthy"):
        world.liquidator.resolve(loser)
    world.drive(BTC, 19_750 * WAD)
    with boa.reverts("called"):
        world.liquidator.resolve(loser)


def test_winner_who_closes_before__leaves_his_part_to_who_took_it(world: World) -> None:
    """ADL-3: closing takes a counterparty, who is then cut in his place; the others the same."""
    loser, shorts = stage(world)
    rest = world.open("rest", 50_000)
    world.trade(rest, shorts[2], WAD)
    world.drive(BTC, 19_560 * WAD)
    with boa.env.anchor():
        world.liquidator.resolve(loser)
        plain = [world.health(s).equity for s in shorts[:2]]
    newcomer = world.open("newcomer", 50_000)
    world.trade(newcomer, shorts[0], WAD // 2)
    world.trade(rest, newcomer, WAD // 2)
    world.liquidator.resolve(loser)
    assert abs(world.health(shorts[1]).equity - plain[1]) <= 10**12


def test_winner_split_over_two_accounts__is_cut_the_same(world: World) -> None:
    loser = world.open("loser", 1_500)
    one, two, rest = (world.open(n, 20_000) for n in ("one", "two", "rest"))
    half = [world.open("one", 10_000, sub=i) for i in (1, 2)]
    world.trade(loser, one, WAD)
    world.trade(loser, two, WAD)
    for account in half:
        world.trade(loser, account, WAD // 2)
    world.trade(rest, two, WAD)
    fail(world)
    before = [world.size(a) for a in (one, *half)]
    world.liquidator.resolve(loser)
    after = [world.size(a) for a in (one, *half)]
    assert abs(after[0] - after[1] - after[2]) <= 2
    assert abs(before[0] * after[1] - before[1] * after[0]) <= 2 * WAD


def test_hedged_account__loses_one_leg_and_is_not_endangered_by_it(world: World) -> None:
    """ADL-4: the cut is at the mark: equity stays, the requirement falls."""
    loser, shorts = stage(world)
    hedged, other = shorts[0], world.open("other", 50_000)
    world.trade(hedged, other, 10 * WAD, market=ETH)
    bystander = world.open("bystander", 5_000)
    fail(world)
    before = world.health(hedged)
    word = world.ledger.account_word(bystander)
    world.liquidator.resolve(loser)
    after = world.health(hedged)
    assert 0 <= before.equity - after.equity <= 10**12
    assert after.requirement <= before.requirement
    assert world.size(hedged, ETH) == 10 * WAD
    assert world.ledger.account_word(bystander) == word, "who holds nothing is not charged"


def test_cut__is_at_the_mark_not_at_a_price_of_choice(world: World) -> None:
    loser, shorts = stage(world)
    fail(world)
    world.liquidator.resolve(loser)
    for short in shorts:
        world.ledger.collect(short, BTC)
        gain = world.cash(short) - (5_000 * USD - 10 * USD)
        assert 0 <= 440 * USD - gain <= 10**12
