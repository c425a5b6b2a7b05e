# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Bounds as decimal floats
@license AGPL-3.0-only
@notice 24 bits: mantissa 20 · 10^(exponent 4). Only exactly representable values are accepted.
@dev The encoding is unique: the smallest exponent whose mantissa fits. Reason: "not representable".
"""

MANTISSA_LIMIT: constant(uint256) = 2**20


@pure
@internal
def _encode(_value: uint256) -> uint256:
    mantissa: uint256 = _value
    exponent: uint256 = 0
    for i: uint256 in range(16):
        if mantissa < MANTISSA_LIMIT:
            break
        assert mantissa % 10 == 0, "not representable"
        mantissa //= 10
        exponent += 1
    assert mantissa < MANTISSA_LIMIT and exponent < 16, "not representable"
    return mantissa << 4 | exponent


@pure
@internal
def _decode(_word: uint256) -> uint256:
    """
    @dev Only the low 24 bits count: mantissa < 2**20, exponent < 16, so the product < 2**74.
    """
    return unsafe_mul((_word >> 4) & 1_048_575, pow_mod256(10, _word & 15))
