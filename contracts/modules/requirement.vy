# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title R(N) of an asset now: load line and schedule together
@license AGPL-3.0-only
"""
from contracts.modules import load_line
from contracts.modules import schedules

uses: load_line
uses: schedules

MAINTENANCE: constant(uint256) = 2


@view
@internal
def _require_margin(
    _asset: uint256, _n: uint256, _unit: uint256, _basis: uint256, _clock: uint256, _now: uint256
) -> (uint256, uint256, uint256, bool):
    """
    @dev Numerator, denominator, marginal rate over the same denominator, above the last bound.
        _unit is the unit of _n in wei per 10^18 times 10^12 (`schedules`), _clock the word of
        `effective_time`.
        unsafe: _asset < 40 (checked by reading its line), ramp < 2**20, depth·unit < 2**120.
    """
    line: uint256 = load_line.lines[_asset]
    severity: uint256 = 0
    depth: uint256 = 0
    severity, depth = load_line._read(line, _basis, _clock, _now)
    elapsed: uint256 = 0
    ramp: uint256 = 0
    elapsed, ramp = load_line._ramp_of(line, _now)
    slot: uint256 = unsafe_mul(8, _asset)
    if _basis == MAINTENANCE:
        slot = unsafe_add(slot, 4)
    total: uint256 = 0
    rate: uint256 = 0
    above: bool = False
    total, rate, above = schedules._blend(
        slot, elapsed, ramp, _n, severity, unsafe_mul(depth, _unit)
    )
    return total, unsafe_mul(schedules.RATE_ONE, ramp), rate, above
