"""KEY-4, KEY-5: a signed report counts once, here, on this chain, while its signers are trusted."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, ETH, PPM, WAD, World
from tests.unit.engine import harness

PRICE = 20_050 * WAD


def test_report_twice__the_second_changes_nothing(world: World) -> None:
    world.system.wait(60)
    report = world.system.sign_report({BTC: PRICE})
    assert world.system.send(*report) == [harness.quote(PRICE)]
    word = world.system.word(harness.PRICES, BTC)
    world.system.wait(30)
    assert world.system.send(*report) == [0]
    assert world.system.word(harness.PRICES, BTC) == word


def test_report_of_one_market__is_not_one_of_another(world: World) -> None:
    world.system.wait(60)
    observed, assets, quotes, signatures = world.system.sign_report({BTC: PRICE})
    with boa.reverts("bad signer"):
        world.engine.report(observed, [ETH], quotes, signatures)
    with boa.reverts("bad signer"):
        world.engine.report(observed - 60, assets, quotes, signatures)


def test_message_for_another_deployment__is_refused(world: World) -> None:
    world.system.wait(3_000)
    world.refresh()
    other = "0x" + "12" * 20
    keys = world.system.signers
    observed = world.system.grid
    row = [harness.quote(PRICE)]
    message = {"observed": observed, "assets": [BTC], "quotes": row}
    signatures = [key.sign(other, "Report", message) for key in keys]
    with boa.reverts("bad signer"):
        world.engine.report(observed, [BTC], row * 3, signatures)


@pytest.mark.parametrize("kind", ["report", "push"])
def test_chain_id_changed__old_signatures_are_void_and_new_ones_count(
    world: World, kind: str
) -> None:
    """KEY-5: the domain is computed from the chain id of now."""
    world.pass_time(3_000, every=600)
    world.system.wait(60)
    here = boa.env.evm.patch.chain_id
    report = world.system.sign_report({BTC: PRICE})
    push = world.system.sign_push({BTC: (10_000, PPM)})
    boa.env.evm.patch.chain_id = here + 1
    try:
        with boa.reverts("bad signer"):
            if kind == "report":
                world.engine.report(*report)
            else:
                world.engine.push(*push)
        if kind == "report":
            world.system.report({BTC: PRICE})
        else:
            world.system.push({BTC: (10_000, PPM)})
    finally:
        boa.env.evm.patch.chain_id = here


def test_signers_rotated__what_the_old_ones_signed_is_void(world: World) -> None:
    world.system.wait(60)
    report = world.system.sign_report({BTC: PRICE})
    kept = {s.address for s in world.system.signers}
    new = [s for s in harness.make_signers(6) if s.address not in kept]
    new.sort(key=lambda s: int(s.address, 16))
    with world.as_owner():
        world.settings.set_signers([s.address for s in new], 2)
    with boa.reverts("bad signer"):
        world.engine.report(*report)
    assert world.system.report({BTC: PRICE}, signers=new) == [harness.quote(PRICE)]


def test_push_twice__the_second_reverts(world: World) -> None:
    world.pass_time(3_000, every=600)
    push = world.system.sign_push({BTC: (10_000, PPM)}, valid_until=world.system.time + 10_000)
    world.engine.push(*push)
    with boa.reverts("nonce"):
        world.engine.push(*push)
    world.pass_time(3_000, every=600)
    with boa.reverts("nonce"):
        world.engine.push(*push)
