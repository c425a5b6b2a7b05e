# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Tier schedules: what they may be, and R(N)
@license AGPL-3.0-only
@notice Up to 8 brackets an asset, for IM and MM a calm and a storm marginal rate each. A market's
    rates are margin rates, a token's are haircuts on its own value.
@dev words[asset·8 + kind·4 + pair], kind 0 IM, 1 MM, pair p holds brackets 2p and 2p + 1:
    new table 128 | old table 128; half = bound 24 | calm 20 | storm 20 | bound 24 | calm 20 | storm
    20, bounds as `decimal_words`. An unused bracket is all zero; the one after the last used tells
    that N is above it.

    R(N) = sum over k of (r_k - r_{k-1})·max(0, N - depth·U_{k-1}), r_{-1} = 0, U_{-1} = 0 (FORMULAS
    6), with r_k = calm·10^6 + severity·(storm - calm) at 10^12: an exact numerator, rounded up once
    by the caller. The depth is passed as depth·unit, so that depth·unit·U is in the unit of N:
    10^12 for wei. While a table ramps in, numerator = old·(ramp - e) + new·e over ramp·10^12, e the
    seconds since it was set.

    A new table starts from the one in force; while one ramps in, another is refused ("ramping"), so
    the table in force is always the straight line between two checked ones and every check holds on
    the way. "Above the last bound" is N > depth·U_last of either table.
    What a table may be is checked where it is set (`asset_settings`): rates never fall in k, calm
    <= storm <= 1.
"""
UNIT: constant(uint256) = 10**12  # depth·U in wei
PPM: constant(uint256) = 10**6
RATE_ONE: constant(uint256) = 10**12
M20: constant(uint256) = 2**20 - 1
M64: constant(uint256) = 2**64 - 1

words: uint256[320]


# --- requirement ---------------------------------------------------------------------------------


@view
@internal
def _scan(
    _slot: uint256, _shift: uint256, _n: uint256, _severity: uint256, _depth: uint256
) -> (uint256, uint256, bool):
    """
    @dev R's numerator, the marginal rate at _n (that of the lower bracket at a bound), and whether
        _n is above the last bound. _shift 128 reads the new table, 0 the old one.
        unsafe: rates < 2**41; _n < 2**202 (FORMULAS 1: wei < 2**142, or < 2**202 in the unit of
        Newton) so rate·_n < 2**243 in any product, and their sum is at most the top rate times _n;
        U < 2**74 and _depth < 2**120 (depth·10^30) so the bound < 2**194. storm >= calm, rates rise
        in k, _n > bound where subtracted.
    """
    word: uint256 = self.words[_slot] >> _shift
    calm: uint256 = word >> 84 & M20
    rate: uint256 = unsafe_add(
        unsafe_mul(calm, PPM), unsafe_mul(_severity, unsafe_sub(word >> 64 & M20, calm))
    )
    total: uint256 = unsafe_mul(rate, _n)
    bound: uint256 = unsafe_mul(
        unsafe_mul(word >> 108 & M20, pow_mod256(10, word >> 104 & 15)), _depth
    )
    if _n <= bound:
        return total, rate, False
    for k: uint256 in range(1, 8):
        entry: uint256 = word
        if k & 1 == 0:
            word = self.words[unsafe_add(_slot, k >> 1)] >> _shift
            entry = word >> 64
        entry &= M64
        if entry == 0:
            break
        calm = entry >> 20 & M20
        next: uint256 = unsafe_add(
            unsafe_mul(calm, PPM), unsafe_mul(_severity, unsafe_sub(entry & M20, calm))
        )
        total = unsafe_add(total, unsafe_mul(unsafe_sub(next, rate), unsafe_sub(_n, bound)))
        rate = next
        bound = unsafe_mul(unsafe_mul(entry >> 44, pow_mod256(10, entry >> 40 & 15)), _depth)
        if _n <= bound:
            return total, rate, False
    return total, rate, True


@view
@internal
def _blend(
    _slot: uint256,
    _elapsed: uint256,
    _ramp: uint256,
    _n: uint256,
    _severity: uint256,
    _depth: uint256,
) -> (uint256, uint256, bool):
    """
    @dev As `_scan` for the table in force, numerator and rate times _ramp; _ramp is 1 outside a
        ramp.
        unsafe: _elapsed <= _ramp < 2**20, so rate·_n·_ramp < 2**206 in wei. Newton's unit passes _n
        < 2**195.
    """
    total: uint256 = 0
    rate: uint256 = 0
    above: bool = False
    total, rate, above = self._scan(_slot, 128, _n, _severity, _depth)
    if _ramp == 1:
        return total, rate, above
    old_total: uint256 = 0
    old_rate: uint256 = 0
    old_above: bool = False
    old_total, old_rate, old_above = self._scan(_slot, 0, _n, _severity, _depth)
    left: uint256 = unsafe_sub(_ramp, _elapsed)
    return (
        unsafe_add(unsafe_mul(total, _elapsed), unsafe_mul(old_total, left)),
        unsafe_add(unsafe_mul(rate, _elapsed), unsafe_mul(old_rate, left)),
        above or old_above,
    )


@view
@internal
def _calm(_asset: uint256) -> uint256:
    """
    @dev Calm MM rate of bracket 0 of the new table [ppm].
    """
    return self.words[8 * _asset + 4] >> 212 & M20
