# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Lens
@license AGPL-3.0-only
@notice Views for people and bots: what an account is worth and needs, what a trade would do, where an account would
    be liquidated, whether every claim is covered. Stores nothing; nothing depends on it.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ILens
from contracts.interfaces import IRiskEngine
from contracts.modules import account_state
from contracts.modules import book_math
from contracts.modules import fixed_point
from contracts.modules import ledger_reader
from contracts.modules import lens_links
from contracts.modules import liquidation_border
from contracts.modules import solvency_report
from contracts.modules import trade_preview

implements: ILens

initializes: lens_links
initializes: liquidation_border[lens_links := lens_links]
initializes: solvency_report[lens_links := lens_links]
initializes: trade_preview[lens_links := lens_links]

MAX_ACCOUNTS: constant(uint256) = 100
WAD: constant(uint256) = 10**18
BARRED: constant(uint256) = 1 | 2 | 16  # settling, paused: nothing leaves


@deploy
def __init__(_ledger: address, _engine: address, _liquidator: address):
    """
    @param _ledger The clearinghouse.
    @param _engine The risk engine.
    @param _liquidator The liquidator, asked for auction clocks.
    """
    lens_links.__init__(_ledger, _engine, _liquidator)


# --- accounts --------------------------------------------------------------------------------------------


@external
@view
def account_summary(_account: uint256) -> ILens.Summary:
    """
    @notice Equity and requirement of an account, its state and its legs.
    """
    book: IClearinghouse.Book = lens_links._book(_account)
    initial: IRiskEngine.Margin = lens_links._assess(lens_links.INITIAL, book)
    maintenance: IRiskEngine.Margin = lens_links._assess(lens_links.MAINTENANCE, book)
    holder: IClearinghouse.Account = ledger_reader._account(lens_links.LEDGER.address, _account)
    free: uint256 = fixed_point._positive(initial.equity - convert(initial.requirement, int256))
    withdrawable: uint256 = 0
    if initial.state & BARRED == 0:
        withdrawable = min(free, fixed_point._positive(holder.cash))
    return ILens.Summary(
        equity_im=initial.equity,
        im=initial.requirement,
        equity=maintenance.equity,
        mm=maintenance.requirement,
        cash=book.cash,
        free=free,
        withdrawable=withdrawable,
        state=lens_links._state_of(_account, initial, maintenance),
        flags=initial.state,
        legs=self._legs(book),
    )


@external
@view
def health(_accounts: DynArray[uint256, MAX_ACCOUNTS]) -> DynArray[ILens.Health, MAX_ACCOUNTS]:
    """
    @notice E, MM and state of many accounts, in their order: who is to be liquidated.
    """
    answers: DynArray[ILens.Health, MAX_ACCOUNTS] = []
    for account: uint256 in _accounts:
        book: IClearinghouse.Book = lens_links._book(account)
        initial: IRiskEngine.Margin = lens_links._assess(lens_links.INITIAL, book)
        margin: IRiskEngine.Margin = lens_links._assess(lens_links.MAINTENANCE, book)
        answers.append(
            ILens.Health(
                equity=margin.equity,
                mm=margin.requirement,
                state=lens_links._state_of(account, initial, margin),
            )
        )
    return answers


@external
@view
def liquidation_price(_account: uint256, _market: uint256) -> (bool, uint256):
    """
    @notice The last price at which E >= MM if only this market moves: for a long the lowest, for a short the highest.
    @return Whether there is one between 1 wei and 1e9 USD, and the price [USD wad].
    """
    return liquidation_border._liquidation_price(_account, _market)


# --- trades ----------------------------------------------------------------------------------------------


@external
@view
def preview_trade(
    _account: uint256, _market: uint256, _size: int256, _price: uint256, _is_maker: bool
) -> ILens.Preview:
    """
    @notice What a trade would leave of the account, and whether the ledger would let it through: against a
        counterparty that is flat in the market and has margin.
    @param _size [base wad] signed, the change of the account's position.
    @param _price [USD wad] the order's.
    """
    desk: trade_preview.Desk = trade_preview._desk(_account, _market)
    return trade_preview._preview(desk, _size, _price, _is_maker)


@external
@view
def max_trade(
    _account: uint256, _market: uint256, _is_buy: bool, _price: uint256, _is_maker: bool
) -> uint256:
    """
    @notice The largest size the account may buy or sell now, to the wei.
    @return [base wad]
    """
    desk: trade_preview.Desk = trade_preview._desk(_account, _market)
    return trade_preview._max_size(desk, _is_buy, _price, _is_maker)


# --- the protocol ----------------------------------------------------------------------------------------


@external
@view
def solvency() -> ILens.Solvency:
    """
    @notice Invariants 1 to 3 as numbers: what is claimed in each market, what is held, what is missing.
    """
    return solvency_report._solvency()


# --- the ledger's words, read out ------------------------------------------------------------------------


@external
@view
def account(_account: uint256) -> IClearinghouse.Account:
    """
    @return Cash as of the last touch; `account_summary` counts interest.
    """
    return ledger_reader._account(lens_links.LEDGER.address, _account)


@external
@view
def position(_account: uint256, _market: uint256) -> IClearinghouse.Position:
    return ledger_reader._position(lens_links.LEDGER.address, _account, _market)


@external
@view
def market(_market: uint256) -> IClearinghouse.Market:
    return ledger_reader._market(lens_links.LEDGER.address, _market)


# --- internals -------------------------------------------------------------------------------------------


@internal
@view
def _legs(_book: IClearinghouse.Book) -> DynArray[ILens.LegSummary, 16]:
    legs: DynArray[ILens.LegSummary, 16] = []
    for leg: IRiskEngine.Leg in _book.legs:
        quote: IRiskEngine.Quote = lens_links._quote(leg.market)
        g: int256 = convert(quote.mark, int256) - quote.funding
        legs.append(
            ILens.LegSummary(
                market=leg.market,
                size=leg.size,
                mark=quote.mark,
                value=fixed_point._wad_mul_floor(leg.size, g) + leg.base,
                notional=fixed_point._mul_div_up(convert(abs(leg.size), uint256), quote.mark, WAD),
            )
        )
    return legs
