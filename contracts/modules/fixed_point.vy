# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Fixed-point arithmetic with the rounding direction in the name
@license AGPL-3.0-only
@notice down and up are for unsigned values; floor and ceil round a signed value toward minus and plus
    infinity (Vyper's own `//` truncates toward zero). Products are plain 256-bit: callers keep operands
    inside the bounds of FORMULAS 1, a larger product reverts.
"""

WAD: constant(int256) = 10**18
RAY: constant(uint256) = 10**27


@internal
@pure
def _mul_div_down(_x: uint256, _y: uint256, _denominator: uint256) -> uint256:
    return _x * _y // _denominator


@internal
@pure
def _mul_div_up(_x: uint256, _y: uint256, _denominator: uint256) -> uint256:
    return self._div_up(_x * _y, _denominator)


@internal
@pure
def _div_up(_x: uint256, _denominator: uint256) -> uint256:
    quotient: uint256 = _x // _denominator
    if quotient * _denominator < _x:
        quotient += 1
    return quotient


@internal
@pure
def _div_floor(_x: int256, _denominator: int256) -> int256:
    """
    @dev _denominator > 0. unsafe: the product is nearer to zero than _x, the step away from zero is at
        most one.
    """
    quotient: int256 = _x // _denominator
    if unsafe_mul(quotient, _denominator) > _x:
        quotient = unsafe_sub(quotient, 1)
    return quotient


@internal
@pure
def _div_ceil(_x: int256, _denominator: int256) -> int256:
    """
    @dev _denominator > 0. unsafe: as above.
    """
    quotient: int256 = _x // _denominator
    if unsafe_mul(quotient, _denominator) < _x:
        quotient = unsafe_add(quotient, 1)
    return quotient


@internal
@pure
def _mul_div_floor(_x: int256, _y: int256, _denominator: int256) -> int256:
    return self._div_floor(_x * _y, _denominator)


@internal
@pure
def _mul_div_ceil(_x: int256, _y: int256, _denominator: int256) -> int256:
    return self._div_ceil(_x * _y, _denominator)


@internal
@pure
def _wad_mul_floor(_x: int256, _y: int256) -> int256:
    return self._div_floor(_x * _y, WAD)


@internal
@pure
def _wad_mul_ceil(_x: int256, _y: int256) -> int256:
    return self._div_ceil(_x * _y, WAD)


@internal
@pure
def _positive(_x: int256) -> uint256:
    """
    @dev max(0, _x)
    """
    if _x <= 0:
        return 0
    return convert(_x, uint256)


@internal
@pure
def _signed(_x: uint256) -> int256:
    return convert(_x, int256)
