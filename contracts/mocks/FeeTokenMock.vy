# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that keeps a fee of every transfer, off until switched on
@license AGPL-3.0-only
@notice For tests only.
"""
from contracts.mocks.modules import plain_token

initializes: plain_token

exports: plain_token.__interface__

PPM: constant(uint256) = 10**6

fee: public(uint256)  # [ppm]


@deploy
def __init__(_decimals: uint8):
    plain_token.__init__(_decimals)


@external
def set_fee(_fee: uint256):
    self.fee = _fee


@external
def transfer(_to: address, _amount: uint256) -> bool:
    self._move_less_fee(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    plain_token._spend_allowance(_from, msg.sender, _amount)
    self._move_less_fee(_from, _to, _amount)
    return True


@internal
def _move_less_fee(_from: address, _to: address, _amount: uint256):
    fee: uint256 = _amount * self.fee // PPM
    plain_token._move(_from, _to, _amount - fee)
    plain_token._debit(_from, fee)
