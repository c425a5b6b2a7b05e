"""What a table may be, and how a new one comes into force."""

from fractions import Fraction
from math import ceil

import boa
import pytest

from .harness import (
    HAIRCUTS,
    INITIAL,
    MAINTENANCE,
    PPM,
    TABLE,
    WAD,
    Config,
    System,
    default_config,
)
from .reference import blended

RAMP = 86_400
NEW = [(50_000, 30_000, 120_000, 20_000, 60_000), (2_000_000, 90_000, 300_000, 60_000, 200_000)]
LONG = [(10 * 2**k, 20_000, 20_000, 10_000, 10_000) for k in range(8)]


def change(table, row, **fields):
    names = ("bound", "im_calm", "im_storm", "mm_calm", "mm_storm")
    out = [list(r) for r in table]
    for name, value in fields.items():
        out[row][names.index(name)] = value
    return [tuple(r) for r in out]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        (1, {"bound": 100_000}),  # not above the one before
        (1, {"bound": 99_999}),
        (0, {"bound": 0}),
        (1, {"im_calm": 19_999, "mm_calm": 10_000}),  # falls in k
        (1, {"im_storm": 99_999}),
        (1, {"mm_calm": 9_999}),
        (1, {"mm_storm": 49_999}),
        (0, {"im_calm": 100_001}),  # calm above storm
        (0, {"mm_calm": 50_001, "im_calm": 100_000}),
        (2, {"im_storm": PPM + 1}),
        (0, {"im_calm": 12_499}),  # (1+b)·MMR > IMR
        (0, {"im_storm": 62_499}),
        (0, {"mm_calm": 16_001}),
        (0, {"mm_storm": 80_001}),
        (0, {"mm_calm": 0}),
        (0, {"mm_calm": 2**255}),
    ],
)
def test_market_table__one_rule_broken__reverts(system: System, row: int, fields: dict):
    with boa.reverts():
        system.list(0, table=change(TABLE, row, **fields), config=Config(max_move=1))


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        (0, {"im_calm": 12_500}),
        (0, {"im_storm": 62_500}),
        (0, {"mm_calm": 16_000}),
        (0, {"mm_storm": 80_000}),
        (0, {"im_storm": 150_000, "im_calm": 40_000}),
        (2, {"im_storm": PPM, "mm_storm": 800_000}),
        (0, {"bound": 1}),
        (2, {"bound": (2**20 - 1) * 10**15}),
    ],
)
def test_market_table__at_the_limit__is_listed(system: System, row: int, fields: dict):
    table = change(TABLE, row, **fields)
    system.list(0, table=table, config=Config(max_move=1))
    assert [tuple(b) for b in system.settings.brackets(0)] == table


@pytest.mark.parametrize(
    ("bound", "valid"),
    [
        (2**20 - 1, True),
        (2**20, False),
        (1_048_580, True),
        (1_048_581, False),
        (2**20 * 10**15, False),
        (10**21, True),
        (10**22, False),
    ],
)
def test_bound__exactly_representable_or_refused(system: System, bound: int, valid: bool):
    table = [(bound, *TABLE[0][1:])]
    if valid:
        system.list(0, table=table)
        assert system.settings.brackets(0)[0].bound == bound
    else:
        with boa.reverts("not representable"):
            system.list(0, table=table)


@pytest.mark.parametrize("length", [0, 9])
def test_table__no_bracket_or_nine__reverts(system: System, length: int):
    table = [(10 * 2**k, *TABLE[0][1:]) for k in range(length)]
    with boa.reverts():
        system.list(0, table=table)


def test_table__eight_brackets__come_back_as_given(system: System):
    system.list(0, table=LONG)
    assert [tuple(b) for b in system.settings.brackets(0)] == LONG


@pytest.mark.parametrize(
    ("fields", "valid"),
    [
        ({"mm_calm": 50_000}, True),
        ({"mm_calm": 50_001}, False),
        ({"mm_storm": 200_000}, True),
        ({"mm_storm": 200_001}, False),
        ({"mm_calm": 0}, True),
    ],
)
def test_haircuts__mm_at_most_im_no_buffer(system: System, fields: dict, valid: bool):
    table = change(HAIRCUTS, 0, **fields)
    if valid:
        system.list(32, table=table)
    else:
        with boa.reverts("bad schedule"):
            system.list(32, table=table)


# --- ramp ----------------------------------------------------------------------------------------


def vote(system: System, table, asset: int = 0) -> None:
    with system.as_owner():
        system.settings.set_schedule(asset, table)


@pytest.mark.parametrize("at", [0, 1, 40_000, RAMP - 1, RAMP, RAMP + 1])
@pytest.mark.parametrize("basis", [INITIAL, MAINTENANCE])
def test_ramp__is_the_straight_line_with_one_rounding(live: System, at: int, basis: int):
    live.wait(3_000)
    live.push({0: (0, PPM)})
    vote(live, NEW)
    begun = live.time
    live.at(begun + at)
    share = Fraction(min(at, RAMP), RAMP)
    s_mm, s_im, d_mm, d_im = live.engine.severity_now(0)
    severity, depth = (s_im, d_im) if basis == INITIAL else (s_mm, d_mm)
    for size in (WAD, 49 * WAD, 51 * WAD + 1, 600 * WAD + 1, 6_000 * WAD):
        n = size * 2_000
        want = ceil(blended(NEW, TABLE, share, int(basis == 2), n, severity, depth))
        assert live.engine.tier_requirement(0, size, basis) == want


def test_ramp__mm_does_not_move_in_its_block(live: System):
    sizes = [WAD, 51 * WAD, 700 * WAD, 10_000 * WAD]
    before = [live.engine.tier_requirement(0, s, MAINTENANCE) for s in sizes]
    vote(live, NEW)
    assert [live.engine.tier_requirement(0, s, MAINTENANCE) for s in sizes] == before


@pytest.mark.parametrize(("at", "valid"), [(RAMP - 1, False), (RAMP, True)])
def test_ramp__another_table__only_after_its_end(live: System, at: int, valid: bool):
    vote(live, NEW)
    live.wait(at)
    if valid:
        vote(live, TABLE)
    else:
        with boa.reverts("ramping"):
            vote(live, TABLE)


def test_ramp__above_the_last_bound_of_either(live: System):
    vote(live, NEW)
    live.wait(100)
    for notional, above in [(2_000_000, 0), (2_000_001, 1)]:
        size = notional * WAD // 2_000
        got = live.assess(0, legs=[(0, size, 0, 0)])
        assert got.state >> 32 == above
    live.wait(RAMP)
    vote(live, TABLE)
    live.wait(100)
    assert live.assess(0, legs=[(0, 1_001 * WAD, 0, 0)]).state >> 32 == 1
    live.wait(RAMP)
    assert live.assess(0, legs=[(0, 1_001 * WAD, 0, 0)]).state >> 32 == 0


def test_reference__calm_mmr__is_the_lower_until_the_ramp_is_over(live: System):
    vote(live, NEW)
    assert live.engine.reference_of(0).calm_mmr == 10_000
    live.wait(RAMP)
    assert live.engine.reference_of(0).calm_mmr == 10_000  # P_ref is older
    live.report({0: 2_000 * WAD})
    live.wait(700)
    live.report({0: 2_000 * WAD})
    live.wait(601)
    assert live.engine.reference_of(0).calm_mmr == 20_000


def test_set_schedule__calm_imr_below_max_move_and_fee__reverts(system: System):
    system.list(0)  # max_move 15,000 and fee 500
    with boa.reverts("bad parameters"):
        vote(system, [(100_000, 15_499, 100_000, 10_000, 50_000)])
    vote(system, [(100_000, 15_500, 100_000, 10_000, 50_000)])


def test_set_schedule__not_listed__reverts(system: System):
    with boa.reverts("not listed"):
        vote(system, NEW)


def test_list__twice__reverts(system: System):
    system.list(0)
    with boa.reverts("listed"):
        system.list(0)


@pytest.mark.parametrize("asset", [40, 2**255])
def test_list__no_such_asset__reverts(system: System, asset: int):
    with boa.reverts("out of bounds"):
        system.list(asset, config=default_config(0))


@pytest.mark.parametrize(
    ("severity", "depth"), [(PPM + 1, PPM), (0, PPM + 1), (0, 249_999), (2**255, PPM)]
)
def test_list__load_line_out_of_bounds__reverts(system: System, severity: int, depth: int):
    with boa.reverts("out of bounds"):
        system.list(0, severity=severity, depth=depth)
