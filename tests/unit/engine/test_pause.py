"""The pause: who, how long, and what stands still."""

import boa
import pytest

from .harness import PAUSED, PPM, START, UNKNOWN, WAD, System

DAY = 86_400


@pytest.fixture
def paused(live: System) -> System:
    with live.as_guardian():
        live.engine.pause()
    return live


def test_pause__clock_stands_still(paused: System):
    paused.wait(5_000)
    assert paused.engine.clock() == (START, True)
    assert paused.state(0) == PAUSED
    with paused.as_guardian():
        paused.engine.unpause()
    assert paused.engine.clock() == (START, False)
    paused.wait(7)
    assert paused.engine.clock() == (START + 7, False)


def test_unpause__grace_for_all(paused: System):
    paused.wait(5_000)
    with paused.as_owner():
        paused.engine.unpause()
    assert paused.state(0) == paused.state(32) == UNKNOWN
    leg = (0, WAD, 0, WAD)
    assert paused.assess(2, legs=[leg]).known_since == START + 600
    paused.wait(599)
    assert paused.state(0) & UNKNOWN
    paused.wait(1)
    assert not paused.state(0) & UNKNOWN


def test_pause__twice__reverts(paused: System):
    with paused.as_guardian(), boa.reverts("paused"):
        paused.engine.pause()


def test_unpause__not_paused__reverts(live: System):
    with live.as_guardian(), boa.reverts("bad parameters"):
        live.engine.unpause()


def test_unpause__anyone__only_after_the_longest_pause(paused: System):
    anyone = boa.env.generate_address()
    paused.wait(DAY - 1)
    with boa.env.prank(anyone), boa.reverts("not guardian"):
        paused.engine.unpause()
    paused.wait(1)
    with boa.env.prank(anyone):
        paused.engine.unpause()


@pytest.mark.parametrize(("rest", "valid"), [(2 * DAY - 1, False), (2 * DAY, True)])
def test_pause__cooldown(paused: System, rest: int, valid: bool):
    paused.wait(100)
    with paused.as_guardian():
        paused.engine.unpause()
        paused.wait(rest)
        if valid:
            paused.engine.pause()
        else:
            with boa.reverts("too soon"):
                paused.engine.pause()


def test_pause__clocks_ramps_and_funding_stand_still(live: System):
    live.wait(3_000)
    live.push({0: (50_000, PPM)})
    live.wait(60)
    live.report({0: 2_000 * WAD}, premium=100)
    with live.as_owner():
        live.settings.set_schedule(0, [(100_000, 30_000, 100_000, 20_000, 50_000)])
    live.wait(100)
    before = (
        live.engine.severity_now(0),
        live.engine.quote(0).funding,
        live.engine.tier_requirement(0, WAD, 2),
    )
    with live.as_guardian():
        live.engine.pause()
        live.wait(50_000)
        live.engine.unpause()
    after = (
        live.engine.severity_now(0),
        live.engine.quote(0).funding,
        live.engine.tier_requirement(0, WAD, 2),
    )
    assert before == after


def test_report__after_a_pause__times_are_effective(paused: System):
    paused.wait(6_000)
    with paused.as_guardian():
        paused.engine.unpause()
    paused.wait(60)
    paused.report({0: 2_001 * WAD})
    assert paused.engine.price_of(0).observed == START + 60
    assert paused.engine.reference_of(0).reference == 2_000 * WAD  # settling since the pause


def test_report__observed_before_the_pause__is_skipped_or_older(live: System):
    live.wait(60)
    with live.as_guardian():
        live.engine.pause()
        live.wait(60)
        live.engine.unpause()
    live.report({0: 2_001 * WAD}, observed=START + 60)
    assert live.engine.price_of(0).observed == START  # not newer in effective time


@pytest.mark.parametrize("doubt", [True, False])
def test_settlement_doubt__guardian_sets_owner_clears(live: System, doubt: bool):
    with live.as_guardian():
        if doubt:
            live.engine.set_settlement_doubt(True)
            assert live.state(0) == 32
            assert live.assess(0, cash=10).equity == 0
            assert live.assess(0, cash=-10).equity == -10
            assert live.assess(1, cash=10).equity == 0
            assert live.assess(2, cash=10).equity == 10
        with boa.reverts("not owner"):
            live.engine.set_settlement_doubt(False)
    with live.as_owner():
        live.engine.set_settlement_doubt(False)
    assert live.state(0) == 0


def test_reduce_only__guardian_sets_owner_clears_reports_keep(live: System):
    with live.as_guardian():
        live.engine.set_reduce_only(0, True)
        with boa.reverts("not owner"):
            live.engine.set_reduce_only(0, False)
    live.wait(60)
    live.report({0: 2_000 * WAD})
    assert live.state(0) == 4
    assert live.state(32) == 0
    with live.as_owner():
        live.engine.set_reduce_only(0, False)
    assert live.state(0) == 0
