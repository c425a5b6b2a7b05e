# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A gateway that trades whatever it is told
@license AGPL-3.0-only
@notice For tests only.
"""
from contracts.interfaces import IClearinghouse

LEDGER: immutable(IClearinghouse)


@deploy
def __init__(_ledger: address):
    LEDGER = IClearinghouse(_ledger)


@external
def trade(
    _maker: uint256,
    _taker: uint256,
    _market: uint256,
    _size: int256,
    _price: uint256,
    _reduce: uint256,
) -> IClearinghouse.Fill:
    return extcall LEDGER.trade(_maker, _taker, _market, _size, _price, _reduce)
