# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Step 0: the account's collateral is sold to meet its debt
@license AGPL-3.0-only
@notice The debt is max(0, -(cash + sum of V)). The discount grows from 0 to the token's MM haircut over T (until
    there no sale lowers E), and to all of the price over a second T: at 2T the rest goes to whoever takes it.
@dev Reasons: "no debt", "no collateral", and those of `liquidation`.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ILiquidator
from contracts.interfaces import IRiskEngine
from contracts.modules import auctions
from contracts.modules import fixed_point
from contracts.modules import liquidation
from contracts.modules import reasons

uses: liquidation

WAD: constant(uint256) = 10**18
WAITS: constant(uint256) = 1 | 32  # price unknown; sequencer down or settlement token in doubt


struct Sale:
    most: uint256  # [wad]
    price: uint256  # [USD wad] after the discount
    discount: uint256  # [ppm]
    haircut: uint256  # [ppm]
    debt: uint256  # [USD wad]


@internal
def _take_collateral(
    _account: uint256, _token: uint256, _amount: uint256, _taker: uint256, _limit_price: uint256
) -> (uint256, uint256):
    """
    @dev Returns the amount sold, _amount or the largest allowed, and the payment.
    """
    liquidation._check_taker(_account, _taker)
    case: liquidation.Case = liquidation._open_case(_account)
    sale: Sale = self._sale_of(case, _token)
    liquidation._check_limit(sale.price <= _limit_price)
    amount: uint256 = min(_amount, sale.most)
    self._check_amount(amount)
    payment: uint256 = fixed_point._mul_div_up(amount, sale.price, WAD)
    extcall liquidation.CUSTODY.move(_account, _taker, _token, amount)
    extcall liquidation.LEDGER.pay_for_collateral(_taker, _account, payment)
    self._finish(case, sale)
    log ILiquidator.CollateralTaken(
        taker=_taker, account=_account, token=_token, amount=amount, payment=payment
    )
    return amount, payment


@internal
def _finish(_case: liquidation.Case, _sale: Sale):
    after: IRiskEngine.Margin = liquidation._margin_of(_case.account)
    improved: bool = after.equity >= _case.margin.equity
    liquidation._check_improved(improved or _sale.discount > _sale.haircut)
    liquidation._close_case(_case, after)


@internal
@view
def _sale_of(_case: liquidation.Case, _token: uint256) -> Sale:
    """
    @dev Reverts where the account is not in step 0.
    """
    liquidation._check_short(_case.margin)
    haircut: uint256 = 0
    price: uint256 = 0
    state: uint256 = 0
    haircut, price, state = staticcall liquidation.ENGINE.collateral_terms(_token)
    reasons._require(state & WAITS == 0, reasons.PRICE_UNKNOWN)
    discount: uint256 = auctions._collateral_discount_down(
        _case.clock.elapsed, haircut, _case.parameters.duration
    )
    sale: Sale = Sale(
        most=0,
        price=auctions._discounted_up(price, discount),
        discount=discount,
        haircut=haircut,
        debt=liquidation._debt_of(_case.book),
    )
    reasons._require(sale.debt > 0, reasons.NO_DEBT)
    sale.most = self._most_of(sale, self._held(_case.book, _token))
    return sale


@internal
@pure
def _most_of(_sale: Sale, _held: uint256) -> uint256:
    """
    @dev What meets the debt, up to the wei: its payment is less than the debt plus one wad-unit's price.
    """
    if _sale.price == 0:
        return _held
    return min(_held, fixed_point._mul_div_up(_sale.debt, WAD, _sale.price))


@internal
@pure
def _held(_book: IClearinghouse.Book, _token: uint256) -> uint256:
    for holding: IRiskEngine.Holding in _book.holdings:
        if holding.token == _token:
            return holding.amount
    return 0


@internal
@pure
def _check_amount(_amount: uint256):
    reasons._require(_amount > 0, reasons.NO_COLLATERAL)
