# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title What the gateway needs of a clearinghouse, and a memory of what it was asked
@license AGPL-3.0-only
@notice For tests only. Trades at the price asked, or at `set_mark`'s while that is not 0; fees are rounded up twice,
    as the real one does.
"""
from ethereum.ercs import IERC20
from contracts.interfaces import IClearinghouse

WAD: constant(uint256) = 10**18
PPM: constant(uint256) = 10**6


struct Trade:
    gateway: address
    maker: uint256
    taker: uint256
    market: uint256
    size: int256
    price: uint256
    reduce: uint256


trades: public(DynArray[Trade, 64])
deposited: public(HashMap[uint256, uint256])
settlement: public(address)
mark: uint256
maker_fee: uint256  # [ppm]
taker_fee: uint256  # [ppm]
reason: String[32]


@external
def set_settlement(_token: address):
    self.settlement = _token


@external
def set_mark(_mark: uint256):
    self.mark = _mark


@external
def set_fees(_maker_fee: uint256, _taker_fee: uint256):
    self.maker_fee = _maker_fee
    self.taker_fee = _taker_fee


@external
def set_failure(_reason: String[32]):
    self.reason = _reason


@external
def trade(
    _maker: uint256,
    _taker: uint256,
    _market: uint256,
    _size: int256,
    _price: uint256,
    _reduce: uint256,
) -> IClearinghouse.Fill:
    assert self.reason == "", self.reason
    self.trades.append(
        Trade(
            gateway=msg.sender,
            maker=_maker,
            taker=_taker,
            market=_market,
            size=_size,
            price=_price,
            reduce=_reduce,
        )
    )
    price: uint256 = _price
    if self.mark != 0:
        price = self.mark
    notional: uint256 = self._div_up(convert(abs(_size), uint256) * price, WAD)
    return IClearinghouse.Fill(
        price=price,
        maker_fee=self._div_up(notional * self.maker_fee, PPM),
        taker_fee=self._div_up(notional * self.taker_fee, PPM),
    )


@external
def deposit_from(_account: uint256, _amount: uint256):
    owner: address = convert(_account >> 96, address)
    assert extcall IERC20(self.settlement).transferFrom(owner, self, _amount)
    self.deposited[_account] += _amount


@view
@external
def trade_count() -> uint256:
    return len(self.trades)


@pure
@internal
def _div_up(_x: uint256, _denominator: uint256) -> uint256:
    return (_x + _denominator - 1) // _denominator
