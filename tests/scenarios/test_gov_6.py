"""GOV-6: ownership goes to a contract, never to a person or nobody; the deployer keeps nothing."""

from __future__ import annotations

import boa
import pytest

from tests.support.government import hand_over
from tests.support.world import World, address_of

OWNED = ("engine", "custody", "ledger", "liquidator")


@pytest.mark.parametrize("name", OWNED)
@pytest.mark.parametrize("receiver", ["zero", "person"])
def test_hand_over__to_nobody_or_a_person__reverts(world: World, name: str, receiver: str) -> None:
    contract = getattr(world, name)
    to = "0x" + "00" * 20 if receiver == "zero" else address_of("person")
    with world.as_owner(), boa.reverts("no code"):
        contract.hand_over(to)
    assert contract.owner() == world.owner


@pytest.mark.parametrize("name", OWNED)
def test_hand_over__through_the_timelock__to_a_person_reverts(world: World, name: str) -> None:
    government = hand_over(world)
    contract = getattr(world, name)
    payload = contract.hand_over.prepare_calldata(address_of("person"))
    with boa.reverts("no code"):
        government.decide((contract, payload))
    assert contract.owner() == government.timelock.address


def test_ownership__cannot_be_renounced(world: World) -> None:
    """No contract has such a function."""
    for name in OWNED:
        names = {entry["name"] for entry in getattr(world, name).abi if entry.get("name")}
        assert not names & {"renounce_ownership", "transfer_ownership", "renounceOwnership"}


def test_deployer__after_the_hand_over__has_no_power(world: World) -> None:
    government = hand_over(world)
    timelock = government.timelock
    roles = ("DEFAULT_ADMIN_ROLE", "PROPOSER_ROLE", "EXECUTOR_ROLE", "CANCELLER_ROLE")
    for role in roles:
        assert not timelock.hasRole(getattr(timelock, role)(), world.owner)
    for name in OWNED:
        with world.as_owner(), boa.reverts("not owner"):
            getattr(world, name).hand_over(timelock.address)
    with world.as_owner(), boa.reverts("not guardian"):
        world.engine.pause()
    with world.as_owner(), boa.reverts("not owner"):
        world.settings.set_liquidator(world.owner)
    with world.as_owner(), boa.reverts("bound"):
        world.settings.bind(
            world.engine.address, (1, 1, 1, 60, 60), (1, 1, 1, 1, 60, 180, 50_000), [], 0
        )


def test_timelock__administers_itself_and_nobody_else(world: World) -> None:
    """Roles change by scheduled operations only."""
    government = hand_over(world)
    timelock = government.timelock
    admin = timelock.DEFAULT_ADMIN_ROLE()
    assert timelock.hasRole(admin, timelock.address)
    people = [government.proposer, government.executor, world.guardian, world.owner]
    for person in people:
        assert not timelock.hasRole(admin, person)
        with boa.reverts("access_control: account is missing role"):
            timelock.grantRole(timelock.PROPOSER_ROLE(), person, sender=person)


@pytest.mark.parametrize("name", OWNED)
def test_hand_over__to_the_contract_itself__is_refused(world: World, name: str) -> None:
    """Nobody could call a setter again."""
    contract = getattr(world, name)
    with world.as_owner(), boa.reverts("no code"):
        contract.hand_over(contract.address)
