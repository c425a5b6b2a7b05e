"""ORA-19, ORA-18: a price is one number for a transaction once reported; a push is whole or not."""

from __future__ import annotations

import boa

from tests.support.compiled import load
from tests.support.world import BTC, ETH, PPM, WAD, World


def test_price__read_before_and_after_a_second_report_in_one_call__is_the_same(
    world: World,
) -> None:
    reader = load("contracts/mocks/AttackerMock.vy").deploy()
    world.system.wait(120)
    grid = world.system.grid
    first = world.system.sign_report({BTC: 20_050 * WAD}, observed=grid - 60)
    second = world.system.sign_report({BTC: 20_100 * WAD}, observed=grid)
    engine = world.engine
    quote = engine.quote.prepare_calldata(BTC)
    reader.set_plan(
        [
            (engine.address, engine.report.prepare_calldata(*first)),
            (engine.address, quote),
            (engine.address, engine.report.prepare_calldata(*second)),
            (engine.address, quote),
        ]
    )
    boa.env.raw_call(reader.address)
    assert [reader.successes(i) for i in range(4)] == [True] * 4
    assert reader.answers(1) == reader.answers(3)
    assert world.mark(BTC) == 20_050 * WAD


def test_push_of_two_lines__one_too_far__changes_neither(world: World) -> None:
    """ORA-18: never half of coupled numbers."""
    world.pass_time(3_000, every=600)
    nonce = world.system.nonce(BTC)
    for bad in ((50_001, PPM), (50_000, 749_999), (0, PPM + 1)):
        with boa.reverts("out of bounds"):
            world.system.push({BTC: (50_000, PPM), ETH: bad})
        assert world.system.nonce(BTC) == nonce
        assert world.engine.severity_now(BTC)[1] == 0
    world.system.push({BTC: (50_000, PPM), ETH: (50_000, 750_000)})
    assert world.engine.severity_now(ETH)[1] == 50_000
