# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Owner and guardian
@license AGPL-3.0-only
@notice The owner (a timelock) holds every setter; the guardian may only reduce risk: pause,
    reduce-only, freeze a signer. What the guardian may do is written where `_check_guardian` is
    called.
@dev Ownership is handed over to a contract only, in one step, and cannot be renounced: the
    deployer, an externally owned account, is the owner while the system is wired and no other
    account can be later.

    A deployable says `initializes: governance`, calls `governance.__init__(guardian)` first in its
    constructor and exports `governance.hand_over`, `governance.set_guardian`,
    `governance.guardian`, `governance.owner`. Reasons: "not owner", "not guardian", "no code",
    "zero address".
"""
from snekmate.auth import ownable

initializes: ownable


event GuardianSet:
    guardian: indexed(address)


guardian: public(address)


@deploy
def __init__(_guardian: address):
    """
    @dev The deployer becomes the owner.
    """
    ownable.__init__()
    self._set_guardian(_guardian)


# --- governance ----------------------------------------------------------------------------------


@external
def hand_over(_new_owner: address):
    """
    @notice Hand ownership over to another contract, at once.
    @param _new_owner Another contract; the timelock.
    """
    self._check_owner()
    assert _new_owner.is_contract and _new_owner != self, "no code"
    ownable._transfer_ownership(_new_owner)


@external
def set_guardian(_guardian: address):
    """
    @notice Replace the guardian.
    """
    self._check_owner()
    self._set_guardian(_guardian)


# --- views ---------------------------------------------------------------------------------------


@view
@external
def owner() -> address:
    return ownable.owner


# --- internals -----------------------------------------------------------------------------------


@view
@internal
def _check_owner():
    assert msg.sender == ownable.owner, "not owner"


@view
@internal
def _check_guardian():
    """
    @dev The owner may do whatever the guardian may.
    """
    assert msg.sender == self.guardian or msg.sender == ownable.owner, "not guardian"


@view
@internal
def _check_switch(_on: bool):
    """
    @dev What the guardian may switch on and only the owner off.
    """
    if _on:
        self._check_guardian()
    else:
        self._check_owner()


@internal
def _set_guardian(_guardian: address):
    assert _guardian != empty(address), "zero address"
    self.guardian = _guardian
    log GuardianSet(guardian=_guardian)
