# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title M-of-N signatures over reports and pushes
@license AGPL-3.0-only
@notice Signers are a list governance sets; the guardian may freeze one. A message counts when at least
    `threshold` (M) distinct active signers signed it.
@dev EIP-712, domain name "Plimsoll", version "1", chain id and contract recomputed if the chain id changes.
    Signatures come in strictly ascending order of the recovered address, which makes them distinct; s must be
    low, v 27 or 28, the address not zero (snekmate's ecdsa). More than M signatures are allowed.
    2N/3 <= M <= N. A frozen signer still counts in N: freezing never lowers M. It stays frozen until
    governance names it in a new list.
    Reasons: "signers", "bad signer", "quorum", "bad parameters", "not guardian", "not owner".
"""
from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator as eip712

from contracts.interfaces import IRiskEngine
from contracts.modules import checks
from contracts.modules import governance

initializes: eip712
uses: governance

MAX_SIGNERS: constant(uint256) = 9


threshold: public(uint256)
is_signer: public(HashMap[address, bool])
_signers: DynArray[address, 9]


@deploy
def __init__():
    eip712.__init__("Plimsoll", "1")


# --- guardian --------------------------------------------------------------------------------------------


@external
def freeze_signer(_signer: address):
    """
    @notice Stop counting a signer. Owner or guardian.
    """
    governance._check_guardian()
    self._check_signer(_signer)
    self.is_signer[_signer] = False
    log IRiskEngine.SignerFrozen(guardian=msg.sender, signer=_signer)


# --- governance ------------------------------------------------------------------------------------------


@external
def set_signers(_signers: DynArray[address, 9], _quorum: uint256):
    """
    @notice Replace all signers.
    @param _signers Strictly ascending addresses, not zero.
    @param _quorum M, at least 2N/3.
    """
    governance._check_owner()
    self._set_signers(_signers, _quorum)


# --- views -----------------------------------------------------------------------------------------------


@view
@external
def signers() -> DynArray[address, 9]:
    """
    @return The list governance set, frozen ones included.
    """
    return self._signers


# --- internals -------------------------------------------------------------------------------------------


@view
@internal
def _check_signer(_signer: address):
    assert self.is_signer[_signer], "bad signer"


@view
@internal
def _check_quorum(_count: uint256):
    assert _count >= self.threshold, "quorum"


@view
@internal
def _check_signature(
    _struct_hash: bytes32, _signature: IRiskEngine.Signature, _previous: address
) -> address:
    """
    @dev The active signer of the message, above the previous one.
    """
    signer: address = ecdsa._recover_vrs(
        eip712._hash_typed_data_v4(_struct_hash), _signature.v, _signature.r, _signature.s
    )
    self._check_signer(signer)
    self._check_order(_previous, signer)
    return signer


@pure
@internal
def _check_order(_previous: address, _next: address):
    assert convert(_previous, uint256) < convert(_next, uint256), "signers"


@internal
def _set_signers(_signers: DynArray[address, 9], _quorum: uint256):
    count: uint256 = len(_signers)
    checks._check_fit(_quorum > 0 and _quorum <= count and 3 * _quorum >= 2 * count)
    for signer: address in self._signers:
        self.is_signer[signer] = False
    previous: address = empty(address)
    for signer: address in _signers:
        self._check_order(previous, signer)
        self.is_signer[signer] = True
        previous = signer
    self._signers = _signers
    self.threshold = _quorum
    log IRiskEngine.SignersSet(signers=_signers, quorum=_quorum)
