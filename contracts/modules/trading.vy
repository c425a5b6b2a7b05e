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


# One account's side of a trade, kept for its gate.
struct Party:
    account: uint256
    state: ledger_words.AccountState
    cash_before: int256
    change: positions.Change


@external
def trade(
    _maker: uint256, _taker: uint256, _market: uint256, _size: int256, _price: uint256, _reduce: uint256
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
    quote: IRiskEngine.Quote = staticcall IRiskEngine(registry.ENGINE).quote(_market)
    health._check_running(quote.state)
    price: uint256 = self._price_of(quote, _price, _size > 0)
    g: int256 = convert(price, int256) - quote.funding
    notional: uint256 = fixed_point._mul_div_up(convert(abs(_size), uint256), price, WAD)
    maker_fee: uint256 = fixed_point._mul_div_up(notional, quote.maker_fee, PPM)
    taker_fee: uint256 = fixed_point._mul_div_up(notional, quote.taker_fee, PPM)

    sides: ledger_words.Sides = positions._sides(_market)
    interest_before: uint256 = positions._open_interest(_market, sides)
    maker: Party = self._move(_maker, gateway, _market, sides, _size, g, maker_fee)
    taker: Party = self._move(_taker, gateway, _market, maker.change.sides, -_size, g, taker_fee)
    positions._store_sides(_market, taker.change.sides)
    positions._book(_market, maker.change.net + taker.change.net, maker_fee + taker_fee)

    reduce: uint256 = _reduce
    if quote.state & ~PAUSED != 0:
        reduce = MAKER_REDUCES | TAKER_REDUCES
    self._check_party(maker, _market, quote, reduce & MAKER_REDUCES != 0)
    self._check_party(taker, _market, quote, reduce & TAKER_REDUCES != 0)
    self._check_open_interest(
        interest_before, positions._open_interest(_market, taker.change.sides), quote
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
def _move(
    _account: uint256,
    _gateway: uint256,
    _market: uint256,
    _sides: ledger_words.Sides,
    _delta: int256,
    _g: int256,
    _fee: uint256,
) -> Party:
    state: ledger_words.AccountState = accounts._load_open(_account)
    accounts._check_opted_in(state, _gateway)
    return self._change(_account, state, _market, _sides, _delta, _g, _fee)


@internal
def _change(
    _account: uint256,
    _state: ledger_words.AccountState,
    _market: uint256,
    _sides: ledger_words.Sides,
    _delta: int256,
    _g: int256,
    _fee: uint256,
) -> Party:
    """
    @dev Writes position and account; the caller writes sides and net.
    """
    party: Party = Party(
        account=_account,
        state=_state,
        cash_before=_state.cash,
        change=positions._change(_account, _market, _sides, _delta, _g),
    )
    if party.change.scaled == 0:
        party.state.markets = ledger_words._without_market(_state.markets, _market)
    else:
        party.state.markets = ledger_words._with_market(_state.markets, _market)
        self._check_list(party.state)
    party.state.cash += party.change.realised - convert(_fee, int256)
    accounts._store(_account, party.state)
    return party


@view
@internal
def _check_party(_party: Party, _market: uint256, _quote: IRiskEngine.Quote, _must_reduce: bool):
    """
    @dev The gate: E_im >= IM, or reduced without flipping with E' >= 0 and E'·MM >= E·MM'.
    """
    before: int256 = _party.change.before
    after: int256 = _party.change.after
    reduces: bool = abs(after) < abs(before) and (after == 0 or (after > 0) == (before > 0))
    reasons._require(after == 0 or convert(abs(after), uint256) >= _quote.min_size, reasons.BELOW_MINIMUM)
    reasons._require(reduces or not _must_reduce, reasons.REDUCE_ONLY)
    book: IClearinghouse.Book = health._book(_party.account, _party.state)
    margin: IRiskEngine.Margin = health._assess(health.INITIAL, book)
    if not reduces:
        reasons._require(margin.state & SETTLING == 0, reasons.SETTLING)
        reasons._require((margin.state >> (32 + _market)) & 1 == 0, reasons.ABOVE_LAST_BOUND)
        health._check_initial(margin)
    elif margin.equity < convert(margin.requirement, int256):
        self._check_reduction(_party, book, _market)


@view
@internal
def _check_reduction(_party: Party, _book: IClearinghouse.Book, _market: uint256):
    """
    @dev Puts the leg back as it was to learn E and MM before.
    """
    after: IRiskEngine.Margin = health._assess(health.MAINTENANCE, _book)
    book: IClearinghouse.Book = _book
    book.cash += _party.cash_before - _party.state.cash
    found: bool = False
    for i: uint256 in range(len(book.legs), bound=16):
        if book.legs[i].market == _market:
            book.legs[i].size = _party.change.before
            book.legs[i].base = _party.change.base_before
            found = True
    if not found:
        book.legs.append(
            IRiskEngine.Leg(
                market=_market,
                size=_party.change.before,
                base=_party.change.base_before,
                open_interest=0,
            )
        )
    reasons._require(health._improves(health._assess(health.MAINTENANCE, book), after), reasons.MARGIN)


@pure
@internal
def _price_of(_quote: IRiskEngine.Quote, _price: uint256, _maker_buys: bool) -> uint256:
    """
    @dev The order's price within the band; while settling the mark, if the order's price allows it.
    """
    mark: uint256 = _quote.mark
    reasons._require(mark != 0, reasons.NO_PRICE)
    if _quote.state & SETTLING != 0:
        reasons._require(_price == mark or (_price > mark) == _maker_buys, reasons.LIMIT)
        return mark
    distance: uint256 = max(_price, mark) - min(_price, mark)
    reasons._require(distance * PPM <= mark * _quote.band, reasons.PRICE_BAND)
    return _price


@pure
@internal
def _check_open_interest(_before: uint256, _after: uint256, _quote: IRiskEngine.Quote):
    """
    @dev OI' <= max(OI, H), USD at mark.
    """
    if _after > _before and _quote.open_interest_cap != max_value(uint256):
        reasons._require(_after * _quote.mark <= _quote.open_interest_cap * WAD, reasons.OPEN_INTEREST)


@pure
@internal
def _check_size(_maker: uint256, _taker: uint256, _size: int256):
    reasons._require(_size != 0 and abs(_size) < convert(MAX_SIZE, int256), reasons.SIZE)
    reasons._require(_maker != _taker, reasons.SELF_TRADE)


@pure
@internal
def _check_list(_state: ledger_words.AccountState):
    """
    @dev At most 16 markets, one of them where isolated.
    """
    reasons._require(_state.markets != 0, reasons.TOO_MANY_MARKETS)
    reasons._require(_state.mode != ISOLATED or _state.markets < 64, reasons.ISOLATED)
