# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The outflow bucket and its queue
@license AGPL-3.0-only
@notice Net outflow per token: what is held may fall at most `cap` below a level that follows it. Above what is
    held the level falls by cap a window, below it rises to it within a window: so what came in lately may leave
    again without using the cap up, and nobody can fill the bucket for others by passing through. What does not
    fit waits for its receiver; anyone may release it as room comes back. What waits has left the ledger: it
    bears nothing any more and cannot be taken back.
@dev Wall time: the bucket refills during a pause. Moving tokens is the last thing an action does.
"""
from ethereum.ercs import IERC20

from contracts.interfaces import ICustody
from contracts.modules import reasons

MAX_CAP: constant(uint256) = 2**96 - 1
MIN_WINDOW: constant(uint256) = 3_600
MAX_WINDOW: constant(uint256) = 30 * 86_400

buckets: HashMap[uint256, uint256]  # token -> cap 96 [wad] | level 96 [wad] | window 24 [s] | at 40 [s]
waiting: HashMap[uint256, HashMap[address, uint256]]  # token -> receiver -> [wad]


@internal
def _take(
    _token: uint256,
    _contract: address,
    _holder: address,
    _unit: uint256,
    _receiver: address,
    _amount: uint256,
) -> uint256:
    """
    @dev Returns what to pay now, of _amount and of what waited before [token units]; the rest waits.
    @param _holder Holds the tokens and pays them after this.
    @param _amount [wad] whole token units.
    """
    held: uint256 = min(staticcall IERC20(_contract).balanceOf(_holder) * _unit, MAX_CAP)
    word: uint256 = self.buckets[_token]
    level: uint256 = self._level(word, held)
    room: uint256 = held + (word >> 160)
    room -= min(room, level)
    before: uint256 = self.waiting[_token][_receiver]
    due: uint256 = before + _amount
    paid: uint256 = min(due, room) // _unit * _unit
    if due - paid != before:
        self.waiting[_token][_receiver] = due - paid
    if paid != 0:
        self.buckets[_token] = self._with_level(word, level)
    log ICustody.Paid(receiver=_receiver, token=_token, paid=paid, waiting=due - paid)
    return paid // _unit


@internal
def _set_bucket(_token: uint256, _cap: uint256, _window: uint256):
    """
    @dev The level stays: what left already stays counted.
    """
    reasons._require(
        _cap <= MAX_CAP and _window >= MIN_WINDOW and _window <= MAX_WINDOW, reasons.OUTFLOW
    )
    kept: uint256 = self.buckets[_token] & ((MAX_CAP << 64) | (2**40 - 1))
    self.buckets[_token] = (_cap << 160) | (_window << 40) | kept
    log ICustody.OutflowSet(token=_token, cap=_cap, window=_window)


@view
@internal
def _level(_word: uint256, _held: uint256) -> uint256:
    """
    @dev [wad] as of now.
    """
    window: uint256 = (_word >> 40) & (2**24 - 1)
    elapsed: uint256 = min(block.timestamp - (_word & (2**40 - 1)), window)
    level: uint256 = (_word >> 64) & MAX_CAP
    if level < _held:
        return level + (_held - level) * elapsed // window
    return level - min(level - _held, (_word >> 160) * elapsed // window)


@view
@internal
def _with_level(_word: uint256, _level: uint256) -> uint256:
    kept: uint256 = _word & ((MAX_CAP << 160) | ((2**24 - 1) << 40))
    return kept | (_level << 64) | block.timestamp
