# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Words of the price side of the engine
@license AGPL-3.0-only
@dev price:    price 90 | F int94 | rate int24 | observed 32 | lag 10 | flags 6
     settling: P_ref 90 | its observation time 32 | aftermath_until 32 | known_since 32 | spare 70
     pending:  price 90 | observed 32 | seen 32 | spare 102
     config:   band 20 | max_move 20 | max_deviation 20 | funding_cap 20 | price_max_age 16 |
               maker_fee 16 | taker_fee 16 | min_size 20 + 5 | listed 1 | has_feed 1 | calm_mmr 20 |
               spare 81; calm_mmr is the lower calm MM rate of bracket 0 of the tables in storage
     rule:     max_move 20 | funding_cap 17 | price_max_age/4 14 | calm_mmr/512 11 | has_feed 1 |
              listed 1; four assets a word, asset 4i in the lowest quarter. Copied from the config: all
              that a report mostly reads of it
    guard:    feed 160 | max_age 32 | decimals 8 | spare 56, with answer limits max 128 | min 128
     beside it
    Times are effective. lag = effective time of the report - observed. Rate in 1e-11 per second.
"""

# price
PRICE: constant(uint256) = 166  # lowest bit, also in settling and pending
OBSERVED: constant(uint256) = 16
LAG: constant(uint256) = 6
PENDING: constant(uint256) = 1  # flags
REFUSED: constant(uint256) = 2
REDUCE_FEED: constant(uint256) = 4
EPISODE: constant(uint256) = 8
REDUCE_SET: constant(uint256) = 16
# settling; SEEN_AT of pending shares the place of UNTIL
REF_TIME: constant(uint256) = 134
UNTIL: constant(uint256) = 102
SINCE: constant(uint256) = 70
# config
BAND: constant(uint256) = 236
MAX_MOVE: constant(uint256) = 216
MAX_DEVIATION: constant(uint256) = 196
FUNDING_CAP: constant(uint256) = 176
PRICE_AGE: constant(uint256) = 160
MAKER_FEE: constant(uint256) = 144
TAKER_FEE: constant(uint256) = 128
MIN_SIZE: constant(uint256) = 103
LISTED: constant(uint256) = 2**102
HAS_FEED: constant(uint256) = 2**101
CALM_MMR: constant(uint256) = 81
# rule
RULE_MOVE: constant(uint256) = 44
RULE_CAP: constant(uint256) = 27
RULE_AGE_X4: constant(uint256) = 11  # in seconds at once: rule >> 11 & M16_X4
RULE_CALM: constant(uint256) = 2
RULE_CALM_UNIT: constant(uint256) = 512  # [ppm]
RULE_FEED: constant(uint256) = 2
RULE_LISTED: constant(uint256) = 1

M5: constant(uint256) = 2**5 - 1
M6: constant(uint256) = 2**6 - 1
M10: constant(uint256) = 2**10 - 1
M11: constant(uint256) = 2**11 - 1
M16: constant(uint256) = 2**16 - 1
M16_X4: constant(uint256) = 65_532
M17: constant(uint256) = 2**17 - 1
M20: constant(uint256) = 2**20 - 1
M32: constant(uint256) = 2**32 - 1
M94: constant(uint256) = 2**94 - 1

RATE_UNIT: constant(int256) = 10**11
F_MAX: constant(int256) = 87 * 10**26  # [USD wad per base] of what is stored


@pure
@internal
def _funding(_word: uint256, _now: uint256, _max_age: uint256) -> int256:
    """
    @dev F now [USD wad per base]: accrues floor(price·rate·dt/1e11) from the report (observed +
        lag) to the earlier of _now and observed + _max_age. What is stored is clamped to ±F_MAX; at
        most .23·1e27 comes on top (10 % per 8 h over 2**16 s), so |P - F| < 1e28.
        unsafe: price < 2**90, |rate| < 2**23, dt < 2**16, |F| < 2**93.
    """
    funding: int256 = convert(convert(_word << 90, bytes32), int256) >> 162
    rate: int256 = convert(convert(_word << 184, bytes32), int256) >> 232
    if rate == 0:
        return funding
    lag: uint256 = _word >> LAG & M10
    # A report is at most max_age old; if it is not younger than its lag, nothing accrues.
    dt: uint256 = min(unsafe_sub(_now, _word >> OBSERVED & M32), _max_age)
    if dt <= lag:
        return funding
    growth: int256 = unsafe_mul(
        unsafe_mul(convert(_word >> PRICE, int256), rate), convert(unsafe_sub(dt, lag), int256)
    )
    accrued: int256 = unsafe_div(growth, RATE_UNIT)
    if unsafe_mul(accrued, RATE_UNIT) > growth:
        accrued = unsafe_sub(accrued, 1)
    return unsafe_add(funding, accrued)


@pure
@internal
def _pack_price(
    _price: uint256,
    _funding: int256,
    _rate: int256,
    _observed: uint256,
    _lag: uint256,
    _flags: uint256,
) -> uint256:
    funding: uint256 = convert(convert(_funding, bytes32), uint256) & M94
    rate: uint256 = convert(convert(_rate, bytes32), uint256) & (2**24 - 1)
    word: uint256 = _price << PRICE | funding << 72 | rate << 48
    return word | _observed << OBSERVED | _lag << LAG | _flags


@pure
@internal
def _pack_settling(
    _reference: uint256, _time: uint256, _until: uint256, _since: uint256
) -> uint256:
    return _reference << PRICE | _time << REF_TIME | _until << UNTIL | _since << SINCE


@pure
@internal
def _pack_pending(_price: uint256, _observed: uint256, _seen: uint256) -> uint256:
    return _price << PRICE | _observed << REF_TIME | _seen << UNTIL
