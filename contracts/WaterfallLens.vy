# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title WaterfallLens
@license AGPL-3.0-only
@notice What liquidation would do to an account, to a side and to the capital behind it, before anyone acts. Stores
    nothing; nothing depends on it.

    Where to look: who would take a book and who would pay `resolve_preview` · the rest here.
"""
from contracts.interfaces import IBackstopVault
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IInsuranceFund
from contracts.interfaces import ILiquidator
from contracts.interfaces import IRiskEngine
from contracts.interfaces import IWaterfallLens
from contracts.modules import account_state
from contracts.modules import fixed_point
from contracts.modules import ledger_reader
from contracts.modules import lens_links
from contracts.modules import resolve_preview
from contracts.modules import side_index

implements: IWaterfallLens

initializes: lens_links
initializes: resolve_preview[lens_links := lens_links]

MARKETS: constant(uint256) = 32
PPM: constant(uint256) = 10**6
WAD: constant(uint256) = 10**18
LIVE: constant(uint256) = 1
UNKNOWN: constant(uint256) = 1
NO_NEW_RISK: constant(uint256) = 32
WAITS: constant(uint256) = UNKNOWN | NO_NEW_RISK
ABOVE: constant(uint256) = 32
SLACK: constant(uint256) = 10**12  # [USD wad] as the vault's
LARGEST: constant(uint256) = 2**100  # [base wad]


@deploy
def __init__(_ledger: address, _engine: address, _liquidator: address):
    """
    @param _ledger The clearinghouse.
    @param _engine The risk engine.
    @param _liquidator The liquidator; it names the fund and the vault.
    """
    lens_links.__init__(_ledger, _engine, _liquidator)
    resolve_preview.__init__()


@external
@view
def waterfall(_account: uint256) -> IWaterfallLens.Waterfall:
    """
    @notice Each step of the two ladders with its amounts, at the prices of now. Steps 0 and 1 are what they offer now,
        steps 2 and 3 and who pays what they would be were the account in the backstop.
    """
    book: IClearinghouse.Book = lens_links._book(_account)
    initial: IRiskEngine.Margin = lens_links._assess(lens_links.INITIAL, book)
    margin: IRiskEngine.Margin = lens_links._assess(lens_links.MAINTENANCE, book)
    outcome: IWaterfallLens.Waterfall = empty(IWaterfallLens.Waterfall)
    outcome.state = lens_links._state_of(_account, initial, margin)
    outcome.equity = margin.equity
    outcome.mm = margin.requirement
    running: bool = False
    share: uint256 = 0
    running, outcome.elapsed, share = staticcall lens_links.LIQUIDATOR.auction(_account)
    bare: IClearinghouse.Book = book
    bare.holdings = []
    outcome.debt = fixed_point._positive(-lens_links._assess(lens_links.MAINTENANCE, bare).equity)
    outcome.reward = staticcall lens_links.LIQUIDATOR.reward_of(_account)
    if not self._is_paused():
        outcome.sales = self._sales(_account, book, outcome)
        outcome.takes = self._takes(_account, book, outcome)
    return resolve_preview._with_resolution(outcome, _account, book)


@external
@view
def deleveraging(
    _market: uint256, _is_long: bool, _size: uint256, _shortfall: uint256
) -> IWaterfallLens.Deleveraging:
    """
    @notice What every position of a side would bear, all the same fraction, were legs of the other side closed
        against it.
    @param _size [base wad] of those legs; 0 where the vault takes them.
    @param _shortfall [USD wad] what their owners cannot pay.
    """
    reference: IRiskEngine.Reference = staticcall lens_links.ENGINE.reference_of(_market)
    insured: uint256 = staticcall resolve_preview.FUND.coverable(_market, _shortfall)
    sure: uint256 = staticcall lens_links.LIQUIDATOR.sure_of(_market, _is_long)
    charged: uint256 = min(_shortfall - insured, sure)
    total: uint256 = self._total(_market, _is_long)
    cut: uint256 = 0
    price: uint256 = reference.mark
    if total != 0:
        cut = fixed_point._mul_div_up(min(_size, total), PPM, total)
    if _size != 0:
        a_unit: uint256 = fixed_point._mul_div_up(charged, WAD, _size)
        if _is_long:
            price -= min(a_unit, price)
        else:
            price += a_unit
    return IWaterfallLens.Deleveraging(
        cut=cut,
        mark=reference.mark,
        charged=charged,
        price=price,
        socialised=_shortfall - insured - charged,
        insured=insured,
    )


@external
@view
def backstop_room(_market: uint256) -> IWaterfallLens.Room:
    """
    @notice What the vault could take of a market now, if it were paid nothing; all zero where it has no ring.
    """
    room: IWaterfallLens.Room = empty(IWaterfallLens.Room)
    if not staticcall resolve_preview.VAULT.has_ring(_market):
        return room
    ring: IBackstopVault.Ring = staticcall resolve_preview.VAULT.ring_of(_market)
    return IWaterfallLens.Room(
        account=ring.account,
        equity=ring.equity,
        requirement=ring.requirement,
        size=ring.size,
        most_long=self._most(_market, ring, 1),
        most_short=self._most(_market, ring, -1),
    )


@external
@view
def insurance_adequacy() -> IWaterfallLens.Adequacy:
    """
    @notice What stands behind each market besides its traders: its bucket, and what its sides could be charged.
    """
    custody: address = staticcall lens_links.LEDGER.custody()
    totals: ICustody.Totals = staticcall ICustody(custody).totals()
    fund: IInsuranceFund = resolve_preview.FUND
    report: IWaterfallLens.Adequacy = IWaterfallLens.Adequacy(
        assets=totals.insurance,
        buckets=0,
        interest_bucket=staticcall fund.bucket_of(MARKETS),
        deficit=totals.deficit,
        tickets=totals.tickets,
        markets=[],
    )
    for market: uint256 in range(MARKETS):
        if staticcall lens_links.LEDGER.side_word(market) | staticcall fund.cap_of(market) != 0:
            row: IWaterfallLens.MarketInsurance = self._insurance_of(market, totals.insurance)
            report.buckets += row.bucket
            report.markets.append(row)
    return report


# --- internals -------------------------------------------------------------------------------------------


@internal
@view
def _sales(
    _account: uint256, _book: IClearinghouse.Book, _outcome: IWaterfallLens.Waterfall
) -> DynArray[IWaterfallLens.Sale, 8]:
    """
    @dev Nothing where step 0 would refuse.
    """
    sales: DynArray[IWaterfallLens.Sale, 8] = []
    if _outcome.debt == 0 or not account_state._is_short(_outcome.equity, _outcome.mm):
        return sales
    for holding: IRiskEngine.Holding in _book.holdings:
        haircut: uint256 = 0
        price: uint256 = 0
        state: uint256 = 0
        haircut, price, state = staticcall lens_links.ENGINE.collateral_terms(holding.token)
        if state & WAITS == 0:
            terms: ILiquidator.CollateralTerms = staticcall lens_links.LIQUIDATOR.collateral_terms(
                _account, holding.token
            )
            sales.append(
                IWaterfallLens.Sale(
                    token=holding.token,
                    most=terms.most,
                    price=terms.price,
                    discount=terms.discount,
                )
            )
    return sales


@internal
@view
def _takes(
    _account: uint256, _book: IClearinghouse.Book, _outcome: IWaterfallLens.Waterfall
) -> DynArray[IWaterfallLens.Take, 16]:
    """
    @dev Nothing where step 1 would refuse.
    """
    takes: DynArray[IWaterfallLens.Take, 16] = []
    if _outcome.state != account_state.LIQUIDATABLE:
        return takes
    for leg: IRiskEngine.Leg in _book.legs:
        reference: IRiskEngine.Reference = staticcall lens_links.ENGINE.reference_of(leg.market)
        if reference.state & UNKNOWN == 0:
            terms: ILiquidator.Terms = staticcall lens_links.LIQUIDATOR.terms(_account, leg.market)
            takes.append(
                IWaterfallLens.Take(
                    market=leg.market,
                    least=terms.least,
                    most=terms.most,
                    price=terms.price,
                    fee=terms.fee,
                )
            )
    return takes


@internal
@view
def _most(_market: uint256, _ring: IBackstopVault.Ring, _sign: int256) -> uint256:
    """
    @dev Largest size with IM at the live severity, by bisection: the requirement falls, then grows with it.
    """
    if not self._fits(_market, _ring, _ring.size + _sign):
        return 0
    low: uint256 = 1
    high: uint256 = LARGEST
    for i: uint256 in range(100):
        if high - low <= 1:
            break
        middle: uint256 = (low + high) // 2
        if self._fits(_market, _ring, _ring.size + _sign * convert(middle, int256)):
            low = middle
        else:
            high = middle
    return low


@internal
@view
def _fits(_market: uint256, _ring: IBackstopVault.Ring, _size: int256) -> bool:
    leg: IRiskEngine.Leg = IRiskEngine.Leg(market=_market, size=_size, base=0, open_interest=0)
    margin: IRiskEngine.Margin = staticcall lens_links.ENGINE.assess(LIVE, 0, 0, [leg], [])
    barred: uint256 = NO_NEW_RISK | (1 << (ABOVE + _market))
    return margin.state & barred == 0 and _ring.equity >= convert(
        margin.requirement + SLACK, int256
    )


@internal
@view
def _insurance_of(_market: uint256, _assets: uint256) -> IWaterfallLens.MarketInsurance:
    reference: IRiskEngine.Reference = staticcall lens_links.ENGINE.reference_of(_market)
    interest: uint256 = max(self._total(_market, True), self._total(_market, False))
    notional: uint256 = fixed_point._mul_div_up(interest, reference.mark, WAD)
    bucket: uint256 = staticcall resolve_preview.FUND.bucket_of(_market)
    cover: uint256 = 0
    if notional != 0:
        cover = fixed_point._mul_div_down(min(bucket, _assets), PPM, notional)
    return IWaterfallLens.MarketInsurance(
        market=_market,
        bucket=bucket,
        cap=staticcall resolve_preview.FUND.cap_of(_market),
        notional=notional,
        cover=cover,
        sure_long=staticcall lens_links.LIQUIDATOR.sure_of(_market, True),
        sure_short=staticcall lens_links.LIQUIDATOR.sure_of(_market, False),
    )


@internal
@view
def _total(_market: uint256, _is_long: bool) -> uint256:
    """
    @dev Effective size of a side [base wad].
    """
    side: IClearinghouse.Side = ledger_reader._side(lens_links.LEDGER.address, _market, _is_long)
    signed: int256 = convert(side.total, int256)
    if not _is_long:
        signed = -signed
    return convert(abs(side_index._size_of(signed, side.scale)), uint256)


@internal
@view
def _is_paused() -> bool:
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall lens_links.ENGINE.clock()
    return paused
