# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title A book after a trade that has not happened
@license AGPL-3.0-only
@notice What the ledger's `positions` would write, from `side_index` and with the same rounding, but pure. The
    counterparty is taken to be flat in the market: it opens the other side.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IRiskEngine
from contracts.modules import side_index

MAX_SCALED: constant(uint256) = 2**111
MAX_Z: constant(uint256) = 2**119
MAX_CREDIT: constant(uint256) = 2**135


struct Side:
    total: uint256  # [scaled wad]
    scale: uint256  # [ray] A
    credit: int256  # [ray USD per scaled unit]
    is_cut: bool


# A position of the present epoch, and both sides of its market.
struct Stand:
    scaled: int256
    z: int256
    size: int256  # [base wad] effective
    base: int256  # [USD wad]
    long: Side
    short: Side


struct Trial:
    scaled: int256  # after
    size: int256  # [base wad] after
    base: int256  # [USD wad] after
    realised: int256  # [USD wad] beyond what the book's cash counts already
    interest: uint256  # [base wad] open interest after
    in_range: bool


@internal
@pure
def _try(_stand: Stand, _delta: int256, _g: int256) -> Trial:
    """
    @dev `positions._change`: close against, open with, or flip.
    """
    trial: Trial = Trial(
        scaled=_stand.scaled, size=0, base=0, realised=0, interest=0, in_range=True
    )
    z: int256 = _stand.z
    shorts: uint256 = _stand.short.total
    left: int256 = _delta
    is_long: bool = _stand.scaled > 0
    is_dust: bool = (
        _stand.scaled != 0 and _stand.size == 0
    )  # closed first; a book counts it as cash
    if is_dust:
        trial.realised = -_stand.base
    if is_dust or (_stand.size != 0 and is_long != (_delta > 0)):
        part: uint256 = min(self._magnitude(_delta), self._magnitude(_stand.size))
        closed: side_index.Closed = self._close(_stand, part, _g)
        z = closed.z
        trial.realised += closed.realised
        trial.scaled -= self._with_sign(closed.scaled, is_long)
        left += self._with_sign(part, is_long)
        if not is_long:
            shorts -= closed.scaled
    if left != 0:
        opened: side_index.Opened = self._open(_stand, left, _g)
        z += opened.z
        trial.scaled += self._with_sign(opened.scaled, left > 0)
        trial.in_range = self._is_in_range(_stand, opened.scaled, z, left > 0)
        if left < 0:
            shorts += opened.scaled
    if _delta > 0:
        shorts += self._open(_stand, -_delta, _g).scaled
    trial.interest = self._interest(shorts, _stand.short)
    trial.size = trial.scaled
    trial.base = -z
    side: Side = self._side(_stand, trial.scaled > 0)
    if side.is_cut and trial.scaled != 0:
        trial.size = side_index._size_of(trial.scaled, side.scale)
        trial.base = side_index._base_of(trial.scaled, z, side.credit)
    return trial


@internal
@pure
def _book_after(
    _book: IClearinghouse.Book, _market: uint256, _trial: Trial, _fee: uint256
) -> IClearinghouse.Book:
    book: IClearinghouse.Book = _book
    book.cash += _trial.realised - convert(_fee, int256)
    book.legs = self._without(_book.legs, _market)
    if _trial.size == 0:
        book.cash += _trial.base
    elif len(book.legs) < 16:  # one leg too many is refused before it matters
        book.legs.append(
            IRiskEngine.Leg(
                market=_market,
                size=_trial.size,
                base=_trial.base,
                open_interest=_trial.interest,
            )
        )
    return book


@internal
@pure
def _without(
    _legs: DynArray[IRiskEngine.Leg, 16], _market: uint256
) -> DynArray[IRiskEngine.Leg, 16]:
    legs: DynArray[IRiskEngine.Leg, 16] = []
    for leg: IRiskEngine.Leg in _legs:
        if leg.market != _market:
            legs.append(leg)
    return legs


@internal
@pure
def _interest(_shorts: uint256, _side: Side) -> uint256:
    """
    @dev Open interest: the effective shorts [base wad].
    """
    if not _side.is_cut:
        return _shorts
    return self._magnitude(side_index._size_of(-convert(_shorts, int256), _side.scale))


@internal
@pure
def _close(_stand: Stand, _size: uint256, _g: int256) -> side_index.Closed:
    side: Side = self._side(_stand, _stand.scaled > 0)
    return side_index._close(
        _stand.scaled,
        _stand.z,
        _size,
        _size == self._magnitude(_stand.size),
        _g,
        side.scale,
        side.credit,
        side.is_cut,
    )


@internal
@pure
def _open(_stand: Stand, _delta: int256, _g: int256) -> side_index.Opened:
    side: Side = self._side(_stand, _delta > 0)
    return side_index._open(
        self._magnitude(_delta), _g, _delta > 0, side.scale, side.credit, side.is_cut
    )


@internal
@pure
def _is_in_range(_stand: Stand, _opened: uint256, _z: int256, _is_long: bool) -> bool:
    """
    @dev FORMULAS 1, asserted by the ledger on opens.
    """
    side: Side = self._side(_stand, _is_long)
    valid: bool = side.total + _opened < MAX_SCALED and self._magnitude(_z) < MAX_Z
    return valid and self._magnitude(side.credit) < MAX_CREDIT


@internal
@pure
def _side(_stand: Stand, _is_long: bool) -> Side:
    if _is_long:
        return _stand.long
    return _stand.short


@internal
@pure
def _magnitude(_x: int256) -> uint256:
    return convert(abs(_x), uint256)


@internal
@pure
def _with_sign(_x: uint256, _is_positive: bool) -> int256:
    if _is_positive:
        return convert(_x, int256)
    return -convert(_x, int256)
