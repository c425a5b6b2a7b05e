# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The ledger's packed words, read out for people
@license AGPL-3.0-only
@notice For the Lens: the clearinghouse has no room for views that only decode.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IRiskEngine
from contracts.modules import fixed_point
from contracts.modules import ledger_words
from contracts.modules import side_index

RAY: constant(uint256) = 10**27
MAX_ENTRIES: constant(uint256) = 16
FLOOR_UNIT: constant(uint256) = 100


@view
@internal
def _account(_ledger: address, _account: uint256) -> IClearinghouse.Account:
    """
    @dev Cash as stored: interest since the last touch is in `book`.
    """
    state: ledger_words.AccountState = ledger_words._unpack_account(
        staticcall IClearinghouse(_ledger).account_word(_account)
    )
    markets: DynArray[uint256, MAX_ENTRIES] = []
    for i: uint256 in range(MAX_ENTRIES):
        entry: uint256 = ledger_words._market_at(state.markets, i)
        if entry == 0:
            break
        markets.append(entry - 1)
    return IClearinghouse.Account(
        cash=state.cash,
        mode=state.mode,
        floor=state.floor * FLOOR_UNIT,
        gateways=state.gateways,
        tokens=state.tokens,
        markets=markets,
    )


@view
@internal
def _side(_ledger: address, _market: uint256, _is_long: bool) -> IClearinghouse.Side:
    sides: ledger_words.Sides = ledger_words._unpack_sides(
        staticcall IClearinghouse(_ledger).side_word(_market)
    )
    side: IClearinghouse.Side = IClearinghouse.Side(
        scale=RAY, credit=0, total=sides.long_total, epoch=sides.long_epoch
    )
    is_cut: bool = sides.long_cut
    index: uint256 = 2 * _market
    if not _is_long:
        side.total = sides.short_total
        side.epoch = sides.short_epoch
        is_cut = sides.short_cut
        index += 1
    if is_cut:
        side.scale, side.credit = ledger_words._unpack_side(
            staticcall IClearinghouse(_ledger).cut_word(index)
        )
    return side


@view
@internal
def _is_cut(_ledger: address, _market: uint256, _is_long: bool) -> bool:
    sides: ledger_words.Sides = ledger_words._unpack_sides(
        staticcall IClearinghouse(_ledger).side_word(_market)
    )
    if _is_long:
        return sides.long_cut
    return sides.short_cut


@view
@internal
def _market(_ledger: address, _market: uint256) -> IClearinghouse.Market:
    net: int256 = 0
    fees: uint256 = 0
    net, fees = ledger_words._unpack_tally(staticcall IClearinghouse(_ledger).tally_word(_market))
    return IClearinghouse.Market(
        long=self._side(_ledger, _market, True),
        short=self._side(_ledger, _market, False),
        net=net,
        fees=fees,
    )


@view
@internal
def _position(_ledger: address, _account: uint256, _market: uint256) -> IClearinghouse.Position:
    state: ledger_words.PositionState = ledger_words._unpack_position(
        staticcall IClearinghouse(_ledger).position_word(_account, _market)
    )
    position: IClearinghouse.Position = IClearinghouse.Position(
        scaled=state.scaled, z=state.z, epoch=state.epoch, size=state.scaled, base=-state.z
    )
    if state.scaled == 0:
        return position
    is_long: bool = state.scaled > 0
    side: IClearinghouse.Side = self._side(_ledger, _market, is_long)
    if state.epoch != side.epoch:
        index: uint256 = 2 * _market
        if not is_long:
            index += 1
        position.size = 0
        position.base = side_index._ended_value(
            state.scaled,
            state.z,
            staticcall IClearinghouse(_ledger).final_credit(index, state.epoch),
        )
    elif self._is_cut(_ledger, _market, is_long):
        position.size = side_index._size_of(state.scaled, side.scale)
        position.base = side_index._base_of(state.scaled, state.z, side.credit)
    return position
