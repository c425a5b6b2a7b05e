# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A risk engine a test can set by hand
@license AGPL-3.0-only
@notice For tests of the liquidator only: flat rates a market, marks and states as told, no clock but its own.
    `set_shift` adds to every maintenance equity, to stand a wei from a threshold.
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import fixed_point

WAD: constant(uint256) = 10**18
PPM: constant(uint256) = 10**6


struct Market:
    mark: uint256
    pending: uint256  # the better price while unknown, 0 for none
    reference: uint256  # P_ref, 0 for the mark
    round: uint256
    state: uint256
    im: uint256
    mm: uint256
    calm_mmr: uint256
    min_size: uint256


struct Token:
    price: uint256
    haircut: uint256
    state: uint256


markets: HashMap[uint256, Market]
tokens: HashMap[uint256, Token]
offset: int256
paused: bool
paused_total: uint256
known_since: uint256
aftermaths: public(HashMap[uint256, uint256])


@external
def set_market(_market: uint256, _values: Market):
    self.markets[_market] = _values


@external
def set_mark(_market: uint256, _mark: uint256):
    self.markets[_market].mark = _mark


@external
def set_state(_market: uint256, _state: uint256):
    self.markets[_market].state = _state


@external
def set_reference(_market: uint256, _reference: uint256, _round: uint256):
    self.markets[_market].reference = _reference
    self.markets[_market].round = _round


@external
def set_token(_token: uint256, _values: Token):
    self.tokens[_token] = _values


@external
def set_shift(_shift: int256):
    self.offset = _shift


@external
def set_clock(_paused: bool, _paused_total: uint256, _known_since: uint256):
    self.paused = _paused
    self.paused_total = _paused_total
    self.known_since = _known_since


@external
def begin_aftermath(_market: uint256):
    self.aftermaths[_market] += 1
    if self.markets[_market].state & 3 == 0:
        self.markets[_market].reference = self.markets[_market].mark
        self.markets[_market].round += 1
    self.markets[_market].state |= 2


@external
@view
def assess(
    _basis: uint256,
    _cash: int256,
    _floor: uint256,
    _legs: DynArray[IRiskEngine.Leg, 16],
    _holdings: DynArray[IRiskEngine.Holding, 8],
) -> IRiskEngine.Margin:
    margin: IRiskEngine.Margin = empty(IRiskEngine.Margin)
    margin.equity = _cash
    margin.known_since = self.known_since
    if _basis == 2:
        margin.equity += self.offset
    if self.paused:
        margin.state = 16
    for leg: IRiskEngine.Leg in _legs:
        market: Market = self.markets[leg.market]
        margin.state |= market.state
        mark: uint256 = market.mark
        rate: uint256 = market.mm if _basis == 2 else market.im
        if market.state & 1 == 1 and _basis == 2:
            rate = 0
            if market.pending != 0:
                mark = market.pending
        margin.equity += fixed_point._wad_mul_floor(leg.size, convert(mark, int256)) + leg.base
        notional: uint256 = fixed_point._mul_div_up(convert(abs(leg.size), uint256), mark, WAD)
        margin.requirement += fixed_point._mul_div_up(notional, max(rate, _floor), PPM)
    for holding: IRiskEngine.Holding in _holdings:
        token: Token = self.tokens[holding.token]
        margin.state |= token.state
        value: uint256 = fixed_point._mul_div_down(holding.amount, token.price, WAD)
        cut: uint256 = fixed_point._mul_div_up(value, token.haircut, PPM)
        margin.equity += convert(value - min(value, cut), int256)
    return margin


@external
@view
def quote(_market: uint256) -> IRiskEngine.Quote:
    market: Market = self.markets[_market]
    state: uint256 = market.state
    if self.paused:
        state |= 16
    return IRiskEngine.Quote(
        mark=market.mark,
        funding=0,
        state=state,
        band=PPM,
        open_interest_cap=max_value(uint256),
        min_size=market.min_size,
        maker_fee=0,
        taker_fee=0,
    )


@external
@view
def reference_of(_market: uint256) -> IRiskEngine.Reference:
    market: Market = self.markets[_market]
    reference: uint256 = market.reference
    if market.state & 3 == 0:
        reference = market.mark
    return IRiskEngine.Reference(
        mark=market.mark,
        funding=0,
        reference=reference,
        round=market.round,
        calm_mmr=market.calm_mmr,
        state=market.state,
    )


@external
@view
def liquidation_size(
    _market: uint256, _size: int256, _equity: int256, _requirement: uint256, _fee: uint256
) -> uint256:
    """
    @dev FORMULAS 4 with one bracket.
    """
    market: Market = self.markets[_market]
    whole: uint256 = convert(abs(_size), uint256)
    if 5 * market.mm <= 4 * _fee:
        return whole
    need: int256 = 5 * convert(_requirement, int256) - 4 * _equity
    if need <= 0:
        return 0
    scaled: uint256 = convert(need, uint256) * PPM * WAD
    return min(whole, fixed_point._div_up(scaled, market.mark * (5 * market.mm - 4 * _fee)))


@external
@view
def collateral_value(_holdings: DynArray[IRiskEngine.Holding, 8]) -> (uint256, uint256):
    value: uint256 = 0
    state: uint256 = 0
    for holding: IRiskEngine.Holding in _holdings:
        token: Token = self.tokens[holding.token]
        value += fixed_point._mul_div_down(holding.amount, token.price, WAD)
        state |= token.state
    return value, state


@external
@view
def collateral_terms(_token: uint256) -> (uint256, uint256, uint256):
    token: Token = self.tokens[_token]
    return token.haircut, token.price, token.state


@external
@view
def clock() -> (uint256, bool):
    return block.timestamp - self.paused_total, self.paused
