# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Calls of the timelock: ids, events, execution
@license AGPL-3.0-only
@notice As in snekmate's timelock controller, with the same ids and events, but longer calldata and smaller batches.
@dev Stateless. Reason: "call reverted", where the target gave none.
"""

MAX_CALLS: constant(uint256) = 32
MAX_PAYLOAD: constant(uint256) = 2_048


event CallScheduled:
    id: indexed(bytes32)
    index: indexed(uint256)
    target: address
    amount: uint256
    payload: Bytes[MAX_PAYLOAD]
    predecessor: bytes32
    delay: uint256


event CallExecuted:
    id: indexed(bytes32)
    index: indexed(uint256)
    target: address
    amount: uint256
    payload: Bytes[MAX_PAYLOAD]


event CallSalt:
    id: indexed(bytes32)
    salt: bytes32


@internal
@pure
def _hash_call(
    _target: address,
    _amount: uint256,
    _payload: Bytes[MAX_PAYLOAD],
    _predecessor: bytes32,
    _salt: bytes32,
) -> bytes32:
    return keccak256(abi_encode(_target, _amount, _payload, _predecessor, _salt))


@internal
@pure
def _hash_batch(
    _targets: DynArray[address, MAX_CALLS],
    _amounts: DynArray[uint256, MAX_CALLS],
    _payloads: DynArray[Bytes[MAX_PAYLOAD], MAX_CALLS],
    _predecessor: bytes32,
    _salt: bytes32,
) -> bytes32:
    return keccak256(abi_encode(_targets, _amounts, _payloads, _predecessor, _salt))


@internal
def _execute(
    _id: bytes32, _index: uint256, _target: address, _amount: uint256, _payload: Bytes[MAX_PAYLOAD]
):
    """
    @dev Passes the reason of a revert on.
    """
    success: bool = False
    reply: Bytes[255] = b""
    success, reply = raw_call(
        _target, _payload, max_outsize=255, value=_amount, revert_on_failure=False
    )
    if not success and len(reply) != 0:
        raw_revert(reply)
    assert success, "call reverted"
    log CallExecuted(id=_id, index=_index, target=_target, amount=_amount, payload=_payload)


@internal
def _log_scheduled(
    _id: bytes32,
    _index: uint256,
    _target: address,
    _amount: uint256,
    _payload: Bytes[MAX_PAYLOAD],
    _predecessor: bytes32,
    _delay: uint256,
):
    log CallScheduled(
        id=_id,
        index=_index,
        target=_target,
        amount=_amount,
        payload=_payload,
        predecessor=_predecessor,
        delay=_delay,
    )


@internal
def _log_salt(_id: bytes32, _salt: bytes32):
    if _salt != empty(bytes32):
        log CallSalt(id=_id, salt=_salt)
