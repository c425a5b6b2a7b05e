# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What `resolve` would do to an account now
@license AGPL-3.0-only
@notice The same split as `waterfall`, from views only. Legs close at what the book says they are worth, so amounts are
    those of the resolution to the wei, if nothing else happens in the block before it.
"""
from contracts.interfaces import IBackstopVault
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IInsuranceFund
from contracts.interfaces import IRiskEngine
from contracts.interfaces import IWaterfallLens
from contracts.modules import fixed_point
from contracts.modules import lens_links

uses: lens_links

MAINTENANCE: constant(uint256) = 2
UNKNOWN: constant(uint256) = 1
NO_MARKET: constant(uint256) = 32
MARKETS: constant(uint256) = 32

FUND: immutable(IInsuranceFund)
VAULT: immutable(IBackstopVault)


# Who pays, so far.
struct Split:
    cash: int256  # [USD wad] of the account after the close
    loss: uint256  # [USD wad] of all legs
    loss_left: uint256  # [USD wad] of the legs not yet seen
    assigned: uint256  # [USD wad] of the deficit
    assets: uint256  # [USD wad] the fund has left


@deploy
def __init__():
    """
    @dev After lens_links.__init__.
    """
    FUND = IInsuranceFund(staticcall lens_links.LIQUIDATOR.FUND())
    VAULT = IBackstopVault(staticcall lens_links.LIQUIDATOR.VAULT())


@view
@internal
def _with_resolution(
    _outcome: IWaterfallLens.Waterfall, _account: uint256, _book: IClearinghouse.Book
) -> IWaterfallLens.Waterfall:
    """
    @dev Fills in steps 2 and 3, and who pays.
    """
    outcome: IWaterfallLens.Waterfall = _outcome
    payments: DynArray[uint256, 16] = self._payments(_outcome, _account, _book)
    outcome.to_vault = len(payments) != 0
    frozen: DynArray[IRiskEngine.Leg, 16] = []
    custody: address = staticcall lens_links.LEDGER.custody()
    split: Split = empty(Split)
    split.assets = staticcall ICustody(custody).insurance()
    split.cash = _book.cash - convert(_outcome.reward, int256)
    for i: uint256 in range(len(_book.legs), bound=16):
        leg: IRiskEngine.Leg = _book.legs[i]
        reference: IRiskEngine.Reference = staticcall lens_links.ENGINE.reference_of(leg.market)
        if reference.state & UNKNOWN == 1:
            frozen.append(leg)
            continue
        g: int256 = convert(reference.mark, int256) - reference.funding
        value: int256 = fixed_point._wad_mul_floor(leg.size, g) + leg.base
        split.cash += value
        payment: uint256 = 0
        if outcome.to_vault:
            payment = payments[i]
            split.cash -= convert(payment, int256)
        loss: uint256 = fixed_point._positive(-value)
        split.loss += loss
        outcome.legs.append(
            IWaterfallLens.LegOutcome(
                market=leg.market,
                size=leg.size,
                payment=payment,
                loss=loss,
                deficit=0,
                insured=0,
                charged=0,
            )
        )
    outcome.deficit = self._deficit_of(split.cash, frozen, _book)
    outcome.left = fixed_point._positive(split.cash)
    return self._with_split(outcome, split)


@view
@internal
def _with_split(_outcome: IWaterfallLens.Waterfall, _split: Split) -> IWaterfallLens.Waterfall:
    outcome: IWaterfallLens.Waterfall = _outcome
    split: Split = _split
    split.loss_left = split.loss
    for i: uint256 in range(len(_outcome.legs), bound=16):
        leg: IWaterfallLens.LegOutcome = _outcome.legs[i]
        leg.deficit = self._share_of(leg.loss, _outcome.deficit, split)
        split.loss_left -= leg.loss
        split.assigned += leg.deficit
        leg.insured = self._insured(leg.market, leg.deficit, split.assets)
        split.assets -= leg.insured
        leg.charged = self._charged(leg)
        outcome.insured += leg.insured
        outcome.charged += leg.charged
        outcome.legs[i] = leg
    if split.loss == 0:
        outcome.insured = self._insured(NO_MARKET, _outcome.deficit, split.assets)
    outcome.socialised = _outcome.deficit - outcome.insured - outcome.charged
    return outcome


@view
@internal
def _payments(
    _outcome: IWaterfallLens.Waterfall, _account: uint256, _book: IClearinghouse.Book
) -> DynArray[uint256, 16]:
    """
    @dev Empty where the vault does not take the book.
    """
    nobody: DynArray[uint256, 16] = []
    if _account >> 96 == convert(VAULT.address, uint256) or len(_book.holdings) != 0:
        return nobody
    for leg: IRiskEngine.Leg in _book.legs:
        reference: IRiskEngine.Reference = staticcall lens_links.ENGINE.reference_of(leg.market)
        if reference.state & UNKNOWN == 1:
            return nobody
    equity: int256 = _outcome.equity - convert(_outcome.reward, int256)
    return staticcall VAULT.plan(_book.legs, equity, _outcome.mm)


@view
@internal
def _deficit_of(
    _cash: int256, _frozen: DynArray[IRiskEngine.Leg, 16], _book: IClearinghouse.Book
) -> uint256:
    """
    @dev What stays behind, of unknown price, counts at its best.
    """
    deficit: uint256 = fixed_point._positive(-_cash)
    if len(_frozen) == 0 and len(_book.holdings) == 0:
        return deficit
    left: IRiskEngine.Margin = staticcall lens_links.ENGINE.assess(
        MAINTENANCE, _cash, _book.floor, _frozen, _book.holdings
    )
    return min(deficit, fixed_point._positive(-left.equity))


@pure
@internal
def _share_of(_loss: uint256, _deficit: uint256, _split: Split) -> uint256:
    """
    @dev The last losing market takes the rounding.
    """
    if _loss == 0:
        return 0
    if _loss == _split.loss_left:
        return _deficit - _split.assigned
    return fixed_point._mul_div_down(_deficit, _loss, _split.loss)


@view
@internal
def _insured(_market: uint256, _due: uint256, _assets: uint256) -> uint256:
    return min(staticcall FUND.coverable(_market, _due), _assets)


@view
@internal
def _charged(_leg: IWaterfallLens.LegOutcome) -> uint256:
    due: uint256 = min(_leg.deficit - _leg.insured, _leg.loss)
    if due == 0:
        return 0
    return min(due, staticcall lens_links.LIQUIDATOR.sure_of(_leg.market, _leg.size < 0))
