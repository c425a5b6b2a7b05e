# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Listing assets and setting what governance decides of each
@license AGPL-3.0-only
@notice Asset id = market id 0..31, or 32 + collateral token index.
@dev The first schedule applies at once, later ones ramp in from the one in force (`schedules`).
    max_move + the larger fee <= calm IMR_0 of every table in force or coming.
    price_max_age cannot be raised while the price is older than it: that would bring a price back to life.
    Caps: both 0 (none), or 0 <= L < H.
    A feed's decimals are read when it is set; at most 18.
    Reasons: "listed", "not listed", "ramping", "stale", "bad schedule", "bad parameters", "out of bounds",
    "not representable", "not owner".
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import checks
from contracts.modules import decimal_words
from contracts.modules import effective_time
from contracts.modules import governance
from contracts.modules import load_line
from contracts.modules import price_words as words
from contracts.modules import prices
from contracts.modules import schedules

uses: effective_time
uses: governance
uses: load_line
uses: prices
uses: schedules

PPM: constant(uint256) = 10**6
ASSETS: constant(uint256) = 40
MARKETS: constant(uint256) = 32


interface Aggregator:
    def decimals() -> uint8: view


# --- governance ------------------------------------------------------------------------------------------


@external
def list_asset(
    _asset: uint256,
    _config: IRiskEngine.Config,
    _brackets: DynArray[IRiskEngine.Bracket, 8],
    _severity: uint256,
    _depth: uint256,
):
    """
    @notice List an asset. Its schedule applies at once, its clocks start at the given severity and depth.
    """
    governance._check_owner()
    checks._check_bounds(_asset, 0, ASSETS - 1)
    checks._check_bounds(_severity, 0, PPM)
    checks._check_bounds(_depth, effective_time.word >> effective_time.DEPTH_MIN & words.M20, PPM)
    assert prices.configs[_asset] == 0, "listed"
    load_line._start_line(_asset, _severity, _depth, effective_time._effective_now())
    schedules._set_schedule(_asset, _brackets, True)
    self._set_config(_asset, _config)
    log IRiskEngine.AssetListed(asset=_asset, severity=_severity, depth=_depth)
    log IRiskEngine.ScheduleSet(asset=_asset, brackets=_brackets, ramp_start=0)


@external
def set_config(_asset: uint256, _config: IRiskEngine.Config):
    """
    @notice Guards, fees, ages and caps of an asset.
    """
    governance._check_owner()
    self._check_listed(_asset)
    self._set_config(_asset, _config)


@external
def set_schedule(_asset: uint256, _brackets: DynArray[IRiskEngine.Bracket, 8]):
    """
    @notice Vote in a new table; it blends in linearly over the ramp, from the one in force.
    """
    governance._check_owner()
    self._check_listed(_asset)
    now: uint256 = effective_time._effective_now()
    assert not self._is_ramping(_asset, now), "ramping"
    schedules._set_schedule(_asset, _brackets, False)
    load_line._start_ramp(_asset, now)
    config: uint256 = prices.configs[_asset]
    self._check_move(_asset, config >> words.MAX_MOVE & words.M20, self._larger_fee(config), now)
    prices.configs[_asset] = self._with_calm(_asset, config)
    log IRiskEngine.ScheduleSet(asset=_asset, brackets=_brackets, ramp_start=now)


@external
def set_feed(_asset: uint256, _feed: IRiskEngine.Feed):
    """
    @notice Reference feed of an asset; none if the address is empty.
    """
    governance._check_owner()
    self._check_listed(_asset)
    config: uint256 = prices.configs[_asset] & ~words.HAS_FEED
    guard: uint256 = 0
    if _feed.feed != empty(address):
        checks._check_bounds(_feed.max_age, 60, 2_592_000)
        checks._check_bounds(_feed.max_answer, _feed.min_answer + 2, 2**128 - 1)
        decimals: uint256 = convert(staticcall Aggregator(_feed.feed).decimals(), uint256)
        checks._check_bounds(decimals, 0, 18)
        guard = convert(_feed.feed, uint256) << 96 | _feed.max_age << 64 | decimals << 56
        config |= words.HAS_FEED
    else:
        prices.prices[_asset] &= ~words.REDUCE_FEED
    prices.guards[_asset] = guard
    prices.limits[_asset] = _feed.max_answer << 128 | _feed.min_answer
    prices.configs[_asset] = config
    log IRiskEngine.FeedSet(asset=_asset, feed=_feed)


# --- views -----------------------------------------------------------------------------------------------


@view
@external
def config_of(_asset: uint256) -> IRiskEngine.Config:
    config: uint256 = prices.configs[_asset]
    line: uint256 = load_line.lines[_asset]
    return IRiskEngine.Config(
        band=config >> words.BAND,
        max_move=config >> words.MAX_MOVE & words.M20,
        max_deviation=config >> words.MAX_DEVIATION & words.M20,
        funding_cap=config >> words.FUNDING_CAP & words.M20,
        price_max_age=config >> words.PRICE_AGE & words.M16,
        open_max_age=(line & load_line.M10) * load_line.AGE_UNIT,
        maker_fee=config >> words.MAKER_FEE & words.M16,
        taker_fee=config >> words.TAKER_FEE & words.M16,
        min_size=words._decode_size(config >> words.MIN_SIZE),
        soft_cap=decimal_words._decode(line >> load_line.SOFT_CAP),
        hard_cap=decimal_words._decode(line >> load_line.HARD_CAP),
    )


# --- internals -------------------------------------------------------------------------------------------


@view
@internal
def _check_listed(_asset: uint256):
    assert prices.configs[_asset] != 0, "not listed"


@view
@internal
def _is_ramping(_asset: uint256, _now: uint256) -> bool:
    elapsed: uint256 = 0
    ramp: uint256 = 0
    elapsed, ramp = load_line._ramp_of(load_line.lines[_asset], _now)
    return ramp != 1


@internal
def _set_config(_asset: uint256, _c: IRiskEngine.Config):
    self._check_config(_c)
    now: uint256 = effective_time._effective_now()
    old: uint256 = prices.configs[_asset]
    old_age: uint256 = old >> words.PRICE_AGE & words.M16
    if old != 0 and _c.price_max_age > old_age:
        age: uint256 = now - (prices.prices[_asset] >> words.OBSERVED & words.M32)
        assert age <= old_age, "stale"
    self._check_move(_asset, _c.max_move, max(_c.maker_fee, _c.taker_fee), now)
    word: uint256 = _c.band << words.BAND | _c.max_move << words.MAX_MOVE
    word |= _c.max_deviation << words.MAX_DEVIATION | _c.funding_cap << words.FUNDING_CAP
    word |= _c.price_max_age << words.PRICE_AGE | _c.maker_fee << words.MAKER_FEE
    word |= _c.taker_fee << words.TAKER_FEE
    word |= words._encode_size(_c.min_size) << words.MIN_SIZE | words.LISTED
    prices.configs[_asset] = self._with_calm(_asset, word | old & words.HAS_FEED)
    caps: uint256 = decimal_words._encode(_c.soft_cap) << load_line.SOFT_CAP
    caps |= decimal_words._encode(_c.hard_cap) << load_line.HARD_CAP
    caps |= _c.price_max_age // load_line.AGE_UNIT << load_line.PRICE_AGE
    load_line._set_caps(_asset, caps | _c.open_max_age // load_line.AGE_UNIT)
    log IRiskEngine.ConfigSet(asset=_asset, config=_c)


@pure
@internal
def _check_config(_c: IRiskEngine.Config):
    checks._check_bounds(_c.band, 1, 200_000)
    checks._check_bounds(_c.max_move, 1, PPM)
    checks._check_bounds(_c.max_deviation, 1, 200_000)
    checks._check_bounds(_c.funding_cap, 0, 100_000)
    checks._check_bounds(_c.price_max_age, 60, load_line.M14 * load_line.AGE_UNIT)
    checks._check_bounds(_c.open_max_age, load_line.AGE_UNIT, load_line.M10 * load_line.AGE_UNIT)
    checks._check_bounds(_c.maker_fee, 0, 10_000)
    checks._check_bounds(_c.taker_fee, 0, 10_000)
    checks._check_fit(_c.price_max_age % load_line.AGE_UNIT == 0)
    checks._check_fit(_c.open_max_age % load_line.AGE_UNIT == 0)
    checks._check_fit(_c.open_max_age <= _c.price_max_age)
    checks._check_fit(_c.soft_cap < _c.hard_cap or _c.soft_cap | _c.hard_cap == 0)


@view
@internal
def _check_move(_asset: uint256, _max_move: uint256, _fee: uint256, _now: uint256):
    """
    @dev max_move <= calm IMR_0 less the larger fee, of the new table and, while it ramps in, of the old.
    """
    calm: uint256 = 0
    storm: uint256 = 0
    calm, storm = schedules._first_rates(_asset, 0, 128)
    checks._check_fit(_max_move + _fee <= calm)
    if self._is_ramping(_asset, _now):
        calm, storm = schedules._first_rates(_asset, 0, 0)
        checks._check_fit(_max_move + _fee <= calm)


@pure
@internal
def _larger_fee(_config: uint256) -> uint256:
    return max(
        _config >> words.MAKER_FEE & words.M16, _config >> words.TAKER_FEE & words.M16
    )


@view
@internal
def _with_calm(_asset: uint256, _config: uint256) -> uint256:
    """
    @dev The config word with the lower calm MMR_0 of the tables in storage.
    """
    new: uint256 = 0
    old: uint256 = 0
    storm: uint256 = 0
    new, storm = schedules._first_rates(_asset, 1, 128)
    old, storm = schedules._first_rates(_asset, 1, 0)
    return _config & ~(words.M20 << words.CALM_MMR) | min(new, old) << words.CALM_MMR
