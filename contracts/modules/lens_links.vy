# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What the lens looks at
@license AGPL-3.0-only
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ILiquidator
from contracts.interfaces import IRiskEngine
from contracts.modules import account_state

INITIAL: constant(uint256) = 0
MAINTENANCE: constant(uint256) = 2

LEDGER: immutable(IClearinghouse)
ENGINE: immutable(IRiskEngine)
LIQUIDATOR: immutable(ILiquidator)


@deploy
def __init__(_ledger: address, _engine: address, _liquidator: address):
    LEDGER = IClearinghouse(_ledger)
    ENGINE = IRiskEngine(_engine)
    LIQUIDATOR = ILiquidator(_liquidator)


@internal
@view
def _book(_account: uint256) -> IClearinghouse.Book:
    return staticcall LEDGER.book(_account)


@internal
@view
def _quote(_market: uint256) -> IRiskEngine.Quote:
    return staticcall ENGINE.quote(_market)


@internal
@view
def _assess(_basis: uint256, _book: IClearinghouse.Book) -> IRiskEngine.Margin:
    return staticcall ENGINE.assess(_basis, _book.cash, _book.floor, _book.legs, _book.holdings)


@internal
@view
def _state_of(
    _account: uint256, _initial: IRiskEngine.Margin, _maintenance: IRiskEngine.Margin
) -> uint256:
    """
    @dev The auction is asked only where it decides.
    """
    is_over: bool = False
    if account_state._is_short(_maintenance.equity, _maintenance.requirement):
        running: bool = False
        elapsed: uint256 = 0
        share: uint256 = 0
        running, elapsed, share = staticcall LIQUIDATOR.auction(_account)
        is_over = elapsed >= (staticcall LIQUIDATOR.parameters()).duration
    return account_state._state_of(
        _initial.equity,
        _initial.requirement,
        _maintenance.equity,
        _maintenance.requirement,
        is_over,
    )
