# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Packed words of the liquidator
@license AGPL-3.0-only
@notice The only place that knows the bits. Fields from the top of the word:
    parameters: min_deficit 96 | reward 64 | duration 16 | tail 20 | discount_min 20 | discount_max 20 |
                insurance_fee 20
    clock:      spare 190 | elapsed 32 | touched 32 | cured 1 | running 1
    surety:     round 32 | spare 64 | owned int160
"""
from contracts.interfaces import ILiquidator

MASK_16: constant(uint256) = 2**16 - 1
MASK_20: constant(uint256) = 2**20 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_64: constant(uint256) = 2**64 - 1


# The auction of one account.
struct Clock:
    running: bool
    cured: bool  # the last touch saw E >= MM
    touched: uint256  # [s] effective time of the last touch
    elapsed: uint256  # [s] with every price known, up to the last touch


# What a scaled unit of one side of a market was sure to own when P_ref was taken, less its X then.
struct Surety:
    round: uint256
    owned: int256  # [ray USD]


@internal
@pure
def _pack_parameters(_p: ILiquidator.Parameters) -> uint256:
    """
    @dev The setter bounds every field.
    """
    word: uint256 = (_p.min_deficit << 160) | (_p.reward << 96) | (_p.duration << 80)
    word |= (_p.tail << 60) | (_p.discount_min << 40) | (_p.discount_max << 20)
    return word | _p.insurance_fee


@internal
@pure
def _unpack_parameters(_word: uint256) -> ILiquidator.Parameters:
    return ILiquidator.Parameters(
        duration=(_word >> 80) & MASK_16,
        tail=(_word >> 60) & MASK_20,
        discount_min=(_word >> 40) & MASK_20,
        discount_max=(_word >> 20) & MASK_20,
        insurance_fee=_word & MASK_20,
        min_deficit=_word >> 160,
        reward=(_word >> 96) & MASK_64,
    )


@internal
@pure
def _pack_clock(_c: Clock) -> uint256:
    """
    @dev Zero where the clock does not run. Seconds since 1970 fit 32 bits until 2106.
    """
    if not _c.running:
        return 0
    return (_c.elapsed << 34) | (_c.touched << 2) | (convert(_c.cured, uint256) << 1) | 1


@internal
@pure
def _unpack_clock(_word: uint256) -> Clock:
    return Clock(
        running=_word & 1 == 1,
        cured=(_word >> 1) & 1 == 1,
        touched=(_word >> 2) & MASK_32,
        elapsed=_word >> 34,
    )


@internal
@pure
def _pack_surety(_s: Surety) -> uint256:
    """
    @dev Reverts where owned leaves int160 (FORMULAS 1 bounds K by 2^135).
    """
    owned: int160 = convert(_s.owned, int160)
    bits: uint256 = convert(convert(convert(owned, int256), bytes32), uint256)
    return (_s.round << 224) | (bits & (2**160 - 1))


@internal
@pure
def _unpack_surety(_word: uint256) -> Surety:
    owned: int256 = convert(convert(_word << 96, bytes32), int256) >> 96
    return Surety(round=_word >> 224, owned=owned)
