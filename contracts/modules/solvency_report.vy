# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Invariants 1 to 3 as numbers
@license AGPL-3.0-only
@notice At the stored marks. Claims are rounded up, so the dust shown is rounded down.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import ILens
from contracts.interfaces import IRiskEngine
from contracts.modules import fixed_point
from contracts.modules import ledger_reader
from contracts.modules import lens_links
from contracts.modules import side_index

uses: lens_links

MARKETS: constant(uint256) = 32
SIGNED_RAY: constant(int256) = 10**27


@internal
@view
def _solvency() -> ILens.Solvency:
    custody: address = staticcall lens_links.LEDGER.custody()
    totals: ICustody.Totals = staticcall ICustody(custody).totals()
    report: ILens.Solvency = ILens.Solvency(
        tokens=totals.tokens,
        deficit=totals.deficit,
        tickets=totals.tickets,
        insurance=totals.insurance,
        restored=totals.restored,
        waiting=totals.waiting,
        interest=staticcall lens_links.LEDGER.interest_collected(),
        fees=0,
        dust=0,
        markets=[],
    )
    for market: uint256 in range(MARKETS):
        if self._is_used(market):
            row: ILens.MarketSolvency = self._market(market)
            report.fees += row.fees
            report.dust += row.dust
            report.markets.append(row)
    return report


@internal
@view
def _market(_market: uint256) -> ILens.MarketSolvency:
    ledger: address = lens_links.LEDGER.address
    state: IClearinghouse.Market = ledger_reader._market(ledger, _market)
    quote: IRiskEngine.Quote = lens_links._quote(_market)
    g: int256 = convert(quote.mark, int256) - quote.funding
    longs: int256 = self._claims(state.long, g, True)
    shorts: int256 = self._claims(state.short, g, False)
    long_size: uint256 = self._size(state.long, True)
    short_size: uint256 = self._size(state.short, False)
    return ILens.MarketSolvency(
        market=_market,
        claims_long=fixed_point._div_ceil(longs, SIGNED_RAY),
        claims_short=fixed_point._div_ceil(shorts, SIGNED_RAY),
        net=state.net,
        fees=state.fees,
        dust=-(fixed_point._div_ceil(longs + shorts, SIGNED_RAY) + state.net),
        long_size=long_size,
        short_size=short_size,
        gap=convert(short_size, int256) - convert(long_size, int256),
    )


@internal
@pure
def _claims(_side: IClearinghouse.Side, _g: int256, _is_long: bool) -> int256:
    """
    @dev Q·X: what the side's positions are worth besides their z [USD wad · ray].
    """
    x: int256 = side_index._settled_credit(_is_long, _g, _side.scale, _side.credit)
    return convert(_side.total, int256) * x


@internal
@pure
def _size(_side: IClearinghouse.Side, _is_long: bool) -> uint256:
    signed: int256 = convert(_side.total, int256)
    if not _is_long:
        signed = -signed
    return convert(abs(side_index._size_of(signed, _side.scale)), uint256)


@internal
@view
def _is_used(_market: uint256) -> bool:
    traded: bool = staticcall lens_links.LEDGER.tally_word(_market) != 0
    open: bool = staticcall lens_links.LEDGER.side_word(_market) != 0
    return traded or open
