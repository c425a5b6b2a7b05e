# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What a trade would do
@license AGPL-3.0-only
@notice The checks of the ledger's `trade` in its order, against a counterparty that is flat in the market and has
    margin. Whether the account opted in to a gateway is the gateway's to say.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ILens
from contracts.interfaces import IRiskEngine
from contracts.modules import account_state
from contracts.modules import book_math
from contracts.modules import fixed_point
from contracts.modules import ledger_reader
from contracts.modules import lens_links

uses: lens_links

WAD: constant(uint256) = 10**18
PPM: constant(uint256) = 10**6
ISOLATED: constant(uint256) = 2
MAX_MARKETS: constant(uint256) = 16
SETTLING: constant(uint256) = 1 | 2
PAUSED: constant(uint256) = 16
MAX_SIZE: constant(uint256) = 2**110
MARKETS: constant(uint256) = 32
SIDE_MIN: constant(uint256) = 1_000  # [base wad] what rounding on a cut side may leave


# One account before one market, read once.
struct Desk:
    account: uint256
    market: uint256
    mode: uint256
    others: uint256  # markets held besides this one
    interest: uint256  # [base wad] open interest
    book: IClearinghouse.Book
    stand: book_math.Stand
    quote: IRiskEngine.Quote


# A trade tried: price, fee, and the account after.
struct Draft:
    price: uint256
    fee: uint256
    trial: book_math.Trial
    book: IClearinghouse.Book
    initial: IRiskEngine.Margin


@internal
@view
def _desk(_account: uint256, _market: uint256) -> Desk:
    ledger: address = lens_links.LEDGER.address
    holder: IClearinghouse.Account = ledger_reader._account(ledger, _account)
    position: IClearinghouse.Position = ledger_reader._position(ledger, _account, _market)
    long: book_math.Side = self._side(ledger, _market, True)
    short: book_math.Side = self._side(ledger, _market, False)
    others: uint256 = 0
    for market: uint256 in holder.markets:
        if market != _market:
            others += 1
    if not self._is_current(ledger, _market, position):
        position = empty(IClearinghouse.Position)
    return Desk(
        account=_account,
        market=_market,
        mode=holder.mode,
        others=others,
        interest=book_math._interest(short.total, short),
        book=lens_links._book(_account),
        stand=book_math.Stand(
            scaled=position.scaled,
            z=position.z,
            size=position.size,
            base=position.base,
            long=long,
            short=short,
        ),
        quote=lens_links._quote(_market),
    )


@internal
@view
def _preview(_desk: Desk, _size: int256, _price: uint256, _is_maker: bool) -> ILens.Preview:
    draft: Draft = self._draft(_desk, _size, _price, _is_maker)
    reason: String[32] = self._reason(_desk, draft, _size, _price, _is_maker)
    maintenance: IRiskEngine.Margin = lens_links._assess(lens_links.MAINTENANCE, draft.book)
    return ILens.Preview(
        allowed=reason == "",
        reason=reason,
        price=draft.price,
        fee=draft.fee,
        size=draft.trial.size,
        equity_im=draft.initial.equity,
        im=draft.initial.requirement,
        equity=maintenance.equity,
        mm=maintenance.requirement,
        state=lens_links._state_of(_desk.account, draft.initial, maintenance),
    )


@internal
@view
def _max_size(_desk: Desk, _is_buy: bool, _price: uint256, _is_maker: bool) -> uint256:
    """
    @dev Beyond what closes the position, a size is allowed up to one border (E - IM is concave in it).
    """
    against: uint256 = 0
    least: uint256 = 1
    if (_desk.stand.size > 0) != _is_buy or _desk.stand.size == 0:
        against = book_math._magnitude(_desk.stand.size)
        least = max(_desk.quote.min_size, 1)
    # On a cut side what is opened may be held as a wei or two less.
    for first: uint256 in [against + least, against + least + 2]:
        if self._is_allowed(_desk, first, _is_buy, _price, _is_maker):
            return self._border(_desk, first, _is_buy, _price, _is_maker)
    if against == 0 or self._is_allowed(_desk, against, _is_buy, _price, _is_maker):
        return against
    # What remains of a position is at least the minimum.
    if against <= least:
        return 0
    part: uint256 = against - least
    if self._is_allowed(_desk, part, _is_buy, _price, _is_maker):
        return part
    return self._bisect(_desk, 0, part, _is_buy, _price, _is_maker)


@internal
@view
def _border(
    _desk: Desk, _allowed: uint256, _is_buy: bool, _price: uint256, _is_maker: bool
) -> uint256:
    low: uint256 = _allowed
    for i: uint256 in range(111):
        high: uint256 = 2 * low
        if not self._is_allowed(_desk, high, _is_buy, _price, _is_maker):
            return self._bisect(_desk, low, high, _is_buy, _price, _is_maker)
        low = high
    return low


@internal
@view
def _bisect(
    _desk: Desk,
    _allowed: uint256,
    _refused: uint256,
    _is_buy: bool,
    _price: uint256,
    _is_maker: bool,
) -> uint256:
    """
    @dev The largest size below _refused that is allowed, given one border between the two.
    """
    low: uint256 = _allowed
    high: uint256 = _refused
    for i: uint256 in range(111):
        if high - low <= 1:
            break
        middle: uint256 = (low + high) // 2
        if self._is_allowed(_desk, middle, _is_buy, _price, _is_maker):
            low = middle
        else:
            high = middle
    return low


@internal
@view
def _is_allowed(
    _desk: Desk, _size: uint256, _is_buy: bool, _price: uint256, _is_maker: bool
) -> bool:
    if _size >= MAX_SIZE:
        return False
    size: int256 = book_math._with_sign(_size, _is_buy)
    draft: Draft = self._draft(_desk, size, _price, _is_maker)
    return self._reason(_desk, draft, size, _price, _is_maker) == ""


@internal
@view
def _draft(_desk: Desk, _size: int256, _price: uint256, _is_maker: bool) -> Draft:
    draft: Draft = empty(Draft)
    draft.price = _price
    if _desk.quote.state & SETTLING != 0:
        draft.price = _desk.quote.mark
    rate: uint256 = _desk.quote.taker_fee
    if _is_maker:
        rate = _desk.quote.maker_fee
    notional: uint256 = fixed_point._mul_div_up(book_math._magnitude(_size), draft.price, WAD)
    draft.fee = fixed_point._mul_div_up(notional, rate, PPM)
    g: int256 = convert(draft.price, int256) - _desk.quote.funding
    draft.trial = book_math._try(_desk.stand, _size, g)
    draft.book = book_math._book_after(_desk.book, _desk.market, draft.trial, draft.fee)
    draft.initial = lens_links._assess(lens_links.INITIAL, draft.book)
    return draft


@internal
@view
def _reason(
    _desk: Desk, _draft: Draft, _size: int256, _price: uint256, _is_maker: bool
) -> String[32]:
    """
    @dev Empty where the trade is allowed.
    """
    if _size == 0 or book_math._magnitude(_size) >= MAX_SIZE:
        return "size"
    if _desk.market >= MARKETS:
        return "market"
    if _desk.quote.state & PAUSED != 0:
        return "paused"
    if _desk.quote.state & SETTLING != 0:
        if _price != _desk.quote.mark and (_price > _desk.quote.mark) != (_is_maker == (_size > 0)):
            return "limit"
    elif self._distance(_price, _desk.quote.mark) * PPM > _desk.quote.mark * _desk.quote.band:
        return "price band"
    if _desk.mode == 0:
        return "not opened"
    if not _draft.trial.in_range:
        return "too large"
    if _draft.trial.scaled != 0 and _desk.others == MAX_MARKETS:
        return "too many"
    if _draft.trial.scaled != 0 and _desk.others != 0 and _desk.mode == ISOLATED:
        return "isolated"
    return self._gate(_desk, _draft)


@internal
@view
def _gate(_desk: Desk, _draft: Draft) -> String[32]:
    reduces: bool = self._reduces(_desk.stand.size, _draft.trial.size)
    after: uint256 = book_math._magnitude(_draft.trial.size)
    least: uint256 = 1
    if reduces and (_desk.stand.long.is_cut or _desk.stand.short.is_cut):
        least = SIDE_MIN
    if after < _desk.quote.min_size and after >= least:
        return "below minimum"
    is_short: bool = account_state._is_short(_draft.initial.equity, _draft.initial.requirement)
    if reduces:
        if is_short and not self._improves(_desk.book, _draft.book):
            return "margin"
    else:
        if _desk.quote.state & ~PAUSED != 0:
            return "reduce only"
        if _draft.initial.state & SETTLING != 0:
            return "settling"
        if (_draft.initial.state >> (32 + _desk.market)) & 1 == 1:
            return "above last bound"
        if is_short:
            return "initial margin"
    if _draft.trial.interest > _desk.interest and self._is_over_cap(_desk, _draft.trial.interest):
        return "open interest"
    return ""


@internal
@view
def _improves(_before: IClearinghouse.Book, _after: IClearinghouse.Book) -> bool:
    before: IRiskEngine.Margin = lens_links._assess(lens_links.MAINTENANCE, _before)
    after: IRiskEngine.Margin = lens_links._assess(lens_links.MAINTENANCE, _after)
    return account_state._is_no_worse(
        before.equity, before.requirement, after.equity, after.requirement
    )


@internal
@pure
def _is_over_cap(_desk: Desk, _interest: uint256) -> bool:
    """
    @dev OI' > H, USD at mark.
    """
    if _desk.quote.open_interest_cap == max_value(uint256):
        return False
    return _interest * _desk.quote.mark > _desk.quote.open_interest_cap * WAD


@internal
@pure
def _reduces(_before: int256, _after: int256) -> bool:
    """
    @dev Towards zero, not through it.
    """
    if _after < 0:
        return _before < _after
    return _after < _before or (_after == 0 and _before != 0)


@internal
@pure
def _distance(_a: uint256, _b: uint256) -> uint256:
    return max(_a, _b) - min(_a, _b)


@internal
@view
def _side(_ledger: address, _market: uint256, _is_long: bool) -> book_math.Side:
    side: IClearinghouse.Side = ledger_reader._side(_ledger, _market, _is_long)
    return book_math.Side(
        total=side.total,
        scale=side.scale,
        credit=side.credit,
        is_cut=ledger_reader._is_cut(_ledger, _market, _is_long),
    )


@internal
@view
def _is_current(_ledger: address, _market: uint256, _position: IClearinghouse.Position) -> bool:
    """
    @dev Not of an ended epoch.
    """
    side: IClearinghouse.Side = ledger_reader._side(_ledger, _market, _position.scaled > 0)
    return _position.scaled != 0 and _position.epoch == side.epoch
