# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that answers False where others revert
@license AGPL-3.0-only
@notice For tests only. `refuse` makes every transfer fail.
"""
from contracts.mocks.modules import plain_token

initializes: plain_token

exports: plain_token.__interface__

refusing: public(bool)


@deploy
def __init__(_decimals: uint8):
    plain_token.__init__(_decimals)


@external
def refuse(_refusing: bool):
    self.refusing = _refusing


@external
def transfer(_to: address, _amount: uint256) -> bool:
    if self.refusing or plain_token.balanceOf[msg.sender] < _amount:
        return False
    plain_token._move(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    allowed: uint256 = min(plain_token.allowance[_from][msg.sender], plain_token.balanceOf[_from])
    if self.refusing or allowed < _amount:
        return False
    plain_token._spend_allowance(_from, msg.sender, _amount)
    plain_token._move(_from, _to, _amount)
    return True
