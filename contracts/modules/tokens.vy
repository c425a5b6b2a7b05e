# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Plain ERC-20 tokens, moved
@license AGPL-3.0-only
@notice Tokens that return nothing are served, one that returns false or moves less than asked reverts. Moving
    tokens is the last thing an action does.
"""
from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

from contracts.modules import reasons


@internal
def _pull(_token: address, _payer: address, _holder: address, _amount: uint256):
    """
    @param _amount [token units]
    """
    before: uint256 = self._held_by(_token, _holder)
    ok: bool = extcall IERC20(_token).transferFrom(
        _payer, _holder, _amount, default_return_value=True
    )
    after: uint256 = self._held_by(_token, _holder)
    reasons._require(ok and after == before + _amount, reasons.TRANSFER)


@internal
def _send(_token: address, _receiver: address, _amount: uint256):
    """
    @param _amount [token units]; nothing moves at 0.
    """
    if _amount == 0:
        return
    ok: bool = extcall IERC20(_token).transfer(_receiver, _amount, default_return_value=True)
    reasons._require(ok, reasons.TRANSFER)


@view
@internal
def _held_by(_token: address, _holder: address) -> uint256:
    """
    @dev [token units]
    """
    return staticcall IERC20(_token).balanceOf(_holder)


@view
@internal
def _unit_of(_token: address) -> uint256:
    """
    @dev wad per token unit.
    """
    decimals: uint8 = staticcall IERC20Detailed(_token).decimals()
    reasons._require(decimals <= 18, reasons.DECIMALS)
    return 10**convert(18 - decimals, uint256)


@pure
@internal
def _check_amount(_amount: uint256):
    reasons._require(_amount != 0 and _amount < 2**127, reasons.AMOUNT)
