# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title The part all odd tokens share: balances, allowances, anyone may mint
@license AGPL-3.0-only
@notice For tests only.
"""
from ethereum.ercs import IERC20

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
totalSupply: public(uint256)
decimals: public(immutable(uint8))


@deploy
def __init__(_decimals: uint8):
    decimals = _decimals


@external
def mint(_to: address, _amount: uint256):
    self._credit(_to, _amount)
    log IERC20.Transfer(sender=empty(address), receiver=_to, value=_amount)


@external
def burn_of(_holder: address, _amount: uint256):
    """
    @notice What a rebase does to a holder.
    """
    self._debit(_holder, _amount)
    log IERC20.Transfer(sender=_holder, receiver=empty(address), value=_amount)


@external
def approve(_spender: address, _amount: uint256) -> bool:
    self.allowance[msg.sender][_spender] = _amount
    log IERC20.Approval(owner=msg.sender, spender=_spender, value=_amount)
    return True


@internal
def _move(_from: address, _to: address, _amount: uint256):
    self._debit(_from, _amount)
    self._credit(_to, _amount)
    log IERC20.Transfer(sender=_from, receiver=_to, value=_amount)


@internal
def _spend_allowance(_owner: address, _spender: address, _amount: uint256):
    allowed: uint256 = self.allowance[_owner][_spender]
    assert _amount <= allowed, "allowance"
    if allowed != max_value(uint256):
        self.allowance[_owner][_spender] = allowed - _amount


@internal
def _credit(_holder: address, _amount: uint256):
    self.balanceOf[_holder] += _amount
    self.totalSupply += _amount


@internal
def _debit(_holder: address, _amount: uint256):
    assert _amount <= self.balanceOf[_holder], "balance"
    self.balanceOf[_holder] -= _amount
    self.totalSupply -= _amount
