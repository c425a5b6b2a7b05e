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
    p is the stored price; while a jump is held, the worse of stored and held for INITIAL and LIVE,
    the better for MAINTENANCE (worse: the lower for a long). A leg of unknown price (bit 1) has no
    MM.

    For a holding: v = floor(amount·stored price/1e18), value v - min(v, ceil(R(v))) with the
    basis' haircuts; of unknown price: 0 for INITIAL and LIVE; its state bits are not the book's.
    Positive cash is 0 for INITIAL and LIVE while the settlement token is in doubt. `known_since`
    is the latest of the legs', and of the grace after a pause; it may lie in the future. A leg of
    size 0 adds its base and its state, nothing else. Sizes and open interests of 2**120 and more
    revert. Values add up unchecked: what the ledger sends is far below 2**250.

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
SIGNED_WAD: constant(int256) = 10**18
M32: constant(uint256) = 2**32 - 1


# --- the ledger's questions ----------------------------------------------------------------------


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
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    base: uint256 = effective_time._base_state(clock, now)
    floor_rate: uint256 = min(_floor, PPM)
    equity: int256 = _cash
    if _cash > 0 and _basis != MAINTENANCE and self._in_doubt(clock):
        equity = 0
    needed: uint256 = 0
    states: uint256 = base
    known_since: uint256 = effective_time._known_since(clock)
    ramp: uint256 = load_line.RAMP
    kind: uint256 = 0
    if _basis == MAINTENANCE:
        kind = 4
    for leg: IRiskEngine.Leg in _legs:
        word: uint256 = prices.prices[leg.market]
        line: uint256 = load_line.lines[leg.market]
        price: uint256 = word >> words.PRICE
        state: uint256 = base
        age: uint256 = unsafe_sub(now, word >> words.OBSERVED & M32)
        max_age: uint256 = line >> load_line.PRICE_AGE_X4 & load_line.M16_X4
        if word & words.M6 != 0:
            since: uint256 = 0
            state, since = prices._state(leg.market, word, line, base, now)
            known_since = max(known_since, since)
            if word & words.PENDING != 0:
                price = self._pick_price(leg.market, price, leg.size, _basis)
        elif age > line << 2 & load_line.M12_X4:
            state |= effective_time.OLD
            if age > max_age:
                state |= effective_time.UNKNOWN
        product: int256 = unsafe_mul(
            leg.size,
            unsafe_sub(convert(price, int256), words._funding(word, now, max_age)),
        )
        value: int256 = unsafe_div(product, SIGNED_WAD)
        if unsafe_mul(value, SIGNED_WAD) > product:
            value = unsafe_sub(value, 1)
        equity = unsafe_add(equity, unsafe_add(value, leg.base))
        states |= state
        if _basis == MAINTENANCE and state & effective_time.UNKNOWN != 0:
            continue
        # Requirement
        size: uint256 = convert(abs(leg.size), uint256)
        assert (size | leg.open_interest) >> 120 == 0
        notional: uint256 = unsafe_div(unsafe_add(unsafe_mul(size, price), WAD - 1), WAD)
        severity: uint256 = 0
        depth: uint256 = 0
        severity, depth = load_line._read(line, _basis, clock, now)
        scale: uint256 = schedules.RATE_ONE
        slot: uint256 = unsafe_add(unsafe_mul(leg.market, 8), kind)
        start: uint256 = line >> load_line.RAMP_START & M32
        total: uint256 = 0
        rate: uint256 = 0
        above: bool = False
        if now >= unsafe_add(start, ramp):
            total, rate, above = schedules._scan(
                slot, 128, notional, severity, unsafe_mul(depth, schedules.UNIT)
            )
        else:
            total, rate, above = schedules._blend(
                slot,
                unsafe_sub(now, start),
                ramp,
                notional,
                severity,
                unsafe_mul(depth, schedules.UNIT),
            )
            scale = unsafe_mul(scale, ramp)
        margin: uint256 = unsafe_div(unsafe_add(total, unsafe_sub(scale, 1)), scale)
        if above:
            states |= 1 << unsafe_add(32, leg.market)
        if _basis != MAINTENANCE:
            if floor_rate != 0:
                margin = max(
                    margin,
                    unsafe_div(unsafe_add(unsafe_mul(notional, floor_rate), PPM - 1), PPM),
                )
            if _basis == INITIAL and line & load_line.CAPS != 0:
                margin = self._surcharge(line, notional, margin, leg.open_interest, word)
        needed = unsafe_add(needed, margin)
    for holding: IRiskEngine.Holding in _holdings:
        equity += convert(self._value_holding(holding, _basis, clock, now, base), int256)
    return IRiskEngine.Margin(
        equity=equity, requirement=needed, state=states, known_since=known_since
    )


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
    state, since = prices._state(_market, word, line, effective_time._base_state(clock, now), now)
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


# --- the liquidator's questions ------------------------------------------------------------------


@view
@external
def reference_of(_market: uint256) -> IRiskEngine.Reference:
    """
    @notice Mark, P_ref, and the calm MM rate of bracket 0 (if P_ref was observed before a ramp's
        end: the lower of the two tables'): what an opposite account at or above MM then is sure to
        own.
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
    @notice Smallest size to take of a leg so that E >= (1+b)·MM afterwards; all of it if none is
        (FORMULAS 4).
    @dev With N = ceil(|size|·P/1e18), MM_rest = max(0, _requirement - ceil(R(N))) and q in base
        wei, exactly: g(q) = E - fee·P·q/1e24 - (1+b)·(MM_rest + R(N - P·q/1e18)). Newton from q = 0
        on this concave function: q += ceil(-g/(P·((1+b)·r - fee))), r the marginal rate at the
        present point (the lower bracket's at a bound). It never jumps over a root, each step lands
        in a lower bracket or ends; at most 18 steps for the two tables of a ramp. Ends at g >= 0 or
        q >= |size| (then |size|; also if (1+b)·r <= fee). Everything is multiplied by
        4·1e18·1e12·ramp, ramp = 1 outside a ramp: checked 256-bit products, which bound N and |E|
        to 2**132 wei (5e21 USD).
    """
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    price: uint256 = prices.prices[_market] >> words.PRICE
    size: uint256 = convert(abs(_size), uint256)
    notional: uint256 = fp._mul_div_up(size, price, WAD) * WAD
    assert notional >> 195 == 0
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
            clock,
            now,
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
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    total: uint256 = 0
    scale: uint256 = 0
    rate: uint256 = 0
    above: bool = False
    total, scale, rate, above = requirement._require_margin(asset, 0, 0, MAINTENANCE, clock, now)
    return (
        rate * PPM // scale,
        prices.prices[asset] >> words.PRICE,
        prices._state_of(asset),
    )


# --- the lens' questions -------------------------------------------------------------------------


@view
@external
def severity_now(_asset: uint256) -> (uint256, uint256, uint256, uint256):
    """
    @return s_mm, s_im, depth_mm, depth_im now [ppm].
    """
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    line: uint256 = load_line.lines[_asset]
    s_mm: uint256 = 0
    d_mm: uint256 = 0
    s_im: uint256 = 0
    d_im: uint256 = 0
    s_mm, d_mm = load_line._read(line, MAINTENANCE, clock, now)
    s_im, d_im = load_line._read(line, INITIAL, clock, now)
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
    clock: uint256 = effective_time.word
    price: uint256 = prices.prices[_market] >> words.PRICE
    return self._tiered(
        _market,
        fp._mul_div_up(convert(abs(_size), uint256), price, WAD),
        _basis,
        clock,
        effective_time._now(clock),
    )


# --- internals -----------------------------------------------------------------------------------


@pure
@internal
def _in_doubt(_clock: uint256) -> bool:
    return _clock >> effective_time.FLAGS & effective_time.FLAG_DOUBT != 0


@view
@internal
def _pick_price(_market: uint256, _stored: uint256, _size: int256, _basis: uint256) -> uint256:
    """
    @dev Of stored and held, MAINTENANCE the better, else the worse.
    """
    held: uint256 = prices.held[_market] >> words.PRICE
    if (_size > 0) == (_basis == MAINTENANCE):
        return max(_stored, held)
    return min(_stored, held)


@view
@internal
def _surcharge(
    _line: uint256, _notional: uint256, _margin: uint256, _open_interest: uint256, _word: uint256
) -> uint256:
    """
    @dev The requirement with open-interest scaling (DESIGN 5); _line has caps.
        unsafe: open interest < 2**120, price < 2**90, caps < 2**74·1e18 = 2**134 (decoded as in
        `decimal_words`); margin <= notional as rates and floors are at most 1; low < interest, L <
        H. The product is checked: it reaches 2**256 only above 1e20 USD.
    """
    low: uint256 = unsafe_mul(
        unsafe_mul(_line >> 52 & words.M20, pow_mod256(10, _line >> load_line.SOFT_CAP & 15)), WAD
    )
    interest: uint256 = unsafe_div(
        unsafe_add(unsafe_mul(_open_interest, _word >> words.PRICE), WAD - 1), WAD
    )
    if interest <= low:
        return _margin
    high: uint256 = unsafe_mul(
        unsafe_mul(_line >> 28 & words.M20, pow_mod256(10, _line >> load_line.HARD_CAP & 15)), WAD
    )
    span: uint256 = unsafe_sub(high, low)
    part: uint256 = unsafe_sub(_notional, _margin) * unsafe_sub(min(interest, high), low)
    return unsafe_add(_margin, unsafe_div(unsafe_add(part, unsafe_sub(span, 1)), span))


@view
@internal
def _value_holding(
    _holding: IRiskEngine.Holding, _basis: uint256, _clock: uint256, _now: uint256, _base: uint256
) -> uint256:
    """
    @dev Value after haircut. A token of unknown price is worth nothing to INITIAL and LIVE, and the
        last price to MAINTENANCE; it bars nothing else, so that holding a wei of it is no immunity.
    """
    asset: uint256 = TOKENS + _holding.token
    word: uint256 = prices.prices[asset]
    state: uint256 = 0
    since: uint256 = 0
    state, since = prices._state(asset, word, load_line.lines[asset], _base, _now)
    if _basis != MAINTENANCE and state & effective_time.UNKNOWN != 0:
        return 0
    value: uint256 = _holding.amount * (word >> words.PRICE) // WAD
    return value - min(value, self._tiered(asset, value, _basis, _clock, _now))


@view
@internal
def _tiered(
    _asset: uint256, _n: uint256, _basis: uint256, _clock: uint256, _now: uint256
) -> uint256:
    """
    @dev ceil(R(N)) [USD wad]
    """
    total: uint256 = 0
    scale: uint256 = 0
    rate: uint256 = 0
    above: bool = False
    total, scale, rate, above = requirement._require_margin(
        _asset, _n, schedules.UNIT, _basis, _clock, _now
    )
    return fp._div_up(total, scale)
