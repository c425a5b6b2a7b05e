"""GOV-1 (Drift, April 2026): a hostile administration lists a worthless token, lifts the limits and
drains. Here each of these steps waits in the timelock for 48 hours, and users leave meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth.exceptions import Revert

from tests.support.compiled import load
from tests.support.government import FLOOR, HOUR, Government, hand_over
from tests.support.world import BTC, SETTLEMENT, UNIT, WAD, World, address_of
from tests.unit.engine import harness
from tests.unit.engine.harness import Config

GENEROUS = 10**30
Step = Callable[[World, Government, str], tuple[Any, bytes]]


def call(target: Any, function: str, *arguments: Any) -> tuple[Any, bytes]:
    return target, getattr(target, function).prepare_calldata(*arguments)


# What the attack of 2026 did, and what else would do.
STEPS: dict[str, Step] = {
    "list a token": lambda w, g, x: call(
        w.custody, "list_token", fake_token(), GENEROUS, 2**63, 86_400
    ),
    "give it a haircut": lambda w, g, x: call(
        w.settings, "list_asset", 32, Config(maker_fee=0).tuple(), harness.HAIRCUTS, 0, 10**6
    ),
    "replace the signers": lambda w, g, x: call(w.settings, "set_signers", [x], 1),
    "replace the feed": lambda w, g, x: call(
        w.settings, "set_feed", BTC, ("0x" + "00" * 20, 0, 0, 0)
    ),
    "raise a cap": lambda w, g, x: call(w.custody, "set_collateral_multiple", 10**7),
    "raise the outflow": lambda w, g, x: call(w.custody, "set_outflow", SETTLEMENT, 2**63, HOUR),
    "raise the open interest": lambda w, g, x: call(
        w.settings, "set_config", BTC, Config(soft_cap=1, hard_cap=10**15).tuple()
    ),
    "loosen the table": lambda w, g, x: call(
        w.settings, "set_schedule", BTC, [(10**9, 20_000, 20_000, 1, 1)]
    ),
    "add a gateway": lambda w, g, x: call(w.ledger, "set_gateway_at", 1, a_contract()),
    "replace the liquidator": lambda w, g, x: call(w.ledger, "set_liquidator", a_contract()),
    "replace the guardian": lambda w, g, x: call(w.engine, "set_guardian", x),
    "replace the owner": lambda w, g, x: call(w.ledger, "hand_over", a_contract()),
    "grant a role": lambda w, g, x: call(g.timelock, "grantRole", g.timelock.PROPOSER_ROLE(), x),
    "shorten the delay": lambda w, g, x: call(g.timelock, "update_delay", FLOOR),
}


def fake_token() -> str:
    return load("contracts/mocks/TokenMock.vy").deploy("Fake", "FAKE", 18).address


def a_contract() -> str:
    return load("contracts/mocks/WalletMock.vy").deploy(address_of("x")).address


@pytest.mark.parametrize("step", STEPS)
def test_step__no_way_around_the_timelock(world: World, step: str) -> None:
    """Neither guardian nor proposer, executor, deployer or a keeper, and no emergency."""
    government = hand_over(world)
    attacker = address_of("attacker")
    target, payload = STEPS[step](world, government, attacker)
    people = [attacker, world.guardian, world.owner, government.proposer, government.executor]
    with world.as_guardian():
        world.engine.pause()
    for person in [*people, world.system.signers[0].address]:
        with pytest.raises(Revert):
            boa.env.raw_call(target.address, sender=person, data=payload)


@pytest.mark.parametrize("step", STEPS)
def test_step__not_before_forty_eight_hours(world: World, step: str) -> None:
    government = hand_over(world)
    batch = government.schedule(STEPS[step](world, government, address_of("attacker")))
    world.system.wait(FLOOR - 1)
    with boa.reverts("timelock_controller: operation is not ready"):
        government.execute(batch)
    world.system.wait(1)
    government.execute(batch)


def test_users__leave_while_the_attack_waits(world: World) -> None:
    """A trader closes and takes everything out, though the operation to take it is on its way."""
    government = hand_over(world)
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    world.trade(trader, other, WAD // 10)
    attacker = address_of("attacker")
    batch = government.schedule(*(step(world, government, attacker) for step in STEPS.values()))
    world.refresh()
    world.trade(other, trader, WAD // 10)
    for account in (trader, other):
        units = world.cash(account) // 10**12
        world.withdraw(account, units)
        assert world.token.balanceOf(world.owner_of(account)) == units > 9_900 * UNIT
    world.system.wait(FLOOR)
    government.execute(batch)
    assert world.token.balanceOf(world.custody.address) < 100 * UNIT  # fees and dust


def test_outflow__after_the_attack_executed__still_bounded(world: World) -> None:
    """Even then: what stayed leaves at most at the bucket's rate until that too has changed."""
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 1_000 * WAD, 86_400)
    government = hand_over(world)
    victim, thief = world.open("victim", 100_000), world.open("thief")
    world.custody.release(
        SETTLEMENT, address_of("keeper")
    )  # takes note of what is held, as keepers do daily
    address = a_contract()
    government.decide(call(world.ledger, "set_liquidator", address))
    world.refresh()
    with boa.env.prank(address):  # the new liquidator moves the victim's cash
        world.ledger.pay_for_collateral(victim, thief, 90_000 * WAD)
    world.withdraw(thief, 90_000 * UNIT)
    assert world.token.balanceOf(world.owner_of(thief)) <= 1_000 * UNIT
