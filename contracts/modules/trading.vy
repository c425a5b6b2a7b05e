# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Trading between two accounts
@license AGPL-3.0-only
@notice The one verb of gateways: positions of two accounts change by opposite amounts at one price, both pay
    their fee, both pass the margin gate. While a market settles, trades happen at its mark and only reduce.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IRiskEngine
from contracts.modules import accounts
from contracts.modules import fixed_point
from contracts.modules import health
from contracts.modules import ledger_words
from contracts.modules import positions
from contracts.modules import reasons
from contracts.modules import registry

uses: accounts
uses: health
uses: positions
uses: registry

WAD: constant(uint256) = 10**18
PPM: constant(uint256) = 10**6
ISOLATED: constant(uint256) = 2
SETTLING: constant(uint256) = 1 | 2
PAUSED: constant(uint256) = 16
MAKER_REDUCES: constant(uint256) = 1
TAKER_REDUCES: constant(uint256) = 2
MAX_SIZE: constant(uint256) = 2**110
MAX_MARKETS: constant(uint256) = 32


@external
def trade(
    _maker: uint256,
    _taker: uint256,
    _market: uint256,
    _size: int256,
    _price: uint256,
    _reduce: uint256,
) -> IClearinghouse.Fill:
    """
    @notice The maker's position changes by _size, the taker's by -_size. Gateways only, for accounts that
        opted in to them.
    @param _size [base wad] signed.
    @param _price [USD wad] within the band of the mark; while the market settles a limit for the mark.
    @param _reduce Bits: 1 the maker only reduces, 2 the taker only reduces.
    """
    gateway: uint256 = registry._calling_gateway()
    self._check_size(_maker, _taker, _size)
    reasons._require(_market < MAX_MARKETS, reasons.MARKET)
    quote: IRiskEngine.Quote = health._quote(_market)
    health._check_running(quote.state)
    price: uint256 = self._price_of(quote, _price, _size > 0)
    g: int256 = convert(price, int256) - quote.funding
    notional: uint256 = fixed_point._mul_div_up(positions._magnitude(_size), price, WAD)
    maker_fee: uint256 = fixed_point._mul_div_up(notional, quote.maker_fee, PPM)
    taker_fee: uint256 = fixed_point._mul_div_up(notional, quote.taker_fee, PPM)

    sides: ledger_words.Sides = positions._sides(_market)
    interest_before: uint256 = positions._open_interest(_market, sides)
    maker: ledger_words.AccountState = self._load(_maker, gateway)
    taker: ledger_words.AccountState = self._load(_taker, gateway)
    made: positions.Change = positions._change(_maker, _market, sides, _size, g, 0)
    taken: positions.Change = positions._change(_taker, _market, made.sides, -_size, g, 0)
    positions._store_or_settle(_market, taken.sides, g)
    positions._book(_market, made.net + taken.net, maker_fee + taker_fee)
    made_state: ledger_words.AccountState = self._apply(_maker, maker, _market, made, maker_fee)
    taken_state: ledger_words.AccountState = self._apply(_taker, taker, _market, taken, taker_fee)

    reduce: uint256 = _reduce
    if quote.state & ~PAUSED != 0:
        reduce = MAKER_REDUCES | TAKER_REDUCES
    self._check_gate(
        _maker, _market, made, maker, made_state, quote.min_size, reduce & MAKER_REDUCES != 0
    )
    self._check_gate(
        _taker, _market, taken, taker, taken_state, quote.min_size, reduce & TAKER_REDUCES != 0
    )
    self._check_open_interest(
        interest_before, positions._open_interest(_market, taken.sides), quote
    )
    log IClearinghouse.Traded(
        maker=_maker,
        taker=_taker,
        market=_market,
        size=_size,
        price=price,
        maker_fee=maker_fee,
        taker_fee=taker_fee,
    )
    return IClearinghouse.Fill(price=price, maker_fee=maker_fee, taker_fee=taker_fee)


# --- internals -------------------------------------------------------------------------------------------


@internal
def _load(_account: uint256, _gateway: uint256) -> ledger_words.AccountState:
    state: ledger_words.AccountState = accounts._load_open(_account)
    accounts._check_opted_in(state, _gateway)
    return state


@internal
def _apply(
    _account: uint256,
    _state: ledger_words.AccountState,
    _market: uint256,
    _change: positions.Change,
    _fee: uint256,
) -> ledger_words.AccountState:
    """
    @dev Writes the account: its list of markets, its cash less the fee.
    """
    state: ledger_words.AccountState = _state
    if _change.scaled == 0:
        state.markets = ledger_words._without_market(state.markets, _market)
    else:
        state.markets = ledger_words._with_market(state.markets, _market)
        self._check_list(state)
    state.cash += _change.realised - convert(_fee, int256)
    accounts._store(_account, state)
    return state


@view
@internal
def _check_gate(
    _account: uint256,
    _market: uint256,
    _change: positions.Change,
    _before: ledger_words.AccountState,
    _after: ledger_words.AccountState,
    _min_size: uint256,
    _must_reduce: bool,
):
    """
    @dev E_im >= IM, or reduced without flipping with E' >= 0 and E'·MM >= E·MM'.
    """
    reduces: bool = health._reduces(_change.before, _change.after)
    is_cut: bool = _change.sides.long_cut or _change.sides.short_cut
    self._check_minimum(_change.after, _min_size, reduces and is_cut)
    nothing: health.Instead = empty(health.Instead)
    margin: IRiskEngine.Margin = health._assess(health.INITIAL, _account, _after, nothing)
    if not reduces:
        reasons._require(not _must_reduce, reasons.REDUCE_ONLY)
        reasons._require(margin.state & SETTLING == 0, reasons.SETTLING)
        health._check_bound(margin, _market)
        health._check_initial(margin)
    elif margin.equity < convert(margin.requirement, int256):
        leg: health.Instead = health.Instead(
            market=_market + 1, size=_change.before, base=_change.base_before
        )
        health._check_improves(
            health._assess(health.MAINTENANCE, _account, _before, leg),
            health._assess(health.MAINTENANCE, _account, _after, nothing),
        )


@pure
@internal
def _check_minimum(_size: int256, _min_size: uint256, _may_leave_dust: bool):
    """
    @dev What remains is nothing, what rounding on a cut market left of it, or at least the minimum.
    """
    size: uint256 = positions._magnitude(_size)
    least: uint256 = 1
    if _may_leave_dust:
        least = positions.SIDE_MIN
    reasons._require(size < least or size >= _min_size, reasons.BELOW_MINIMUM)


@pure
@internal
def _price_of(_quote: IRiskEngine.Quote, _price: uint256, _maker_buys: bool) -> uint256:
    """
    @dev The order's price within the band; while settling the mark, if the order's price allows it.
    """
    mark: uint256 = _quote.mark
    if _quote.state & SETTLING != 0:
        reasons._require(_price == mark or (_price > mark) == _maker_buys, reasons.LIMIT)
        return mark
    distance: uint256 = positions._magnitude(convert(_price, int256) - convert(mark, int256))
    reasons._require(distance * PPM <= mark * _quote.band, reasons.PRICE_BAND)
    return _price


@pure
@internal
def _check_open_interest(_before: uint256, _after: uint256, _quote: IRiskEngine.Quote):
    """
    @dev OI' <= max(OI, H), USD at mark.
    """
    if _after > _before and _quote.open_interest_cap != max_value(uint256):
        reasons._require(
            _after * _quote.mark <= _quote.open_interest_cap * WAD, reasons.OPEN_INTEREST
        )


@pure
@internal
def _check_size(_maker: uint256, _taker: uint256, _size: int256):
    reasons._require(_size != 0 and positions._magnitude(_size) < MAX_SIZE, reasons.SIZE)
    reasons._require(_maker != _taker, reasons.SELF_TRADE)


@pure
@internal
def _check_list(_state: ledger_words.AccountState):
    """
    @dev At most 16 markets, one of them where isolated.
    """
    reasons._require(_state.markets != 0, reasons.TOO_MANY_MARKETS)
    reasons._require(_state.mode != ISOLATED or _state.markets < 64, reasons.ISOLATED)
