# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What margin a book needs
@license AGPL-3.0-only
@notice `assess` and the smaller questions of the ledger and the liquidator. Reads; never writes.
@dev For a leg, with p the price that counts and F the funding index now:
        value        floor(size·(p - F)/1e18) + base
        N            ceil(|size|·p/1e18)
        requirement  ceil(R(N)) with the basis' severity and depth (`load_line`, `schedules`)
        INITIAL and LIVE: at least ceil(N·floor/1e6), at most N; INITIAL adds
        ceil((N - IM)·clamp(OI - L, 0, H - L)/(H - L)), OI = ceil(open_interest·stored price/1e18).
    p is the stored price; while a jump is held, the worse of stored and held for INITIAL and LIVE, the better
    for MAINTENANCE (worse: the lower for a long). A leg of unknown price (bit 1) has no MM.
    For a holding: v = floor(amount·stored price/1e18), value v - min(v, ceil(R(v))) with the basis' haircuts; of
    unknown price: 0 for INITIAL and LIVE. Positive cash is 0 for INITIAL and LIVE while the settlement token is
    in doubt. Equity sums cash, legs and holdings in that order of meaning; sums are checked.
    `known_since` is the latest of the legs', and of the grace after a pause; it may lie in the future.
    A leg of size 0 adds its base and its state, nothing else.

    liquidation_size: see there. Widths: |size| < 2**111, price < 2**90, |G| < 2**94 (FORMULAS 1).
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import decimal_words
from contracts.modules import effective_time
from contracts.modules import fixed_point as fp
from contracts.modules import load_line
from contracts.modules import price_words as words
from contracts.modules import prices
from contracts.modules import requirement
from contracts.modules import schedules

uses: effective_time
uses: load_line
uses: prices
uses: requirement
uses: schedules

PPM: constant(uint256) = 10**6
WAD: constant(uint256) = 10**18
INITIAL: constant(uint256) = 0
MAINTENANCE: constant(uint256) = 2
TOKENS: constant(uint256) = 32  # asset id of token 0
M32: constant(uint256) = 2**32 - 1


# What all legs and holdings of one call share.
struct Context:
    basis: uint256
    floor: uint256  # [ppm]
    clock: uint256  # word of effective_time
    now: uint256
    base: uint256  # state bits common to every asset


# --- the ledger's questions ------------------------------------------------------------------------------


@view
@external
def assess(
    _basis: uint256,
    _cash: int256,
    _floor: uint256,
    _legs: DynArray[IRiskEngine.Leg, 16],
    _holdings: DynArray[IRiskEngine.Holding, 8],
) -> IRiskEngine.Margin:
    """
    @notice Equity, requirement and state of a book.
    @param _basis 0 INITIAL, 1 LIVE, 2 MAINTENANCE.
    @param _cash Settled cash [USD wad].
    @param _floor The account's own least initial margin rate [ppm].
    """
    context: Context = self._context(_basis, _floor)
    margin: IRiskEngine.Margin = IRiskEngine.Margin(
        equity=_cash,
        requirement=0,
        state=context.base,
        known_since=effective_time._known_since(context.clock),
    )
    if _cash > 0 and _basis != MAINTENANCE and self._in_doubt(context.clock):
        margin.equity = 0
    for leg: IRiskEngine.Leg in _legs:
        value: int256 = 0
        needed: uint256 = 0
        state: uint256 = 0
        since: uint256 = 0
        value, needed, state, since = self._assess_leg(leg, context)
        margin.equity += value
        margin.requirement += needed
        margin.state |= state
        margin.known_since = max(margin.known_since, since)
    for holding: IRiskEngine.Holding in _holdings:
        value: uint256 = 0
        state: uint256 = 0
        value, state = self._assess_holding(holding, context)
        margin.equity += convert(value, int256)
        margin.state |= state
    return margin


@view
@external
def quote(_market: uint256) -> IRiskEngine.Quote:
    """
    @notice Mark, limits and fees of a market.
    """
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    word: uint256 = prices.prices[_market]
    line: uint256 = load_line.lines[_market]
    config: uint256 = prices.configs[_market]
    state: uint256 = 0
    since: uint256 = 0
    state, since = prices._state(
        _market, word, line, effective_time._base_state(clock, now), now
    )
    cap: uint256 = decimal_words._decode(line >> load_line.HARD_CAP) * WAD
    if cap == 0:
        cap = max_value(uint256)
    return IRiskEngine.Quote(
        mark=word >> words.PRICE,
        funding=words._funding(word, now, config >> words.PRICE_AGE & words.M16),
        state=state,
        band=config >> words.BAND,
        open_interest_cap=cap,
        min_size=decimal_words._decode_size(config >> words.MIN_SIZE),
        maker_fee=config >> words.MAKER_FEE & words.M16,
        taker_fee=config >> words.TAKER_FEE & words.M16,
    )


# --- the liquidator's questions --------------------------------------------------------------------------


@view
@external
def reference_of(_market: uint256) -> IRiskEngine.Reference:
    """
    @notice Mark, P_ref, and the calm MM rate of bracket 0 (if P_ref was observed before a ramp's end: the lower
        of the two tables'): what an opposite account at or above MM then is sure to own.
    """
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    word: uint256 = prices.prices[_market]
    line: uint256 = load_line.lines[_market]
    price_age: uint256 = prices._max_age(line)
    reference: uint256 = 0
    time: uint256 = 0
    reference, time = prices._reference(_market, word, clock, now, price_age)
    calm: uint256 = schedules._calm(_market)
    if time < (line >> load_line.RAMP_START & M32) + load_line.RAMP:
        calm = prices.configs[_market] >> words.CALM_MMR & words.M20
    return IRiskEngine.Reference(
        mark=word >> words.PRICE,
        funding=words._funding(word, now, price_age),
        reference=reference,
        round=time,
        calm_mmr=calm,
        state=prices._state_of(_market),
    )


@view
@external
def liquidation_size(
    _market: uint256, _size: int256, _equity: int256, _requirement: uint256, _fee: uint256
) -> uint256:
    """
    @notice Smallest size to take of a leg so that E >= (1+b)·MM afterwards; all of it if none is (FORMULAS 4).
    @dev With N = ceil(|size|·P/1e18), MM_rest = max(0, _requirement - ceil(R(N))) and q in base wei, exactly:
        g(q) = E - fee·P·q/1e24 - (1+b)·(MM_rest + R(N - P·q/1e18)). Newton from q = 0 on this concave function:
        q += ceil(-g/(P·((1+b)·r - fee))), r the marginal rate at the present point (the lower bracket's at a
        bound). It never jumps over a root, each step lands in a lower bracket or ends; at most 18 steps for the
        two tables of a ramp. Ends at g >= 0 or q >= |size| (then |size|; also if (1+b)·r <= fee).
        Everything is multiplied by 4·1e18·1e12·ramp, ramp = 1 outside a ramp: checked 256-bit products, which
        bound N to 2**114 wei inside a ramp (2**134 outside), far above every cap.
    """
    context: Context = self._context(MAINTENANCE, 0)
    price: uint256 = prices.prices[_market] >> words.PRICE
    size: uint256 = convert(abs(_size), uint256)
    notional: uint256 = fp._mul_div_up(size, price, WAD) * WAD
    fee: uint256 = 4 * _fee * PPM
    target: int256 = 0
    taken: uint256 = 0
    for i: uint256 in range(18):
        total: uint256 = 0
        scale: uint256 = 0
        rate: uint256 = 0
        above: bool = False
        total, scale, rate, above = requirement._require_margin(
            _market,
            notional - price * taken,
            schedules.UNIT * WAD,
            MAINTENANCE,
            context.clock,
            context.now,
        )
        if i == 0:
            fee = fee * scale // schedules.RATE_ONE
            scale *= WAD
            # What the leg itself does not move: 5·MM_rest - 4·E.
            own: uint256 = fp._div_up(total, scale)
            rest: uint256 = max(_requirement, own) - own
            target = (fp._signed(5 * rest) - 4 * _equity) * fp._signed(scale)
        missing: int256 = target + fp._signed(5 * total + fee * taken * price)
        if missing <= 0:
            return taken
        if 5 * rate <= fee:
            break
        taken += fp._div_up(convert(missing, uint256), price * (5 * rate - fee))
        if taken >= size:
            break
    return size


@view
@external
def collateral_value(_holdings: DynArray[IRiskEngine.Holding, 8]) -> (uint256, uint256):
    """
    @return Raw value at the last prices [USD wad], each holding rounded down, and the state bits.
    """
    value: uint256 = 0
    state: uint256 = 0
    for holding: IRiskEngine.Holding in _holdings:
        asset: uint256 = TOKENS + holding.token
        value += holding.amount * (prices.prices[asset] >> words.PRICE) // WAD
        state |= prices._state_of(asset)
    return value, state


@view
@external
def collateral_terms(_token: uint256) -> (uint256, uint256, uint256):
    """
    @return MM haircut of bracket 0 now [ppm, rounded down], price [USD wad], state bits.
    """
    asset: uint256 = TOKENS + _token
    context: Context = self._context(MAINTENANCE, 0)
    total: uint256 = 0
    scale: uint256 = 0
    rate: uint256 = 0
    above: bool = False
    total, scale, rate, above = requirement._require_margin(
        asset, 0, 0, MAINTENANCE, context.clock, context.now
    )
    return (
        rate * PPM // scale,
        prices.prices[asset] >> words.PRICE,
        prices._state_of(asset),
    )


# --- the lens' questions ---------------------------------------------------------------------------------


@view
@external
def severity_now(_asset: uint256) -> (uint256, uint256, uint256, uint256):
    """
    @return s_mm, s_im, depth_mm, depth_im now [ppm].
    """
    c: Context = self._context(MAINTENANCE, 0)
    line: uint256 = load_line.lines[_asset]
    s_mm: uint256 = 0
    d_mm: uint256 = 0
    s_im: uint256 = 0
    d_im: uint256 = 0
    s_mm, d_mm = load_line._read(line, MAINTENANCE, c.clock, c.now)
    s_im, d_im = load_line._read(line, INITIAL, c.clock, c.now)
    return s_mm, s_im, d_mm, d_im


@view
@external
def price_of(_asset: uint256) -> IRiskEngine.Price:
    word: uint256 = prices.prices[_asset]
    now: uint256 = effective_time._effective_now()
    return IRiskEngine.Price(
        price=word >> words.PRICE,
        observed=word >> words.OBSERVED & M32,
        state=prices._state_of(_asset),
        funding=words._funding(word, now, prices._max_age(load_line.lines[_asset])),
        rate=convert(convert(word << 184, bytes32), int256) >> 232,
    )


@view
@external
def pending(_asset: uint256) -> (uint256, uint256):
    """
    @return Price and effective observation time of a held jump; zeros if none.
    """
    if prices.prices[_asset] & words.PENDING == 0:
        return 0, 0
    held: uint256 = prices.held[_asset]
    return held >> words.PRICE, held >> words.REF_TIME & M32


@view
@external
def tier_requirement(_market: uint256, _size: int256, _basis: uint256) -> uint256:
    """
    @return IM (basis 0, 1) or MM (2) of a leg at the stored price, whatever its state [USD wad].
    """
    context: Context = self._context(_basis, 0)
    margin: uint256 = 0
    above: bool = False
    margin, above = self._tiered(
        _market, self._notional(_size, prices.prices[_market] >> words.PRICE), context
    )
    return margin


# --- internals -------------------------------------------------------------------------------------------


@view
@internal
def _context(_basis: uint256, _floor: uint256) -> Context:
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    return Context(
        basis=_basis,
        floor=_floor,
        clock=clock,
        now=now,
        base=effective_time._base_state(clock, now),
    )


@pure
@internal
def _in_doubt(_clock: uint256) -> bool:
    return _clock >> effective_time.FLAGS & effective_time.FLAG_DOUBT != 0


@view
@internal
def _tiered(_asset: uint256, _notional: uint256, _c: Context) -> (uint256, bool):
    """
    @dev ceil(R(N)) [USD wad], and whether N is above the last bound.
    """
    total: uint256 = 0
    scale: uint256 = 0
    rate: uint256 = 0
    above: bool = False
    total, scale, rate, above = requirement._require_margin(
        _asset, _notional, schedules.UNIT, _c.basis, _c.clock, _c.now
    )
    return fp._div_up(total, scale), above


@pure
@internal
def _notional(_size: int256, _price: uint256) -> uint256:
    return fp._mul_div_up(convert(abs(_size), uint256), _price, WAD)


@view
@internal
def _assess_leg(
    _leg: IRiskEngine.Leg, _c: Context
) -> (int256, uint256, uint256, uint256):
    """
    @dev Value, requirement, state bits, known_since.
    """
    word: uint256 = prices.prices[_leg.market]
    line: uint256 = load_line.lines[_leg.market]
    state: uint256 = 0
    since: uint256 = 0
    state, since = prices._state(_leg.market, word, line, _c.base, _c.now)
    price: uint256 = word >> words.PRICE
    if word & words.PENDING != 0:
        price = self._pick_price(price, prices.held[_leg.market] >> words.PRICE, _leg.size, _c.basis)
    funding: int256 = words._funding(word, _c.now, prices._max_age(line))
    value: int256 = (
        fp._wad_mul_floor(_leg.size, convert(price, int256) - funding) + _leg.base
    )
    if _c.basis == MAINTENANCE and state & effective_time.UNKNOWN != 0:
        return value, 0, state, since
    notional: uint256 = self._notional(_leg.size, price)
    margin: uint256 = 0
    above: bool = False
    margin, above = self._tiered(_leg.market, notional, _c)
    if above:
        state |= 1 << (32 + _leg.market)
    if _c.basis != MAINTENANCE:
        margin = max(margin, fp._mul_div_up(notional, min(_c.floor, PPM), PPM))
        if _c.basis == INITIAL:
            margin += self._surcharge(
                line, notional - margin, _leg.open_interest, word >> words.PRICE
            )
    return value, margin, state, since


@pure
@internal
def _pick_price(_stored: uint256, _held: uint256, _size: int256, _basis: uint256) -> uint256:
    """
    @dev MAINTENANCE the better, else the worse.
    """
    if (_size > 0) == (_basis == MAINTENANCE):
        return max(_stored, _held)
    return min(_stored, _held)


@view
@internal
def _surcharge(
    _line: uint256, _free: uint256, _open_interest: uint256, _price: uint256
) -> uint256:
    """
    @dev Open-interest scaling of what is not yet required (DESIGN 5).
    """
    high: uint256 = decimal_words._decode(_line >> load_line.HARD_CAP) * WAD
    if high == 0:
        return 0
    low: uint256 = decimal_words._decode(_line >> load_line.SOFT_CAP) * WAD
    interest: uint256 = fp._mul_div_up(_open_interest, _price, WAD)
    if interest <= low:
        return 0
    return fp._mul_div_up(_free, min(interest, high) - low, high - low)


@view
@internal
def _assess_holding(_holding: IRiskEngine.Holding, _c: Context) -> (uint256, uint256):
    """
    @dev Value after haircut and state bits.
    """
    asset: uint256 = TOKENS + _holding.token
    word: uint256 = prices.prices[asset]
    line: uint256 = load_line.lines[asset]
    state: uint256 = 0
    since: uint256 = 0
    state, since = prices._state(asset, word, line, _c.base, _c.now)
    if _c.basis != MAINTENANCE and state & effective_time.UNKNOWN != 0:
        return 0, state
    value: uint256 = _holding.amount * (word >> words.PRICE) // WAD
    haircut: uint256 = 0
    above: bool = False
    haircut, above = self._tiered(asset, value, _c)
    return value - min(value, haircut), state
