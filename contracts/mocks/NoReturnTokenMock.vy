# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token whose transfers return nothing, as USDT
@license AGPL-3.0-only
@notice For tests only.
"""
from contracts.mocks.modules import plain_token

initializes: plain_token

exports: plain_token.__interface__


@deploy
def __init__(_decimals: uint8):
    plain_token.__init__(_decimals)


@external
def transfer(_to: address, _amount: uint256):
    plain_token._move(msg.sender, _to, _amount)


@external
def transferFrom(_from: address, _to: address, _amount: uint256):
    plain_token._spend_allowance(_from, msg.sender, _amount)
    plain_token._move(_from, _to, _amount)
