# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Shares of capital that waits before it comes in and before it goes out
@license AGPL-3.0-only
@notice ERC-4626 over the settlement token, in two steps each way. `request_deposit` takes tokens that count from
    `deposit` on, a delay later; `request_redeem` locks shares, which bear losses until `redeem` converts them, a
    delay later. Either is used within a window, so that nobody comes in for a known gain or leaves before a known
    loss.
@dev Assets are what the contract counts: tokens sent to it are nobody's. Virtual shares (10^6 for one unit) keep the
    first depositor from being diluted. Rounds against who acts. Amounts in token units and shares. ERC-4626, its max*
    functions being what was requested and is due.
"""
from ethereum.ercs import IERC4626
from snekmate.tokens import erc20

from contracts.interfaces import IStakedCapital
from contracts.modules import fixed_point
from contracts.modules import reasons
from contracts.modules import tokens

uses: erc20

VIRTUAL_SHARES: constant(uint256) = 10**6
SHARE_DECIMALS: constant(uint8) = 12  # six more than a token of six
WINDOW: constant(uint256) = 3 * 86_400  # [s] in which a request that is due may be used
MIN_DELAY: constant(uint256) = 3_600
MAX_DELAY: constant(uint256) = 30 * 86_400

ASSET: immutable(address)
UNIT: immutable(uint256)  # wad per token unit
DEPOSIT_DELAY: immutable(uint256)
REDEEM_DELAY: immutable(uint256)


struct Request:
    amount: uint256
    due: uint256  # [s]


deposits: HashMap[address, Request]  # [token units]
exits: HashMap[address, Request]  # [shares] held by this contract


@deploy
def __init__(_asset: address, _deposit_delay: uint256, _redeem_delay: uint256):
    """
    @dev The shares (`erc20`) are the contract's to initialise, with SHARE_DECIMALS.
    """
    for delay: uint256 in [_deposit_delay, _redeem_delay]:
        assert delay >= MIN_DELAY and delay <= MAX_DELAY, "delay"
    ASSET = _asset
    UNIT = tokens._unit_of(_asset)
    DEPOSIT_DELAY = _deposit_delay
    REDEEM_DELAY = _redeem_delay


# --- requests --------------------------------------------------------------------------------------------


@external
def request_deposit(_assets: uint256):
    """
    @notice Hand in tokens that may become shares after a delay, which begins anew for all of the caller's.
    @param _assets [token units] 0 to begin anew where the window was missed.
    """
    request: Request = self.deposits[msg.sender]
    due: uint256 = block.timestamp + DEPOSIT_DELAY
    tokens._check_amount(request.amount + _assets)
    self.deposits[msg.sender] = Request(amount=request.amount + _assets, due=due)
    log IStakedCapital.DepositRequested(owner=msg.sender, assets=_assets, due=due)
    if _assets != 0:
        tokens._pull(ASSET, msg.sender, self, _assets)


@external
def cancel_deposit():
    """
    @notice Take back tokens that are not shares yet.
    """
    assets: uint256 = self.deposits[msg.sender].amount
    self.deposits[msg.sender] = empty(Request)
    log IStakedCapital.DepositCancelled(owner=msg.sender, assets=assets)
    tokens._send(ASSET, msg.sender, assets)


@external
def request_redeem(_shares: uint256):
    """
    @notice Lock shares of the caller's, to be redeemed after a delay, which begins anew for all that is locked.
    @param _shares 0 to begin anew where the window was missed.
    """
    request: Request = self.exits[msg.sender]
    due: uint256 = block.timestamp + REDEEM_DELAY
    reasons._require(request.amount + _shares != 0, reasons.AMOUNT)
    self.exits[msg.sender] = Request(amount=request.amount + _shares, due=due)
    erc20._transfer(msg.sender, self, _shares)
    log IStakedCapital.RedeemRequested(owner=msg.sender, shares=_shares, due=due)


@external
def cancel_redeem():
    """
    @notice Unlock the caller's shares.
    """
    shares: uint256 = self.exits[msg.sender].amount
    self.exits[msg.sender] = empty(Request)
    erc20._transfer(self, msg.sender, shares)
    log IStakedCapital.RedeemCancelled(owner=msg.sender, shares=shares)


# --- views -----------------------------------------------------------------------------------------------


@view
@external
def asset() -> address:
    return ASSET


@view
@external
def deposit_request(_owner: address) -> (uint256, uint256, uint256):
    """
    @return [token units] handed in; [s] first and last second in which it may become shares.
    """
    due: uint256 = self.deposits[_owner].due
    return self.deposits[_owner].amount, due, due + WINDOW


@view
@external
def redeem_request(_owner: address) -> (uint256, uint256, uint256):
    """
    @return Shares locked; [s] first and last second in which they may be redeemed.
    """
    due: uint256 = self.exits[_owner].due
    return self.exits[_owner].amount, due, due + WINDOW


@view
@external
def delays() -> (uint256, uint256, uint256):
    """
    @return [s] of a deposit, of a redemption, and the window in which it may be used.
    """
    return DEPOSIT_DELAY, REDEEM_DELAY, WINDOW


@view
@external
def convertToShares(_assets: uint256) -> uint256:
    return self._shares_down(_assets, self._total())


@view
@external
def convertToAssets(_shares: uint256) -> uint256:
    return self._assets_down(_shares, self._total())


@view
@external
def maxDeposit(_owner: address) -> uint256:
    return self._due_deposit(_owner)


@view
@external
def maxMint(_owner: address) -> uint256:
    return self._shares_down(self._due_deposit(_owner), self._total())


@view
@external
def maxRedeem(_owner: address) -> uint256:
    return self._due_exit(_owner)


@view
@external
def maxWithdraw(_owner: address) -> uint256:
    return self._assets_down(self._due_exit(_owner), self._total())


@view
@external
def previewDeposit(_assets: uint256) -> uint256:
    return self._shares_down(_assets, self._total())


@view
@external
def previewMint(_shares: uint256) -> uint256:
    return self._assets_up(_shares, self._total())


@view
@external
def previewRedeem(_shares: uint256) -> uint256:
    return self._assets_down(_shares, self._total())


@view
@external
def previewWithdraw(_assets: uint256) -> uint256:
    return self._shares_up(_assets, self._total())


# --- internals -------------------------------------------------------------------------------------------


@internal
def _enter(_assets: uint256, _shares: uint256, _receiver: address):
    """
    @dev Shares for assets that the caller handed in and that are due.
    """
    reasons._require(_assets <= self._due_deposit(msg.sender), reasons.NOT_DUE)
    reasons._require(_shares != 0, reasons.AMOUNT)
    self.deposits[msg.sender].amount -= _assets
    erc20._mint(_receiver, _shares)
    log IERC4626.Deposit(sender=msg.sender, owner=_receiver, assets=_assets, shares=_shares)


@internal
def _leave(_assets: uint256, _shares: uint256, _receiver: address, _owner: address):
    """
    @dev Burns shares the caller locked and that are due.
    """
    reasons._require(_owner == msg.sender, reasons.NOT_OWNER)
    reasons._require(_shares <= self._due_exit(msg.sender), reasons.NOT_DUE)
    reasons._require(_shares != 0, reasons.AMOUNT)
    self.exits[msg.sender].amount -= _shares
    erc20._burn(self, _shares)
    log IERC4626.Withdraw(
        sender=msg.sender, receiver=_receiver, owner=_owner, assets=_assets, shares=_shares
    )


@view
@internal
def _due_deposit(_owner: address) -> uint256:
    return self._due(self.deposits[_owner])


@view
@internal
def _due_exit(_owner: address) -> uint256:
    return self._due(self.exits[_owner])


@view
@internal
def _due(_request: Request) -> uint256:
    if block.timestamp < _request.due or block.timestamp > _request.due + WINDOW:
        return 0
    return _request.amount


@view
@internal
def _total() -> uint256:
    """
    @dev Each contract counts its assets itself.
    """
    return staticcall IERC4626(self).totalAssets()


@view
@internal
def _shares_down(_assets: uint256, _total: uint256) -> uint256:
    return fixed_point._mul_div_down(_assets, erc20.totalSupply + VIRTUAL_SHARES, _total + 1)


@view
@internal
def _shares_up(_assets: uint256, _total: uint256) -> uint256:
    return fixed_point._mul_div_up(_assets, erc20.totalSupply + VIRTUAL_SHARES, _total + 1)


@view
@internal
def _assets_down(_shares: uint256, _total: uint256) -> uint256:
    return fixed_point._mul_div_down(_shares, _total + 1, erc20.totalSupply + VIRTUAL_SHARES)


@view
@internal
def _assets_up(_shares: uint256, _total: uint256) -> uint256:
    return fixed_point._mul_div_up(_shares, _total + 1, erc20.totalSupply + VIRTUAL_SHARES)
