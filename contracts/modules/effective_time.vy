# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Effective time, pause and the rules that are read with them
@license AGPL-3.0-only
@notice Every clock of the protocol runs on block time less paused time; it stands still in a pause.
@dev One word, read once a call:
    paused_since 32 | paused_total 32 | grace_until 32 | keeper max_age 24 | depth_min 20 | flags 4
    (1 a sequencer feed is set, 2 the settlement token is in doubt) | period 10 | max_spread 20 |
    confirm_delay 16 | grace 16 | settle_window 16 | quorum 4 | spare 30. paused_since is Unix time,
    grace_until effective. From max_age on, the flag 2 excepted, the fields are written by
    `RiskSettings`.

    A pause ends when the owner or the guardian lifts it, or anyone after MAX_PAUSE; the next may
    begin PAUSE_COOLDOWN after. All prices are unknown until `grace` after it (`grace_until`).

    The sequencer feed (Chainlink: answer 0 up, 1 down; startedAt the time of the last change) is
    read in every assessment where it is set. Down, unreadable or never started: bit 32. Up for less
    than `grace` of block time: bit 1.

    Reasons: "paused", "bad parameters" (not paused), "too soon", "not guardian", "not owner", "low
    gas".
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import chainlink
from contracts.modules import checks
from contracts.modules import engine_scalars as scalars
from contracts.modules import governance

uses: governance
uses: scalars

MAX_PAUSE: constant(uint256) = 86_400
PAUSE_COOLDOWN: constant(uint256) = 172_800

UNKNOWN: constant(uint256) = 1
AFTERMATH: constant(uint256) = 2
REDUCE_ONLY: constant(uint256) = 4
OLD: constant(uint256) = 8
PAUSED: constant(uint256) = 16
NO_NEW_RISK: constant(uint256) = 32

FLAG_SEQUENCER: constant(uint256) = 1
FLAG_DOUBT: constant(uint256) = 2

# Lowest bit of each field.
SINCE: constant(uint256) = 224
TOTAL: constant(uint256) = 192
GRACE_UNTIL: constant(uint256) = 160
MAX_AGE: constant(uint256) = 136
DEPTH_MIN: constant(uint256) = 116
FLAGS: constant(uint256) = 112
PERIOD: constant(uint256) = 102
SPREAD: constant(uint256) = 82
CONFIRM: constant(uint256) = 66
GRACE: constant(uint256) = 50
WINDOW: constant(uint256) = 34
QUORUM: constant(uint256) = 30
M4: constant(uint256) = 2**4 - 1
M10: constant(uint256) = 2**10 - 1
M16: constant(uint256) = 2**16 - 1
M20: constant(uint256) = 2**20 - 1
M24: constant(uint256) = 2**24 - 1
M32: constant(uint256) = 2**32 - 1

word: uint256


# --- guardian ------------------------------------------------------------------------------------


@external
def pause():
    """
    @notice Stop everything but collateral in. Owner or guardian.
    """
    governance._check_guardian()
    self._check_running()
    checks._check_delay(block.timestamp >= scalars.words[scalars.PAUSE_ENDED] + PAUSE_COOLDOWN)
    self.word |= block.timestamp << SINCE
    log IRiskEngine.Paused(guardian=msg.sender)


@external
def unpause():
    """
    @notice Lift the pause: the guardian or the owner at any time, anyone after MAX_PAUSE.
    """
    word: uint256 = self.word
    since: uint256 = word >> SINCE
    checks._check_fit(since != 0)
    if block.timestamp < since + MAX_PAUSE:
        governance._check_guardian()
    total: uint256 = (word >> TOTAL & M32) + block.timestamp - since
    grace_until: uint256 = block.timestamp - total + (word >> GRACE & M16)
    # The three fields at the top are written anew.
    word = word << 96 >> 96
    self.word = word | total << TOTAL | grace_until << GRACE_UNTIL
    scalars.words[scalars.PAUSE_ENDED] = block.timestamp
    log IRiskEngine.Unpaused(caller=msg.sender, grace_until=grace_until)


@external
def set_settlement_doubt(_in_doubt: bool):
    """
    @notice The settlement token may not be worth its face. The guardian may set, only the owner
        clear.
    """
    governance._check_switch(_in_doubt)
    word: uint256 = self.word | FLAG_DOUBT << FLAGS
    if not _in_doubt:
        word ^= FLAG_DOUBT << FLAGS
    self.word = word
    log IRiskEngine.SettlementDoubtSet(caller=msg.sender, in_doubt=_in_doubt)


# --- views ---------------------------------------------------------------------------------------


@view
@external
def clock() -> (uint256, bool):
    """
    @return Effective time [s], and whether paused.
    """
    word: uint256 = self.word
    return self._now(word), word >> SINCE != 0


# --- internals -----------------------------------------------------------------------------------


@view
@internal
def _check_running():
    assert self.word >> SINCE == 0, "paused"


@view
@internal
def _now(_word: uint256) -> uint256:
    """
    @dev Effective time [s]. paused_total never exceeds block time.
    """
    since: uint256 = _word >> SINCE
    if since == 0:
        since = block.timestamp
    return unsafe_sub(since, _word >> TOTAL & M32)


@view
@internal
def _effective_now() -> uint256:
    return self._now(self.word)


@view
@internal
def _base_state(_word: uint256, _now: uint256) -> uint256:
    """
    @dev State bits common to every asset.
    """
    state: uint256 = 0
    if _word >> SINCE != 0:
        state = PAUSED
    if _word >> GRACE_UNTIL & M32 > _now:
        state |= UNKNOWN
    flags: uint256 = _word >> FLAGS & 15
    if flags != 0:
        if flags & FLAG_DOUBT != 0:
            state |= NO_NEW_RISK
        if flags & FLAG_SEQUENCER != 0:
            state |= self._sequencer_state(_word >> GRACE & M16)
    return state


@view
@internal
def _sequencer_state(_grace: uint256) -> uint256:
    answer: int256 = 0
    started: uint256 = 0
    updated: uint256 = 0
    answer, started, updated = chainlink._latest(scalars._address(scalars.SEQUENCER))
    if answer != 0 or started == 0 or started > block.timestamp:
        return NO_NEW_RISK
    if block.timestamp - started < _grace:
        return UNKNOWN
    return 0


@view
@internal
def _known_since(_word: uint256) -> uint256:
    """
    @dev [s, effective] end of the last grace of all assets after a pause; 0 if there was none.
    """
    return _word >> GRACE_UNTIL & M32
