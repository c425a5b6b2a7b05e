# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Verbs of the liquidator
@license AGPL-3.0-only
@notice Each conserves value by construction; when one may be used (not in a pause) is the
    liquidator's to know. Nothing is
    paid out: what an account is owed becomes its cash.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IRiskEngine
from contracts.modules import accounts
from contracts.modules import cash
from contracts.modules import fixed_point
from contracts.modules import health
from contracts.modules import ledger_words
from contracts.modules import positions
from contracts.modules import reasons
from contracts.modules import registry
from contracts.modules import side_index
from contracts.modules import trading

uses: accounts
uses: cash
uses: health
uses: positions
uses: registry
uses: trading

NO_MARKET: constant(uint256) = 200
SPARE: constant(uint256) = 1  # bit of ranges that is kept for positions that change hands


# A leg, or part of one, that goes to another account.
struct Move:
    market: uint256
    size: int256  # [base wad] what the taker receives
    price: uint256  # [USD wad]
    g: int256  # [USD wad] price less funding
    fee: uint256  # [USD wad] the giver pays the market
    payment: uint256  # [USD wad] the giver pays the taker


@external
def take_over(
    _from: uint256, _to: uint256, _market: uint256, _size: int256, _price: uint256, _fee: uint256
) -> (int256, IRiskEngine.Leg):
    """
    @notice Move part of a leg to another account at a price; _from pays _fee to the market.
    @param _size [base wad] signed: what _to's position gains.
    @return What _from realised [USD wad], before the fee, and what is left of its leg.
    """
    registry._check_liquidator()
    quote: IRiskEngine.Quote = health._quote(_market)
    g: int256 = convert(_price, int256) - quote.funding
    sides: ledger_words.Sides = positions._sides(_market)
    given: positions.Change = positions._change(_from, _market, sides, -_size, g, SPARE)
    reasons._require(health._reduces(given.before, given.after), reasons.SIZE)
    giver: ledger_words.AccountState = accounts._load_open(_from)
    giver = trading._apply(_from, giver, _market, given, _fee)
    move: Move = Move(market=_market, size=_size, price=_price, g=g, fee=_fee, payment=0)
    taker: ledger_words.AccountState = self._pass_on(_from, _to, given, move)
    self._check_live(_to, taker, _market)
    return given.realised, positions._leg(_from, _market)


@external
def pay_for_collateral(_from: uint256, _to: uint256, _payment: uint256):
    """
    @notice Move cash of a buyer of collateral to its seller; the buyer keeps initial margin, cash in hand and
        a CROSS account. The collateral itself moves in custody first.
    @param _payment [USD wad]
    """
    registry._check_liquidator()
    buyer: ledger_words.AccountState = accounts._load_open(_from)
    reasons._require(buyer.mode == accounts.CROSS, reasons.MODE)
    buyer = cash._move_cash(_from, buyer, _to, _payment)
    reasons._require(buyer.cash >= 0, reasons.CASH)
    self._check_live(_from, buyer, NO_MARKET)


@external
def reward(_account: uint256, _receiver: address, _amount: uint256):
    """
    @notice Set a part of an account's cash apart for who resolved it; custody releases it.
    @param _amount [USD wad]
    """
    registry._check_liquidator()
    state: ledger_words.AccountState = accounts._stored(_account)
    state.cash -= convert(_amount, int256)
    self._store_closing(_account, state)
    extcall ICustody(registry.CUSTODY).credit(_receiver, _amount)


@external
def close_at_mark(
    _account: uint256, _keep: uint256, _owner: address, _payments: DynArray[uint256, 16]
) -> (int256, DynArray[IClearinghouse.ClosedLeg, 16]):
    """
    @notice Close legs at mark into cash, and pay out positions of ended epochs. Where nobody takes the legs over, the
        sides are out of balance until `deleverage` is called for each leg returned; negative cash where nothing
        else is left waits for `write_off`.
    @param _keep Bit m: leave the leg in market m.
    @param _owner Who takes the legs over, that of market m into his subaccount m; nobody where zero. Whether he can
        carry them is the liquidator's to know.
    @param _payments [USD wad] what each leg's taker is paid out of the account's cash, in the book's order.
    @return The account's cash after, and what was closed.
    """
    registry._check_liquidator()
    state: ledger_words.AccountState = accounts._load_open(_account)
    closed: DynArray[IClearinghouse.ClosedLeg, 16] = []
    list: uint256 = state.markets
    state.markets = 0
    for i: uint256 in range(16):
        if list == 0:
            break
        market: uint256 = unsafe_sub(list & 63, 1)
        list = list >> 6
        if (_keep >> market) & 1 == 1:
            state.markets = ledger_words._with_market(state.markets, market)
            continue
        quote: IRiskEngine.Quote = health._quote(market)
        g: int256 = convert(quote.mark, int256) - quote.funding
        change: positions.Change = positions._close_out(_account, market, g)
        state.cash += change.realised
        if change.before != 0 and _owner != empty(address):
            payment: uint256 = _payments[len(closed)]
            state.cash -= convert(payment, int256)
            move: Move = Move(
                market=market, size=change.before, price=quote.mark, g=g, fee=0, payment=payment
            )
            self._pass_on(_account, (convert(_owner, uint256) << 96) | market, change, move)
        else:
            self._book_closed(_account, market, change)
        if change.before != 0:
            value: int256 = fixed_point._wad_mul_floor(change.before, g) + change.base_before
            closed.append(
                IClearinghouse.ClosedLeg(
                    market=market, size=change.before, loss=fixed_point._positive(-value), g=g
                )
            )
    self._store_closing(_account, state)
    return state.cash, closed


@external
def deleverage(_market: uint256, _is_long: bool, _size: uint256, _charge: uint256, _g: int256):
    """
    @notice Cut the side opposite to legs that were closed at mark, and charge it.
    @param _is_long Whether the side to cut is the long one.
    @param _size [base wad] 0 to charge only.
    @param _charge [USD wad]
    @param _g [USD wad] Price less funding that the legs closed at.
    """
    registry._check_liquidator()
    positions._cut(_market, _is_long, _size, _charge, _g)


@external
def write_off(_account: uint256, _forgiven: uint256, _socialised: uint256):
    """
    @notice Forgive negative cash of an account whose legs were closed in this call; _socialised of it becomes
        D_h, the rest was charged.
    """
    registry._check_liquidator()
    state: ledger_words.AccountState = accounts._stored(_account)
    state.cash += convert(_forgiven, int256)
    reasons._require(state.cash <= 0, reasons.CASH)
    accounts._store(_account, state)
    if _socialised != 0:
        extcall ICustody(registry.CUSTODY).socialise(_socialised)
    log IClearinghouse.WrittenOff(account=_account, forgiven=_forgiven, socialised=_socialised)


# --- anyone ----------------------------------------------------------------------------------------------


@external
def collect(_account: uint256, _market: uint256):
    """
    @notice Pay out a position of an ended epoch, or one too small to have a size, into the account's cash.
    """
    state: ledger_words.AccountState = accounts._load_open(_account)
    change: positions.Change = positions._close_out(_account, _market, 0)
    reasons._require(change.before == 0, reasons.SIZE)
    self._book_closed(_account, _market, change)
    state.markets = ledger_words._without_market(state.markets, _market)
    state.cash += change.realised
    accounts._store(_account, state)


# --- internals -------------------------------------------------------------------------------------------


@internal
def _pass_on(
    _from: uint256, _to: uint256, _given: positions.Change, _move: Move
) -> ledger_words.AccountState:
    """
    @dev What _from gave up opens for _to, who is paid to take it. Returns the taker's state.
    """
    reasons._require(_from != _to, reasons.SELF_TRADE)
    market: uint256 = _move.market
    taken: positions.Change = positions._change(
        _to, market, _given.sides, _move.size, _move.g, SPARE
    )
    positions._book(market, _given.net + taken.net, _move.fee)
    taker: ledger_words.AccountState = accounts._load_open(_to)
    taker.cash += convert(_move.payment, int256)
    taker = trading._apply(_to, taker, market, taken, 0)
    log IClearinghouse.TakenOver(
        account=_from,
        taker=_to,
        market=market,
        size=_move.size,
        price=_move.price,
        fee=_move.fee,
        payment=_move.payment,
    )
    # Netting may take the last pair of a cut market.
    if taken.before != 0 and (taken.before > 0) != (_move.size > 0):
        positions._store_or_settle(market, taken.sides, _move.g)
    else:
        positions._store_sides(market, taken.sides)
    return taker


@internal
def _store_closing(_account: uint256, _state: ledger_words.AccountState):
    """
    @dev Where nothing but cash is left, negative cash is forgiven before the call ends: no J0 is needed.
    """
    if _state.markets | _state.tokens == 0:
        accounts._store_word(_account, _state)
    else:
        accounts._store(_account, _state)


@internal
def _book_closed(_account: uint256, _market: uint256, _change: positions.Change):
    positions._store_sides(_market, _change.sides)
    positions._book(_market, _change.net, 0)
    log IClearinghouse.ClosedAtMark(
        account=_account, market=_market, size=_change.before, realised=_change.realised
    )


@view
@internal
def _check_live(_account: uint256, _state: ledger_words.AccountState, _market: uint256):
    """
    @dev Take-overs: IM at live severity, without open-interest scaling, and no leg taken above its last bound.
    """
    margin: IRiskEngine.Margin = health._assess(
        health.LIVE, _account, _state, empty(health.Instead)
    )
    health._check_bound(margin, _market)
    health._check_initial(margin)
