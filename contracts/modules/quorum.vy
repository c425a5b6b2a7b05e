# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title M-of-N signatures over reports and pushes
@license AGPL-3.0-only
@notice Signers are a list governance sets (`RiskSettings`); the guardian may freeze one. A message
    counts when at least M distinct active signers signed it.
@dev EIP-712, domain name "Plimsoll", version "1", chain id and contract recomputed if the chain id
    changes. Signatures come in strictly ascending order of the recovered address, which makes them
    distinct. s must be low; ecrecover gives the zero address for a v other than 27 or 28 and for
    anything unrecoverable, and that is never above the previous one. (Not snekmate's ecdsa: its two
    reasons cost 300 bytes.) More than M signatures are allowed.
    A frozen signer still counts in N: freezing never lowers M. It stays frozen until governance
    names it in a new list.
    Reasons: "bad signer" (unknown, frozen, not above the one before, malleable), "quorum", "not
    guardian".
"""
from snekmate.utils import eip712_domain_separator as eip712

from contracts.interfaces import IRiskEngine
from contracts.modules import effective_time
from contracts.modules import governance

initializes: eip712
uses: effective_time
uses: governance

# Half the order of secp256k1, rounded down.
HALF_ORDER: constant(uint256) = (
    57896044618658097711785492504343953926418782139537452191302581570759080747168
)

is_signer: HashMap[address, bool]


@deploy
def __init__():
    eip712.__init__("Plimsoll", "1")


# --- guardian ------------------------------------------------------------------------------------


@external
def freeze_signer(_signer: address):
    """
    @notice Stop counting a signer. Owner or guardian.
    """
    governance._check_guardian()
    self._check_signer(self.is_signer[_signer])
    self.is_signer[_signer] = False
    log IRiskEngine.SignerFrozen(guardian=msg.sender, signer=_signer)


# --- internals -----------------------------------------------------------------------------------


@view
@internal
def _check_quorum(_count: uint256):
    needed: uint256 = effective_time.word >> effective_time.QUORUM & effective_time.M4
    assert _count >= needed, "quorum"


@view
@internal
def _check_signature(
    _struct_hash: bytes32, _signature: IRiskEngine.Signature, _previous: address
) -> address:
    """
    @dev The active signer of the message, above the previous one.
    """
    signer: address = ecrecover(
        eip712._hash_typed_data_v4(_struct_hash), _signature.v, _signature.r, _signature.s
    )
    self._check_signer(
        _signature.s <= HALF_ORDER
        and convert(_previous, uint256) < convert(signer, uint256)
        and self.is_signer[signer]
    )
    return signer


@pure
@internal
def _check_signer(_ok: bool):
    assert _ok, "bad signer"
