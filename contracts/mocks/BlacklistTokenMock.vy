# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token with a blacklist and a pause, as USDC, that may also refuse transfers of nothing
@license AGPL-3.0-only
@notice For tests only.
"""
from contracts.mocks.modules import plain_token

initializes: plain_token

exports: plain_token.__interface__

blacklisted: public(HashMap[address, bool])
paused: public(bool)
refuses_zero: public(bool)


@deploy
def __init__(_decimals: uint8):
    plain_token.__init__(_decimals)


@external
def set_blacklisted(_holder: address, _blacklisted: bool):
    self.blacklisted[_holder] = _blacklisted


@external
def set_paused(_paused: bool):
    self.paused = _paused


@external
def set_refuses_zero(_refuses: bool):
    self.refuses_zero = _refuses


@external
def transfer(_to: address, _amount: uint256) -> bool:
    self._move_checked(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    plain_token._spend_allowance(_from, msg.sender, _amount)
    self._move_checked(_from, _to, _amount)
    return True


@internal
def _move_checked(_from: address, _to: address, _amount: uint256):
    assert not self.paused, "token paused"
    assert not self.blacklisted[_from] and not self.blacklisted[_to], "blacklisted"
    assert _amount != 0 or not self.refuses_zero, "zero transfer"
    plain_token._move(_from, _to, _amount)
