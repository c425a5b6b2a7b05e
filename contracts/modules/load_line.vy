# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Load lines: severity and depth of every asset, and their clocks
@license AGPL-3.0-only
@notice FORMULAS 3. MM moves at a slope towards what was pushed when that tightens, at once when it
    loosens; IM at once when it tightens, at a slope when it loosens.
@dev lines[asset]: s 20 | s0 20 | i0 20 | depth 20 | depth0 20 | di0 20 | t0 32 | ramp_start 32 | L
    24 | H 24 | price_max_age/4 14 | open_max_age/4 10. s0, i0, depth0 and di0 are s_mm, s_im,
    depth_mm and depth_im at the last push. t0 is effective time; listed means t0 > 0. L and H are
    `decimal_words` in USD.

    A slope of x ppm an hour moves a clock by C(t) - C(t0) with C(t) = floor(t·x/3600): the rounding
    is that of absolute time, so it telescopes, and pushing the same value again changes nothing, to
    the ppm.

        s_mm = min(s, s0 + C_up)             depth_mm = max(depth, depth0 - C_down)
        s_im = max(s*, i0 - C_fall)          depth_im = min(depth*, di0 + C_rise)

    s* = 10^6 and depth* = min(depth, depth_min) while the keeper is stale (now > t0 + max_age),
    else s and depth: so s_mm <= s <= s_im and depth_im <= depth <= depth_mm at all times. LIVE uses
    s and depth.

    The slopes and the ramp are fixed at deployment: changing them would move MM in that block.
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import checks
from contracts.modules import effective_time

INITIAL: constant(uint256) = 0
LIVE: constant(uint256) = 1
MAINTENANCE: constant(uint256) = 2
PPM: constant(uint256) = 10**6
HOUR: constant(uint256) = 3_600

# Lowest bit of each field.
S: constant(uint256) = 236
S0: constant(uint256) = 216
I0: constant(uint256) = 196
DEPTH: constant(uint256) = 176
DEPTH0: constant(uint256) = 156
DI0: constant(uint256) = 136
T0: constant(uint256) = 104
RAMP_START: constant(uint256) = 72
SOFT_CAP: constant(uint256) = 48
HARD_CAP: constant(uint256) = 24
PRICE_AGE: constant(uint256) = 10
CAPS: constant(uint256) = (2**48 - 1) << 24  # L and H
AGE_UNIT: constant(uint256) = 4
# In seconds at once: line >> 8 & M16_X4 is price_max_age, line << 2 & M12_X4 open_max_age.
PRICE_AGE_X4: constant(uint256) = 8
M16_X4: constant(uint256) = 65_532
M12_X4: constant(uint256) = 4_092
M10: constant(uint256) = 2**10 - 1
M14: constant(uint256) = 2**14 - 1
M20: constant(uint256) = 2**20 - 1
M24: constant(uint256) = 2**24 - 1
M32: constant(uint256) = 2**32 - 1

# [ppm per hour]
SEVERITY_UP: immutable(uint256)
SEVERITY_DOWN: immutable(uint256)
DEPTH_DOWN: immutable(uint256)
DEPTH_UP: immutable(uint256)
RAMP: immutable(uint256)  # [s]

lines: uint256[40]


@deploy
def __init__(_clocks: IRiskEngine.Clocks):
    checks._check_bounds(_clocks.severity_up, 1, 250_000)
    checks._check_bounds(_clocks.severity_down, 1, 250_000)
    checks._check_bounds(_clocks.depth_down, 1, 500_000)
    checks._check_bounds(_clocks.depth_up, 1, 500_000)
    checks._check_bounds(_clocks.ramp, 600, 604_800)
    SEVERITY_UP = _clocks.severity_up
    SEVERITY_DOWN = _clocks.severity_down
    DEPTH_DOWN = _clocks.depth_down
    DEPTH_UP = _clocks.depth_up
    RAMP = _clocks.ramp


@view
@external
def clocks() -> IRiskEngine.Clocks:
    return IRiskEngine.Clocks(
        severity_up=SEVERITY_UP,
        severity_down=SEVERITY_DOWN,
        depth_down=DEPTH_DOWN,
        depth_up=DEPTH_UP,
        ramp=RAMP,
    )


# --- clocks --------------------------------------------------------------------------------------


@view
@internal
def _read(_line: uint256, _basis: uint256, _clock: uint256, _now: uint256) -> (uint256, uint256):
    """
    @dev Severity and depth [ppm] of the basis now. _clock is the word of `effective_time`.
        unsafe: times < 2**32, slopes < 2**20, values < 2**20; t0 <= _now.
    """
    severity: uint256 = _line >> S
    depth: uint256 = _line >> DEPTH & M20
    if _basis == LIVE:
        return severity, depth
    t0: uint256 = _line >> T0 & M32
    if _basis == MAINTENANCE:
        s0: uint256 = _line >> S0 & M20
        if s0 < severity:
            severity = min(severity, unsafe_add(s0, self._travel(t0, _now, SEVERITY_UP)))
        depth0: uint256 = _line >> DEPTH0 & M20
        if depth0 > depth:
            drop: uint256 = self._travel(t0, _now, DEPTH_DOWN)
            if depth0 > unsafe_add(depth, drop):
                depth = unsafe_sub(depth0, drop)
        return severity, depth
    if unsafe_sub(_now, t0) > _clock >> effective_time.MAX_AGE & M24:
        severity = PPM
        depth = min(depth, _clock >> effective_time.DEPTH_MIN & M20)
    di0: uint256 = _line >> DI0 & M20
    if di0 < depth:
        depth = min(depth, unsafe_add(di0, self._travel(t0, _now, DEPTH_UP)))
    i0: uint256 = _line >> I0 & M20
    if i0 > severity:
        fall: uint256 = self._travel(t0, _now, SEVERITY_DOWN)
        if i0 > unsafe_add(severity, fall):
            severity = unsafe_sub(i0, fall)
    return severity, depth


@pure
@internal
def _travel(_since: uint256, _now: uint256, _slope: uint256) -> uint256:
    """
    @dev What a clock moved [ppm]: C(_now) - C(_since). unsafe: times < 2**32, slopes < 2**20.
    """
    return unsafe_sub(
        unsafe_div(unsafe_mul(_now, _slope), HOUR), unsafe_div(unsafe_mul(_since, _slope), HOUR)
    )


@view
@internal
def _ramp_of(_line: uint256, _now: uint256) -> (uint256, uint256):
    """
    @dev Seconds since the table was set and the ramp's length; (1, 1) when it is in force alone.
    """
    start: uint256 = _line >> RAMP_START & M32
    if _now >= unsafe_add(start, RAMP):  # unsafe: both < 2**33
        return 1, 1
    return unsafe_sub(_now, start), RAMP  # unsafe: start <= _now


# --- writes --------------------------------------------------------------------------------------


@view
@internal
def _moved(
    _line: uint256, _severity: uint256, _depth: uint256, _clock: uint256, _now: uint256
) -> uint256:
    """
    @dev The line after a push: every clock restarts from where it stands (FORMULAS 3).
    """
    s_mm: uint256 = 0
    s_im: uint256 = 0
    d_mm: uint256 = 0
    d_im: uint256 = 0
    s_mm, d_mm = self._read(_line, MAINTENANCE, _clock, _now)
    s_im, d_im = self._read(_line, INITIAL, _clock, _now)
    word: uint256 = _line & (2**T0 - 1) | _now << T0
    word |= _severity << S | s_mm << S0 | s_im << I0
    return word | _depth << DEPTH | d_mm << DEPTH0 | d_im << DI0
