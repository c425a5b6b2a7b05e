# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who the ledger trusts
@license AGPL-3.0-only
@notice The risk engine, the settlement token and custody are fixed for good; gateways (up to 8) and the liquidator
    are registered by the owner. A gateway also needs the account's own opt-in, bit g of its word.
"""
from contracts.interfaces import IClearinghouse
from contracts.modules import reasons
from contracts.modules import ownership

uses: ownership

MAX_GATEWAYS: constant(uint256) = 8

ENGINE: immutable(address)
SETTLEMENT: immutable(address)
CUSTODY: immutable(address)

gateway_ids: HashMap[address, uint256]  # id + 1
gateways: address[MAX_GATEWAYS]
liquidator: address


@deploy
def __init__(_engine: address, _settlement: address, _custody: address):
    """
    @dev Custody holds all tokens.
    """
    assert _engine.is_contract and _settlement.is_contract and _custody.is_contract, "no code"
    ENGINE = _engine
    SETTLEMENT = _settlement
    CUSTODY = _custody


@external
def set_gateway_at(_number: uint256, _gateway: address):
    """
    @notice Register a gateway under a number that accounts opt in to, or the zero address to end it. A number
        that had a gateway takes no other one: accounts opted in to that gateway only.
    """
    ownership._check_owner()
    old: address = self.gateways[_number]
    if self.gateway_ids[old] == _number + 1:
        self.gateway_ids[old] = 0
    if _gateway != empty(address):
        reasons._require(_gateway.is_contract, reasons.NO_CODE)
        reasons._require(old == empty(address), reasons.GATEWAY)
        reasons._require(self.gateway_ids[_gateway] == 0, reasons.GATEWAY)
        self.gateway_ids[_gateway] = _number + 1
        self.gateways[_number] = _gateway
    log IClearinghouse.GatewayRegistered(gateway=_gateway, number=_number)


@external
def set_liquidator(_liquidator: address):
    """
    @notice Register the contract that holds the liquidation rules.
    """
    ownership._check_owner()
    reasons._require(_liquidator.is_contract, reasons.NO_CODE)
    self.liquidator = _liquidator
    log IClearinghouse.LiquidatorSet(liquidator=_liquidator)


@view
@internal
def _check_custody():
    reasons._require(msg.sender == CUSTODY, reasons.NOT_CUSTODY)


@view
@internal
def _check_liquidator():
    reasons._require(msg.sender == self.liquidator, reasons.NOT_LIQUIDATOR)


@view
@internal
def _calling_gateway() -> uint256:
    """
    @dev Number of the calling gateway.
    """
    number: uint256 = self.gateway_ids[msg.sender]
    reasons._require(number != 0, reasons.NOT_A_GATEWAY)
    return number - 1
