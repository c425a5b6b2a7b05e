# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The outflow bucket and its queue
@license AGPL-3.0-only
@notice Net outflow per token: what is held may fall at most `cap` below a level. The level follows what was
    held when last noted, at every payment and every deposit of collateral: down by cap a window, up to it
    within a window. So what came in since may
    leave again without using the cap up, and nobody fills the bucket for others by passing through. What
    does not fit waits for its receiver; anyone may release it as room comes back (a release of nothing takes
    note too: keepers send one a day for the settlement token, whose deposits do not). What waits has left the
    ledger: it bears nothing any more and cannot be taken back.
@dev Wall time: the bucket refills during a pause. Moving tokens is the last thing an action does.
"""
from contracts.interfaces import ICustody
from contracts.modules import reasons

GRAIN: constant(uint256) = 10**12  # [wad] unit of the packed amounts
MAX_GRAINS: constant(uint256) = 2**64 - 1
MAX_CAP: constant(uint256) = MAX_GRAINS * GRAIN  # [wad]
MIN_WINDOW: constant(uint256) = 3_600
MAX_WINDOW: constant(uint256) = 30 * 86_400

# token -> cap 64 | level 64 | held 64 when last noted [grains] | window 24 | at 40 [s]
buckets: HashMap[uint256, uint256]
waiting: HashMap[uint256, HashMap[address, uint256]]  # token -> receiver -> [wad]


@internal
def _take(
    _token: uint256, _held: uint256, _unit: uint256, _receiver: address, _amount: uint256
) -> uint256:
    """
    @dev Returns what to pay now, of _amount and of what waited before [token units]; the rest waits.
    @param _held [wad] before the payment.
    @param _amount [wad]
    """
    word: uint256 = self.buckets[_token]
    level: uint256 = self._level(word)
    room: uint256 = _held + (word >> 192) * GRAIN
    room -= min(room, level * GRAIN)
    before: uint256 = self.waiting[_token][_receiver]
    due: uint256 = before + _amount
    paid: uint256 = min(due, room) // _unit * _unit
    if due - paid != before:
        self.waiting[_token][_receiver] = due - paid
    self.buckets[_token] = self._with_level(word, level, _held - paid)
    log ICustody.Paid(receiver=_receiver, token=_token, paid=paid, waiting=due - paid)
    return paid // _unit


@internal
def _wait(_token: uint256, _receiver: address, _amount: uint256):
    """
    @dev Leaves the books now and the token's holder when released [wad].
    """
    self.waiting[_token][_receiver] += _amount


@internal
def _note(_token: uint256, _held: uint256):
    """
    @dev Take note of what is held [wad], where something came in.
    """
    word: uint256 = self.buckets[_token]
    self.buckets[_token] = self._with_level(word, self._level(word), _held)


@internal
def _set_bucket(_token: uint256, _cap: uint256, _window: uint256):
    """
    @dev The level stays: what left already stays counted.
    """
    reasons._require(
        _cap <= MAX_CAP and _window >= MIN_WINDOW and _window <= MAX_WINDOW, reasons.OUTFLOW
    )
    kept: uint256 = self.buckets[_token] & (((2**128 - 1) << 64) | (2**40 - 1))
    self.buckets[_token] = ((_cap // GRAIN) << 192) | (_window << 40) | kept
    log ICustody.OutflowSet(token=_token, cap=_cap, window=_window)


@view
@internal
def _level(_word: uint256) -> uint256:
    """
    @dev [grains] as of now.
    """
    window: uint256 = (_word >> 40) & (2**24 - 1)
    elapsed: uint256 = min(block.timestamp - (_word & (2**40 - 1)), window)
    level: uint256 = (_word >> 128) & MAX_GRAINS
    held: uint256 = (_word >> 64) & MAX_GRAINS
    if level < held:
        return level + (held - level) * elapsed // window
    return level - min(level - held, (_word >> 192) * elapsed // window)


@view
@internal
def _with_level(_word: uint256, _level: uint256, _held: uint256) -> uint256:
    """
    @dev _held in wad.
    """
    kept: uint256 = _word & ((MAX_GRAINS << 192) | ((2**24 - 1) << 40))
    held: uint256 = min(_held // GRAIN, MAX_GRAINS)
    return kept | (_level << 128) | (held << 64) | block.timestamp
