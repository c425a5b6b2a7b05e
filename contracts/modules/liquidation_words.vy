# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Packed words of the liquidator
@license AGPL-3.0-only
@notice The only place that knows the bits. Fields from the top of the word:
    parameters: min_deficit 96 | duration 32 | tail 32 | discount_min 32 | discount_max 32 | insurance_fee 32
    clock:      spare 190 | elapsed 32 | touched 32 | cured 1 | running 1
    charged:    reference 90 | round 32 | amount 134
"""
from contracts.interfaces import ILiquidator

MASK_32: constant(uint256) = 2**32 - 1
MASK_134: constant(uint256) = 2**134 - 1


# The auction of one account.
struct Clock:
    running: bool
    cured: bool  # the last touch saw E >= MM
    touched: uint256  # [s] effective time of the last touch
    elapsed: uint256  # [s] with every price known, up to the last touch


# Charged to one side of a market since its P_ref was taken.
struct Charged:
    reference: uint256  # [USD wad] P_ref
    round: uint256
    amount: uint256  # [USD wad]


@internal
@pure
def _pack_parameters(_p: ILiquidator.Parameters) -> uint256:
    """
    @dev The setter bounds every field.
    """
    word: uint256 = (_p.min_deficit << 160) | (_p.duration << 128) | (_p.tail << 96)
    return word | (_p.discount_min << 64) | (_p.discount_max << 32) | _p.insurance_fee


@internal
@pure
def _unpack_parameters(_word: uint256) -> ILiquidator.Parameters:
    return ILiquidator.Parameters(
        duration=(_word >> 128) & MASK_32,
        tail=(_word >> 96) & MASK_32,
        discount_min=(_word >> 64) & MASK_32,
        discount_max=(_word >> 32) & MASK_32,
        insurance_fee=_word & MASK_32,
        min_deficit=_word >> 160,
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
def _pack_charged(_c: Charged) -> uint256:
    """
    @dev Prices fit 90 bits; the amount is at most the open interest's value, below 2^134.
    """
    return (_c.reference << 166) | ((_c.round & MASK_32) << 134) | (_c.amount & MASK_134)


@internal
@pure
def _unpack_charged(_word: uint256) -> Charged:
    return Charged(
        reference=_word >> 166, round=(_word >> 134) & MASK_32, amount=_word & MASK_134
    )
