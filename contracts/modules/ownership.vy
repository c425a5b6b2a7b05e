# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Ownership that only moves to a contract
@license AGPL-3.0-only
@notice The owner (in the end the timelock) holds every setter. It is handed over in one step, to a contract
    only, and cannot be renounced.
"""
from snekmate.auth import ownable

from contracts.modules import reasons

initializes: ownable


@deploy
def __init__():
    """
    @dev The deployer is the owner until it hands over.
    """
    ownable.__init__()


@external
def hand_over(_new_owner: address):
    """
    @notice Hand ownership over to another contract, at once.
    @param _new_owner Another contract; the timelock.
    """
    self._check_owner()
    reasons._require(_new_owner.is_contract and _new_owner != self, reasons.NO_CODE)
    ownable._transfer_ownership(_new_owner)


@view
@external
def owner() -> address:
    return ownable.owner


@view
@internal
def _check_owner():
    reasons._require(msg.sender == ownable.owner, reasons.NOT_OWNER)
