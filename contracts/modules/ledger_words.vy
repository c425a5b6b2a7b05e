# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Packed words of the ledger
@license AGPL-3.0-only
@notice The only place that knows the bits. Fields from the top of the word:
    account:  cash int104 | tokens 8 | mode 2 | floor 14 (in 100 ppm) | gateways 8 | spare 24 | 16 markets x 6
              (market + 1, 0 ends the list)
    position: scaled int112 | z int128 | epoch 16
    sides:    long total 112 | short total 112 | long epoch 15 | long cut 1 | short epoch 15 | short cut 1
    side:     scale 96 | credit int160
    tally:    net int128 | fees 128
"""

FLOOR_UNIT: constant(uint256) = 100  # [ppm]
MAX_ENTRIES: constant(uint256) = 16
ENTRY: constant(uint256) = 6
LIST_MASK: constant(uint256) = 2**96 - 1


struct AccountState:
    cash: int256
    tokens: uint256
    mode: uint256
    floor: uint256  # [100 ppm]
    gateways: uint256
    markets: uint256  # packed list


struct PositionState:
    scaled: int256
    z: int256
    epoch: uint256


struct Sides:
    long_total: uint256
    short_total: uint256
    long_epoch: uint256
    short_epoch: uint256
    long_cut: bool
    short_cut: bool


@internal
@pure
def _bits(_x: int256) -> uint256:
    return convert(convert(_x, bytes32), uint256)


@internal
@pure
def _int(_x: uint256) -> int256:
    return convert(convert(_x, bytes32), int256)


@internal
@pure
def _pack_account(_a: AccountState) -> uint256:
    """
    @dev Reverts where the cash leaves int104 (1e13 USD).
    """
    cash: int104 = convert(_a.cash, int104)
    word: uint256 = self._bits(convert(cash, int256)) << 152
    word |= _a.tokens << 144
    word |= _a.mode << 142
    word |= _a.floor << 128
    word |= _a.gateways << 120
    return word | _a.markets


@internal
@pure
def _unpack_account(_word: uint256) -> AccountState:
    return AccountState(
        cash=self._int(_word) >> 152,
        tokens=(_word >> 144) & 255,
        mode=(_word >> 142) & 3,
        floor=(_word >> 128) & 16383,
        gateways=(_word >> 120) & 255,
        markets=_word & LIST_MASK,
    )


@internal
@pure
def _pack_position(_scaled: int256, _z: int256, _epoch: uint256) -> uint256:
    """
    @dev Reverts where z leaves int128; |scaled| < 2^111 is checked at the open.
    """
    z: int128 = convert(_z, int128)
    return (
        (self._bits(_scaled) << 144)
        | ((self._bits(convert(z, int256)) & (2**128 - 1)) << 16)
        | _epoch
    )


@internal
@pure
def _unpack_position(_word: uint256) -> PositionState:
    return PositionState(
        scaled=self._int(_word) >> 144, z=self._int(_word << 112) >> 128, epoch=_word & 65535
    )


@internal
@pure
def _pack_sides(_s: Sides) -> uint256:
    word: uint256 = (_s.long_total << 144) | (_s.short_total << 32)
    word |= (_s.long_epoch << 17) | (_s.short_epoch << 1)
    return word | (convert(_s.long_cut, uint256) << 16) | convert(_s.short_cut, uint256)


@internal
@pure
def _unpack_sides(_word: uint256) -> Sides:
    return Sides(
        long_total=_word >> 144,
        short_total=(_word >> 32) & (2**112 - 1),
        long_epoch=(_word >> 17) & 32767,
        short_epoch=(_word >> 1) & 32767,
        long_cut=(_word >> 16) & 1 == 1,
        short_cut=_word & 1 == 1,
    )


@internal
@pure
def _pack_side(_scale: uint256, _credit: int256) -> uint256:
    """
    @dev Reverts where the credit leaves int160 (FORMULAS 1 bounds it by 2^135).
    """
    credit: int160 = convert(_credit, int160)
    return (_scale << 160) | (self._bits(convert(credit, int256)) & (2**160 - 1))


@internal
@pure
def _unpack_side(_word: uint256) -> (uint256, int256):
    return _word >> 160, self._int(_word << 96) >> 96


@internal
@pure
def _pack_tally(_net: int256, _fees: uint256) -> uint256:
    net: int128 = convert(_net, int128)
    fees: uint128 = convert(_fees, uint128)
    return (self._bits(convert(net, int256)) << 128) | convert(fees, uint256)


@internal
@pure
def _unpack_tally(_word: uint256) -> (int256, uint256):
    return self._int(_word) >> 128, _word & (2**128 - 1)


@internal
@pure
def _market_at(_list: uint256, _index: uint256) -> uint256:
    """
    @dev market + 1, or 0 past the end.
    """
    return (_list >> (ENTRY * _index)) & 63


@internal
@pure
def _with_market(_list: uint256, _market: uint256) -> uint256:
    """
    @dev Appends; unchanged where the list has it. 0 where it is full (no list with a market is 0).
    """
    for i: uint256 in range(MAX_ENTRIES):
        entry: uint256 = self._market_at(_list, i)
        if entry == _market + 1:
            return _list
        if entry == 0:
            return _list | ((_market + 1) << (ENTRY * i))
    return 0


@internal
@pure
def _without_market(_list: uint256, _market: uint256) -> uint256:
    kept: uint256 = 0
    place: uint256 = 0
    for i: uint256 in range(MAX_ENTRIES):
        entry: uint256 = self._market_at(_list, i)
        if entry != _market + 1:
            kept |= entry << place
            place += ENTRY
    return kept
