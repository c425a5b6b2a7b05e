# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Timelock
@license AGPL-3.0-only
@notice Owns every setter of the protocol. Proposers schedule, executors (or anyone, where the zero address is
    one) execute after the delay. Administers itself: roles and the delay change by scheduled operations only.
@dev Snekmate's timelock controller with four differences: the delay stays between an immutable floor and a
    constant ceiling, nothing executes while the risk engine is paused, no ether or NFT is held, and a call may
    have 2,048 bytes (a table of eight brackets has 1,380, a listing 1,796; snekmate stops at 1,024), a batch 32
    calls. The deployer ends without a role. State, roles and views are snekmate's, and so is the ABI; what takes
    calldata is ours (`timelock_calls`).
    Reasons: "engine paused", "delay out of range", "not the timelock", "no code", "length mismatch",
    "call reverted", and snekmate's.
"""
from snekmate.auth import access_control
from snekmate.governance import timelock_controller

from contracts.interfaces import IRiskEngine
from contracts.modules import timelock_calls as calls

initializes: access_control
initializes: timelock_controller[access_control := access_control]

exports: (
    # cancellers
    timelock_controller.cancel,
    # operations
    timelock_controller.get_minimum_delay,
    timelock_controller.get_timestamp,
    timelock_controller.get_operation_state,
    timelock_controller.is_operation,
    timelock_controller.is_operation_pending,
    timelock_controller.is_operation_ready,
    timelock_controller.is_operation_done,
    # roles
    timelock_controller.PROPOSER_ROLE,
    timelock_controller.EXECUTOR_ROLE,
    timelock_controller.CANCELLER_ROLE,
    access_control.DEFAULT_ADMIN_ROLE,
    access_control.hasRole,
    access_control.getRoleAdmin,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
)

MAX_CALLS: constant(uint256) = calls.MAX_CALLS
MAX_PAYLOAD: constant(uint256) = calls.MAX_PAYLOAD
MAX_PEOPLE: constant(uint256) = 255  # snekmate's bound
MAX_DELAY: public(constant(uint256)) = 60 * 86_400  # [s]

DELAY_FLOOR: public(immutable(uint256))  # [s]
ENGINE: public(immutable(IRiskEngine))


@deploy
def __init__(
    _delay_floor: uint256,
    _proposers: DynArray[address, MAX_PEOPLE],
    _executors: DynArray[address, MAX_PEOPLE],
    _engine: address,
):
    """
    @param _delay_floor [s] The first delay, and the least there will ever be: 48 hours in production.
    @param _proposers May schedule and cancel.
    @param _executors May execute; the zero address opens execution to anyone.
    @param _engine The risk engine: while it is paused, nothing executes.
    """
    assert _engine.is_contract, "no code"
    assert _delay_floor <= MAX_DELAY, "delay out of range"
    DELAY_FLOOR = _delay_floor
    ENGINE = IRiskEngine(_engine)
    access_control.__init__()
    timelock_controller.__init__(_delay_floor, _proposers, _executors, empty(address))


# --- proposers -------------------------------------------------------------------------------------------


@external
def schedule(
    _target: address,
    _amount: uint256,
    _payload: Bytes[MAX_PAYLOAD],
    _predecessor: bytes32,
    _salt: bytes32,
    _delay: uint256,
):
    """
    @notice Schedule an operation of one call.
    @param _amount [wei] Of ether; the timelock holds none, so 0.
    @param _predecessor The operation that must be executed before; empty for none.
    @param _delay [s] At least the minimum delay.
    """
    access_control._check_role(timelock_controller.PROPOSER_ROLE, msg.sender)
    id: bytes32 = calls._hash_call(_target, _amount, _payload, _predecessor, _salt)
    timelock_controller._schedule(id, _delay)
    calls._log_scheduled(id, 0, _target, _amount, _payload, _predecessor, _delay)
    calls._log_salt(id, _salt)


@external
def schedule_batch(
    _targets: DynArray[address, MAX_CALLS],
    _amounts: DynArray[uint256, MAX_CALLS],
    _payloads: DynArray[Bytes[MAX_PAYLOAD], MAX_CALLS],
    _predecessor: bytes32,
    _salt: bytes32,
    _delay: uint256,
):
    """
    @notice Schedule an operation of several calls, executed together or not at all.
    """
    access_control._check_role(timelock_controller.PROPOSER_ROLE, msg.sender)
    assert len(_targets) == len(_amounts) and len(_targets) == len(_payloads), "length mismatch"
    id: bytes32 = calls._hash_batch(_targets, _amounts, _payloads, _predecessor, _salt)
    timelock_controller._schedule(id, _delay)
    for i: uint256 in range(len(_targets), bound=MAX_CALLS):
        calls._log_scheduled(id, i, _targets[i], _amounts[i], _payloads[i], _predecessor, _delay)
    calls._log_salt(id, _salt)


# --- executors -------------------------------------------------------------------------------------------


@external
def execute(
    _target: address,
    _amount: uint256,
    _payload: Bytes[MAX_PAYLOAD],
    _predecessor: bytes32,
    _salt: bytes32,
):
    """
    @notice Execute a scheduled operation whose delay is over.
    @param _amount [wei] Of ether; the timelock holds none, so 0.
    """
    self._check_executor()
    id: bytes32 = calls._hash_call(_target, _amount, _payload, _predecessor, _salt)
    timelock_controller._before_call(id, _predecessor)
    calls._execute(id, 0, _target, _amount, _payload)
    timelock_controller._after_call(id)


@external
def execute_batch(
    _targets: DynArray[address, MAX_CALLS],
    _amounts: DynArray[uint256, MAX_CALLS],
    _payloads: DynArray[Bytes[MAX_PAYLOAD], MAX_CALLS],
    _predecessor: bytes32,
    _salt: bytes32,
):
    """
    @notice Execute a scheduled batch whose delay is over: all of it or nothing.
    """
    self._check_executor()
    id: bytes32 = calls._hash_batch(_targets, _amounts, _payloads, _predecessor, _salt)
    timelock_controller._before_call(id, _predecessor)
    for i: uint256 in range(len(_targets), bound=MAX_CALLS):
        calls._execute(id, i, _targets[i], _amounts[i], _payloads[i])
    timelock_controller._after_call(id)


# --- governance ------------------------------------------------------------------------------------------


# Called by `execute`, which holds the lock.
@external
@reentrant
def update_delay(_delay: uint256):
    """
    @notice Change the delay of operations scheduled from now on; only by a scheduled operation.
    @param _delay [s] From DELAY_FLOOR to MAX_DELAY.
    """
    assert msg.sender == self, "not the timelock"
    assert _delay >= DELAY_FLOOR and _delay <= MAX_DELAY, "delay out of range"
    log timelock_controller.MinimumDelayChange(
        old_duration=timelock_controller.get_minimum_delay, new_duration=_delay
    )
    timelock_controller.get_minimum_delay = _delay


# --- views -----------------------------------------------------------------------------------------------


@external
@pure
def hash_operation(
    _target: address,
    _amount: uint256,
    _payload: Bytes[MAX_PAYLOAD],
    _predecessor: bytes32,
    _salt: bytes32,
) -> bytes32:
    """
    @return The id of an operation of one call.
    """
    return calls._hash_call(_target, _amount, _payload, _predecessor, _salt)


@external
@pure
def hash_operation_batch(
    _targets: DynArray[address, MAX_CALLS],
    _amounts: DynArray[uint256, MAX_CALLS],
    _payloads: DynArray[Bytes[MAX_PAYLOAD], MAX_CALLS],
    _predecessor: bytes32,
    _salt: bytes32,
) -> bytes32:
    """
    @return The id of an operation of several calls.
    """
    return calls._hash_batch(_targets, _amounts, _payloads, _predecessor, _salt)


# --- internals -------------------------------------------------------------------------------------------


@internal
@view
def _check_executor():
    """
    @dev Role, and the engine running: governance must not act on users who cannot answer.
    """
    timelock_controller._only_role_or_open_role(timelock_controller.EXECUTOR_ROLE)
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall ENGINE.clock()
    assert not paused, "engine paused"
