# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Packed words of session keys
@license AGPL-3.0-only
@notice The only place that knows the bits. From the top: expiry 32 | slippage 20 | daily notional 94 | day 16 |
    used 94. A used amount never exceeds its daily notional, so the fields fit once the terms do.
"""
from contracts.interfaces import IOrderGateway

MAX_EXPIRY: constant(uint256) = 2**32 - 1
MAX_SLIPPAGE: constant(uint256) = 10**6  # [ppm] below 2**20
MAX_NOTIONAL: constant(uint256) = 2**94 - 1  # [USD wad] 19.8 billion


@internal
@pure
def _fits(_key: IOrderGateway.SessionKey) -> bool:
    return (
        _key.expiry <= MAX_EXPIRY
        and _key.slippage <= MAX_SLIPPAGE
        and _key.daily_notional <= MAX_NOTIONAL
    )


@internal
@pure
def _pack_key(_key: IOrderGateway.SessionKey) -> uint256:
    return (
        (_key.expiry << 224)
        | (_key.slippage << 204)
        | (_key.daily_notional << 110)
        | (_key.day << 94)
        | _key.used
    )


@internal
@pure
def _unpack_key(_word: uint256) -> IOrderGateway.SessionKey:
    return IOrderGateway.SessionKey(
        expiry=_word >> 224,
        slippage=(_word >> 204) & (2**20 - 1),
        daily_notional=(_word >> 110) & (2**94 - 1),
        day=(_word >> 94) & (2**16 - 1),
        used=_word & (2**94 - 1),
    )
