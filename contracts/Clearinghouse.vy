# pragma version 0.4.3
# pragma nonreentrancy on
# pragma optimize codesize
"""
@title Clearinghouse: the ledger
@license AGPL-3.0-only
@notice Subaccounts, cash, positions with netting, side indices. Knows who owns what; sets no rate (that is the risk
    engine) and no liquidation rule (that is the liquidator), and holds no token (that is custody).

    Where to look: words and their bits `ledger_words` · accounts and interest `accounts` · positions and side
    indices `positions`, their arithmetic `side_index` · cash in and out `cash` · books and margin gates
    `health` · gateways' verb `trading` · the liquidator's verbs `disposal` · trusted contracts `registry`.

    Safety assumes: the risk engine answers within its bounds; listed tokens are plain ERC-20; gateways and
    the liquidator, registered through the timelock, check who asks. Liveness assumes: price reports arrive.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IRiskEngine
from contracts.modules import accounts
from contracts.modules import cash
from contracts.modules import disposal
from contracts.modules import health
from contracts.modules import ledger_words
from contracts.modules import ownership
from contracts.modules import positions
from contracts.modules import reasons
from contracts.modules import registry
from contracts.modules import trading

implements: IClearinghouse

initializes: ownership
initializes: registry[ownership := ownership]
initializes: accounts[ownership := ownership, registry := registry]
initializes: positions
initializes: health[positions := positions, registry := registry]
initializes: cash[
    accounts := accounts, health := health, positions := positions, registry := registry
]
initializes: trading[
    accounts := accounts, health := health, positions := positions, registry := registry
]
initializes: disposal[
    accounts := accounts,
    cash := cash,
    health := health,
    positions := positions,
    registry := registry,
    trading := trading,
]

# owners of accounts
exports: (
    accounts.open_account,
    accounts.configure,
    cash.deposit,
    cash.withdraw,
    cash.transfer,
)
# anyone
exports: (cash.sweep, disposal.collect)
# gateways
exports: (trading.trade, cash.deposit_from)
# the liquidator
exports: (
    disposal.take_over,
    disposal.pay_for_collateral,
    disposal.reward,
    disposal.close_at_mark,
    disposal.deleverage,
    disposal.write_off,
)
# governance
exports: (
    ownership.hand_over,
    ownership.owner,
    registry.set_gateway_at,
    registry.set_liquidator,
    accounts.set_interest_rate,
)


@deploy
def __init__(_engine: address, _settlement: address, _custody: address):
    """
    @param _engine The risk engine, for good.
    @param _settlement The settlement token, at most 18 decimals.
    @param _custody Holds all tokens; its `set_ledger` is called next.
    """
    ownership.__init__()
    registry.__init__(_engine, _settlement, _custody)
    cash.__init__()


# --- custody --------------------------------------------------------------------------------------------


@external
def note_collateral(_account: uint256, _tokens: uint256):
    """
    @notice Which tokens an account holds now, as bits.
    """
    registry._check_custody()
    state: ledger_words.AccountState = accounts._load_open(_account)
    reasons._require(state.mode == accounts.CROSS, reasons.MODE)
    state.tokens = _tokens
    accounts._store(_account, state)


# --- governance ------------------------------------------------------------------------------------------


@external
def settle_market(_market: uint256):
    """
    @notice End both epochs of a market at its mark: how a market is delisted. It must be reduce-only.
    """
    ownership._check_owner()
    quote: IRiskEngine.Quote = health._quote(_market)
    reasons._require(quote.state == 4, reasons.NOT_REDUCE_ONLY)
    g: int256 = convert(quote.mark, int256) - quote.funding
    positions._settle(_market, positions._sides(_market), g)


# --- views -----------------------------------------------------------------------------------------------
# Raw words are reentrant: no other contract is called between two writes.


@view
@external
def book(_account: uint256) -> IClearinghouse.Book:
    return health._book(_account, accounts._peek(_account), empty(health.Instead))


@view
@external
@reentrant
def account_word(_account: uint256) -> uint256:
    return accounts.words[_account]


@view
@external
@reentrant
def position_word(_account: uint256, _market: uint256) -> uint256:
    return positions.position_words[_account][_market]


@view
@external
@reentrant
def side_word(_market: uint256) -> uint256:
    return positions.side_words[_market]


@view
@external
@reentrant
def cut_word(_side: uint256) -> uint256:
    return positions.cut_words[_side]


@view
@external
@reentrant
def final_credit(_side: uint256, _epoch: uint256) -> int256:
    return positions.finals[_side][_epoch]


@view
@external
@reentrant
def tally_word(_market: uint256) -> uint256:
    return positions.tallies[_market]


@view
@external
@reentrant
def liquidator() -> address:
    return registry.liquidator


@view
@external
@reentrant
def interest() -> accounts.Interest:
    """
    @return Rate, index J and the effective time of J.
    """
    return accounts._interest()


@view
@external
@reentrant
def interest_index_of(_account: uint256) -> uint256:
    """
    @return [ray] J when the account was last touched, where its cash is negative.
    """
    return accounts.indices[_account]


@view
@external
@reentrant
def interest_collected() -> uint256:
    """
    @return [USD wad] not swept yet.
    """
    return accounts.interest_collected


@view
@external
@reentrant
def settlement() -> address:
    return registry.SETTLEMENT


@view
@external
@reentrant
def custody() -> address:
    return registry.CUSTODY


@view
@external
def check_outflow(_account: uint256) -> bool:
    """
    @notice Reverts unless value may leave the account as it stands.
    """
    health._check_outflow(_account, accounts._peek(_account))
    return True


@view
@external
@reentrant
def gateway_at(_gateway: uint256) -> address:
    return registry.gateways[_gateway]


@view
@external
@reentrant
def engine() -> address:
    return registry.ENGINE
