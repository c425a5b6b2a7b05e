# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What the ledger tells the risk engine, and the gates on every way out
@license AGPL-3.0-only
@notice Builds the book of an account and asks the engine. A book's cash counts interest and positions of
    ended epochs.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IRiskEngine
from contracts.modules import ledger_words
from contracts.modules import positions
from contracts.modules import reasons
from contracts.modules import registry

uses: positions
uses: registry

MAX_LEGS: constant(uint256) = 16
INITIAL: constant(uint256) = 0
LIVE: constant(uint256) = 1
MAINTENANCE: constant(uint256) = 2
SETTLING: constant(uint256) = 1 | 2
PAUSED: constant(uint256) = 16
NO_NEW_RISK: constant(uint256) = 32
FLOOR_UNIT: constant(uint256) = 100


# A leg to count instead of the one stored: the book as it was before a trade.
struct Instead:
    market: uint256  # market + 1; 0 for none
    size: int256
    base: int256


@view
@internal
def _book(
    _account: uint256, _state: ledger_words.AccountState, _instead: Instead
) -> IClearinghouse.Book:
    book: IClearinghouse.Book = empty(IClearinghouse.Book)
    book.cash = _state.cash
    book.floor = _state.floor * FLOOR_UNIT
    book.mode = _state.mode
    list: uint256 = _state.markets
    for i: uint256 in range(MAX_LEGS):
        if list == 0:
            break
        leg: IRiskEngine.Leg = positions._leg(_account, unsafe_sub(list & 63, 1))
        list = list >> 6
        if unsafe_add(leg.market, 1) == _instead.market:
            leg.size = _instead.size
            leg.base = _instead.base
        if leg.size == 0:
            book.cash += leg.base
        else:
            book.legs.append(leg)
    if _state.tokens != 0:
        book.holdings = staticcall ICustody(registry.CUSTODY).holdings(_account, _state.tokens)
    return book


@view
@internal
def _quote(_market: uint256) -> IRiskEngine.Quote:
    return staticcall IRiskEngine(registry.ENGINE).quote(_market)


@view
@internal
def _assess(
    _basis: uint256, _account: uint256, _state: ledger_words.AccountState, _instead: Instead
) -> IRiskEngine.Margin:
    book: IClearinghouse.Book = self._book(_account, _state, _instead)
    return staticcall IRiskEngine(registry.ENGINE).assess(
        _basis, book.cash, book.floor, book.legs, book.holdings
    )


@view
@internal
def _check_outflow(_account: uint256, _state: ledger_words.AccountState):
    """
    @dev After value left the account: E_im >= IM, nothing it holds settles, cash is not negative.
    """
    reasons._require(_state.cash >= 0, reasons.CASH)
    margin: IRiskEngine.Margin = self._assess(INITIAL, _account, _state, empty(Instead))
    self._check_running(margin.state)
    reasons._require(margin.state & SETTLING == 0, reasons.SETTLING)
    self._check_initial(margin)


@pure
@internal
def _check_running(_state: uint256):
    reasons._require(_state & PAUSED == 0, reasons.PAUSED)


@pure
@internal
def _check_bound(_margin: IRiskEngine.Margin, _market: uint256):
    reasons._require((_margin.state >> (32 + _market)) & 1 == 0, reasons.ABOVE_LAST_BOUND)


@pure
@internal
def _check_initial(_margin: IRiskEngine.Margin):
    reasons._require(_margin.equity >= convert(_margin.requirement, int256), reasons.INITIAL_MARGIN)


@pure
@internal
def _check_improves(_before: IRiskEngine.Margin, _after: IRiskEngine.Margin):
    """
    @dev E' >= 0 and E'·MM >= E·MM' (FORMULAS 5; |E|, MM < 2^127).
    """
    reasons._require(
        _after.equity >= 0
        and _after.equity * convert(_before.requirement, int256)
        >= _before.equity * convert(_after.requirement, int256),
        reasons.MARGIN,
    )


@pure
@internal
def _reduces(_before: int256, _after: int256) -> bool:
    """
    @dev Towards zero, not through it.
    """
    if _after < 0:
        return _before < _after
    return _after < _before or (_after == 0 and _before != 0)
