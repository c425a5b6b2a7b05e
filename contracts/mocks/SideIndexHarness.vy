# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title The arithmetic of side indices, opened for tests
@license AGPL-3.0-only
@notice For tests only.
"""
from contracts.modules import side_index


@pure
@external
def size_of(_scaled: int256, _scale: uint256) -> int256:
    return side_index._size_of(_scaled, _scale)


@pure
@external
def base_of(_scaled: int256, _z: int256, _credit: int256) -> int256:
    return side_index._base_of(_scaled, _z, _credit)


@pure
@external
def open(
    _size: uint256, _g: int256, _is_long: bool, _scale: uint256, _credit: int256, _is_cut: bool
) -> side_index.Opened:
    return side_index._open(_size, _g, _is_long, _scale, _credit, _is_cut)


@pure
@external
def close(
    _scaled: int256,
    _z: int256,
    _size: uint256,
    _is_whole: bool,
    _g: int256,
    _scale: uint256,
    _credit: int256,
    _is_cut: bool,
) -> side_index.Closed:
    return side_index._close(_scaled, _z, _size, _is_whole, _g, _scale, _credit, _is_cut)


@pure
@external
def cut(
    _size: uint256,
    _charge: uint256,
    _g: int256,
    _is_long: bool,
    _total: uint256,
    _scale: uint256,
    _credit: int256,
) -> side_index.Cut:
    return side_index._cut(_size, _charge, _g, _is_long, _total, _scale, _credit)


@pure
@external
def settled_credit(_is_long: bool, _g: int256, _scale: uint256, _credit: int256) -> int256:
    return side_index._settled_credit(_is_long, _g, _scale, _credit)


@pure
@external
def ended_value(_scaled: int256, _z: int256, _final_credit: int256) -> int256:
    return side_index._ended_value(_scaled, _z, _final_credit)
