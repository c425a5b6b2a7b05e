# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who the ledger trusts
@license AGPL-3.0-only
@notice The risk engine and the settlement token are fixed for good; gateways (up to 8) and the liquidator
    are registered by the owner. A gateway also needs the account's own opt-in, bit g of its word.
"""
from contracts.interfaces import IClearinghouse
from contracts.modules import reasons
from contracts.modules import ownership

uses: ownership

MAX_GATEWAYS: constant(uint256) = 8

ENGINE: immutable(address)
SETTLEMENT: immutable(address)

gateway_ids: HashMap[address, uint256]  # id + 1
gateways: address[MAX_GATEWAYS]
gateway_count: uint256
liquidator: address
vault: address


@deploy
def __init__(_engine: address, _settlement: address):
    reasons._require(_engine.is_contract and _settlement.is_contract, reasons.NO_CODE)
    ENGINE = _engine
    SETTLEMENT = _settlement


@external
def add_gateway(_gateway: address):
    """
    @notice Register a gateway; accounts opt in to its number.
    """
    ownership._check_owner()
    self._check_new(_gateway)
    self.gateways[self.gateway_count] = _gateway
    self.gateway_count += 1
    self.gateway_ids[_gateway] = self.gateway_count
    log IClearinghouse.GatewayAdded(gateway=_gateway, number=self.gateway_count - 1)


@external
def remove_gateway(_gateway: address):
    """
    @notice Stop a gateway for good; its number is not used again.
    """
    ownership._check_owner()
    reasons._require(self.gateway_ids[_gateway] != 0, reasons.NOT_A_GATEWAY)
    self.gateway_ids[_gateway] = 0
    log IClearinghouse.GatewayRemoved(gateway=_gateway)


@external
def set_liquidator(_liquidator: address):
    """
    @notice Register the contract that holds the liquidation rules.
    """
    ownership._check_owner()
    reasons._require(_liquidator.is_contract, reasons.NO_CODE)
    self.liquidator = _liquidator
    log IClearinghouse.LiquidatorSet(liquidator=_liquidator)


@external
def set_vault(_vault: address):
    """
    @notice Register the collateral vault, once.
    """
    ownership._check_owner()
    reasons._require(self.vault == empty(address) and _vault.is_contract, reasons.NOT_VAULT)
    self.vault = _vault
    log IClearinghouse.VaultSet(vault=_vault)


@view
@internal
def _check_vault():
    reasons._require(msg.sender == self.vault, reasons.NOT_VAULT)


@view
@internal
def _check_new(_gateway: address):
    reasons._require(_gateway.is_contract, reasons.NO_CODE)
    reasons._require(self.gateway_ids[_gateway] == 0 and self.gateway_count < MAX_GATEWAYS, reasons.GATEWAY)


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
