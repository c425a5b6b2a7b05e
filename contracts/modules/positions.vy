# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Positions and side indices, stored
@license AGPL-3.0-only
@notice One word a position, one word for both sides' totals of a market, one word a side once it is cut
    (FORMULAS 1, arithmetic in side_index). `net` of a market is the sum of what it realised into cash, less
    the sum of z, plus what ended epochs still owe: with both sides' Q·X it is minus the market's dust
    (invariant 2).
@dev g is price - F throughout.
"""
from contracts.interfaces import IClearinghouse
from contracts.modules import reasons
from contracts.modules import fixed_point
from contracts.modules import ledger_words
from contracts.modules import side_index

RAY: constant(uint256) = 10**27
A_MIN: constant(uint256) = 10**18  # [ray]
SIDE_MIN: constant(uint256) = 1_000  # [base wad] a smaller side settles the market
MAX_SCALED: constant(uint256) = 2**111
MAX_Z: constant(int256) = 2**119
MAX_CREDIT: constant(int256) = 2**135
LONG: constant(uint256) = 0
SHORT: constant(uint256) = 1


# A position as it stands: effective size and what it is worth besides size·g.
struct Held:
    scaled: int256
    z: int256
    epoch: uint256
    size: int256
    base: int256
    is_ended: bool  # of an ended epoch: base is its whole value


struct Change:
    sides: ledger_words.Sides
    scaled: int256
    z: int256
    before: int256  # [base wad] effective size before
    base_before: int256
    after: int256
    realised: int256  # [USD wad] to the account's cash
    net: int256  # [USD wad] to the market's net


position_words: HashMap[uint256, HashMap[uint256, uint256]]  # account -> market
side_words: HashMap[uint256, uint256]  # market: both totals
cut_words: HashMap[uint256, uint256]  # 2·market + side: scale and credit of a cut side
tallies: HashMap[uint256, uint256]  # market: net and fees
finals: HashMap[uint256, HashMap[uint256, int256]]  # 2·market + side -> epoch: K at its end


# --- reading ---------------------------------------------------------------------------------------------


@view
@internal
def _sides(_market: uint256) -> ledger_words.Sides:
    return ledger_words._unpack_sides(self.side_words[_market])


@view
@internal
def _scale_and_credit(_market: uint256, _side: uint256, _is_cut: bool) -> (uint256, int256):
    if not _is_cut:
        return RAY, 0
    return ledger_words._unpack_side(self.cut_words[2 * _market + _side])


@view
@internal
def _held(_account: uint256, _market: uint256, _sides: ledger_words.Sides) -> Held:
    position: ledger_words.PositionState = ledger_words._unpack_position(
        self.position_words[_account][_market]
    )
    held: Held = Held(
        scaled=position.scaled, z=position.z, epoch=position.epoch, size=0, base=0, is_ended=False
    )
    if position.scaled == 0:
        return held
    side: uint256 = LONG
    epoch: uint256 = _sides.long_epoch
    is_cut: bool = _sides.long_cut
    if position.scaled < 0:
        side = SHORT
        epoch = _sides.short_epoch
        is_cut = _sides.short_cut
    if position.epoch != epoch:
        final: int256 = self.finals[2 * _market + side][position.epoch]
        held.base = side_index._ended_value(position.scaled, position.z, final)
        held.is_ended = True
    elif is_cut:
        scale: uint256 = 0
        credit: int256 = 0
        scale, credit = ledger_words._unpack_side(self.cut_words[2 * _market + side])
        held.size = side_index._size_of(position.scaled, scale)
        held.base = side_index._base_of(position.scaled, position.z, credit, True)
    else:
        held.size = position.scaled
        held.base = -position.z
    return held


@view
@internal
def _effective_total(_market: uint256, _side: uint256, _total: uint256, _is_cut: bool) -> uint256:
    """
    @dev Longs rounded down, shorts up.
    """
    if not _is_cut:
        return _total
    scale: uint256 = 0
    credit: int256 = 0
    scale, credit = self._scale_and_credit(_market, _side, True)
    if _side == LONG:
        return fixed_point._mul_div_down(_total, scale, RAY)
    return fixed_point._mul_div_up(_total, scale, RAY)


@view
@internal
def _open_interest(_market: uint256, _sides: ledger_words.Sides) -> uint256:
    """
    @dev [base wad] the shorts, never smaller than the longs (invariant 3).
    """
    return self._effective_total(_market, SHORT, _sides.short_total, _sides.short_cut)


# --- one position ----------------------------------------------------------------------------------------


@internal
def _change(
    _account: uint256, _market: uint256, _sides: ledger_words.Sides, _delta: int256, _g: int256
) -> Change:
    """
    @dev Closes against, opens with, or flips. Writes the position; the caller writes the sides, the net and
        the cash. A position of an ended epoch is paid out first.
    """
    held: Held = self._held(_account, _market, _sides)
    change: Change = Change(
        sides=_sides,
        scaled=held.scaled,
        z=held.z,
        before=held.size,
        base_before=held.base,
        after=0,
        realised=0,
        net=0,
    )
    paid_out: int256 = 0
    if held.is_ended:
        paid_out = held.base
        change.scaled = 0
        change.z = 0
        change.base_before = 0
    z_before: int256 = change.z
    left: int256 = _delta
    if held.size != 0 and (held.size > 0) != (_delta > 0):
        closed: uint256 = min(self._magnitude(_delta), self._magnitude(held.size))
        left += self._with_sign(closed, held.size > 0)
        change = self._close(_market, change, closed, _g)
    if left != 0:
        change = self._open(_market, change, left, _g)
    change.net = change.realised - (change.z - z_before)
    change.realised += paid_out
    change.after = self._write(_account, _market, change)
    return change


@view
@internal
def _close(_market: uint256, _change: Change, _size: uint256, _g: int256) -> Change:
    change: Change = _change
    is_long: bool = change.scaled > 0
    scale: uint256 = RAY
    credit: int256 = 0
    is_cut: bool = change.sides.long_cut if is_long else change.sides.short_cut
    if is_cut:
        scale, credit = self._scale_and_credit(_market, LONG if is_long else SHORT, True)
    closed: side_index.Closed = side_index._close(
        change.scaled,
        change.z,
        _size,
        self._is_whole(change.scaled, _size, scale, is_cut),
        _g,
        scale,
        credit,
        is_cut,
    )
    change.z = closed.z
    change.realised += closed.realised
    if is_long:
        change.sides.long_total -= closed.scaled
        change.scaled -= convert(closed.scaled, int256)
    else:
        change.sides.short_total -= closed.scaled
        change.scaled += convert(closed.scaled, int256)
    return change


@view
@internal
def _open(_market: uint256, _change: Change, _delta: int256, _g: int256) -> Change:
    change: Change = _change
    is_long: bool = _delta > 0
    scale: uint256 = RAY
    credit: int256 = 0
    is_cut: bool = change.sides.long_cut if is_long else change.sides.short_cut
    if is_cut:
        scale, credit = self._scale_and_credit(_market, LONG if is_long else SHORT, True)
        reasons._require(abs(credit) < MAX_CREDIT, reasons.POSITION_RANGE)
    opened: side_index.Opened = side_index._open(
        self._magnitude(_delta), _g, is_long, scale, credit, is_cut
    )
    change.z += opened.z
    if is_long:
        change.sides.long_total += opened.scaled
        change.scaled += convert(opened.scaled, int256)
        self._check_range(change.sides.long_total, change.z)
    else:
        change.sides.short_total += opened.scaled
        change.scaled -= convert(opened.scaled, int256)
        self._check_range(change.sides.short_total, change.z)
    return change


@internal
def _write(_account: uint256, _market: uint256, _change: Change) -> int256:
    """
    @dev Returns the effective size.
    """
    if _change.scaled == 0:
        self.position_words[_account][_market] = 0
        return 0
    side: uint256 = LONG
    epoch: uint256 = _change.sides.long_epoch
    is_cut: bool = _change.sides.long_cut
    if _change.scaled < 0:
        side = SHORT
        epoch = _change.sides.short_epoch
        is_cut = _change.sides.short_cut
    self.position_words[_account][_market] = ledger_words._pack_position(_change.scaled, _change.z, epoch)
    if not is_cut:
        return _change.scaled
    scale: uint256 = 0
    credit: int256 = 0
    scale, credit = self._scale_and_credit(_market, side, True)
    return side_index._size_of(_change.scaled, scale)


@internal
def _close_out(_account: uint256, _market: uint256, _sides: ledger_words.Sides, _g: int256) -> Change:
    """
    @dev All of a position at g, also one too small to have an effective size, or of an ended epoch.
    """
    held: Held = self._held(_account, _market, _sides)
    change: Change = Change(
        sides=_sides,
        scaled=held.scaled,
        z=held.z,
        before=held.size,
        base_before=held.base,
        after=0,
        realised=0,
        net=0,
    )
    self.position_words[_account][_market] = 0
    if held.is_ended:
        change.realised = held.base
        return change
    change = self._close(_market, change, self._magnitude(held.size), _g)
    change.net = change.realised + held.z
    return change


# --- a market --------------------------------------------------------------------------------------------


@internal
def _store_sides(_market: uint256, _sides: ledger_words.Sides):
    self.side_words[_market] = ledger_words._pack_sides(_sides)


@internal
def _book(_market: uint256, _net: int256, _fees: uint256):
    """
    @dev Adds to the market's net and fees.
    """
    net: int256 = 0
    fees: uint256 = 0
    net, fees = ledger_words._unpack_books(self.tallies[_market])
    self.tallies[_market] = ledger_words._pack_books(net + _net, fees + _fees)


@internal
def _cut(_market: uint256, _size: int256, _charge: uint256, _g: int256):
    """
    @dev A leg of _size (signed) was closed at g: the opposite side is cut by it and charged, in one write,
        and the market settles where too little is left of either. The charge moves to `net`: it pays for
        cash that was forgiven.
    """
    sides: ledger_words.Sides = self._sides(_market)
    scale: uint256 = 0
    credit: int256 = 0
    cut: side_index.Cut = empty(side_index.Cut)
    size: uint256 = self._magnitude(_size)
    opposite: uint256 = sides.short_total if _size > 0 else sides.long_total
    if opposite == 0:
        self._settle(_market, sides, _g)
        return
    if _size > 0:
        scale, credit = self._scale_and_credit(_market, SHORT, sides.short_cut)
        cut = side_index._cut_shorts(size, _charge, _g, sides.short_total, scale, credit)
        sides.short_cut = True
        self.cut_words[2 * _market + SHORT] = ledger_words._pack_side(cut.scale, cut.credit)
    else:
        scale, credit = self._scale_and_credit(_market, LONG, sides.long_cut)
        cut = side_index._cut_longs(size, _charge, _g, sides.long_total, scale, credit)
        sides.long_cut = True
        self.cut_words[2 * _market + LONG] = ledger_words._pack_side(cut.scale, cut.credit)
    self._book(_market, convert(_charge, int256), 0)
    if cut.scale < A_MIN or self._is_spent(_market, sides):
        self._settle(_market, sides, _g)
    else:
        self._store_sides(_market, sides)
    log IClearinghouse.Deleveraged(
        market=_market, size=_size, charge=_charge, scale=cut.scale, credit=cut.credit
    )


@internal
def _settle(_market: uint256, _sides: ledger_words.Sides, _g: int256):
    """
    @dev Ends both epochs at g: old positions are worth floor(scaled·K_end) - z, whoever comes next starts
        at A = 1. What the ended epochs owe moves to `net`.
    """
    owed: int256 = self._end_side(_market, LONG, _sides.long_epoch, _sides.long_total, _sides.long_cut, _g)
    owed += self._end_side(_market, SHORT, _sides.short_epoch, _sides.short_total, _sides.short_cut, _g)
    self._book(_market, owed, 0)
    self._store_sides(
        _market,
        ledger_words.Sides(
            long_total=0,
            short_total=0,
            long_epoch=_sides.long_epoch + 1,
            short_epoch=_sides.short_epoch + 1,
            long_cut=False,
            short_cut=False,
        ),
    )
    log IClearinghouse.MarketSettled(market=_market, price_less_funding=_g, owed=owed)


@internal
def _end_side(
    _market: uint256, _side: uint256, _epoch: uint256, _total: uint256, _is_cut: bool, _g: int256
) -> int256:
    """
    @dev Returns what the side is owed.
    """
    reasons._require(_epoch < 32767, reasons.EPOCHS)
    scale: uint256 = 0
    credit: int256 = 0
    scale, credit = self._scale_and_credit(_market, _side, _is_cut)
    final: int256 = side_index._settled_credit(_side == LONG, _g, scale, credit)
    self.finals[2 * _market + _side][_epoch] = final
    return fixed_point._mul_div_floor(convert(_total, int256), final, convert(RAY, int256))


# --- helpers ---------------------------------------------------------------------------------------------


@view
@internal
def _is_spent(_market: uint256, _sides: ledger_words.Sides) -> bool:
    longs: uint256 = self._effective_total(_market, LONG, _sides.long_total, _sides.long_cut)
    shorts: uint256 = self._effective_total(_market, SHORT, _sides.short_total, _sides.short_cut)
    return min(longs, shorts) < SIDE_MIN


@pure
@internal
def _is_whole(_scaled: int256, _size: uint256, _scale: uint256, _is_cut: bool) -> bool:
    if not _is_cut:
        return _size == self._magnitude(_scaled)
    return _size == self._magnitude(side_index._size_of(_scaled, _scale))


@pure
@internal
def _magnitude(_x: int256) -> uint256:
    return convert(abs(_x), uint256)


@pure
@internal
def _with_sign(_x: uint256, _is_positive: bool) -> int256:
    if _is_positive:
        return convert(_x, int256)
    return -convert(_x, int256)


@pure
@internal
def _check_range(_total: uint256, _z: int256):
    """
    @dev FORMULAS 1: asserted on opens only, so that closing never reverts.
    """
    reasons._require(_total < MAX_SCALED and abs(_z) < MAX_Z, reasons.POSITION_RANGE)
