# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Steward: what a push of severity and depth may do
@license AGPL-3.0-only
@notice One message for several assets, signed whole by a quorum. Any failing check reverts it
    whole.
@dev EIP-712: Push(bytes32 inputs,uint256 valid_until,uint256[] lines), a line packed as asset 184
    | severity 20 | depth 20 | nonce 32. `inputs` is the hash of the
    data the push was computed from (provenance), only logged. `valid_until` is Unix time; `nonce`
    the effective time of the push it builds on (t0 of the load line), which at least min_delay >=
    60 s makes strictly rising. Steps are against the values last pushed, not against the clocks. A
    depth below depth_min is accepted only if it does not fall: governance may raise depth_min above
    the depth in force without locking the keeper out.
    rules: step_up 20 | step_down 20 | depth_fall 20 | depth_rise 20 | min_delay 24; max_age and
    depth_min are in the word of `effective_time`.
    Reasons: "expired", "nonce" (also: not listed), "too soon", "out of bounds" (values, steps),
    "paused"; signatures: `quorum`.
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import checks
from contracts.modules import effective_time
from contracts.modules import engine_scalars as scalars
from contracts.modules import load_line
from contracts.modules import quorum

uses: effective_time
uses: load_line
uses: quorum
uses: scalars

PUSH_HASH: constant(bytes32) = keccak256("Push(bytes32 inputs,uint256 valid_until,uint256[] lines)")
PPM: constant(uint256) = 10**6
M20: constant(uint256) = 2**20 - 1
M24: constant(uint256) = 2**24 - 1


# --- keeper --------------------------------------------------------------------------------------


@external
def push(
    _inputs: bytes32,
    _valid_until: uint256,
    _lines: DynArray[uint256, 40],
    _signatures: DynArray[IRiskEngine.Signature, 9],
):
    """
    @notice Push severity and depth of several assets; anyone may bring a signed message.
    @param _inputs Hash of the input window.
    @param _valid_until Last second of validity [Unix time].
    @param _lines Packed lines: what to push.
    @param _signatures In ascending order of their signers.
    """
    effective_time._check_running()
    checks._check_until(_valid_until)
    self._check_signatures(_inputs, _valid_until, _lines, _signatures)
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    rules: uint256 = scalars.words[scalars.RULES]
    for push: uint256 in _lines:
        asset: uint256 = push >> 72
        line: uint256 = load_line.lines[asset]
        self._check_line(push, line, rules, clock, now)
        load_line.lines[asset] = load_line._moved(
            line, push >> 52 & M20, push >> 32 & M20, clock, now
        )
    log IRiskEngine.Pushed(pusher=msg.sender, inputs=_inputs, lines=_lines)


# --- internals -----------------------------------------------------------------------------------


@view
@internal
def _check_signatures(
    _inputs: bytes32,
    _valid_until: uint256,
    _lines: DynArray[uint256, 40],
    _signatures: DynArray[IRiskEngine.Signature, 9],
):
    lines: bytes32 = keccak256(slice(abi_encode(_lines), 64, 32 * len(_lines)))
    struct_hash: bytes32 = keccak256(abi_encode(PUSH_HASH, _inputs, _valid_until, lines))
    quorum._check_quorum(len(_signatures))
    signer: address = empty(address)
    for signature: IRiskEngine.Signature in _signatures:
        signer = quorum._check_signature(struct_hash, signature, signer)


@pure
@internal
def _check_line(_push: uint256, _line: uint256, _rules: uint256, _clock: uint256, _now: uint256):
    t0: uint256 = _line >> load_line.T0 & load_line.M32
    assert t0 != 0 and _push & load_line.M32 == t0, "nonce"
    checks._check_delay(_now - t0 >= _rules & M24)
    severity: uint256 = _push >> 52 & M20
    depth: uint256 = _push >> 32 & M20
    old: uint256 = _line >> load_line.DEPTH & M20
    low: uint256 = min(old, _clock >> effective_time.DEPTH_MIN & M20)
    checks._check_within(
        severity <= PPM
        and low <= depth
        and depth <= PPM
        and self._is_step(_line >> load_line.S, severity, _rules >> 84, _rules >> 64)
        and self._is_step(old, depth, _rules >> 24, _rules >> 44)
    )


@pure
@internal
def _is_step(_old: uint256, _new: uint256, _up: uint256, _down: uint256) -> bool:
    """
    @dev Within a step up or down; the steps are the lowest 20 bits. unsafe: all below 2**21.
    """
    if _new > _old:
        return unsafe_sub(_new, _old) <= _up & M20
    return unsafe_sub(_old, _new) <= _down & M20
