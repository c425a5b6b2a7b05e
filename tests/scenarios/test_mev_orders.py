"""MEV-1, MEV-3: whoever sees a push in the pool may put whatever he likes before and behind it.

Every order of a block's calls is played. What the push adds to the block must be nothing for who
holds a position: no order lets anybody take more, or another account, than without the push.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import boa
import pytest

from tests.support.world import BTC, LIQUIDATABLE, PPM, UNIT, USD, WAD, World

PRICE = 20_000 * WAD
EVER = 2**200
Call = Callable[[], object]


@pytest.fixture
def victim(world: World) -> int:
    """Long 2 BTC, a few dollars above MM at a price half a per cent lower."""
    world.set_config(BTC, price_max_age=7_200)
    victim, other = world.open("victim", 10_000), world.open("other", 10**6)
    world.trade(victim, other, 2 * WAD)
    world.set_cash(victim, world.cash(victim) + 810 * USD - world.health(victim).equity)
    world.pass_time(3_000, every=600)
    return victim


@pytest.fixture
def taker(world: World) -> int:
    return world.open("taker", 10**6)


def push(world: World) -> Call:
    """The largest step there is, as its senders sign it: anybody may send it, once."""
    signed = world.system.sign_push({BTC: (50_000, 750_000)})
    return lambda: world.engine.push(*signed)


def report(world: World, price: int) -> Call:
    signed = world.system.sign_report({BTC: price})
    return lambda: world.engine.report(*signed)


def take(world: World, victim: int, taker: int) -> Call:
    def call() -> None:
        most = world.liquidator.terms(victim, BTC).most
        with world.as_owner_of(taker):
            world.liquidator.take(victim, BTC, most, taker, EVER)

    return call


def played(world: World, victim: int, calls: Sequence[tuple[str, Call]]) -> dict[str, object]:
    """One block: what succeeded, and what the victim has and needs after it; undone again."""
    done = []
    with boa.env.anchor():
        for name, call in calls:
            try:
                call()
                done.append(name)
            except boa.BoaError:
                continue
        health = world.health(victim)
        state = world.liquidator.state(victim)
    return {
        "taken": done.count("take"),
        "equity": health.equity,
        "requirement": health.requirement,
        "state": state,
        "pushed": done.count("push"),
    }


@pytest.mark.parametrize("price", [PRICE, PRICE * 998 // 1_000, PRICE * 988 // 1_000])
def test_push_in_any_order__adds_nothing_for_who_holds_a_position(
    world: World, victim: int, taker: int, price: int
) -> None:
    """A push, its copy by a front-runner, a report, and a liquidator: all orders, each against the
    same block without the two pushes."""
    world.system.wait(60)
    taken = []
    calls = {
        "push": push(world),
        "copy": push(world),
        "report": report(world, price),
        "take": take(world, victim, taker),
    }
    for order in itertools.permutations(calls):
        block = [(name.replace("copy", "push"), calls[name]) for name in order]
        with_push = played(world, victim, block)
        without = played(world, victim, [each for each in block if each[0] != "push"])
        assert with_push.pop("pushed") == 1  # whoever was first; the other came to nothing
        assert without.pop("pushed") == 0
        assert with_push == without | {"state": with_push["state"]}, order
        assert (with_push["state"] >= LIQUIDATABLE) == (without["state"] >= LIQUIDATABLE), order
        taken.append(with_push["taken"])
    # Behind a report of a price that is too low for it, it is taken: in half of the orders.
    assert sum(taken) == (len(taken) // 2 if price < PRICE * 99 // 100 else 0)


def test_unpause_in_any_order__nobody_is_taken_in_its_block_and_collateral_comes_in(
    world: World, victim: int, taker: int
) -> None:
    """The guardian's unpause, a push, a report of a lower price, a liquidator, and the victim's
    deposit: grace holds in each of 120 orders, and ends."""
    world.drive(BTC, PRICE * 992 // 1_000)
    with world.as_guardian():
        world.engine.pause()
    world.system.wait(3_600)

    def unpause() -> None:
        with world.as_guardian():
            world.engine.unpause()

    calls = {
        "unpause": unpause,
        "push": push(world),
        "report": report(world, PRICE * 980 // 1_000),
        "take": take(world, victim, taker),
        "deposit": lambda: world.deposit(victim, UNIT),
    }
    for order in itertools.permutations(calls):
        found = played(world, victim, [(name, calls[name]) for name in order])
        assert found["taken"] == 0, order
        assert found["requirement"] == 0, order  # price unknown: in grace
        assert found["pushed"] == (order.index("push") > order.index("unpause")), order
    for name in ("unpause", "push", "report", "deposit"):
        calls[name]()
    world.prices[BTC] = PRICE * 980 // 1_000
    world.pass_time(world.system.rules.grace + 60, every=60)
    assert world.liquidator.state(victim) >= LIQUIDATABLE
    assert world.settings.line_of(BTC).severity == 50_000
    assert world.settings.line_of(BTC).depth == 750_000 < PPM
