# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Rules of reports and pushes, signers, and the contracts the engine listens to
@license AGPL-3.0-only
@notice Words: `effective_time` (price rules, keeper's max_age and depth_min) and `steward`.
@dev Bounds: period 1..500 s, max_spread 1..10 %, confirm_delay 1..3600 s, grace and settle_window
    60..7200 s; steps up 25 %, down 5 %, depth fall 25 %, rise 5 % at most, min_delay 60 s..1 day,
    max_age from 3·min_delay to 30 days, depth_min 5..100 %. M of N signers: 2N/3 <= M <= N.
    Reasons: "out of bounds", "bad parameters", "not owner".
"""
from contracts.interfaces import IRiskSettings
from contracts.modules import checks
from contracts.modules import effective_time as time
from contracts.modules import engine_link
from contracts.modules import engine_scalars as scalars
from contracts.modules import engine_tables as tables

uses: engine_link

PPM: constant(uint256) = 10**6

_signers: DynArray[address, 9]


# --- governance ----------------------------------------------------------------------------------


@external
def set_price_rules(_rules: IRiskSettings.PriceRules):
    """
    @notice Grid, spread, confirmation delay, grace and settle window.
    """
    engine_link._check_owner()
    self._set_price_rules(_rules)


@external
def set_push_rules(_rules: IRiskSettings.PushRules):
    """
    @notice Steps, delay, staleness and the least depth.
    """
    engine_link._check_owner()
    self._set_push_rules(_rules)


@external
def set_signers(_signers: DynArray[address, 9], _quorum: uint256):
    """
    @notice Replace all signers; frozen ones that are named again are active again.
    @param _signers Strictly ascending addresses, not zero.
    @param _quorum M, at least 2N/3.
    """
    engine_link._check_owner()
    self._set_signers(_signers, _quorum)


@external
def set_sequencer_feed(_feed: address):
    """
    @notice Uptime feed of the rollup's sequencer; none if empty.
    """
    engine_link._check_owner()
    clock: uint256 = engine_link._load(tables.CLOCK, 0) & ~(time.FLAG_SEQUENCER << time.FLAGS)
    if _feed != empty(address):
        clock |= time.FLAG_SEQUENCER << time.FLAGS
    engine_link._store(tables.SCALARS, scalars.SEQUENCER, convert(_feed, uint256))
    engine_link._store(tables.CLOCK, 0, clock)
    log IRiskSettings.SequencerFeedSet(feed=_feed)


@external
def set_liquidator(_liquidator: address):
    """
    @notice The only caller of `begin_aftermath`.
    """
    engine_link._check_owner()
    engine_link._store(tables.SCALARS, scalars.LIQUIDATOR, convert(_liquidator, uint256))
    log IRiskSettings.LiquidatorSet(liquidator=_liquidator)


# --- views ---------------------------------------------------------------------------------------


@view
@external
def price_rules() -> IRiskSettings.PriceRules:
    word: uint256 = engine_link._load(tables.CLOCK, 0)
    return IRiskSettings.PriceRules(
        period=word >> time.PERIOD & time.M10,
        max_spread=word >> time.SPREAD & time.M20,
        confirm_delay=word >> time.CONFIRM & time.M16,
        grace=word >> time.GRACE & time.M16,
        settle_window=word >> time.WINDOW & time.M16,
    )


@view
@external
def push_rules() -> IRiskSettings.PushRules:
    word: uint256 = engine_link._load(tables.CLOCK, 0)
    rules: uint256 = engine_link._load(tables.SCALARS, scalars.RULES)
    return IRiskSettings.PushRules(
        step_up=rules >> 84 & time.M20,
        step_down=rules >> 64 & time.M20,
        depth_fall=rules >> 44 & time.M20,
        depth_rise=rules >> 24 & time.M20,
        min_delay=rules & time.M24,
        max_age=word >> time.MAX_AGE & time.M24,
        depth_min=word >> time.DEPTH_MIN & time.M20,
    )


@view
@external
def signers() -> (DynArray[address, 9], uint256):
    """
    @return As governance set them, frozen ones included, and how many must sign.
    """
    return self._signers, engine_link._load(tables.CLOCK, 0) >> time.QUORUM & time.M4


# --- internals -----------------------------------------------------------------------------------


@internal
def _set_price_rules(_rules: IRiskSettings.PriceRules):
    checks._check_bounds(_rules.period, 1, 500)
    checks._check_bounds(_rules.max_spread, 1, 100_000)
    checks._check_bounds(_rules.confirm_delay, 1, 3_600)
    checks._check_bounds(_rules.grace, 60, 7_200)
    checks._check_bounds(_rules.settle_window, 60, 7_200)
    word: uint256 = engine_link._load(tables.CLOCK, 0)
    word &= ~(2**(time.PERIOD + 10) - 2**time.WINDOW)
    word |= _rules.period << time.PERIOD | _rules.max_spread << time.SPREAD
    word |= _rules.confirm_delay << time.CONFIRM | _rules.grace << time.GRACE
    engine_link._store(tables.CLOCK, 0, word | _rules.settle_window << time.WINDOW)
    log IRiskSettings.PriceRulesSet(rules=_rules)


@internal
def _set_push_rules(_rules: IRiskSettings.PushRules):
    checks._check_bounds(_rules.step_up, 1, 250_000)
    checks._check_bounds(_rules.step_down, 1, 50_000)
    checks._check_bounds(_rules.depth_fall, 1, 250_000)
    checks._check_bounds(_rules.depth_rise, 1, 50_000)
    checks._check_bounds(_rules.min_delay, 60, 86_400)
    checks._check_bounds(_rules.max_age, 3 * _rules.min_delay, 2_592_000)
    checks._check_bounds(_rules.depth_min, 50_000, PPM)
    rules: uint256 = _rules.step_up << 84 | _rules.step_down << 64 | _rules.depth_fall << 44
    engine_link._store(
        tables.SCALARS, scalars.RULES, rules | _rules.depth_rise << 24 | _rules.min_delay
    )
    word: uint256 = engine_link._load(tables.CLOCK, 0)
    word &= ~(time.M24 << time.MAX_AGE | time.M20 << time.DEPTH_MIN)
    word |= _rules.max_age << time.MAX_AGE | _rules.depth_min << time.DEPTH_MIN
    engine_link._store(tables.CLOCK, 0, word)
    log IRiskSettings.PushRulesSet(rules=_rules)


@internal
def _set_signers(_signers: DynArray[address, 9], _quorum: uint256):
    count: uint256 = len(_signers)
    checks._check_fit(_quorum > 0 and _quorum <= count and 3 * _quorum >= 2 * count)
    for signer: address in self._signers:
        engine_link._store(tables.SIGNERS, convert(signer, uint256), 0)
    previous: uint256 = 0
    for signer: address in _signers:
        key: uint256 = convert(signer, uint256)
        checks._check_fit(key > previous)
        engine_link._store(tables.SIGNERS, key, 1)
        previous = key
    self._signers = _signers
    word: uint256 = engine_link._load(tables.CLOCK, 0) & ~(time.M4 << time.QUORUM)
    engine_link._store(tables.CLOCK, 0, word | _quorum << time.QUORUM)
    log IRiskSettings.SignersSet(signers=_signers, quorum=_quorum)
