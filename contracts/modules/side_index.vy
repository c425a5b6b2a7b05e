# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Side indices: the arithmetic of FORMULAS 1
@license AGPL-3.0-only
@notice Pure functions of one side of a market. A position is (scaled, z), both signed; scaled > 0 is long.
    g is a funding-adjusted price: price - F, with F the funding index of the risk engine; it may be
    negative. With credit = K without its funding part, X_long = credit + A·g and X_short = credit - A·g
    are FORMULAS 1 to the letter, P replaced by g and K by credit.
@dev A side is "cut" once a deleveraging or a charge touched it in its epoch; until then A = RAY and
    credit = 0. On a cut side sizes round, so the longs hold up to a few wei less than the shorts. Where
    F > P that gap would be a claim: each operation on a cut side pays GAP_RESERVE a wei of gap, more than
    |g| can ever be (prices to 1e9 USD, F to 1e10), and dust holds it.
"""

from contracts.modules import fixed_point

RAY: constant(uint256) = 10**27
SIGNED_RAY: constant(int256) = 10**27
GAP_RESERVE: constant(int256) = 2 * 10**10  # [USD wad per wei of gap]


struct Opened:
    scaled: uint256  # [scaled wad] added
    z: int256  # [USD wad] added


struct Closed:
    scaled: uint256  # [scaled wad] removed
    z: int256  # [USD wad] left
    realised: int256  # [USD wad] to cash


struct Cut:
    scale: uint256  # [ray] A after
    credit: int256  # [ray USD per scaled unit] after


@internal
@pure
def _size_of(_scaled: int256, _scale: uint256) -> int256:
    """
    @dev Effective signed size: long floor, short ceil of the magnitude: one floor of the signed product.
    """
    return fixed_point._mul_div_floor(_scaled, convert(_scale, int256), SIGNED_RAY)


@internal
@pure
def _base_of(_scaled: int256, _z: int256, _credit: int256) -> int256:
    """
    @dev What a leg of a cut side is worth besides size·g; of any other it is -z.
    """
    return fixed_point._mul_div_floor(abs(_scaled), _credit, SIGNED_RAY) - _z - GAP_RESERVE


@internal
@pure
def _open(
    _size: uint256, _g: int256, _is_long: bool, _scale: uint256, _credit: int256, _is_cut: bool
) -> Opened:
    cost: int256 = self._cost_of(_size, _g, _is_long)
    if not _is_cut:
        return Opened(scaled=_size, z=cost)
    scaled: uint256 = self._scaled_for(_size, _scale, not _is_long)
    z: int256 = fixed_point._mul_div_ceil(convert(scaled, int256), _credit, SIGNED_RAY) + cost
    return Opened(scaled=scaled, z=z + GAP_RESERVE)


@internal
@pure
def _close(
    _scaled: int256,
    _z: int256,
    _size: uint256,
    _is_whole: bool,
    _g: int256,
    _scale: uint256,
    _credit: int256,
    _is_cut: bool,
) -> Closed:
    """
    @dev _size is the part closed, at most the effective size; _is_whole closes all of _scaled.
    """
    held: int256 = abs(_scaled)
    removed: int256 = held
    if not _is_whole:
        removed = convert(_size, int256)
        if _is_cut:
            removed = convert(self._scaled_for(_size, _scale, _scaled > 0), int256)
    z: int256 = fixed_point._mul_div_ceil(_z, held - removed, held)
    realised: int256 = self._proceeds_of(_size, _g, _scaled > 0) - (_z - z)
    if _is_cut:
        realised += fixed_point._mul_div_floor(removed, _credit, SIGNED_RAY) - GAP_RESERVE
    return Closed(scaled=convert(removed, uint256), z=z, realised=realised)


@internal
@pure
def _cut(
    _size: uint256,
    _charge: uint256,
    _g: int256,
    _is_long: bool,
    _total: uint256,
    _scale: uint256,
    _credit: int256,
) -> Cut:
    """
    @dev A leg of _size was closed at g; every position of the opposite side, long where _is_long, is cut by
        the same fraction and charged. The longs may hold a few wei less than a short that was closed.
    """
    size: uint256 = _size
    if _is_long:
        size = min(_size, fixed_point._mul_div_down(_total, _scale, RAY))
    reserve: int256 = (convert(_total // RAY, int256) + 1) * GAP_RESERVE
    owed: int256 = self._cost_of(size, _g, not _is_long) + convert(_charge, int256) + reserve
    cut: uint256 = self._scaled_for(size, _total, _is_long)
    return Cut(
        scale=_scale - cut,
        credit=_credit - fixed_point._mul_div_ceil(owed, SIGNED_RAY, convert(_total, int256)),
    )


@internal
@pure
def _settled_credit(_is_long: bool, _g: int256, _scale: uint256, _credit: int256) -> int256:
    """
    @dev K at the end of an epoch: all of X.
    """
    return _credit + self._proceeds_of(_scale, _g, _is_long)


@internal
@pure
def _ended_value(_scaled: int256, _z: int256, _final_credit: int256) -> int256:
    """
    @dev Value of a position of an ended epoch.
    """
    return fixed_point._mul_div_floor(abs(_scaled), _final_credit, SIGNED_RAY) - _z


@internal
@pure
def _cost_of(_size: uint256, _g: int256, _is_long: bool) -> int256:
    """
    @dev What a position of _size adds to z: long ceil(size·g), short -floor(size·g).
    """
    if _is_long:
        return fixed_point._wad_mul_ceil(convert(_size, int256), _g)
    return -fixed_point._wad_mul_floor(convert(_size, int256), _g)


@internal
@pure
def _proceeds_of(_size: uint256, _g: int256, _is_long: bool) -> int256:
    """
    @dev What closing _size is worth: long floor(size·g), short -ceil(size·g).
    """
    return -self._cost_of(_size, -_g, _is_long)


@internal
@pure
def _scaled_for(_size: uint256, _scale: uint256, _up: bool) -> uint256:
    """
    @dev size·RAY/scale.
    """
    if _up:
        return fixed_point._mul_div_up(_size, RAY, _scale)
    return fixed_point._mul_div_down(_size, RAY, _scale)
