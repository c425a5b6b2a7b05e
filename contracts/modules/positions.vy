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
from contracts.interfaces import IRiskEngine
from contracts.modules import reasons
from contracts.modules import fixed_point
from contracts.modules import ledger_words
from contracts.modules import side_index

RAY: constant(uint256) = 10**27
A_MIN: constant(uint256) = 10**18  # [ray]
SIDE_MIN: constant(uint256) = 1_000  # [base wad] a smaller side settles the market
SCALED_BITS: constant(uint256) = 111
Z_BITS: constant(uint256) = 119
CREDIT_BITS: constant(uint256) = 135
MAX_EPOCHS: constant(uint256) = 2**15


# A side as it stands.
struct SideState:
    index: uint256
    total: uint256  # [scaled wad]
    epoch: uint256
    is_cut: bool
    scale: uint256  # [ray]
    credit: int256  # [ray USD per scaled unit]


# A position as it stands: effective size and what it is worth besides size·g.
struct Held:
    scaled: int256
    z: int256
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


position_words: HashMap[uint256, uint256[32]]  # account -> market
side_words: uint256[32]  # market: both totals
cut_words: uint256[64]  # 2·market, + 1 for shorts: scale and credit of a cut side
tallies: uint256[32]  # market: net and fees
# 2·market, + 1 for shorts -> epoch: K at its end
finals: HashMap[uint256, HashMap[uint256, int256]]


# --- reading ---------------------------------------------------------------------------------------------


@view
@internal
def _sides(_market: uint256) -> ledger_words.Sides:
    return ledger_words._unpack_sides(self.side_words[_market])


@view
@internal
def _side(_market: uint256, _sides: ledger_words.Sides, _is_long: bool) -> SideState:
    side: SideState = SideState(
        index=2 * _market,
        total=_sides.long_total,
        epoch=_sides.long_epoch,
        is_cut=_sides.long_cut,
        scale=RAY,
        credit=0,
    )
    if not _is_long:
        side.index += 1
        side.total = _sides.short_total
        side.epoch = _sides.short_epoch
        side.is_cut = _sides.short_cut
    if side.is_cut:
        side.scale, side.credit = ledger_words._unpack_side(self.cut_words[side.index])
    return side


@view
@internal
def _leg(_account: uint256, _market: uint256) -> IRiskEngine.Leg:
    """
    @dev Effective size (0 for a position of an ended epoch), what it is worth besides size·g, and the market's
        open interest. Works on the words: this is read once for every market of a book.
    """
    sides: uint256 = self.side_words[_market]
    word: uint256 = self.position_words[_account][_market]
    scaled: int256 = convert(convert(word, bytes32), int256) >> 144
    mark: uint256 = sides & 65535  # epoch and cut flag of the shorts
    if scaled > 0:
        mark = (sides >> 16) & 65535
    # Of this epoch, neither its side nor the shorts cut.
    if (mark ^ (word & 65535) << 1) | (sides & 1) == 0:
        return IRiskEngine.Leg(
            market=_market,
            size=scaled,
            base=unsafe_sub(0, convert(convert(word << 112, bytes32), int256) >> 128),
            open_interest=(sides >> 32) & (2**112 - 1),
        )
    unpacked: ledger_words.Sides = ledger_words._unpack_sides(sides)
    held: Held = self._held(_account, _market, unpacked)
    return IRiskEngine.Leg(
        market=_market,
        size=held.size,
        base=held.base,
        open_interest=self._open_interest(_market, unpacked),
    )


@view
@internal
def _held(_account: uint256, _market: uint256, _sides: ledger_words.Sides) -> Held:
    position: ledger_words.PositionState = ledger_words._unpack_position(
        self.position_words[_account][_market]
    )
    held: Held = Held(
        scaled=position.scaled, z=position.z, size=position.scaled, base=-position.z, is_ended=False
    )
    epoch: uint256 = _sides.long_epoch
    is_cut: bool = _sides.long_cut
    if position.scaled <= 0:
        if position.scaled == 0:
            return held
        epoch = _sides.short_epoch
        is_cut = _sides.short_cut
    if is_cut or position.epoch != epoch:
        return self._held_apart(_market, _sides, position)
    return held


@view
@internal
def _held_apart(
    _market: uint256, _sides: ledger_words.Sides, _position: ledger_words.PositionState
) -> Held:
    """
    @dev A position of a cut side or of an ended epoch.
    """
    side: SideState = self._side(_market, _sides, _position.scaled > 0)
    held: Held = Held(
        scaled=_position.scaled,
        z=_position.z,
        size=0,
        base=0,
        is_ended=_position.epoch != side.epoch,
    )
    if held.is_ended:
        held.base = side_index._ended_value(
            held.scaled, held.z, self.finals[side.index][_position.epoch]
        )
    else:
        held.size = side_index._size_of(held.scaled, side.scale)
        held.base = side_index._base_of(held.scaled, held.z, side.credit)
    return held


@view
@internal
def _effective_total(_market: uint256, _sides: ledger_words.Sides, _is_long: bool) -> uint256:
    """
    @dev [base wad] longs rounded down, shorts up.
    """
    side: SideState = self._side(_market, _sides, _is_long)
    if not side.is_cut:
        return side.total
    return self._magnitude(side_index._size_of(self._with_sign(side.total, _is_long), side.scale))


@view
@internal
def _open_interest(_market: uint256, _sides: ledger_words.Sides) -> uint256:
    """
    @dev [base wad] the shorts, never smaller than the longs (invariant 3).
    """
    if not _sides.short_cut:
        return _sides.short_total
    return self._effective_total(_market, _sides, False)


# --- one position ----------------------------------------------------------------------------------------


@internal
def _change(
    _account: uint256,
    _market: uint256,
    _sides: ledger_words.Sides,
    _delta: int256,
    _g: int256,
    _spare: uint256,
) -> Change:
    """
    @dev Closes against, opens with, or flips. Writes the position; the caller writes the sides, the net and
        the cash. A position of an ended epoch, or too small to have an effective size, is paid out first.
        _spare: bits that totals and z may be larger than a trade makes them.
    """
    change: Change = self._start(_account, _market, _sides)
    paid_out: int256 = change.realised
    z_before: int256 = change.z
    left: int256 = _delta
    if change.scaled != 0 and (change.before == 0 or (change.before > 0) != (_delta > 0)):
        closed: uint256 = min(self._magnitude(_delta), self._magnitude(change.before))
        left += self._with_sign(closed, change.before > 0)
        change = self._close(_market, change, closed, _g)
    if left != 0:
        change = self._open(_market, change, left, _g, _spare)
    change.net = change.realised - paid_out - (change.z - z_before)
    change.after = self._write(_account, _market, change)
    return change


@internal
def _close_out(_account: uint256, _market: uint256, _g: int256) -> Change:
    """
    @dev All of a position at g, also one too small to have an effective size, or of an ended epoch.
    """
    change: Change = self._start(_account, _market, self._sides(_market))
    self.position_words[_account][_market] = 0
    if change.scaled == 0:
        return change
    z_before: int256 = change.z
    change = self._close(_market, change, self._magnitude(change.before), _g)
    change.net = change.realised + z_before
    return change


@view
@internal
def _start(_account: uint256, _market: uint256, _sides: ledger_words.Sides) -> Change:
    """
    @dev A position of an ended epoch counts as realised and gone.
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
    if held.is_ended:
        change.realised = held.base
        change.scaled = 0
        change.z = 0
    return change


@view
@internal
def _close(_market: uint256, _change: Change, _size: uint256, _g: int256) -> Change:
    change: Change = _change
    is_long: bool = change.scaled > 0
    side: SideState = self._side(_market, change.sides, is_long)
    closed: side_index.Closed = side_index._close(
        change.scaled,
        change.z,
        _size,
        _size == self._magnitude(change.before),
        _g,
        side.scale,
        side.credit,
        side.is_cut,
    )
    change.z = closed.z
    change.realised += closed.realised
    change.scaled -= self._with_sign(closed.scaled, is_long)
    if is_long:
        change.sides.long_total -= closed.scaled
    else:
        change.sides.short_total -= closed.scaled
    return change


@view
@internal
def _open(_market: uint256, _change: Change, _delta: int256, _g: int256, _spare: uint256) -> Change:
    """
    @dev Ranges (FORMULAS 1) are asserted here only, so that closing never reverts. A bit is spare for positions
        that change hands: a side that trades filled must not keep anybody from being liquidated.
    """
    change: Change = _change
    is_long: bool = _delta > 0
    side: SideState = self._side(_market, change.sides, is_long)
    opened: side_index.Opened = side_index._open(
        self._magnitude(_delta), _g, is_long, side.scale, side.credit, side.is_cut
    )
    total: uint256 = side.total + opened.scaled
    change.z += opened.z
    change.scaled += self._with_sign(opened.scaled, is_long)
    over: uint256 = total >> (SCALED_BITS + _spare)
    over |= self._magnitude(change.scaled) >> SCALED_BITS
    over |= self._magnitude(change.z) >> (Z_BITS + _spare)
    over |= self._magnitude(side.credit) >> CREDIT_BITS
    reasons._require(over == 0, reasons.POSITION_RANGE)
    if is_long:
        change.sides.long_total = total
    else:
        change.sides.short_total = total
    return change


@internal
def _write(_account: uint256, _market: uint256, _change: Change) -> int256:
    """
    @dev Returns the effective size.
    """
    if _change.scaled == 0:
        self.position_words[_account][_market] = 0
        return 0
    side: SideState = self._side(_market, _change.sides, _change.scaled > 0)
    self.position_words[_account][_market] = ledger_words._pack_position(
        _change.scaled, _change.z, side.epoch
    )
    if not side.is_cut:
        return _change.scaled
    return side_index._size_of(_change.scaled, side.scale)


# --- a market --------------------------------------------------------------------------------------------


@internal
def _store_sides(_market: uint256, _sides: ledger_words.Sides):
    self.side_words[_market] = ledger_words._pack_sides(_sides)


@internal
def _store_or_settle(_market: uint256, _sides: ledger_words.Sides, _g: int256):
    """
    @dev A cut market of which too little is left on either side settles: its last pair could not close, since
        the shorts hold a few wei more.
    """
    if _sides.long_cut or _sides.short_cut:
        longs: uint256 = self._effective_total(_market, _sides, True)
        if min(longs, self._effective_total(_market, _sides, False)) < SIDE_MIN:
            self._settle(_market, _sides, _g)
            return
    self._store_sides(_market, _sides)


@internal
def _take_fees(_market: uint256) -> uint256:
    """
    @dev Returns the market's fees, which are its no more.
    """
    net: int256 = 0
    fees: uint256 = 0
    net, fees = ledger_words._unpack_tally(self.tallies[_market])
    self.tallies[_market] = ledger_words._pack_tally(net, 0)
    return fees


@internal
def _book(_market: uint256, _net: int256, _fees: uint256):
    """
    @dev Adds to the market's net and fees.
    """
    net: int256 = 0
    fees: uint256 = 0
    net, fees = ledger_words._unpack_tally(self.tallies[_market])
    self.tallies[_market] = ledger_words._pack_tally(net + _net, fees + _fees)


@internal
def _cut(_market: uint256, _is_long: bool, _size: uint256, _charge: uint256, _g: int256):
    """
    @dev Legs of _size were closed at g against the side that is long where _is_long: it is cut by as much and
        charged, in one write, and the market settles where too little is left of either. The charge moves to
        `net`: it pays for cash that was forgiven.
    """
    sides: ledger_words.Sides = self._sides(_market)
    side: SideState = self._side(_market, sides, _is_long)
    cut: side_index.Cut = side_index.Cut(scale=0, credit=0)
    if side.total != 0:
        cut = side_index._cut(_size, _charge, _g, _is_long, side.total, side.scale, side.credit)
        self.cut_words[side.index] = ledger_words._pack_side(cut.scale, cut.credit)
        if _is_long:
            sides.long_cut = True
        else:
            sides.short_cut = True
        if _charge != 0:
            self._book(_market, convert(_charge, int256), 0)
    log IClearinghouse.Deleveraged(
        market=_market,
        is_long=_is_long,
        size=_size,
        charge=_charge,
        scale=cut.scale,
        credit=cut.credit,
    )
    if cut.scale < A_MIN:
        self._settle(_market, sides, _g)
    else:
        self._store_or_settle(_market, sides, _g)


@internal
def _settle(_market: uint256, _sides: ledger_words.Sides, _g: int256):
    """
    @dev Ends both epochs at g: old positions are worth floor(scaled·K_end) - z, whoever comes next starts
        at A = 1. What the ended epochs owe moves to `net`.
    """
    owed: int256 = self._end_side(_market, _sides, True, _g)
    owed += self._end_side(_market, _sides, False, _g)
    self._book(_market, owed, 0)
    next: ledger_words.Sides = empty(ledger_words.Sides)
    next.long_epoch = _sides.long_epoch + 1
    next.short_epoch = _sides.short_epoch + 1
    reasons._require(next.long_epoch < MAX_EPOCHS, reasons.EPOCHS)
    self._store_sides(_market, next)
    log IClearinghouse.MarketSettled(market=_market, price_less_funding=_g, owed=owed)


@internal
def _end_side(_market: uint256, _sides: ledger_words.Sides, _is_long: bool, _g: int256) -> int256:
    """
    @dev Returns what the side is owed.
    """
    side: SideState = self._side(_market, _sides, _is_long)
    final: int256 = side_index._settled_credit(_is_long, _g, side.scale, side.credit)
    self.finals[side.index][side.epoch] = final
    return fixed_point._mul_div_floor(convert(side.total, int256), final, convert(RAY, int256))


# --- helpers ---------------------------------------------------------------------------------------------


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
