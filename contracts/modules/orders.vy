# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Orders: digest, who may act, how much is left
@license AGPL-3.0-only
@notice An order is known by its EIP-712 digest, never by the bytes of a signature. One slot a digest counts what
    is filled; a cancelled order counts as filled without end. Cancelling all below a salt takes one slot an account.
@dev Chain id and this contract's address are in the digest: on a fork, or at another gateway, it is another order.
"""
from snekmate.utils import eip712_domain_separator
from contracts.interfaces import IOrderGateway
from contracts.modules import session_keys
from contracts.modules import signatures

uses: eip712_domain_separator
uses: session_keys

ORDER_TYPE_HASH: constant(bytes32) = keccak256(
    "Order(uint256 account,uint256 market,int256 size,uint256 limit_price,uint256 max_fee,uint256 expiry,uint256 salt,bool reduce_only,uint256 taker)"
)
CANCELLED: constant(uint256) = max_value(uint256)

filled: public(HashMap[bytes32, uint256])  # digest -> [base wad]
min_salt: public(HashMap[uint256, uint256])  # account -> salts below are cancelled


# --- owners ----------------------------------------------------------------------------------------------


@external
def cancel(_order: IOrderGateway.Order):
    """
    @notice Cancel what is left of an order; by the account's owner or a live session key of it.
    """
    self._check_actor(_order.account, msg.sender)
    digest: bytes32 = self._digest_of(_order)
    self.filled[digest] = CANCELLED
    log IOrderGateway.OrderCancelled(account=_order.account, digest=digest)


@external
def raise_min_salt(_account: uint256, _min_salt: uint256):
    """
    @notice Cancel all orders of the account with a salt below _min_salt; it never goes down.
    """
    self._check_owner_of(_account)
    assert _min_salt > self.min_salt[_account], "salt too low"
    self.min_salt[_account] = _min_salt
    log IOrderGateway.SaltRaised(account=_account, min_salt=_min_salt)


@external
def set_session_key(
    _account: uint256, _key: address, _expiry: uint256, _slippage: uint256, _daily_notional: uint256
):
    """
    @notice Let a key trade for the account, or replace its terms.
    @param _expiry [s] Last second in which it may trade.
    @param _slippage [ppm] How much worse than the mark its prices may be.
    @param _daily_notional [USD wad] At the mark, per UTC day; below 2**94.
    """
    self._check_owner_of(_account)
    session_keys._set_key(
        _account,
        _key,
        IOrderGateway.SessionKey(
            expiry=_expiry, slippage=_slippage, daily_notional=_daily_notional, day=0, used=0
        ),
    )


@external
def revoke_session_key(_account: uint256, _key: address):
    """
    @notice End a session key, with every order it signed.
    """
    self._check_owner_of(_account)
    session_keys._revoke_key(_account, _key)


# --- views -----------------------------------------------------------------------------------------------


@external
@view
def digest_of(_order: IOrderGateway.Order) -> bytes32:
    """
    @notice The EIP-712 digest a signer signs.
    """
    return self._digest_of(_order)


@external
@view
def session_key(_account: uint256, _key: address) -> IOrderGateway.SessionKey:
    return session_keys._key_of(_account, _key)


# --- internals -------------------------------------------------------------------------------------------


@internal
def _consume(
    _order: IOrderGateway.Order,
    _signature: Bytes[1024],
    _size: uint256,
    _counterparty: uint256,
) -> (bytes32, address):
    """
    @dev Check everything about the order that does not depend on the price, count _size as filled, and return
        its digest and who signed: the owner (also through his wallet) or a live session key.
    """
    assert _size != 0, "zero size"
    assert block.timestamp <= _order.expiry, "expired"
    assert _order.taker == 0 or _order.taker == _counterparty, "wrong taker"
    assert _order.salt >= self.min_salt[_order.account], "salt cancelled"

    digest: bytes32 = self._digest_of(_order)
    filled: uint256 = self.filled[digest]
    assert filled != CANCELLED, "cancelled"
    total: uint256 = convert(abs(_order.size), uint256)
    assert _size <= total - filled, "overfilled"
    self.filled[digest] = filled + _size

    return digest, self._signer_of(_order.account, digest, _signature)


@internal
@view
def _signer_of(_account: uint256, _digest: bytes32, _signature: Bytes[1024]) -> address:
    """
    @dev The cheapest answer first. A live session key counts as itself even if the owner is a wallet that would
        approve its signature.
    """
    owner: address = self._owner_of(_account)
    signer: address = signatures._recover_signer(_digest, _signature)
    if signer != empty(address):
        if signer == owner or session_keys._is_live(_account, signer):
            return signer
    assert signatures._approves(owner, _digest, _signature), "signature"
    return owner


@internal
@view
def _check_actor(_account: uint256, _actor: address):
    assert (
        _actor == self._owner_of(_account) or session_keys._is_live(_account, _actor)
    ), "not authorised"


@internal
@view
def _check_owner_of(_account: uint256):
    assert msg.sender == self._owner_of(_account), "not owner"


@internal
@view
def _digest_of(_order: IOrderGateway.Order) -> bytes32:
    return eip712_domain_separator._hash_typed_data_v4(
        keccak256(abi_encode(ORDER_TYPE_HASH, _order))
    )


@internal
@pure
def _owner_of(_account: uint256) -> address:
    return convert(_account >> 96, address)
