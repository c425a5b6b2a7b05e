# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Prices: what is known of them, and settling
@license AGPL-3.0-only
@notice Stores the words of `price_words` and answers for each asset: price, F, state; P_ref while
    settling.
@dev The price of an asset is unknown (bit 1) when it has none, its last report is pending or was
    refused by the reference, now > observed + price_max_age, in `grace` of its own (now <
    known_since) or of all assets. A market is in aftermath (bit 2) while now < aftermath_until. Bit
    4 is set by the reference (stale, zero, negative, at its limits, unreadable) or by guardian and
    governance; bit 8 when now > observed + open_max_age.

    P_ref is the mark in force when settling began, and `round` the observation time of that mark:
    it grows when P_ref is taken anew, and charges booked against one mark share one round, settling
    or not. While settling goes on without a known, calm moment in between ("continuing") P_ref
    stays. It is written when a jump is held or a report refused, and when a report is accepted that
    ends an unknown price or moves by more than MMR_0.

    known_since is when the last episode of unknown price ended: the report's effective time after a
    held or refused price, `grace` later after a gap, the end of the general grace if that is later.
    It is kept for EPISODE_MEMORY after, longer than any auction lasts.
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import checks
from contracts.modules import effective_time
from contracts.modules import engine_scalars as scalars
from contracts.modules import governance
from contracts.modules import load_line
from contracts.modules import price_words as words

uses: effective_time
uses: governance
uses: load_line
uses: scalars

MARKETS: constant(uint256) = 32
EPISODE_MEMORY: constant(uint256) = 86_400
M32: constant(uint256) = 2**32 - 1

prices: uint256[40]
settling: uint256[40]
held: uint256[40]
configs: uint256[40]
rules: uint256[10]
guards: uint256[40]
limits: uint256[40]


# --- liquidator ----------------------------------------------------------------------------------


@external
def begin_aftermath(_market: uint256):
    """
    @notice A resolution left a deficit: opening and outflow are barred for settle_window from now.
    @param _market Market id.
    """
    checks._check_caller(scalars._address(scalars.LIQUIDATOR))
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    until: uint256 = now + (clock >> effective_time.WINDOW & words.M16)
    flags: uint256 = self._settle(_market, self.prices[_market], clock, now, until, 0)
    self.prices[_market] |= flags


# --- guardian ------------------------------------------------------------------------------------


@external
def set_reduce_only(_asset: uint256, _reduce_only: bool):
    """
    @notice Bar new risk in an asset. The guardian may set, only the owner clear.
    """
    governance._check_switch(_reduce_only)
    word: uint256 = self.prices[_asset] | words.REDUCE_SET
    if not _reduce_only:
        word ^= words.REDUCE_SET
    self.prices[_asset] = word
    log IRiskEngine.ReduceOnlySet(caller=msg.sender, asset=_asset, reduce_only=_reduce_only)


# --- internals: state ----------------------------------------------------------------------------


@view
@internal
def _state(
    _asset: uint256, _word: uint256, _line: uint256, _base: uint256, _now: uint256
) -> (uint256, uint256):
    """
    @dev State bits of an asset, and known_since (0 without an episode).
        unsafe: ages in units of 4 s are < 2**16 s, observed <= _now.
    """
    state: uint256 = _base
    since: uint256 = 0
    age: uint256 = unsafe_sub(_now, _word >> words.OBSERVED & M32)
    flags: uint256 = _word & words.M6
    if age > unsafe_mul(_line & load_line.M10, load_line.AGE_UNIT):
        state |= effective_time.OLD
        if age > unsafe_mul(_line >> load_line.PRICE_AGE & load_line.M14, load_line.AGE_UNIT):
            state |= effective_time.UNKNOWN
    if flags != 0:
        if flags & (words.PENDING | words.REFUSED) != 0:
            state |= effective_time.UNKNOWN
        if flags & (words.REDUCE_FEED | words.REDUCE_SET) != 0:
            state |= effective_time.REDUCE_ONLY
        if flags & words.EPISODE != 0:
            settling: uint256 = self.settling[_asset]
            since = settling >> words.SINCE & M32
            if since > _now:
                state |= effective_time.UNKNOWN
            if settling >> words.UNTIL & M32 > _now:
                state |= effective_time.AFTERMATH
    return state, since


@view
@internal
def _state_of(_asset: uint256) -> uint256:
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    base: uint256 = effective_time._base_state(clock, now)
    state: uint256 = 0
    since: uint256 = 0
    state, since = self._state(_asset, self.prices[_asset], load_line.lines[_asset], base, now)
    return state


@pure
@internal
def _max_age(_line: uint256) -> uint256:
    """
    @dev price_max_age [s]
    """
    return (_line >> load_line.PRICE_AGE & load_line.M14) * load_line.AGE_UNIT


# --- internals: settling -------------------------------------------------------------------------


@view
@internal
def _is_continuing(
    _word: uint256, _settling: uint256, _clock: uint256, _now: uint256, _price_age: uint256
) -> bool:
    """
    @dev The settling of _settling has gone on without a break until now, so its P_ref stands. A
        price that became unknown by age, or by the general grace, continues it if it had not ended
        by then.
    """
    flags: uint256 = _word & words.M6
    if flags & words.EPISODE == 0:
        return False
    if flags & (words.PENDING | words.REFUSED) != 0:
        return True
    horizon: uint256 = min(_now, (_word >> words.OBSERVED & M32) + _price_age)
    grace_until: uint256 = _clock >> effective_time.GRACE_UNTIL & M32
    if grace_until > _now:
        horizon = min(horizon, grace_until - (_clock >> effective_time.GRACE & words.M16))
    return max(_settling >> words.UNTIL & M32, _settling >> words.SINCE & M32) > horizon


@internal
def _settle(
    _asset: uint256,
    _word: uint256,
    _clock: uint256,
    _now: uint256,
    _until: uint256,
    _since: uint256,
) -> uint256:
    """
    @dev Begin or prolong settling: _until of the aftermath and _since of the known price only grow.
        Returns the flag the caller must put into the price word. _word is the price word before the
        report.
    """
    price_age: uint256 = self.configs[_asset] >> words.PRICE_AGE & words.M16
    settling: uint256 = self.settling[_asset]
    reference: uint256 = settling >> words.PRICE
    time: uint256 = settling >> words.REF_TIME & M32
    if not self._is_continuing(_word, settling, _clock, _now, price_age):
        reference = _word >> words.PRICE
        time = _word >> words.OBSERVED & M32
    until: uint256 = max(_until, settling >> words.UNTIL & M32)
    since: uint256 = max(_since, settling >> words.SINCE & M32)
    self.settling[_asset] = words._pack_settling(reference, time, until, since)
    log IRiskEngine.Settling(
        asset=_asset, reference=reference, aftermath_until=until, known_since=since
    )
    return words.EPISODE


@view
@internal
def _reference(
    _asset: uint256, _word: uint256, _clock: uint256, _now: uint256, _price_age: uint256
) -> (uint256, uint256):
    """
    @dev P_ref and the observation time of that mark; the stored mark itself when not settling.
    """
    if _word & words.EPISODE != 0:
        settling: uint256 = self.settling[_asset]
        if self._is_continuing(_word, settling, _clock, _now, _price_age):
            return settling >> words.PRICE, settling >> words.REF_TIME & M32
    return _word >> words.PRICE, _word >> words.OBSERVED & M32
