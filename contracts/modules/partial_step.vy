# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Step 1: a liquidator takes part of a position
@license AGPL-3.0-only
@notice Any leg with a known price, while E >= 2/3 MM and the auction runs, at the mark less the auction's discount,
    at most the size that restores (1+b) MM. discount + fee < 2/3 of the calm MMR_0, so every take improves E/MM
    and leaves E >= 0 (FORMULAS 4); it is checked all the same.
@dev Reasons: "backstop", "no position", "size too small", and those of `liquidation`.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ILiquidator
from contracts.interfaces import IRiskEngine
from contracts.modules import account_state
from contracts.modules import auctions
from contracts.modules import fixed_point
from contracts.modules import liquidation
from contracts.modules import reasons

uses: liquidation

PPM: constant(uint256) = 10**6
WAD: constant(uint256) = 10**18
LEAST_SHARE: constant(uint256) = 10  # at least a tenth of q*


# The leg and what it can be taken for.
struct Offer:
    leg: IRiskEngine.Leg  # the whole leg
    mark: uint256  # [USD wad]
    price: uint256  # [USD wad]
    fee: uint256  # [ppm]
    least: uint256  # [base wad]
    most: uint256  # [base wad]
    min_size: uint256  # [base wad]


@internal
def _take(
    _account: uint256, _market: uint256, _size: uint256, _taker: uint256, _limit_price: uint256
) -> uint256:
    """
    @dev Returns the size taken: _size or the largest allowed.
    """
    liquidation._check_taker(_account, _taker)
    case: liquidation.Case = liquidation._open_case(_account)
    offer: Offer = self._offer_of(case, _market)
    size: uint256 = min(_size, offer.most)
    self._check_size(size, offer)
    liquidation._check_limit(self._is_within(offer, _limit_price))
    signed: int256 = convert(size, int256)
    if offer.leg.size < 0:
        signed = -signed
    fee: uint256 = self._fee_up(size, offer)
    gained: int256 = 0
    left: IRiskEngine.Leg = empty(IRiskEngine.Leg)
    gained, left = extcall liquidation.LEDGER.take_over(
        _account, _taker, _market, signed, offer.price, fee
    )
    gained -= convert(fee, int256)
    after: IRiskEngine.Margin = empty(IRiskEngine.Margin)
    if len(case.book.legs) == 1 and len(case.book.holdings) == 0:
        after = liquidation._assess_leg(case.book.cash + gained, left)
    else:
        after = liquidation._with_leg(case.margin, offer.leg, left, gained)
    self._finish(case, after)
    return size


@internal
def _finish(_case: liquidation.Case, _after: IRiskEngine.Margin):
    liquidation._check_improved(
        account_state._is_no_worse(
            _case.margin.equity, _case.margin.requirement, _after.equity, _after.requirement
        )
    )
    liquidation._close_case(_case, _after)


@internal
@view
def _offer_of(_case: liquidation.Case, _market: uint256) -> Offer:
    """
    @dev Reverts where the account is not in step 1.
    """
    liquidation._check_short(_case.margin)
    self._check_before_backstop(_case)
    offer: Offer = empty(Offer)
    offer.leg = self._leg_of(_case.book, _market)
    reference: IRiskEngine.Reference = liquidation._reference_of(_market)
    liquidation._check_known(reference.state)
    share: uint256 = auctions._share_down(_case.clock.elapsed, _case.parameters)
    discount: uint256 = auctions._rate_down(share, reference.calm_mmr)
    offer.mark = reference.mark
    offer.fee = auctions._rate_down(_case.parameters.insurance_fee, reference.calm_mmr)
    if offer.leg.size > 0:
        offer.price = auctions._discounted_up(reference.mark, discount)
    else:
        offer.price = auctions._premium_down(reference.mark, discount)
    enough: uint256 = staticcall liquidation.ENGINE.liquidation_size(
        _market,
        offer.leg.size,
        _case.margin.equity,
        _case.margin.requirement,
        discount + offer.fee,
    )
    quote: IRiskEngine.Quote = staticcall liquidation.ENGINE.quote(_market)
    return self._with_bounds(offer, enough, quote.min_size)


@internal
@pure
def _with_bounds(_offer: Offer, _enough: uint256, _min_size: uint256) -> Offer:
    """
    @dev _enough is q*. Where less than the minimum would remain, the whole leg goes.
    """
    offer: Offer = _offer
    whole: uint256 = convert(abs(_offer.leg.size), uint256)
    enough: uint256 = min(_enough, whole)
    offer.least = min(enough, max(fixed_point._div_up(enough, LEAST_SHARE), _min_size))
    offer.most = enough
    if whole - enough < _min_size:
        offer.most = whole
    offer.min_size = _min_size
    return offer


@internal
@pure
def _leg_of(_book: IClearinghouse.Book, _market: uint256) -> IRiskEngine.Leg:
    for leg: IRiskEngine.Leg in _book.legs:
        if leg.market == _market and leg.size != 0:
            return leg
    reasons._fail(reasons.NO_POSITION)
    return empty(IRiskEngine.Leg)


@internal
@pure
def _fee_up(_size: uint256, _offer: Offer) -> uint256:
    notional: uint256 = fixed_point._mul_div_up(_size, _offer.mark, WAD)
    return fixed_point._mul_div_up(notional, _offer.fee, PPM)


@internal
@pure
def _is_within(_offer: Offer, _limit_price: uint256) -> bool:
    if _offer.leg.size > 0:
        return _offer.price <= _limit_price
    return _offer.price >= _limit_price


@internal
@pure
def _check_before_backstop(_case: liquidation.Case):
    below: bool = account_state._is_below_backstop(_case.margin.equity, _case.margin.requirement)
    reasons._require(not (below or liquidation._is_over(_case)), reasons.BACKSTOP)


@internal
@pure
def _check_size(_size: uint256, _offer: Offer):
    """
    @dev What remains is nothing or the minimum.
    """
    rest: uint256 = convert(abs(_offer.leg.size), uint256) - _size
    valid: bool = _size > 0 and _size >= _offer.least
    reasons._require(valid and (rest == 0 or rest >= _offer.min_size), reasons.SIZE_TOO_SMALL)
