"""MEV-1, KEY-1, KEY-14: no push liquidates in its block; a hostile keeper stays on the clocks."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, CALM_MM, INITIAL, PPM, USD, WAD, World, requirement

PRICE = 20_000 * WAD
HOUR = 3_600


@pytest.fixture
def edge(world: World) -> int:
    """Long 1 BTC with E = IM exactly."""
    world.set_config(BTC, price_max_age=7_200)
    edge, other = world.open("edge", 10_000), world.open("other", 100_000)
    world.trade(edge, other, WAD)
    world.set_cash(edge, 400 * USD)
    world.pass_time(3_000, every=600)
    return edge


def test_push_of_the_largest_step__moves_no_maintenance_in_its_block(
    world: World, edge: int
) -> None:
    before = world.health(edge)
    world.system.push({BTC: (50_000, 750_000)})
    after = world.health(edge)
    assert after.requirement == before.requirement
    assert world.health(edge, INITIAL).requirement > before.requirement
    with boa.reverts("called"):
        world.liquidator.resolve(edge)
    with world.as_owner_of(edge), boa.reverts("initial margin"):
        world.ledger.withdraw(edge, 1, world.owner_of(edge))


def test_new_table__moves_no_maintenance_in_its_block_and_ramps(world: World, edge: int) -> None:
    harsh = [(100_000, 60_000, 100_000, 40_000, 50_000)]
    before = world.health(edge).requirement
    with world.as_owner():
        world.settings.set_schedule(BTC, harsh)
    assert world.health(edge).requirement == before
    world.pass_time(43_200, every=3_600)
    half = world.health(edge).requirement
    assert 2 * before < half < 3 * before
    world.pass_time(43_200, every=3_600)
    assert world.health(edge).requirement == 800 * USD


def test_hostile_pushes_for_a_day__stay_on_the_slope_and_within_storm(
    world: World, edge: int
) -> None:
    """KEY-1: a step an hour, whatever is pushed how often; never beyond the storm schedule."""
    start = world.system.time
    severity, depth = 0, PPM
    for _ in range(24):
        with boa.reverts("out of bounds"):
            world.system.push({BTC: (min(2**20 - 1, severity + 50_001), depth)})
        severity = min(PPM, severity + 50_000)
        depth = max(250_000, depth - 250_000)
        world.system.push({BTC: (severity, depth)})
        with boa.reverts("too soon"):
            world.system.push({BTC: (min(PPM, severity + 50_000), depth)})
        world.pass_time(3_000, every=1_000)
        gone = (world.system.time - start + 3_000) // HOUR + 1
        s_mm = world.engine.severity_now(BTC)[0]
        assert s_mm <= min(PPM, 50_000 * gone)
    storm = requirement(WAD, PRICE, [(25_000, 50_000)])
    calm = requirement(WAD, PRICE, CALM_MM)
    assert calm <= world.health(edge).requirement <= storm


def test_guardian__freezes_signers_and_the_pushes_end(world: World, edge: int) -> None:
    """A quorum of two of three: two frozen keys are one transaction each."""
    push = world.system.sign_push({BTC: (50_000, PPM)})
    with world.as_guardian():
        world.engine.freeze_signer(world.system.signers[0].address)
        world.engine.freeze_signer(world.system.signers[1].address)
    with boa.reverts("bad signer"):
        world.engine.push(*push)
    with boa.reverts("quorum"):
        world.system.push({BTC: (50_000, PPM)}, signers=[world.system.signers[2]])
    with boa.reverts("bad signer"):
        world.system.report({BTC: PRICE})


def test_hostile_loosening__never_brings_im_below_the_calm_schedule(
    world: World, edge: int
) -> None:
    with boa.reverts("out of bounds"):
        world.system.push({BTC: (0, PPM + 1)})
    world.system.push({BTC: (0, PPM)})
    margin = world.health(edge, INITIAL).requirement
    assert margin == 400 * USD
    assert 5 * world.health(edge).requirement <= 4 * margin


def test_two_keepers__cannot_walk_a_parameter_faster_than_one(world: World, edge: int) -> None:
    """KEY-14: the limit is the parameter's, not the sender's."""
    first = world.system.sign_push({BTC: (50_000, PPM)})
    second = world.system.sign_push({BTC: (40_000, PPM)})
    world.engine.push(*first)
    with boa.env.prank(boa.env.generate_address()), boa.reverts("nonce"):
        world.engine.push(*second)
    with boa.reverts("too soon"):
        world.system.push({BTC: (100_000, PPM)})
    world.pass_time(2_999, every=2_999)
    with boa.reverts("too soon"):
        world.system.push({BTC: (100_000, PPM)})
    world.system.wait(1)
    world.system.push({BTC: (100_000, PPM)})
    assert world.engine.severity_now(BTC)[0] <= 50_000
