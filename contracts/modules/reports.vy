# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Price reports: quorum, median, guards
@license AGPL-3.0-only
@notice Every signer signs his own quotes for the same assets and time; the median of each asset
    passes its guards or not. What concerns one asset never stops the batch.
@dev EIP-712: Report(uint256 observed,uint256[] assets,uint256[] quotes), quote = price·2^32 +
    premium_ppm + 2^31. The batch reverts for: paused, wrong grid, future, older than 2 periods,
    signatures, lengths. For one asset, in this order (times effective: observed - paused_total):
     1  not listed, observed <= stored observed, or a report of it was accepted in this block (same
        effective time): skipped. With a jump held: also observed <= the held one's, or held in this
        block.
     2  quotes sorted as packed words, median = the lower middle. Price 0 or above 1e27, or (max -
        min)·1e6 > max_spread·median: skipped, nothing changes.
     3  reference feed, if set: unusable (unreadable, updated never, in the future or longer than
        max_age ago in block time, answer <= 0, at or beyond its limits): bit 4, no further check.
        Usable: bit 4 cleared; |p - ref|·1e6 > max_deviation·ref: refused, the price is unknown
        until one is accepted.
     4  |p - stored|·1e6 > max_move·stored (never for the first): with a jump held on the same side
        of the stored price: if observed >= held observed + confirm_delay the nearer of the two is
        accepted, else the held one stays; otherwise p is held (an other-side jump replaces the held
        one).
     5  accepted: F accrues at the old rate up to now (`price_words._funding`), then price, rate,
        observed. rate = floor(clamp(premium, ±funding_cap)·125/36) in 1e-11 per second (premium per
        8 h). The stored premium is the median quote's, also when the held price is the nearer.
        A market's |p - stored|·1e12 > stored·r_0(s_mm), the MM rate of the table in force:
        aftermath. An old price older than price_max_age: `grace`. Both begin settling (`prices`).
    Reasons: "paused", "period" (off the grid, or future), "expired", "bad parameters" (lengths);
    signatures: `quorum`; feeds: `chainlink`.
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import chainlink
from contracts.modules import checks
from contracts.modules import effective_time
from contracts.modules import price_words as words
from contracts.modules import prices
from contracts.modules import quorum
from contracts.modules import requirement

uses: effective_time
uses: prices
uses: quorum
uses: requirement

REPORT_HASH: constant(bytes32) = keccak256(
    "Report(uint256 observed,uint256[] assets,uint256[] quotes)"
)
PPM: constant(uint256) = 10**6
MAX_PRICE: constant(uint256) = 10**27
PREMIUM_ZERO: constant(uint256) = 2**31
M32: constant(uint256) = 2**32 - 1
FRESH: constant(uint256) = 1  # outcome of the guards
HOLD: constant(uint256) = 2
REFUSE: constant(uint256) = 3


# What all assets of a batch share.
struct Batch:
    clock: uint256  # word of effective_time
    now: uint256
    observed: uint256  # effective
    base: uint256  # state bits common to every asset


# --- keeper --------------------------------------------------------------------------------------


@external
def report(
    _observed: uint256,
    _assets: DynArray[uint256, 40],
    _quotes: DynArray[uint256, 360],
    _signatures: DynArray[IRiskEngine.Signature, 9],
):
    """
    @notice Bring signed prices; anyone may.
    @param _observed Unix time of observation, on the grid.
    @param _assets Asset ids.
    @param _quotes Packed quotes, signer by signer in the order of _signatures.
    @param _signatures In ascending order of their signers.
    """
    effective_time._check_running()
    clock: uint256 = effective_time.word
    self._check_time(_observed, clock >> effective_time.PERIOD & words.M10)
    self._check_signatures(_observed, _assets, _quotes, _signatures)
    now: uint256 = effective_time._now(clock)
    batch: Batch = Batch(
        clock=clock,
        now=now,
        observed=_observed - (clock >> effective_time.TOTAL & M32),
        base=effective_time._base_state(clock, now),
    )
    count: uint256 = len(_assets)
    signers: uint256 = len(_signatures)
    accepted: DynArray[uint256, 40] = []
    quotes: uint256[9] = empty(uint256[9])
    for i: uint256 in range(count, bound=40):
        for j: uint256 in range(signers, bound=9):
            # Insertion sort; unsafe: j < 9, i + count·j < 360.
            quote: uint256 = _quotes[unsafe_add(i, unsafe_mul(count, j))]
            at: uint256 = j
            for k: uint256 in range(9):
                if at == 0 or quotes[unsafe_sub(at, 1)] <= quote:
                    break
                quotes[at] = quotes[unsafe_sub(at, 1)]
                at = unsafe_sub(at, 1)
            quotes[at] = quote
        accepted.append(
            self._report_asset(
                _assets[i], quotes[0], quotes[(signers - 1) // 2], quotes[signers - 1], batch
            )
        )
    log IRiskEngine.Reported(reporter=msg.sender, observed=_observed, quotes=accepted)


# --- internals: message --------------------------------------------------------------------------


@view
@internal
def _check_time(_observed: uint256, _period: uint256):
    assert _observed % _period == 0 and _observed <= block.timestamp, "period"
    checks._check_until(_observed + 2 * _period)


@view
@internal
def _check_signatures(
    _observed: uint256,
    _assets: DynArray[uint256, 40],
    _quotes: DynArray[uint256, 360],
    _signatures: DynArray[IRiskEngine.Signature, 9],
):
    count: uint256 = len(_assets)
    checks._check_fit(len(_quotes) == count * len(_signatures))
    quorum._check_quorum(len(_signatures))
    assets: bytes32 = keccak256(slice(abi_encode(_assets), 64, 32 * count))
    row: uint256[40] = empty(uint256[40])
    signer: address = empty(address)
    first: uint256 = 0
    for signature: IRiskEngine.Signature in _signatures:
        for i: uint256 in range(count, bound=40):
            row[i] = _quotes[unsafe_add(first, i)]  # unsafe: < 360
        first = unsafe_add(first, count)
        quotes: bytes32 = keccak256(slice(abi_encode(row), 0, 32 * count))
        struct_hash: bytes32 = keccak256(abi_encode(REPORT_HASH, _observed, assets, quotes))
        signer = quorum._check_signature(struct_hash, signature, signer)


# --- internals: one asset ------------------------------------------------------------------------


@internal
def _report_asset(
    _asset: uint256, _lowest: uint256, _median: uint256, _highest: uint256, _batch: Batch
) -> uint256:
    """
    @dev The quote if it was accepted, with the price that was; else 0.
    """
    rule: uint256 = prices.rules[_asset >> 2] >> ((_asset & 3) << 6)
    word: uint256 = prices.prices[_asset]
    price: uint256 = _median >> 32
    if rule & words.RULE_LISTED == 0 or self._is_late(_asset, word, _batch):
        return 0
    spread: uint256 = (_highest >> 32) - (_lowest >> 32)
    limit: uint256 = _batch.clock >> effective_time.SPREAD & words.M20
    if price == 0 or price > MAX_PRICE or spread > limit * price // PPM:
        return 0
    verdict: uint256 = FRESH
    flags: uint256 = word & words.M6
    if rule & words.RULE_FEED != 0:
        verdict, flags = self._compare_reference(_asset, price, flags)
    if verdict == FRESH:
        verdict, price = self._guard_move(_asset, price, word, rule, _batch)
    if verdict == FRESH:
        self._accept(_asset, price, _median & M32, word, flags, rule, _batch)
        return _asset << 128 | price << 32 | _median & M32
    self._suspend(_asset, price, word, flags, verdict, _batch)
    return 0


@view
@internal
def _is_late(_asset: uint256, _word: uint256, _batch: Batch) -> bool:
    stored: uint256 = _word >> words.OBSERVED & M32
    if _batch.observed <= stored or stored + (_word >> words.LAG & words.M10) == _batch.now:
        return True
    if _word & words.PENDING == 0:
        return False
    held: uint256 = prices.held[_asset]
    return (
        _batch.observed <= held >> words.REF_TIME & M32 or held >> words.UNTIL & M32 == _batch.now
    )


@view
@internal
def _compare_reference(_asset: uint256, _price: uint256, _flags: uint256) -> (uint256, uint256):
    """
    @dev Verdict, and the flags with bit 4 as the feed wants it.
    """
    reference: uint256 = self._read_reference(_asset)
    if reference == 0:
        return FRESH, _flags | words.REDUCE_FEED
    flags: uint256 = _flags & (words.M6 - words.REDUCE_FEED)
    deviation: uint256 = self._distance(_price, reference) * PPM
    if deviation > reference * (prices.configs[_asset] >> words.MAX_DEVIATION & words.M20):
        return REFUSE, flags
    return FRESH, flags


@view
@internal
def _read_reference(_asset: uint256) -> uint256:
    """
    @dev [USD wad], rounded down; 0 if the feed gives none.
    """
    guard: uint256 = prices.guards[_asset]
    limits: uint256 = prices.limits[_asset]
    answer: int256 = 0
    started: uint256 = 0
    updated: uint256 = 0
    answer, started, updated = chainlink._latest(convert(guard >> 96, address))
    if answer <= 0 or updated == 0 or updated > block.timestamp:
        return 0
    value: uint256 = convert(answer, uint256)
    if value <= limits & (2**128 - 1) or value >= limits >> 128:
        return 0
    if block.timestamp - updated > guard >> 64 & M32:
        return 0
    # limits are below 2**128, decimals at most 18
    return value * 10**(18 - (guard >> 56 & 255))


@view
@internal
def _guard_move(
    _asset: uint256, _price: uint256, _word: uint256, _rule: uint256, _batch: Batch
) -> (uint256, uint256):
    """
    @dev Verdict, and the price to accept or to hold.
    """
    stored: uint256 = _word >> words.PRICE
    limit: uint256 = stored * (_rule >> words.RULE_MOVE & words.M20)
    if stored == 0 or self._distance(_price, stored) * PPM <= limit:
        return FRESH, _price
    if _word & words.PENDING == 0:
        return HOLD, _price
    held: uint256 = prices.held[_asset]
    first: uint256 = held >> words.PRICE
    if (first > stored) != (_price > stored):
        return HOLD, _price
    delay: uint256 = _batch.clock >> effective_time.CONFIRM & words.M16
    if _batch.observed < (held >> words.REF_TIME & M32) + delay:
        return HOLD, first
    if self._distance(first, stored) < self._distance(_price, stored):
        return FRESH, first
    return FRESH, _price


@internal
def _suspend(
    _asset: uint256,
    _price: uint256,
    _word: uint256,
    _flags: uint256,
    _verdict: uint256,
    _batch: Batch,
):
    """
    @dev The price becomes unknown (or stays so): held or refused.
    """
    flags: uint256 = _flags
    if _word & (words.PENDING | words.REFUSED) == 0 and _word >> words.PRICE != 0:
        flags |= prices._settle(_asset, _word, _batch.clock, _batch.now, 0, 0)
    if _verdict == REFUSE:
        flags |= words.REFUSED
        log IRiskEngine.ReportRefused(asset=_asset, price=_price)
    elif _word & words.PENDING == 0 or prices.held[_asset] >> words.PRICE != _price:
        flags = flags & (words.M6 - words.REFUSED) | words.PENDING
        prices.held[_asset] = words._pack_pending(_price, _batch.observed, _batch.now)
        log IRiskEngine.JumpHeld(asset=_asset, price=_price)
    prices.prices[_asset] = _word >> 6 << 6 | flags


@internal
def _accept(
    _asset: uint256,
    _price: uint256,
    _premium: uint256,
    _word: uint256,
    _flags: uint256,
    _rule: uint256,
    _batch: Batch,
):
    flags: uint256 = _flags & (words.M6 - words.PENDING - words.REFUSED)
    if _word >> words.PRICE != 0:
        flags = self._follow_up(_asset, _price, _word, flags, _rule, _batch)
    funding: int256 = words._funding(_word, _batch.now, _rule >> words.RULE_AGE_X4 & words.M16_X4)
    prices.prices[_asset] = words._pack_price(
        _price,
        max(-words.F_MAX, min(words.F_MAX, funding)),
        self._rate(_premium, _rule >> words.RULE_CAP & words.M17),
        _batch.observed,
        _batch.now - _batch.observed,
        flags,
    )


@internal
def _follow_up(
    _asset: uint256,
    _price: uint256,
    _word: uint256,
    _flags: uint256,
    _rule: uint256,
    _batch: Batch,
) -> uint256:
    """
    @dev Settling after an accepted report; the flags.
    """
    until: uint256 = 0
    since: uint256 = 0
    if self._is_large(_asset, _price, _word >> words.PRICE, _rule, _batch):
        until = _batch.now + (_batch.clock >> effective_time.WINDOW & words.M16)
    age: uint256 = _batch.now - (_word >> words.OBSERVED & M32)
    if age > _rule >> words.RULE_AGE_X4 & words.M16_X4:
        since = _batch.now + (_batch.clock >> effective_time.GRACE & words.M16)
    elif _word & (words.PENDING | words.REFUSED) != 0 or _batch.base & effective_time.UNKNOWN != 0:
        since = max(_batch.now, _batch.clock >> effective_time.GRACE_UNTIL & M32)
    if until | since != 0:
        return _flags | prices._settle(_asset, _word, _batch.clock, _batch.now, until, since)
    if _flags & words.EPISODE != 0:
        settling: uint256 = prices.settling[_asset]
        last: uint256 = max(settling >> words.UNTIL & M32, settling >> words.SINCE & M32)
        if _batch.now > last + prices.EPISODE_MEMORY:
            return _flags & (words.M6 - words.EPISODE)
    return _flags


@view
@internal
def _is_large(
    _asset: uint256, _price: uint256, _stored: uint256, _rule: uint256, _batch: Batch
) -> bool:
    """
    @dev The mark moved by more than MMR_0 at s_mm.
    """
    move: uint256 = self._distance(_price, _stored)
    # The rule holds a lower bound of MMR_0: mostly nothing else is read.
    bound: uint256 = _stored * ((_rule >> words.RULE_CALM & words.M11) * words.RULE_CALM_UNIT)
    if _asset >= prices.MARKETS or move * PPM <= bound:
        return False
    total: uint256 = 0
    scale: uint256 = 0
    rate: uint256 = 0
    above: bool = False
    total, scale, rate, above = requirement._require_margin(
        _asset, 0, 0, requirement.MAINTENANCE, _batch.clock, _batch.now
    )
    return move * scale > _stored * rate


@pure
@internal
def _rate(_premium: uint256, _cap: uint256) -> int256:
    """
    @dev [1e-11 per second] unsafe: _cap < 2**17.
    """
    cap: int256 = convert(_cap, int256)
    premium: int256 = convert(_premium, int256) - convert(PREMIUM_ZERO, int256)
    scaled: int256 = unsafe_mul(max(unsafe_sub(0, cap), min(cap, premium)), 125)
    rate: int256 = unsafe_div(scaled, 36)
    if unsafe_mul(rate, 36) > scaled:
        rate = unsafe_sub(rate, 1)
    return rate


@pure
@internal
def _distance(_x: uint256, _y: uint256) -> uint256:
    if _x > _y:
        return _x - _y
    return _y - _x
