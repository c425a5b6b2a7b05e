"""Unknown prices, grace, aftermath, and P_ref through all of them."""

import boa
import pytest

from .harness import (
    AFTERMATH,
    MAINTENANCE,
    NO_NEW_RISK,
    OLD,
    PRICES,
    START,
    UNKNOWN,
    WAD,
    System,
    load,
)

P = 2_000 * WAD
MMR = 10_000  # calm, bracket 0
MOVED = P * (10**6 + MMR) // 10**6


@pytest.fixture
def liquidator(live: System) -> str:
    name = boa.env.generate_address("liquidator")
    with live.as_owner():
        live.settings.set_liquidator(name)
    return name


def round_of(system: System) -> tuple[int, int]:
    reference = system.engine.reference_of(0)
    return reference.reference, reference.round


def test_aftermath__move_of_mmr0__is_the_limit(live: System):
    live.wait(60)
    live.report({0: MOVED})
    assert live.state(0) == 0
    live.wait(60)
    limit = MOVED * (10**6 + MMR) // 10**6
    live.report({0: limit + 1})
    assert live.state(0) == AFTERMATH


def test_aftermath__lasts_settle_window(live: System):
    live.wait(60)
    live.report({0: MOVED + 1})
    live.wait(599)
    assert live.state(0) & AFTERMATH
    live.wait(1)
    assert not live.state(0) & AFTERMATH


def test_aftermath__limit_follows_severity_on_its_clock(live: System):
    live.wait(3_000)
    live.push({0: (50_000, 10**6)})
    live.wait(3_600)
    assert live.engine.severity_now(0)[0] == 50_000
    rate = 10_000 + 50_000 * 40_000 // 10**6  # 12,000 ppm
    for _ in range(3):  # after a gap: in grace first
        live.report({0: P})
        live.wait(300)
    live.report({0: P})
    live.wait(60)
    live.report({0: P * (10**6 + rate) // 10**6})
    assert live.state(0) == 0
    live.wait(60)
    at = live.engine.price_of(0).price
    live.report({0: at - at * rate // 10**6 - 1})
    assert live.state(0) == AFTERMATH


def test_aftermath__tokens__have_none(live: System):
    live.wait(60)
    live.report({32: WAD * 986 // 1000})
    assert live.state(32) == 0


def test_gap__starts_grace_of_that_market_only(live: System):
    live.wait(600)
    live.report({32: WAD})
    live.wait(60)
    assert live.state(0) == UNKNOWN | OLD
    live.report({0: P, 32: WAD})
    assert live.state(32) == 0
    assert live.state(0) == UNKNOWN
    live.wait(599)
    assert live.state(0) == UNKNOWN | OLD
    live.wait(1)
    assert live.state(0) == OLD


@pytest.mark.parametrize(("age", "state"), [(600, OLD), (601, OLD | UNKNOWN)])
def test_price_max_age__at_and_after(live: System, age: int, state: int):
    live.wait(age)
    assert live.state(0) == state


@pytest.mark.parametrize(("age", "state"), [(120, 0), (121, OLD)])
def test_open_max_age__at_and_after(live: System, age: int, state: int):
    live.wait(age)
    assert live.state(0) == state


def test_known_since__is_the_end_of_the_latest_episode(live: System):
    leg = (0, WAD, 0, WAD)
    assert live.assess(MAINTENANCE, legs=[leg]).known_since == 0
    live.wait(60)
    live.report({0: 2_200 * WAD})
    live.wait(120)
    live.report({0: 2_200 * WAD})
    assert live.assess(MAINTENANCE, legs=[leg]).known_since == START + 180
    live.wait(660)
    live.report({0: 2_200 * WAD})
    assert live.assess(MAINTENANCE, legs=[leg]).known_since == live.time + 600


def test_episode__forgotten_after_a_day(live: System):
    live.wait(60)
    live.report({0: MOVED + 1})
    for _ in range(150):
        live.wait(600)
        live.report({0: MOVED + 1})
    assert live.word(PRICES, 0) & 8 == 0


# --- P_ref ---------------------------------------------------------------------------------------


def test_reference__calm__is_the_mark(live: System):
    assert round_of(live) == (P, START)
    live.wait(60)
    live.report({0: P + WAD})
    assert round_of(live) == (P + WAD, START + 60)


def test_reference__aftermath__is_the_mark_before_the_move(live: System):
    live.wait(60)
    live.report({0: MOVED + 1})
    assert round_of(live) == (P, START)
    live.wait(60)
    live.report({0: MOVED + WAD})  # small
    assert round_of(live) == (P, START)
    live.wait(60)
    live.report({0: P})  # large again: prolonged, not anew
    assert round_of(live) == (P, START)
    live.wait(600)
    assert round_of(live) == (P, START + 180)


def test_reference__held_jump__keeps_the_mark_before_it(live: System):
    live.wait(60)
    live.report({0: P + WAD})
    live.wait(60)
    live.report({0: 2_200 * WAD})
    assert round_of(live) == (P + WAD, START + 60)
    live.wait(120)
    live.report({0: 2_200 * WAD})
    assert live.state(0) == AFTERMATH
    assert round_of(live) == (P + WAD, START + 60)


def test_reference__jump_held_in_an_aftermath__continues_it(live: System):
    live.wait(60)
    live.report({0: MOVED + 1})
    live.wait(60)
    live.report({0: 2_400 * WAD})
    live.wait(1_000)  # the aftermath's own time is over
    assert round_of(live) == (P, START)
    live.report({0: 2_400 * WAD})
    assert round_of(live) == (P, START)


def test_reference__gap__is_the_old_mark_until_grace_ends(live: System):
    live.wait(1_200)
    live.report({0: P + 10 * WAD})
    assert round_of(live) == (P, START)
    live.wait(600)
    live.report({0: P + 11 * WAD})
    assert round_of(live) == (P + 11 * WAD, live.time)


def test_reference__price_goes_stale_in_an_aftermath__continues_it(live: System):
    live.wait(60)
    live.report({0: MOVED + 1})
    live.wait(660)  # stale after 600 s, the aftermath ended at 600 s: a break of no length
    live.report({0: MOVED + 1})
    assert round_of(live) == (MOVED + 1, START + 60)


def test_reference__aftermath_outlives_the_price__continues_it(live: System, liquidator: str):
    live.wait(60)
    live.report({0: MOVED + 1})
    live.wait(100)
    with boa.env.prank(liquidator):
        live.engine.begin_aftermath(0)
    live.wait(700)
    assert round_of(live) == (P, START)
    live.report({0: MOVED + 1})
    assert round_of(live) == (P, START)


# --- begin_aftermath -----------------------------------------------------------------------------


def test_begin_aftermath__stranger__reverts(live: System, liquidator: str):
    for name in (live.owner, live.guardian, boa.env.generate_address()):
        with boa.env.prank(name), boa.reverts("not allowed"):
            live.engine.begin_aftermath(0)


def test_begin_aftermath__calm__takes_the_mark_and_the_same_round(live: System, liquidator: str):
    before = round_of(live)
    live.wait(60)
    with boa.env.prank(liquidator):
        live.engine.begin_aftermath(0)
    assert live.state(0) == AFTERMATH
    assert round_of(live) == before == (P, START)
    live.report({0: P + WAD})
    assert round_of(live) == before
    live.wait(599)
    assert live.state(0) & AFTERMATH
    live.wait(1)
    assert not live.state(0) & AFTERMATH


def test_begin_aftermath__again__prolongs(live: System, liquidator: str):
    with boa.env.prank(liquidator):
        live.engine.begin_aftermath(0)
        live.wait(100)
        live.report({0: P + WAD})
        live.engine.begin_aftermath(0)
        assert round_of(live) == (P, START)
        live.wait(599)
        assert live.state(0) & AFTERMATH
        live.wait(1)
        assert not live.state(0) & AFTERMATH


# --- sequencer -----------------------------------------------------------------------------------


@pytest.fixture
def sequencer(live: System):
    mock = load("contracts/mocks/SequencerMock.vy").deploy()
    live.wait(60)
    mock.set_down(False)
    with live.as_owner():
        live.settings.set_sequencer_feed(mock.address)
    return mock


def test_sequencer__down__is_no_new_risk_then_grace(live: System, sequencer):
    live.wait(60)
    sequencer.set_down(True)
    live.report({0: P})
    assert live.state(0) == NO_NEW_RISK
    live.wait(60)
    sequencer.set_down(False)
    live.report({0: P})
    assert live.state(0) == UNKNOWN
    live.wait(599)
    assert live.state(0) & UNKNOWN
    live.report({0: P})
    live.wait(1)
    assert live.state(0) == 0


def test_sequencer__gone__counts_as_down(live: System, sequencer):
    live.report({0: P})
    boa.env.set_code(sequencer.address, b"")
    assert live.state(0) == NO_NEW_RISK
    with live.as_owner():
        live.settings.set_sequencer_feed("0x" + "00" * 20)
    assert live.state(0) == 0
