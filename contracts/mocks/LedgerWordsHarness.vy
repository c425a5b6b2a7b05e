# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title The packed words of the ledger, opened for tests
@license AGPL-3.0-only
@notice For tests only.
"""
from contracts.modules import ledger_words


@pure
@external
def pack_account(_state: ledger_words.AccountState) -> uint256:
    return ledger_words._pack_account(_state)


@pure
@external
def unpack_account(_word: uint256) -> ledger_words.AccountState:
    return ledger_words._unpack_account(_word)


@pure
@external
def pack_position(_scaled: int256, _z: int256, _epoch: uint256) -> uint256:
    return ledger_words._pack_position(_scaled, _z, _epoch)


@pure
@external
def unpack_position(_word: uint256) -> ledger_words.PositionState:
    return ledger_words._unpack_position(_word)


@pure
@external
def pack_sides(_sides: ledger_words.Sides) -> uint256:
    return ledger_words._pack_sides(_sides)


@pure
@external
def unpack_sides(_word: uint256) -> ledger_words.Sides:
    return ledger_words._unpack_sides(_word)


@pure
@external
def pack_side(_scale: uint256, _credit: int256) -> uint256:
    return ledger_words._pack_side(_scale, _credit)


@pure
@external
def unpack_side(_word: uint256) -> (uint256, int256):
    return ledger_words._unpack_side(_word)


@pure
@external
def pack_tally(_net: int256, _fees: uint256) -> uint256:
    return ledger_words._pack_tally(_net, _fees)


@pure
@external
def unpack_tally(_word: uint256) -> (int256, uint256):
    return ledger_words._unpack_tally(_word)


@pure
@external
def market_at(_list: uint256, _index: uint256) -> uint256:
    return ledger_words._market_at(_list, _index)


@pure
@external
def with_market(_list: uint256, _market: uint256) -> uint256:
    return ledger_words._with_market(_list, _market)


@pure
@external
def without_market(_list: uint256, _market: uint256) -> uint256:
    return ledger_words._without_market(_list, _market)
