# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title State of an account
@license AGPL-3.0-only
@notice Who must act is decided by E, MM, IM alone (DESIGN 8). |E| and MM are below 2^127, so nothing overflows.
"""

HEALTHY: constant(uint256) = 0
CALLED: constant(uint256) = 1
LIQUIDATABLE: constant(uint256) = 2
BACKSTOP: constant(uint256) = 3
BANKRUPT: constant(uint256) = 4


@internal
@pure
def _is_short(_equity: int256, _mm: uint256) -> bool:
    """
    @dev E < MM
    """
    return _equity < convert(_mm, int256)


@internal
@pure
def _is_below_backstop(_equity: int256, _mm: uint256) -> bool:
    """
    @dev E < 2/3 MM
    """
    return 3 * _equity < 2 * convert(_mm, int256)


@internal
@pure
def _is_restored(_equity: int256, _mm: uint256) -> bool:
    """
    @dev E >= (1+b) MM, b = 1/4
    """
    return 4 * _equity >= 5 * convert(_mm, int256)


@internal
@pure
def _is_no_worse(_equity: int256, _mm: uint256, _equity_after: int256, _mm_after: uint256) -> bool:
    """
    @dev E' >= 0 and E'·MM >= E·MM' (FORMULAS 5)
    """
    if _equity_after < 0:
        return False
    return _equity_after * convert(_mm, int256) >= _equity * convert(_mm_after, int256)


@internal
@pure
def _state_of(
    _equity_im: int256, _im: uint256, _equity: int256, _mm: uint256, _is_over: bool
) -> uint256:
    """
    @dev _is_over: the account's auction ran out.
    """
    if _equity < 0:
        return BANKRUPT
    if self._is_below_backstop(_equity, _mm):
        return BACKSTOP
    if self._is_short(_equity, _mm):
        return BACKSTOP if _is_over else LIQUIDATABLE
    if _equity_im < convert(_im, int256):
        return CALLED
    return HEALTHY
