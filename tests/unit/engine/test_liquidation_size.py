"""FORMULAS 4: the size that restores (1+b)·MM, to the wei."""

from fractions import Fraction
from math import ceil

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .harness import MAINTENANCE, PPM, TABLE, WAD, System, deploy
from .reference import B, blended, liquidation_size

EIGHT = [
    (10_000 * 4**k, 8_000 + 9_000 * k, 100_000 + 50_000 * k, 5_000 + 6_000 * k, 40_000 + 20_000 * k)
    for k in range(8)
]
PRICE = 1_234 * WAD + 567
FEE = 2_500


@pytest.fixture(scope="module")
def deep() -> System:
    """Market 0 with eight brackets and a moving load line."""
    system = deploy()
    from .harness import Config

    config = Config(max_move=5_000, price_max_age=60_000, maker_fee=0, taker_fee=0)
    system.list(0, config=config, table=EIGHT, severity=100_000, depth=700_000)
    system.wait(3_000)
    system.report({0: PRICE})
    system.push({0: (150_000, 600_000)})
    system.wait(1_111)
    return system.settle()


@pytest.fixture(autouse=True)
def _home(deep: System):
    deep.at_home()


def leg_mm(system: System, size: int) -> int:
    return system.engine.tier_requirement(0, size, MAINTENANCE)


@given(
    exponent=st.integers(13, 24),
    mantissa=st.integers(100, 999),
    share=st.integers(-(10**6), 1_250_000),
    rest=st.sampled_from([0, 1, 10**18, 10**22]),
    fee=st.sampled_from([0, FEE, 3_333]),
    short=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_size__is_the_formula(deep: System, exponent, mantissa, share, rest, fee, short):
    size = mantissa * 10 ** (exponent - 2)
    requirement = leg_mm(deep, size) + rest
    equity = requirement * share // 10**6
    s_mm, _, d_mm, _ = deep.engine.severity_now(0)
    got = deep.engine.liquidation_size(0, -size if short else size, equity, requirement, fee)
    assert got == liquidation_size(EIGHT, size, PRICE, equity, rest, fee, s_mm, d_mm)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_size__nothing_missing__is_zero(deep: System, off: int):
    size = 1_000 * WAD
    n = ceil(Fraction(size * PRICE, WAD))
    s_mm, _, d_mm, _ = deep.engine.severity_now(0)
    from .reference import tiered

    limit = ceil((1 + B) * tiered(EIGHT, 1, n, s_mm, d_mm))
    mm = leg_mm(deep, size)
    got = deep.engine.liquidation_size(0, size, limit + off, mm, FEE)
    assert (got == 0) == (off >= 0)


def test_size__hopeless__is_the_whole_leg(deep: System):
    size = 1_000 * WAD
    mm = leg_mm(deep, size)
    assert deep.engine.liquidation_size(0, size, 0, mm + 10**24, FEE) == size
    assert deep.engine.liquidation_size(0, -size, -(10**24), mm, FEE) == size


def test_size__fee_eats_the_margin__is_the_whole_leg(deep: System):
    size = WAD
    mm = leg_mm(deep, size)
    assert deep.engine.liquidation_size(0, size, mm - 1, mm, 20_000) == size


def test_size__requirement_below_the_legs_own__counts_no_rest(deep: System):
    size = 10 * WAD
    mm = leg_mm(deep, size)
    wrong = deep.engine.liquidation_size(0, size, mm - 1, mm // 2, FEE)
    assert wrong == deep.engine.liquidation_size(0, size, mm - 1, mm, FEE)


def test_size__flat_leg__is_zero_or_nothing(deep: System):
    assert deep.engine.liquidation_size(0, 0, 0, 0, FEE) == 0
    assert deep.engine.liquidation_size(0, 0, 0, 10, FEE) == 0


@given(mantissa=st.integers(10, 10**7), share=st.integers(0, 1_200_000), at=st.integers(1, 86_399))
@settings(max_examples=40, deadline=None)
def test_size__in_a_ramp__restores_and_not_a_wei_more(deep: System, mantissa, share, at):
    steep = [
        (
            3_000 * 3**k,
            20_000 + 20_000 * k,
            200_000 + 50_000 * k,
            9_000 + 15_000 * k,
            10**5 + 10**4 * k,
        )
        for k in range(8)
    ]
    with boa.env.anchor():
        with deep.as_owner():
            deep.settings.set_schedule(0, steep)
        begun = deep.time
        deep.at(begun + at)
        size = mantissa * 10**16
        mm = leg_mm(deep, size)
        equity = mm * share // 10**6
        s_mm, _, d_mm, _ = deep.engine.severity_now(0)
        got = deep.engine.liquidation_size(0, size, equity, mm, FEE)
        deep.at(begun)
    n = ceil(Fraction(size * PRICE, WAD))
    p = Fraction(PRICE, WAD)

    def short_by(q: int) -> Fraction:
        left = blended(steep, EIGHT, Fraction(at, 86_400), 1, n - p * q, s_mm, d_mm)
        return (1 + B) * left - (equity - Fraction(FEE, PPM) * p * q)

    if got < size:
        assert short_by(got) <= 0
    if got > 0:
        assert short_by(got - 1) > 0


def test_size__one_table__ends_within_gas(deep: System):
    size = 10**9 * WAD
    mm = leg_mm(deep, size)
    deep.engine.liquidation_size(0, size, mm // 100, mm, FEE)
    assert deep.engine._computation.get_gas_used() < 200_000
    assert len(TABLE) < len(EIGHT)
