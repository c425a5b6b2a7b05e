# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Liquidation price
@license AGPL-3.0-only
@notice The last price at which E >= MM if only one market moves, tiers and every rounding included: bisection over
    whole prices. The engine's requirement at a price it does not hold is computed here from its words.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IRiskEngine
from contracts.modules import book_math
from contracts.modules import engine_tables as tables
from contracts.modules import fixed_point
from contracts.modules import lens_links
from contracts.modules import load_line

uses: lens_links

WAD: constant(uint256) = 10**18
PPM: constant(uint256) = 10**6
RATE_ONE: constant(uint256) = 10**12
UNIT: constant(uint256) = 10**12
MAX_PRICE: constant(uint256) = 10**27
M20: constant(uint256) = 2**20 - 1
M32: constant(uint256) = 2**32 - 1
M64: constant(uint256) = 2**64 - 1


# MM schedule of a market and its load line now.
struct Load:
    words: uint256[4]
    severity: uint256  # [ppm]
    depth: uint256  # [ppm]
    elapsed: uint256  # [s] of the ramp
    ramp: uint256  # [s]; 1 outside a ramp


# All of E - MM that a price moves, and the rest.
struct Exposure:
    size: int256  # [base wad]
    base: int256  # [USD wad]
    funding: int256  # [USD wad per base]
    rest: int256  # [USD wad] E - MM of everything else
    load: Load


@internal
@view
def _liquidation_price(_account: uint256, _market: uint256) -> (bool, uint256):
    """
    @dev False where no price up to 1e9 USD is the border: safe, or liquidatable, at all of them.
    """
    book: IClearinghouse.Book = lens_links._book(_account)
    exposure: Exposure = self._exposure(book, _market)
    if exposure.size == 0:
        return False, 0
    safe: uint256 = 1
    unsafe: uint256 = MAX_PRICE
    if exposure.size > 0:
        safe = MAX_PRICE
        unsafe = 1
    if self._surplus(exposure, safe) < 0 or self._surplus(exposure, unsafe) >= 0:
        return False, 0
    for i: uint256 in range(91):
        if max(safe, unsafe) - min(safe, unsafe) <= 1:
            break
        middle: uint256 = (safe + unsafe) // 2
        if self._surplus(exposure, middle) >= 0:
            safe = middle
        else:
            unsafe = middle
    return True, safe


@internal
@view
def _exposure(_book: IClearinghouse.Book, _market: uint256) -> Exposure:
    exposure: Exposure = empty(Exposure)
    for leg: IRiskEngine.Leg in _book.legs:
        if leg.market == _market:
            exposure.size = leg.size
            exposure.base = leg.base
    if exposure.size == 0:
        return exposure
    others: IClearinghouse.Book = _book
    others.legs = book_math._without(_book.legs, _market)
    rest: IRiskEngine.Margin = lens_links._assess(lens_links.MAINTENANCE, others)
    exposure.rest = rest.equity - convert(rest.requirement, int256)
    exposure.funding = lens_links._quote(_market).funding
    exposure.load = self._load(_market)
    return exposure


@internal
@pure
def _surplus(_exposure: Exposure, _price: uint256) -> int256:
    """
    @dev E - MM at a price.
    """
    g: int256 = convert(_price, int256) - _exposure.funding
    value: int256 = fixed_point._wad_mul_floor(_exposure.size, g) + _exposure.base
    notional: uint256 = fixed_point._mul_div_up(book_math._magnitude(_exposure.size), _price, WAD)
    mm: uint256 = self._requirement_up(_exposure.load, notional)
    return _exposure.rest + value - convert(mm, int256)


@internal
@view
def _load(_market: uint256) -> Load:
    load: Load = empty(Load)
    s_im: uint256 = 0
    d_im: uint256 = 0
    load.severity, s_im, load.depth, d_im = staticcall lens_links.ENGINE.severity_now(_market)
    for pair: uint256 in range(4):
        load.words[pair] = staticcall lens_links.ENGINE.word_at(
            tables.SCHEDULES, 8 * _market + 4 + pair
        )
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall lens_links.ENGINE.clock()
    line: uint256 = staticcall lens_links.ENGINE.word_at(tables.LINES, _market)
    start: uint256 = (line >> load_line.RAMP_START) & M32
    load.ramp = (staticcall lens_links.ENGINE.clocks()).ramp
    load.elapsed = now - start
    if load.elapsed >= load.ramp:
        load.elapsed = 1
        load.ramp = 1
    return load


@internal
@pure
def _requirement_up(_load: Load, _notional: uint256) -> uint256:
    """
    @dev ceil(R(N)), a ramp's two tables blended before the one rounding (FORMULAS 6).
    """
    total: uint256 = self._numerator(_load, _notional, 128) * _load.elapsed
    if _load.ramp != 1:
        total += self._numerator(_load, _notional, 0) * (_load.ramp - _load.elapsed)
    return fixed_point._div_up(total, RATE_ONE * _load.ramp)


@internal
@pure
def _numerator(_load: Load, _notional: uint256, _shift: uint256) -> uint256:
    """
    @dev sum of (r_k - r_{k-1})·max(0, N - depth·U_{k-1}) at 1e12; the words are those of `schedules`.
    """
    total: uint256 = 0
    rate: uint256 = 0
    bound: uint256 = 0
    for k: uint256 in range(8):
        entry: uint256 = _load.words[k // 2] >> _shift
        if k % 2 == 0:
            entry = entry >> 64
        entry = entry & M64
        if entry == 0 or (k > 0 and _notional <= bound):
            break
        calm: uint256 = (entry >> 20) & M20
        next: uint256 = calm * PPM + _load.severity * ((entry & M20) - calm)
        total += (next - rate) * (_notional - bound)
        rate = next
        bound = (entry >> 44) * 10**((entry >> 40) & 15) * _load.depth * UNIT
    return total
