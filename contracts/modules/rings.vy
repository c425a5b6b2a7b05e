# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The vault's rings: one isolated account of the ledger a market
@license AGPL-3.0-only
@notice Whether the rings can take a book, and what they are worth. A book is taken whole or not at all: each leg's
    ring must have IM at the live severity afterwards, with what it is paid. A ring is given at most its target, net
    of what came back: what a market may cost the vault.
"""
from contracts.interfaces import IBackstopVault
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IRiskEngine
from contracts.modules import fixed_point
from contracts.modules import reasons

MARKETS: constant(uint256) = 32
CROSS: constant(uint256) = 1
ISOLATED: constant(uint256) = 2
BIDDER: constant(uint256) = 32  # subaccount that takes collateral nobody bought
LIVE: constant(uint256) = 1  # bases of the risk engine
MAINTENANCE: constant(uint256) = 2
SETTLING: constant(uint256) = 1 | 2  # state bits of the risk engine
NO_NEW_RISK: constant(uint256) = 32
ABOVE: constant(uint256) = 32
SLACK: constant(uint256) = 10**12  # [USD wad] more than rounding takes of a book

LEDGER: immutable(IClearinghouse)
ENGINE: immutable(IRiskEngine)
CUSTODY: immutable(address)


struct Worth:
    equity: uint256  # [USD wad] of all rings, each at least 0, times h
    is_calm: bool  # no market that a ring has a position in settles


opened: uint256  # bit m: market m has a ring
targets: uint256[MARKETS]  # [USD wad]
given: uint256[MARKETS]  # [USD wad] net of what came back


@deploy
def __init__(_ledger: address, _engine: address):
    assert _ledger.is_contract and _engine.is_contract, "no code"
    LEDGER = IClearinghouse(_ledger)
    ENGINE = IRiskEngine(_engine)
    CUSTODY = staticcall IClearinghouse(_ledger).custody()


# --- views -----------------------------------------------------------------------------------------------


@view
@external
@reentrant
def plan(
    _legs: DynArray[IRiskEngine.Leg, 16], _equity: int256, _mm: uint256
) -> DynArray[uint256, 16]:
    """
    @notice What the vault is paid for each leg of a book, min(E, 2/3 MM) in all, split by MM; nothing where a leg has
        no room in its ring.
    @dev Where the book leaves a hole, no ring of the side that will be charged for it may net against it first.
        A little of E stays behind, so that rounding in the ledger makes no debt. Reentrant: the liquidator asks
        while `take_last` runs at most.
    """
    payments: DynArray[uint256, 16] = []
    due: uint256 = self._payment_of(_equity, _mm)
    left: uint256 = due
    for i: uint256 in range(len(_legs), bound=16):
        if not self._is_open(_legs[i].market):
            return []
        alone: IRiskEngine.Margin = self._assess(MAINTENANCE, 0, [_legs[i]])
        payment: uint256 = left
        if i + 1 != len(_legs):
            payment = fixed_point._mul_div_down(due, alone.requirement, _mm)
        if not self._has_room(_legs[i], alone.equity, payment, _equity < 0):
            return []
        payments.append(payment)
        left -= payment
    return payments


@view
@external
@reentrant
def has_ring(_market: uint256) -> bool:
    return self._is_open(_market)


@view
@external
@reentrant
def ring_of(_market: uint256) -> IBackstopVault.Ring:
    """
    @notice What a market's ring has and needs; reverts where there is none.
    """
    return self._ring_of(_market)


# --- internals -------------------------------------------------------------------------------------------


@internal
def _open(_market: uint256, _gateways: uint256):
    reasons._require(_market < MARKETS, reasons.MARKET)
    self.opened |= 1 << _market
    extcall LEDGER.open_account(_market, ISOLATED, _gateways)
    log IBackstopVault.RingOpened(market=_market, account=self._account_of(_market))


@internal
def _open_bidder():
    extcall LEDGER.open_account(BIDDER, CROSS, 0)


@internal
def _set_target(_market: uint256, _target: uint256):
    self._check_open(_market)
    self.targets[_market] = _target
    log IBackstopVault.RingTargetSet(market=_market, target=_target)


@view
@internal
def _ring_of(_market: uint256) -> IBackstopVault.Ring:
    """
    @dev Of a position of an ended epoch only its cash is seen.
    """
    self._check_open(_market)
    account: uint256 = self._account_of(_market)
    book: IClearinghouse.Book = staticcall LEDGER.book(account)
    size: int256 = 0
    if len(book.legs) != 0:
        size = book.legs[0].size
    live: IRiskEngine.Margin = self._assess(LIVE, book.cash, book.legs)
    return IBackstopVault.Ring(
        account=account,
        target=self.targets[_market],
        given=self.given[_market],
        equity=live.equity,
        requirement=live.requirement,
        size=size,
    )


@view
@internal
def _has_room(_leg: IRiskEngine.Leg, _value: int256, _payment: uint256, _is_hole: bool) -> bool:
    """
    @dev The leg comes at the mark, so its value stays behind. The vault takes no new risk where nobody may.
    """
    book: IClearinghouse.Book = staticcall LEDGER.book(self._account_of(_leg.market))
    leg: IRiskEngine.Leg = _leg
    if len(book.legs) != 0:
        if _is_hole and (leg.size > 0) != (book.legs[0].size > 0):
            return False
        leg.size += book.legs[0].size
        leg.base += book.legs[0].base
    after: IRiskEngine.Margin = self._assess(LIVE, book.cash + convert(_payment, int256), [leg])
    needed: int256 = convert(after.requirement + SLACK, int256)
    barred: uint256 = NO_NEW_RISK | (1 << (ABOVE + leg.market))
    return after.state & barred == 0 and after.equity - _value >= needed


@view
@internal
def _worth() -> Worth:
    worth: Worth = Worth(equity=0, is_calm=True)
    for market: uint256 in range(MARKETS):
        if self._is_open(market):
            book: IClearinghouse.Book = staticcall LEDGER.book(self._account_of(market))
            if len(book.legs) == 0:
                worth.equity += fixed_point._positive(book.cash)
            else:
                margin: IRiskEngine.Margin = self._assess(MAINTENANCE, book.cash, book.legs)
                worth.equity += fixed_point._positive(margin.equity)
                worth.is_calm = worth.is_calm and margin.state & SETTLING == 0
    worth.equity = self._times_h(worth.equity)
    return worth


@view
@internal
def _times_h(_claim: uint256) -> uint256:
    """
    @dev What a claim on the ledger would be paid.
    """
    totals: ICustody.Totals = staticcall ICustody(CUSTODY).totals()
    if totals.deficit == 0:
        return _claim
    return fixed_point._mul_div_down(_claim, totals.tokens, totals.tokens + totals.deficit)


@view
@internal
def _over_h(_payment: uint256) -> uint256:
    """
    @dev The claim that pays at least that much; no claim does where nothing is held.
    """
    totals: ICustody.Totals = staticcall ICustody(CUSTODY).totals()
    if totals.deficit == 0:
        return _payment
    return fixed_point._mul_div_up(_payment, totals.tokens + totals.deficit, max(totals.tokens, 1))


@view
@internal
def _is_flat(_market: uint256) -> bool:
    if not self._is_open(_market):
        return False
    book: IClearinghouse.Book = staticcall LEDGER.book(self._account_of(_market))
    return len(book.legs) == 0


@view
@internal
def _cash_of(_account: uint256) -> int256:
    """
    @dev Settled, or of positions of ended epochs, which `collect` of the ledger settles.
    """
    return (staticcall LEDGER.book(_account)).cash


@view
@internal
def _assess(
    _basis: uint256, _cash: int256, _legs: DynArray[IRiskEngine.Leg, 16]
) -> IRiskEngine.Margin:
    return staticcall ENGINE.assess(_basis, _cash, 0, _legs, [])


@pure
@internal
def _payment_of(_equity: int256, _mm: uint256) -> uint256:
    """
    @dev min(E, 2/3 MM)
    """
    equity: uint256 = fixed_point._positive(_equity - convert(SLACK, int256))
    return min(equity, 2 * _mm // 3)


@view
@internal
def _account_of(_market: uint256) -> uint256:
    return (convert(self, uint256) << 96) | _market


@view
@internal
def _bidder() -> uint256:
    return self._account_of(BIDDER)


@view
@internal
def _check_open(_market: uint256):
    reasons._require(self._is_open(_market), reasons.NOT_OPENED)


@view
@internal
def _is_open(_market: uint256) -> bool:
    return _market < MARKETS and (self.opened >> _market) & 1 == 1
