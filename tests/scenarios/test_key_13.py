"""KEY-13, GAS-1: an executor who leaves too little gas gets nothing done, not half of it."""

from __future__ import annotations

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import BTC, UNIT, WAD, World


def state(world: World, accounts: list[int]) -> list[object]:
    words = [world.ledger.account_word(a) for a in accounts]
    words += [world.ledger.position_word(a, BTC) for a in accounts]
    words += [world.ledger.side_word(BTC), world.ledger.tally_word(BTC)]
    return [*words, tuple(world.custody.totals()), world.system.word(1, BTC)]


def test_resolve_with_any_amount_of_gas__is_whole_or_nothing(world: World) -> None:
    loser, winner = world.open("loser", 500), world.open("winner", 10_000)
    world.trade(loser, winner, WAD)
    world.drive(BTC, 19_300 * WAD)
    before = state(world, [loser, winner])
    with boa.env.anchor():
        world.liquidator.resolve(loser)
        used = world.liquidator._computation.get_gas_used()
        done = state(world, [loser, winner])
    outcomes = set()
    for gas in range(used // 20, used * 2, used // 20):
        with boa.env.anchor():
            try:
                world.liquidator.resolve(loser, gas=gas)
            except boa.BoaError:
                assert state(world, [loser, winner]) == before
                outcomes.add("nothing")
                continue
            assert state(world, [loser, winner]) == done
            outcomes.add("whole")
    assert outcomes == {"nothing", "whole"}


@pytest.mark.parametrize("verb", ["withdraw", "deposit", "trade"])
def test_users_call_with_any_amount_of_gas__is_whole_or_nothing(world: World, verb: str) -> None:
    a, b = world.open("a", 10_000), world.open("b", 10_000)
    world.token.mint(world.owner_of(a), UNIT)
    calls = {
        "withdraw": lambda gas: world.ledger.withdraw(a, UNIT, world.owner_of(b), gas=gas),
        "deposit": lambda gas: world.ledger.deposit(a, UNIT, gas=gas),
        "trade": lambda gas: world.gateway.trade(a, b, BTC, WAD, 20_000 * WAD, 0, gas=gas),
    }
    with world.as_owner_of(a):
        before = state(world, [a, b])
        with boa.env.anchor():
            calls[verb](None)
            contract = world.gateway if verb == "trade" else world.ledger
            used = contract._computation.get_gas_used()
            done = state(world, [a, b])
        outcomes = set()
        for gas in range(used // 10, used * 2, used // 10):
            with boa.env.anchor():
                try:
                    calls[verb](gas)
                except boa.BoaError:
                    assert state(world, [a, b]) == before
                    outcomes.add("nothing")
                    continue
                assert state(world, [a, b]) == done
                outcomes.add("whole")
    assert outcomes == {"nothing", "whole"}


def test_sequencer_feed__without_gas_left_for_it__is_not_taken_for_down(world: World) -> None:
    """An unreadable feed bars new risk; starving it of gas reverts the caller instead."""
    feed = load("contracts/mocks/SequencerMock.vy").deploy()
    feed.set_round(0, world.system.time - 10_000)
    with world.as_owner():
        world.settings.set_sequencer_feed(feed.address)
    for gas in range(22_000, 120_000, 1_777):
        try:
            quote = world.engine.quote(BTC, gas=gas)
        except boa.BoaError:
            continue
        assert quote.state & 32 == 0
