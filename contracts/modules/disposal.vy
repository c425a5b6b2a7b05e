# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Verbs of the liquidator
@license AGPL-3.0-only
@notice Each conserves value by construction; when one may be used is the liquidator's to know. Nothing is
    paid out: what an account is owed becomes its cash.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICollateralVault
from contracts.interfaces import IRiskEngine
from contracts.modules import accounts
from contracts.modules import custody
from contracts.modules import fixed_point
from contracts.modules import health
from contracts.modules import ledger_words
from contracts.modules import positions
from contracts.modules import reasons
from contracts.modules import registry
from contracts.modules import side_index
from contracts.modules import trading

uses: accounts
uses: custody
uses: health
uses: positions
uses: registry
uses: trading

CROSS: constant(uint256) = 1
SETTLING: constant(uint256) = 1 | 2


@external
def take_over(
    _from: uint256, _to: uint256, _market: uint256, _size: int256, _price: uint256, _fee: uint256
):
    """
    @notice Move part of a leg to another account at a price; _from pays _fee to the market.
    @param _size [base wad] signed: what _to's position gains.
    """
    registry._check_liquidator()
    trading._check_size(_from, _to, _size)
    quote: IRiskEngine.Quote = staticcall IRiskEngine(registry.ENGINE).quote(_market)
    health._check_running(quote.state)
    g: int256 = convert(_price, int256) - quote.funding
    sides: ledger_words.Sides = positions._sides(_market)
    giver: trading.Party = trading._change(
        _from, accounts._load_open(_from), _market, sides, -_size, g, _fee
    )
    self._check_gives(giver.change.before, giver.change.after)
    taker: trading.Party = trading._change(
        _to, accounts._load_open(_to), _market, giver.change.sides, _size, g, 0
    )
    positions._store_sides(_market, taker.change.sides)
    positions._book(_market, giver.change.net + taker.change.net, _fee)
    health._check_initial(health._assess(health.LIVE, health._book(_to, taker.state)))
    log IClearinghouse.TakenOver(
        account=_from, taker=_to, market=_market, size=_size, price=_price, fee=_fee
    )


@external
def sell_collateral(
    _from: uint256, _to: uint256, _token: uint256, _amount: uint256, _payment: uint256
):
    """
    @notice _from sells collateral to _to for some of _to's cash.
    @param _amount [wad]
    @param _payment [USD wad]
    """
    registry._check_liquidator()
    reasons._require(_from != _to, reasons.SELF_TRADE)
    seller: ledger_words.AccountState = accounts._load_open(_from)
    buyer: ledger_words.AccountState = accounts._load_open(_to)
    reasons._require(buyer.mode == CROSS, reasons.MODE)
    seller.tokens, buyer.tokens = extcall ICollateralVault(registry.vault).move(
        _from, _to, _token, _amount
    )
    seller.cash += convert(_payment, int256)
    buyer.cash -= convert(_payment, int256)
    accounts._store(_from, seller)
    accounts._store(_to, buyer)
    reasons._require(buyer.cash >= 0, reasons.CASH)
    margin: IRiskEngine.Margin = health._assess(health.LIVE, health._book(_to, buyer))
    health._check_running(margin.state)
    health._check_initial(margin)
    log IClearinghouse.CollateralSold(
        account=_from, buyer=_to, token=_token, amount=_amount, payment=_payment
    )


@external
def close_at_mark(
    _account: uint256, _markets: DynArray[uint256, 16]
) -> (int256, DynArray[IClearinghouse.ClosedLeg, 16]):
    """
    @notice Close legs at mark into cash, and pay out positions of ended epochs. The sides are out of balance
        until `deleverage` is called for each leg returned.
    @return The account's cash after, and what was closed.
    """
    registry._check_liquidator()
    state: ledger_words.AccountState = accounts._load_open(_account)
    closed: DynArray[IClearinghouse.ClosedLeg, 16] = []
    for market: uint256 in _markets:
        quote: IRiskEngine.Quote = staticcall IRiskEngine(registry.ENGINE).quote(market)
        sides: ledger_words.Sides = positions._sides(market)
        g: int256 = convert(quote.mark, int256) - quote.funding
        change: positions.Change = positions._close_out(_account, market, sides, g)
        positions._store_sides(market, change.sides)
        positions._book(market, change.net, 0)
        state.markets = ledger_words._without_market(state.markets, market)
        state.cash += change.realised
        log IClearinghouse.ClosedAtMark(
            account=_account, market=market, size=change.before, realised=change.realised
        )
        if change.before != 0:
            closed.append(self._closed_leg(market, change, sides, g))
    accounts._store(_account, state)
    return state.cash, closed


@external
def deleverage(_market: uint256, _size: int256, _charge: uint256):
    """
    @notice Cut the side opposite to a leg of _size that was closed at mark, and charge it.
    @param _size [base wad] signed, as it was.
    @param _charge [USD wad]
    """
    registry._check_liquidator()
    quote: IRiskEngine.Quote = staticcall IRiskEngine(registry.ENGINE).quote(_market)
    positions._cut(_market, _size, _charge, convert(quote.mark, int256) - quote.funding)


@external
def write_off(_account: uint256, _socialised: uint256):
    """
    @notice Forgive the negative cash of a flat account; _socialised of it becomes D_h, the rest was charged.
    """
    registry._check_liquidator()
    state: ledger_words.AccountState = accounts._load_open(_account)
    reasons._require(state.markets == 0 and state.cash <= 0, reasons.NOT_FLAT)
    forgiven: uint256 = convert(-state.cash, uint256)
    state.cash = 0
    accounts._store(_account, state)
    custody._socialise(_socialised)
    log IClearinghouse.WrittenOff(account=_account, forgiven=forgiven, socialised=_socialised)


# --- internals -------------------------------------------------------------------------------------------


@view
@internal
def _closed_leg(
    _market: uint256, _change: positions.Change, _before: ledger_words.Sides, _g: int256
) -> IClearinghouse.ClosedLeg:
    value: int256 = fixed_point._wad_mul_floor(_change.before, _g) + _change.base_before
    opposite: uint256 = 0
    if _change.before > 0:
        opposite = positions._effective_total(_market, 1, _before.short_total, _before.short_cut)
    else:
        opposite = positions._effective_total(_market, 0, _before.long_total, _before.long_cut)
    return IClearinghouse.ClosedLeg(
        market=_market,
        size=_change.before,
        loss=fixed_point._positive(-value),
        opposite=opposite,
    )


@pure
@internal
def _check_gives(_before: int256, _after: int256):
    """
    @dev Towards zero, not through it.
    """
    reasons._require(abs(_after) < abs(_before) and (_after == 0 or (_after > 0) == (_before > 0)), reasons.SIZE)
