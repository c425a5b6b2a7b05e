# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The outflow bucket and its queue
@license AGPL-3.0-only
@notice Per token at most `cap` leaves in a `window`, refilled linearly: out = max(0, out - cap·dt/window) + y
    (FORMULAS 9). What does not fit waits for its receiver; anyone may release it as room comes back. What
    waits has left the ledger: it bears nothing any more and cannot be taken back.
@dev Wall time: the bucket refills during a pause. Moving tokens is the last thing an action does.
"""
from contracts.interfaces import ICustody
from contracts.modules import reasons

MAX_CAP: constant(uint256) = 2**96 - 1
MIN_WINDOW: constant(uint256) = 3_600
MAX_WINDOW: constant(uint256) = 30 * 86_400

buckets: HashMap[uint256, uint256]  # token -> cap 96 [wad] | out 96 [wad] | window 24 [s] | at 40 [s]
waiting: HashMap[uint256, HashMap[address, uint256]]  # token -> receiver -> [wad]


@internal
def _take(_token: uint256, _unit: uint256, _receiver: address, _amount: uint256) -> uint256:
    """
    @dev Returns what to pay now, of _amount and of what waited before [token units]; the rest waits.
    @param _amount [wad] whole token units.
    """
    word: uint256 = self.buckets[_token]
    out: uint256 = self._out(word)
    before: uint256 = self.waiting[_token][_receiver]
    due: uint256 = before + _amount
    paid: uint256 = min(due, (word >> 160) - min(out, word >> 160)) // _unit * _unit
    if due - paid != before:
        self.waiting[_token][_receiver] = due - paid
    if paid != 0:
        self.buckets[_token] = self._with_out(word, out + paid)
    log ICustody.Paid(receiver=_receiver, token=_token, paid=paid, waiting=due - paid)
    return paid // _unit


@internal
def _set_bucket(_token: uint256, _cap: uint256, _window: uint256):
    """
    @dev What left already stays counted.
    """
    reasons._require(
        _cap <= MAX_CAP and _window >= MIN_WINDOW and _window <= MAX_WINDOW, reasons.OUTFLOW
    )
    word: uint256 = (_cap << 160) | (_window << 40)
    self.buckets[_token] = self._with_out(word, self._out(self.buckets[_token]))
    log ICustody.OutflowSet(token=_token, cap=_cap, window=_window)


@view
@internal
def _out(_word: uint256) -> uint256:
    """
    @dev [wad] as of now.
    """
    window: uint256 = (_word >> 40) & (2**24 - 1)
    if window == 0:
        return 0
    elapsed: uint256 = min(block.timestamp - (_word & (2**40 - 1)), window)
    out: uint256 = (_word >> 64) & MAX_CAP
    return out - min(out, (_word >> 160) * elapsed // window)


@view
@internal
def _with_out(_word: uint256, _out: uint256) -> uint256:
    kept: uint256 = _word & ((MAX_CAP << 160) | ((2**24 - 1) << 40))
    return kept | (_out << 64) | block.timestamp
