# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Matching: two sides, one price
@license AGPL-3.0-only
@notice Proposes the maker's limit to the clearinghouse, which trades at it or, while the market settles, at the
    mark; then holds the price and the fees that applied against what each side agreed to.
@dev Whoever submits a pair chooses who is the maker, and with it where between the two limits it trades.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IOrderGateway
from contracts.interfaces import IRiskEngine
from contracts.modules import fixed_point
from contracts.modules import orders
from contracts.modules import session_keys

uses: orders
uses: session_keys

WAD: constant(uint256) = 10**18
PPM: constant(uint256) = 10**6
MAKER_REDUCES: constant(uint256) = 1
TAKER_REDUCES: constant(uint256) = 2

CLEARINGHOUSE: immutable(IClearinghouse)
RISK_ENGINE: immutable(IRiskEngine)


# One side of a trade, whoever agreed to it and however.
struct Side:
    account: uint256
    actor: address  # the owner or a session key
    change: int256  # [base wad] of the account's position
    limit_price: uint256
    max_fee: uint256
    reduce_only: bool


@deploy
def __init__(_clearinghouse: address, _risk_engine: address):
    assert _clearinghouse.is_contract and _risk_engine.is_contract, "no code"
    CLEARINGHOUSE = IClearinghouse(_clearinghouse)
    RISK_ENGINE = IRiskEngine(_risk_engine)


@internal
def _fill_order(
    _order: IOrderGateway.Order,
    _signature: Bytes[1024],
    _size: uint256,
    _taker_account: uint256,
    _terms: IOrderGateway.Terms,
) -> IClearinghouse.Fill:
    """
    @dev The caller is the other side: owner of _taker_account, or a session key of it within its limits.
    """
    orders._check_actor(_taker_account, msg.sender)
    digest: bytes32 = empty(bytes32)
    signer: address = empty(address)
    digest, signer = orders._consume(_order, _signature, _size, _taker_account)
    maker: Side = self._side_of(_order, signer, _size)
    taker: Side = Side(
        account=_taker_account,
        actor=msg.sender,
        change=-maker.change,
        limit_price=_terms.limit_price,
        max_fee=_terms.max_fee,
        reduce_only=False,
    )
    fill: IClearinghouse.Fill = self._trade(maker, taker, _order.market)
    self._log_filled(maker, taker.account, digest, fill.price, fill.maker_fee)
    return fill


@internal
def _match_orders(
    _maker: IOrderGateway.Order,
    _taker: IOrderGateway.Order,
    _maker_signature: Bytes[1024],
    _taker_signature: Bytes[1024],
    _size: uint256,
) -> IClearinghouse.Fill:
    """
    @dev That the limits cross follows from both being kept by one price.
    """
    assert _maker.market == _taker.market and (_maker.size > 0) != (_taker.size > 0), "not a pair"
    maker_digest: bytes32 = empty(bytes32)
    taker_digest: bytes32 = empty(bytes32)
    signer: address = empty(address)
    maker_digest, signer = orders._consume(_maker, _maker_signature, _size, _taker.account)
    maker: Side = self._side_of(_maker, signer, _size)
    taker_digest, signer = orders._consume(_taker, _taker_signature, _size, _maker.account)
    taker: Side = self._side_of(_taker, signer, _size)
    fill: IClearinghouse.Fill = self._trade(maker, taker, _maker.market)
    self._log_filled(maker, taker.account, maker_digest, fill.price, fill.maker_fee)
    self._log_filled(taker, maker.account, taker_digest, fill.price, fill.taker_fee)
    return fill


@internal
def _trade(_maker: Side, _taker: Side, _market: uint256) -> IClearinghouse.Fill:
    """
    @dev The limits of session keys are taken, and the day's notional counted, before anything is called that writes.
    """
    maker_limit: uint256 = self._limit_of(_maker, _market)
    taker_limit: uint256 = self._limit_of(_taker, _market)
    reduce: uint256 = 0
    if _maker.reduce_only:
        reduce |= MAKER_REDUCES
    if _taker.reduce_only:
        reduce |= TAKER_REDUCES
    fill: IClearinghouse.Fill = extcall CLEARINGHOUSE.trade(
        _maker.account, _taker.account, _market, _maker.change, _maker.limit_price, reduce
    )
    self._check_price(_maker.change, fill.price, maker_limit)
    self._check_price(_taker.change, fill.price, taker_limit)
    self._check_fee(_maker, fill.price, fill.maker_fee)
    self._check_fee(_taker, fill.price, fill.taker_fee)
    return fill


@internal
def _limit_of(_side: Side, _market: uint256) -> uint256:
    """
    @dev The side's worst price [USD wad]: its limit, for a session key no further from the mark than its slippage.
    """
    if _side.actor == orders._owner_of(_side.account):
        return _side.limit_price
    mark: uint256 = (staticcall RISK_ENGINE.quote(_market)).mark
    notional: uint256 = fixed_point._mul_div_up(convert(abs(_side.change), uint256), mark, WAD)
    slippage: uint256 = session_keys._spend(_side.account, _side.actor, notional)
    if _side.change > 0:
        return min(_side.limit_price, fixed_point._mul_div_down(mark, PPM + slippage, PPM))
    return max(_side.limit_price, fixed_point._mul_div_up(mark, PPM - slippage, PPM))


@internal
@pure
def _check_price(_change: int256, _price: uint256, _limit: uint256):
    good: bool = _price <= _limit
    if _change < 0:
        good = _price >= _limit
    assert good, "price limit"


@internal
@pure
def _check_fee(_side: Side, _price: uint256, _fee: uint256):
    """
    @dev The cap is rounded up as the clearinghouse rounds a fee, so that a cap of the very rate allows it.
    """
    notional: uint256 = fixed_point._mul_div_up(convert(abs(_side.change), uint256), _price, WAD)
    cap: uint256 = fixed_point._mul_div_up(notional, min(_side.max_fee, PPM), PPM)
    assert _fee <= cap, "fee cap"


@internal
def _log_filled(
    _side: Side, _counterparty: uint256, _digest: bytes32, _price: uint256, _fee: uint256
):
    log IOrderGateway.OrderFilled(
        account=_side.account,
        digest=_digest,
        counterparty=_counterparty,
        size=_side.change,
        price=_price,
        fee=_fee,
    )


@internal
@pure
def _side_of(_order: IOrderGateway.Order, _actor: address, _size: uint256) -> Side:
    """
    @dev _size is at most |order.size|, as orders._consume checked.
    """
    change: int256 = convert(_size, int256)
    if _order.size < 0:
        change = -change
    return Side(
        account=_order.account,
        actor=_actor,
        change=change,
        limit_price=_order.limit_price,
        max_fee=_order.max_fee,
        reduce_only=_order.reduce_only,
    )
