# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Liquidator
@license AGPL-3.0-only
@notice The rules of the waterfall (DESIGN 8): when an account may be acted upon, by whom and at what price, and who
    pays a hole. Holds no money and has no list of accounts; anyone may call.
@dev Assumes that the ledger trusts this contract as its liquidator, and that ledger and engine are those it was
    built with. Each step acts only where the one before it cannot: 0 and 1 while E < MM (1 until the backstop),
    2 and 3 from the backstop on and with no collateral left for a debt, 3 where the vault has no room.
"""
from contracts.interfaces import ILiquidator
from contracts.modules import auctions
from contracts.modules import collateral_step
from contracts.modules import governance
from contracts.modules import liquidation
from contracts.modules import liquidation_words as words
from contracts.modules import partial_step
from contracts.modules import waterfall

implements: ILiquidator

initializes: governance
initializes: auctions
initializes: liquidation[auctions := auctions]
initializes: partial_step[liquidation := liquidation]
initializes: collateral_step[liquidation := liquidation]
initializes: waterfall[liquidation := liquidation]

exports: (
    governance.hand_over,
    governance.owner,
)


@deploy
def __init__(
    _ledger: address,
    _engine: address,
    _fund: address,
    _vault: address,
    _parameters: ILiquidator.Parameters,
):
    """
    @param _ledger The clearinghouse.
    @param _engine The risk engine.
    @param _fund The insurance fund, of the same ledger.
    @param _vault The backstop vault, of the same ledger.
    @param _parameters See `set_parameters`.
    """
    governance.__init__(self)  # nothing here is the guardian's
    liquidation.__init__(_ledger, _engine, _fund, _vault)
    auctions._set_parameters(_parameters)


# --- anyone ----------------------------------------------------------------------------------------------


@external
def poke(_account: uint256) -> uint256:
    """
    @notice Start, stop or let run the auction clock of an account as its margin demands.
    @return The account's state now.
    """
    case: liquidation.Case = liquidation._open_case(_account)
    auctions._store(_account, case.stored, case.clock)
    return liquidation._state_of(case)


@external
def take(
    _account: uint256, _market: uint256, _size: uint256, _taker: uint256, _limit_price: uint256
) -> uint256:
    """
    @notice Step 1: take part of a position of a liquidatable account into an account of the caller's.
    @param _size [base wad] The most to take; more than `terms` allows is cut to that.
    @param _taker The account that takes; the caller owns it. It needs IM at the live severity afterwards.
    @param _limit_price [USD wad] The most to pay for a long, the least to get for a short.
    @return [base wad] The size taken.
    """
    return partial_step._take(_account, _market, _size, _taker, _limit_price)


@external
def take_collateral(
    _account: uint256, _token: uint256, _amount: uint256, _taker: uint256, _limit_price: uint256
) -> (uint256, uint256):
    """
    @notice Step 0: buy collateral of a liquidatable account that has a debt, for cash of an account of the caller's.
    @param _amount [wad] The most to take; more than `collateral_terms` allows is cut to that.
    @param _taker The account that takes and pays; the caller owns it.
    @param _limit_price [USD wad] The most to pay for one token.
    @return [wad] The amount taken; [USD wad] the payment.
    """
    return collateral_step._take_collateral(_account, _token, _amount, _taker, _limit_price)


@external
def resolve(_account: uint256):
    """
    @notice Steps 2 and 3: hand the book of an account in the backstop to the vault, or where that has no room close
        it at mark against the opposite sides; then split its deficit. Custody sets a small reward apart for the caller.
    """
    waterfall._resolve(_account)


# --- governance ------------------------------------------------------------------------------------------


@external
def set_parameters(_parameters: ILiquidator.Parameters):
    """
    @notice Replace the auction's parameters. Clocks that run keep their elapsed time.
    @param _parameters duration 60..14400, tail 0..86400, discount_min <= discount_max, discount_max + insurance_fee
        < 666,666, min_deficit 1..1e6 USD, reward at most 10 USD.
    """
    governance._check_owner()
    auctions._set_parameters(_parameters)


# --- views -----------------------------------------------------------------------------------------------


@external
@view
def LEDGER() -> address:
    return liquidation.LEDGER.address


@external
@view
def ENGINE() -> address:
    return liquidation.ENGINE.address


@external
@view
def FUND() -> address:
    return liquidation.FUND.address


@external
@view
def VAULT() -> address:
    return liquidation.VAULT.address


@external
@view
def parameters() -> ILiquidator.Parameters:
    return auctions._parameters()


@external
@view
def state(_account: uint256) -> uint256:
    """
    @return 0 healthy, 1 called, 2 liquidatable, 3 backstop, 4 bankrupt.
    """
    return liquidation._state_of(self._case_of(_account))


@external
@view
def auction(_account: uint256) -> (bool, uint256, uint256):
    """
    @return Whether the clock runs; [s] elapsed on it; [ppm of a market's calm MMR_0] the discount of step 1 now.
    """
    case: liquidation.Case = self._case_of(_account)
    share: uint256 = auctions._share_down(case.clock.elapsed, case.parameters)
    return case.clock.running, case.clock.elapsed, share


@external
@view
def terms(_account: uint256, _market: uint256) -> ILiquidator.Terms:
    """
    @notice What `take` would do now; reverts with its reason where it would.
    """
    case: liquidation.Case = liquidation._open_case(_account)
    offer: partial_step.Offer = partial_step._offer_of(case, _market)
    return ILiquidator.Terms(
        least=offer.least,
        most=offer.most,
        price=offer.price,
        fee=offer.fee,
        elapsed=case.clock.elapsed,
    )


@external
@view
def collateral_terms(_account: uint256, _token: uint256) -> ILiquidator.CollateralTerms:
    """
    @notice What `take_collateral` would do now; reverts with its reason where it would.
    """
    case: liquidation.Case = liquidation._open_case(_account)
    sale: collateral_step.Sale = collateral_step._sale_of(case, _token)
    return ILiquidator.CollateralTerms(
        most=sale.most,
        price=sale.price,
        discount=sale.discount,
        debt=sale.debt,
        elapsed=case.clock.elapsed,
    )


@external
@view
def sure_of(_market: uint256, _is_long: bool) -> uint256:
    """
    @return [USD wad] What a side is sure to own now: it is charged no more (FORMULAS 2).
    """
    sure: uint256 = 0
    surety: words.Surety = empty(words.Surety)
    sure, surety = waterfall._sure_down(_market, _is_long)
    return sure


@external
@view
def reward_of(_account: uint256) -> uint256:
    """
    @return [USD wad] What the caller of `resolve` gets for this account.
    """
    return waterfall._reward_of(self._case_of(_account))


# --- internals -------------------------------------------------------------------------------------------


@internal
@view
def _case_of(_account: uint256) -> liquidation.Case:
    """
    @dev Unlike a step, a view answers while paused.
    """
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall liquidation.ENGINE.clock()
    return liquidation._case_at(_account, now)
