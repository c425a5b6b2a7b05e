# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What every step of a liquidation shares
@license AGPL-3.0-only
@notice Reads an account's book from the ledger and its maintenance margin from the risk engine, and keeps its
    auction clock. Owns the addresses; each step has a module of its own.
@dev Reasons: "paused", "not owner", "same account", "not liquidatable", "price unknown", "price limit",
    "not improved".
"""
from contracts.interfaces import IBackstopVault
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IInsuranceFund
from contracts.interfaces import ILiquidator
from contracts.interfaces import IRiskEngine
from contracts.modules import account_state
from contracts.modules import auctions
from contracts.modules import fixed_point
from contracts.modules import liquidation_words as words
from contracts.modules import reasons

uses: auctions

INITIAL: constant(uint256) = 0  # bases of the risk engine
MAINTENANCE: constant(uint256) = 2
UNKNOWN: constant(uint256) = 1  # state bit of the risk engine

LEDGER: immutable(IClearinghouse)
CUSTODY: immutable(ICustody)
ENGINE: immutable(IRiskEngine)
FUND: immutable(IInsuranceFund)
VAULT: immutable(IBackstopVault)


# One account under liquidation, as a call found it.
struct Case:
    account: uint256
    now: uint256  # [s] effective time
    parameters: ILiquidator.Parameters
    stored: words.Clock  # what storage holds
    clock: words.Clock  # as it stands now
    book: IClearinghouse.Book
    margin: IRiskEngine.Margin  # maintenance


@deploy
def __init__(_ledger: address, _engine: address, _fund: address, _vault: address):
    LEDGER = IClearinghouse(_ledger)
    CUSTODY = ICustody(staticcall IClearinghouse(_ledger).custody())
    ENGINE = IRiskEngine(_engine)
    FUND = IInsuranceFund(_fund)
    VAULT = IBackstopVault(_vault)


@internal
@view
def _open_case(_account: uint256) -> Case:
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall ENGINE.clock()
    self._check_running(paused)
    return self._case_at(_account, now)


@internal
@view
def _case_at(_account: uint256, _now: uint256) -> Case:
    parameters: ILiquidator.Parameters = auctions._parameters()
    stored: words.Clock = auctions._clock_of(_account)
    book: IClearinghouse.Book = self._book_of(_account)
    margin: IRiskEngine.Margin = self._assess(MAINTENANCE, book)
    return Case(
        account=_account,
        now=_now,
        parameters=parameters,
        stored=stored,
        clock=auctions._touch(stored, margin, _now, parameters),
        book=book,
        margin=margin,
    )


@internal
@view
def _book_of(_account: uint256) -> IClearinghouse.Book:
    return staticcall LEDGER.book(_account)


@internal
@view
def _reference_of(_market: uint256) -> IRiskEngine.Reference:
    return staticcall ENGINE.reference_of(_market)


@internal
@view
def _assess(_basis: uint256, _book: IClearinghouse.Book) -> IRiskEngine.Margin:
    return staticcall ENGINE.assess(_basis, _book.cash, _book.floor, _book.legs, _book.holdings)


@internal
@view
def _debt_of(_book: IClearinghouse.Book) -> uint256:
    """
    @dev max(0, -(cash + sum of V)): what an account without its holdings is short of. [USD wad]
    """
    bare: IClearinghouse.Book = _book
    bare.holdings = []
    return fixed_point._positive(-self._assess(MAINTENANCE, bare).equity)


@internal
@view
def _margin_of(_account: uint256) -> IRiskEngine.Margin:
    return self._assess(MAINTENANCE, self._book_of(_account))


@internal
@view
def _with_leg(
    _margin: IRiskEngine.Margin, _leg: IRiskEngine.Leg, _new: IRiskEngine.Leg, _gained: int256
) -> IRiskEngine.Margin:
    """
    @dev A book's maintenance margin with _new for _leg and _gained cash more. E and MM are sums over legs, so no
        other leg is asked for.
    """
    margin: IRiskEngine.Margin = _margin
    before: IRiskEngine.Margin = self._assess_leg(0, _leg)
    after: IRiskEngine.Margin = self._assess_leg(_gained, _new)
    margin.equity += after.equity - before.equity
    margin.requirement = margin.requirement - before.requirement + after.requirement
    return margin


@internal
@view
def _assess_leg(_cash: int256, _leg: IRiskEngine.Leg) -> IRiskEngine.Margin:
    return staticcall ENGINE.assess(MAINTENANCE, _cash, 0, [_leg], [])


@internal
def _close_case(_case: Case, _after: IRiskEngine.Margin):
    """
    @dev Leave the clock as the margin after the step demands.
    """
    clock: words.Clock = auctions._touch(_case.clock, _after, _case.now, _case.parameters)
    auctions._store(_case.account, _case.stored, clock)


@internal
def _end_case(_case: Case):
    """
    @dev The account holds nothing to liquidate any more.
    """
    auctions._store(_case.account, _case.stored, empty(words.Clock))


@internal
@pure
def _is_over(_case: Case) -> bool:
    """
    @dev The auction ran out.
    """
    return _case.clock.elapsed >= _case.parameters.duration


@internal
@view
def _state_of(_case: Case) -> uint256:
    """
    @dev E_im is asked only where E, MM and the clock do not decide.
    """
    if account_state._is_short(_case.margin.equity, _case.margin.requirement):
        return account_state._state_of(
            0, 0, _case.margin.equity, _case.margin.requirement, self._is_over(_case)
        )
    initial: IRiskEngine.Margin = self._assess(INITIAL, _case.book)
    return account_state._state_of(
        initial.equity,
        initial.requirement,
        _case.margin.equity,
        _case.margin.requirement,
        self._is_over(_case),
    )


@internal
@view
def _check_taker(_account: uint256, _taker: uint256):
    """
    @dev The caller owns the account that takes; another subaccount of the same owner may.
    """
    reasons._require(convert(_taker >> 96, address) == msg.sender, reasons.NOT_OWNER)
    reasons._require(_taker != _account, reasons.SAME_ACCOUNT)


@internal
@pure
def _check_running(_paused: bool):
    reasons._require(not _paused, reasons.PAUSED)


@internal
@pure
def _check_short(_margin: IRiskEngine.Margin):
    reasons._require(
        account_state._is_short(_margin.equity, _margin.requirement), reasons.NOT_LIQUIDATABLE
    )


@internal
@pure
def _check_known(_state: uint256):
    reasons._require(_state & UNKNOWN == 0, reasons.PRICE_UNKNOWN)


@internal
@pure
def _check_limit(_within: bool):
    reasons._require(_within, reasons.PRICE_LIMIT)


@internal
@pure
def _check_improved(_improved: bool):
    reasons._require(_improved, reasons.NOT_IMPROVED)
