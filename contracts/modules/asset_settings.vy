# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Listing assets and setting what governance decides of each
@license AGPL-3.0-only
@notice Asset id = market id 0..31, or 32 + collateral token index. Words: `price_words`,
    `load_line`, `schedules`.
@dev A table: 1 to 8 brackets; bounds rise strictly and are exactly representable; calm <= storm <=
    1; rates do not fall in k; markets (1 + b)·MMR_k <= IMR_k at both ends, b = .25, and calm MMR_0
    > 0; tokens MM haircut <= IM haircut. The first table applies at once, later ones ramp in from
    the one in force; while one does, another is refused, so the table in force is always the
    straight line between two checked ones. max_move + the larger fee <= calm IMR_0 of every table
    in force or coming. price_max_age cannot be raised while the price is older than it: that would
    bring a price back to life. Caps: both 0 (none), or L < H. A feed's decimals are read when it is
    set; at most 18. Clocks of a new asset stand at the given severity and depth; the next push
    names their t0 as nonce. Reasons: "listed", "not listed", "ramping", "stale", "bad schedule",
    "bad parameters", "out of bounds", "not representable", "not owner".
"""
from contracts.interfaces import IRiskEngine
from contracts.interfaces import IRiskSettings
from contracts.modules import checks
from contracts.modules import decimal_words
from contracts.modules import effective_time as time
from contracts.modules import engine_link
from contracts.modules import engine_tables as tables
from contracts.modules import load_line as lines
from contracts.modules import price_words as words

uses: engine_link

PPM: constant(uint256) = 10**6
B: constant(uint256) = 250_000  # [ppm] b
ASSETS: constant(uint256) = 40
MARKETS: constant(uint256) = 32
M64: constant(uint256) = 2**64 - 1


interface Aggregator:
    def decimals() -> uint8: view


# --- governance ----------------------------------------------------------------------------------


@external
def list_asset(
    _asset: uint256,
    _config: IRiskSettings.Config,
    _brackets: DynArray[IRiskEngine.Bracket, 8],
    _severity: uint256,
    _depth: uint256,
):
    """
    @notice List an asset. Its schedule applies at once, its clocks start at the given severity and
        depth.
    """
    engine_link._check_owner()
    checks._check_bounds(_asset, 0, ASSETS - 1)
    checks._check_bounds(_severity, 0, PPM)
    depth_min: uint256 = engine_link._load(tables.CLOCK, 0) >> time.DEPTH_MIN & words.M20
    checks._check_bounds(_depth, depth_min, PPM)
    assert engine_link._load(tables.CONFIGS, _asset) == 0, "listed"
    line: uint256 = _severity << lines.S | _severity << lines.S0 | _severity << lines.I0
    line |= _depth << lines.DEPTH | _depth << lines.DEPTH0 | _depth << lines.DI0
    line |= engine_link._now() << lines.T0
    self._set_schedule(_asset, _brackets, True)
    self._set_config(_asset, _config, line)
    log IRiskSettings.AssetListed(asset=_asset, severity=_severity, depth=_depth)
    log IRiskSettings.ScheduleSet(asset=_asset, brackets=_brackets)


@external
def set_config(_asset: uint256, _config: IRiskSettings.Config):
    """
    @notice Guards, fees, ages and caps of an asset.
    """
    engine_link._check_owner()
    self._check_listed(_asset)
    self._check_revival(_asset, _config.price_max_age)
    self._set_config(_asset, _config, engine_link._load(tables.LINES, _asset))


@external
def set_schedule(_asset: uint256, _brackets: DynArray[IRiskEngine.Bracket, 8]):
    """
    @notice Vote in a new table; it blends in linearly over the ramp, from the one in force.
    """
    engine_link._check_owner()
    config: uint256 = self._check_listed(_asset)
    line: uint256 = engine_link._load(tables.LINES, _asset)
    assert not self._is_ramping(line), "ramping"
    self._set_schedule(_asset, _brackets, False)
    fee: uint256 = max(config >> words.MAKER_FEE & words.M16, config >> words.TAKER_FEE & words.M16)
    self._check_move(_asset, (config >> words.MAX_MOVE & words.M20) + fee, False)
    self._store_config(_asset, config)
    line = line & ~(words.M32 << lines.RAMP_START) | engine_link._now() << lines.RAMP_START
    engine_link._store(tables.LINES, _asset, line)
    log IRiskSettings.ScheduleSet(asset=_asset, brackets=_brackets)


@external
def set_feed(_asset: uint256, _feed: IRiskSettings.Feed):
    """
    @notice Reference feed of an asset; none if the address is empty.
    """
    engine_link._check_owner()
    config: uint256 = self._check_listed(_asset) & ~words.HAS_FEED
    guard: uint256 = 0
    if _feed.feed != empty(address):
        checks._check_bounds(_feed.max_age, 60, 2_592_000)
        checks._check_bounds(_feed.max_answer, _feed.min_answer + 2, 2**128 - 1)
        decimals: uint256 = convert(staticcall Aggregator(_feed.feed).decimals(), uint256)
        checks._check_bounds(decimals, 0, 18)
        guard = convert(_feed.feed, uint256) << 96 | _feed.max_age << 64 | decimals << 56
        config |= words.HAS_FEED
        engine_link._store(tables.LIMITS, _asset, _feed.max_answer << 128 | _feed.min_answer)
    else:
        word: uint256 = engine_link._load(tables.PRICES, _asset)
        engine_link._store(tables.PRICES, _asset, word & ~words.REDUCE_FEED)
    engine_link._store(tables.GUARDS, _asset, guard)
    self._store_config(_asset, config)
    log IRiskSettings.FeedSet(asset=_asset, feed=_feed)


# --- views ---------------------------------------------------------------------------------------


@view
@external
def brackets(_asset: uint256) -> DynArray[IRiskEngine.Bracket, 8]:
    """
    @return The table in force, or the one ramping in.
    """
    table: DynArray[IRiskEngine.Bracket, 8] = []
    for k: uint256 in range(8):
        at: uint256 = 192 - 64 * (k % 2)
        im: uint256 = engine_link._load(tables.SCHEDULES, 8 * _asset + k // 2) >> at & M64
        mm: uint256 = engine_link._load(tables.SCHEDULES, 8 * _asset + 4 + k // 2) >> at
        if im == 0:
            break
        table.append(
            IRiskEngine.Bracket(
                bound=decimal_words._decode(im >> 40),
                im_calm=im >> 20 & words.M20,
                im_storm=im & words.M20,
                mm_calm=mm >> 20 & words.M20,
                mm_storm=mm & words.M20,
            )
        )
    return table


@view
@external
def config_of(_asset: uint256) -> IRiskSettings.Config:
    config: uint256 = engine_link._load(tables.CONFIGS, _asset)
    line: uint256 = engine_link._load(tables.LINES, _asset)
    return IRiskSettings.Config(
        band=config >> words.BAND,
        max_move=config >> words.MAX_MOVE & words.M20,
        max_deviation=config >> words.MAX_DEVIATION & words.M20,
        funding_cap=config >> words.FUNDING_CAP & words.M20,
        price_max_age=config >> words.PRICE_AGE & words.M16,
        open_max_age=(line & lines.M10) * lines.AGE_UNIT,
        maker_fee=config >> words.MAKER_FEE & words.M16,
        taker_fee=config >> words.TAKER_FEE & words.M16,
        min_size=decimal_words._decode_size(config >> words.MIN_SIZE),
        soft_cap=decimal_words._decode(line >> lines.SOFT_CAP),
        hard_cap=decimal_words._decode(line >> lines.HARD_CAP),
    )


@view
@external
def line_of(_asset: uint256) -> IRiskSettings.LoadLine:
    """
    @return What was last pushed, and where the clocks stand.
    """
    line: uint256 = engine_link._load(tables.LINES, _asset)
    s_mm: uint256 = 0
    s_im: uint256 = 0
    d_mm: uint256 = 0
    d_im: uint256 = 0
    s_mm, s_im, d_mm, d_im = staticcall engine_link.engine.severity_now(_asset)
    return IRiskSettings.LoadLine(
        severity=line >> lines.S,
        depth=line >> lines.DEPTH & words.M20,
        pushed=line >> lines.T0 & words.M32,
        severity_mm=s_mm,
        depth_mm=d_mm,
        severity_im=s_im,
        depth_im=d_im,
    )


# --- internals: config ---------------------------------------------------------------------------


@view
@internal
def _check_listed(_asset: uint256) -> uint256:
    """
    @dev The config word.
    """
    config: uint256 = engine_link._load(tables.CONFIGS, _asset)
    assert config != 0, "not listed"
    return config


@view
@internal
def _check_revival(_asset: uint256, _price_max_age: uint256):
    old: uint256 = engine_link._load(tables.CONFIGS, _asset) >> words.PRICE_AGE & words.M16
    if _price_max_age > old:
        observed: uint256 = engine_link._load(tables.PRICES, _asset) >> words.OBSERVED & words.M32
        assert engine_link._now() - observed <= old or observed == 0, "stale"


@internal
def _set_config(_asset: uint256, _c: IRiskSettings.Config, _line: uint256):
    self._check_config(_c)
    self._check_move(_asset, _c.max_move + max(_c.maker_fee, _c.taker_fee), self._is_ramping(_line))
    word: uint256 = _c.band << words.BAND | _c.max_move << words.MAX_MOVE
    word |= _c.max_deviation << words.MAX_DEVIATION | _c.funding_cap << words.FUNDING_CAP
    word |= _c.price_max_age << words.PRICE_AGE | _c.maker_fee << words.MAKER_FEE
    word |= _c.taker_fee << words.TAKER_FEE | words.LISTED
    word |= decimal_words._encode(_c.min_size, 5) << words.MIN_SIZE
    word |= engine_link._load(tables.CONFIGS, _asset) & words.HAS_FEED
    self._store_config(_asset, word)
    caps: uint256 = decimal_words._encode(_c.soft_cap, 4) << lines.SOFT_CAP
    caps |= decimal_words._encode(_c.hard_cap, 4) << lines.HARD_CAP
    caps |= _c.price_max_age // lines.AGE_UNIT << lines.PRICE_AGE
    caps |= _c.open_max_age // lines.AGE_UNIT
    engine_link._store(tables.LINES, _asset, _line & ~(2**lines.RAMP_START - 1) | caps)
    log IRiskSettings.ConfigSet(asset=_asset, config=_c)


@pure
@internal
def _check_config(_c: IRiskSettings.Config):
    checks._check_bounds(_c.band, 1, 200_000)
    checks._check_bounds(_c.max_move, 1, PPM)
    checks._check_bounds(_c.max_deviation, 1, 200_000)
    checks._check_bounds(_c.funding_cap, 0, 100_000)
    checks._check_bounds(_c.price_max_age, 60, lines.M14 * lines.AGE_UNIT)
    checks._check_bounds(_c.open_max_age, lines.AGE_UNIT, lines.M10 * lines.AGE_UNIT)
    checks._check_bounds(_c.maker_fee, 0, 10_000)
    checks._check_bounds(_c.taker_fee, 0, 10_000)
    checks._check_fit(_c.price_max_age % lines.AGE_UNIT == 0)
    checks._check_fit(_c.open_max_age % lines.AGE_UNIT == 0)
    checks._check_fit(_c.open_max_age <= _c.price_max_age)
    checks._check_fit(_c.soft_cap < _c.hard_cap or _c.soft_cap | _c.hard_cap == 0)


@view
@internal
def _check_move(_asset: uint256, _move: uint256, _ramping: bool):
    """
    @dev max_move with the fee <= calm IMR_0 of the new table and, while it ramps in, of the old.
    """
    word: uint256 = engine_link._load(tables.SCHEDULES, 8 * _asset)
    checks._check_fit(_move <= word >> 212 & words.M20)
    if _ramping:
        checks._check_fit(_move <= word >> 84 & words.M20)


@view
@internal
def _is_ramping(_line: uint256) -> bool:
    start: uint256 = _line >> lines.RAMP_START & words.M32
    clocks: IRiskEngine.Clocks = staticcall engine_link.engine.clocks()
    return engine_link._now() < start + clocks.ramp


@internal
def _store_config(_asset: uint256, _config: uint256):
    """
    @dev The config word with the lower calm MMR_0 of the tables in storage, and what of it reports read.
    """
    word: uint256 = engine_link._load(tables.SCHEDULES, 8 * _asset + 4)
    calm: uint256 = min(word >> 212 & words.M20, word >> 84 & words.M20)
    config: uint256 = _config & ~(words.M20 << words.CALM_MMR) | calm << words.CALM_MMR
    engine_link._store(tables.CONFIGS, _asset, config)
    rule: uint256 = (config >> words.MAX_MOVE & words.M20) << words.RULE_MOVE
    rule |= (config >> words.FUNDING_CAP & words.M20) << words.RULE_CAP
    rule |= (config >> words.PRICE_AGE & words.M16_X4) << words.RULE_AGE_X4
    rule |= min(calm // words.RULE_CALM_UNIT, words.M11) << words.RULE_CALM | words.RULE_LISTED
    if config & words.HAS_FEED != 0:
        rule |= words.RULE_FEED
    place: uint256 = 64 * (_asset % 4)
    quarters: uint256 = engine_link._load(tables.RULES, _asset // 4) & ~(M64 << place)
    engine_link._store(tables.RULES, _asset // 4, quarters | rule << place)


# --- internals: tables ---------------------------------------------------------------------------


@internal
def _set_schedule(_asset: uint256, _brackets: DynArray[IRiskEngine.Bracket, 8], _first: bool):
    """
    @dev Checks the table, moves the one in force to the old half, writes the new half.
    """
    self._check_brackets(_brackets, _asset < MARKETS)
    for pair: uint256 in range(4):
        for kind: uint256 in range(2):
            new: uint256 = self._pack_bracket(_brackets, 2 * pair, kind) << 64
            new |= self._pack_bracket(_brackets, 2 * pair + 1, kind)
            slot: uint256 = 8 * _asset + 4 * kind + pair
            old: uint256 = engine_link._load(tables.SCHEDULES, slot) >> 128
            if _first:
                old = new
            engine_link._store(tables.SCHEDULES, slot, new << 128 | old)


@pure
@internal
def _pack_bracket(
    _brackets: DynArray[IRiskEngine.Bracket, 8], _k: uint256, _kind: uint256
) -> uint256:
    if _k >= len(_brackets):
        return 0
    bracket: IRiskEngine.Bracket = _brackets[_k]
    bound: uint256 = decimal_words._encode(bracket.bound, 4) << 40
    if _kind == 0:
        return bound | bracket.im_calm << 20 | bracket.im_storm
    return bound | bracket.mm_calm << 20 | bracket.mm_storm


@pure
@internal
def _check_brackets(_brackets: DynArray[IRiskEngine.Bracket, 8], _market: bool):
    self._check_schedule(len(_brackets) > 0)
    factor: uint256 = PPM
    if _market:
        factor += B
        self._check_schedule(_brackets[0].mm_calm > 0)
    last: IRiskEngine.Bracket = empty(IRiskEngine.Bracket)
    for b: IRiskEngine.Bracket in _brackets:
        self._check_schedule(b.bound > last.bound)
        self._check_schedule(b.im_calm >= last.im_calm and b.im_storm >= last.im_storm)
        self._check_schedule(b.mm_calm >= last.mm_calm and b.mm_storm >= last.mm_storm)
        self._check_schedule(b.im_calm <= b.im_storm and b.mm_calm <= b.mm_storm)
        # With the next two every rate is at most 1, so fits in 20 bits.
        self._check_schedule(b.im_storm <= PPM and b.mm_storm <= PPM)
        self._check_schedule(factor * b.mm_calm <= PPM * b.im_calm)
        self._check_schedule(factor * b.mm_storm <= PPM * b.im_storm)
        last = b


@pure
@internal
def _check_schedule(_ok: bool):
    assert _ok, "bad schedule"
