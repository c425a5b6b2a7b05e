# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Bounds as decimal floats
@license AGPL-3.0-only
@notice Mantissa 20 bits · 10^(exponent 4 bits), 5 bits for sizes. Only exactly representable values
    are accepted.
@dev The encoding is unique: the smallest exponent whose mantissa fits. Reason: "not representable".
"""

MANTISSA_LIMIT: constant(uint256) = 2**20


@pure
@internal
def _encode(_value: uint256, _exponent_bits: uint256) -> uint256:
    mantissa: uint256 = _value
    exponent: uint256 = 0
    exact: bool = True
    for i: uint256 in range(32):
        if mantissa < MANTISSA_LIMIT:
            break
        exact = exact and mantissa % 10 == 0
        mantissa //= 10
        exponent += 1
    fits: bool = mantissa < MANTISSA_LIMIT and exponent < 1 << _exponent_bits
    assert exact and fits, "not representable"
    return mantissa << _exponent_bits | exponent


@pure
@internal
def _decode(_word: uint256) -> uint256:
    """
    @dev Only the low 24 bits count: mantissa < 2**20, exponent < 16, so the product < 2**74.
    """
    return unsafe_mul((_word >> 4) & 1_048_575, pow_mod256(10, _word & 15))


@pure
@internal
def _decode_size(_word: uint256) -> uint256:
    """
    @dev Only the low 25 bits count: mantissa < 2**20, exponent < 32, so the product < 2**123.
    """
    return unsafe_mul((_word >> 5) & 1_048_575, pow_mod256(10, _word & 31))
