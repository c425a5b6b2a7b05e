# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Clearinghouse: the ledger
@license AGPL-3.0-only
@notice Custody, subaccounts, cash and collateral, positions with netting, side indices. Knows who owns what;
    sets no rate (that is the risk engine) and no liquidation rule (that is the liquidator).

    Where to look: words and their bits `ledger_words` · accounts and interest `accounts` · positions and side
    indices `positions`, their arithmetic `side_index` · tokens in and out `custody` · books and margin gates
    `health` · gateways' verb `trading` · the liquidator's verbs `disposal` · trusted contracts `registry`.

    Safety assumes: the risk engine answers within its bounds; listed tokens are plain ERC-20; gateways and
    the liquidator, registered through the timelock, check who asks. Liveness assumes: price reports arrive.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IRiskEngine
from contracts.modules import accounts
from contracts.modules import custody
from contracts.modules import disposal
from contracts.modules import health
from contracts.modules import ledger_words
from contracts.modules import outflow
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
initializes: outflow
initializes: custody[
    accounts := accounts,
    health := health,
    outflow := outflow,
    ownership := ownership,
    registry := registry,
]
initializes: trading[
    accounts := accounts, health := health, positions := positions, registry := registry
]
initializes: disposal[
    accounts := accounts,
    custody := custody,
    health := health,
    positions := positions,
    registry := registry,
    trading := trading,
]

# owners of accounts
exports: (
    accounts.open_account,
    accounts.set_gateway,
    accounts.set_floor,
    custody.deposit,
    custody.withdraw,
    custody.transfer,
)
# anyone
exports: custody.release
# gateways
exports: (trading.trade, custody.deposit_from)
# the liquidator
exports: (
    disposal.take_over,
    disposal.sell_collateral,
    disposal.close_at_mark,
    disposal.deleverage,
    disposal.write_off,
)
# governance
exports: (
    ownership.hand_over,
    ownership.owner,
    registry.add_gateway,
    registry.remove_gateway,
    registry.set_liquidator,
    registry.set_vault,
    accounts.set_interest_rate,
    custody.set_outflow,
)


@deploy
def __init__(_engine: address, _settlement: address):
    """
    @param _engine The risk engine, for good.
    @param _settlement The settlement token, at most 18 decimals.
    """
    ownership.__init__()
    registry.__init__(_engine, _settlement)
    custody.__init__()


# --- anyone ----------------------------------------------------------------------------------------------


@external
def collect(_account: uint256):
    """
    @notice Pay out positions of ended epochs, and those too small to have a size, into the account's cash.
    """
    state: ledger_words.AccountState = accounts._load_open(_account)
    list: uint256 = state.markets
    for i: uint256 in range(16):
        if list == 0:
            break
        market: uint256 = (list & 63) - 1
        list = list >> 6
        sides: ledger_words.Sides = positions._sides(market)
        if positions._held(_account, market, sides).size == 0:
            change: positions.Change = positions._close_out(_account, market, sides, 0)
            positions._store_sides(market, change.sides)
            positions._book(market, change.net, 0)
            state.cash += change.realised
            state.markets = ledger_words._without_market(state.markets, market)
    accounts._store(_account, state)


# --- the collateral vault --------------------------------------------------------------------------------


@external
def note_collateral(_account: uint256, _tokens: uint256):
    """
    @notice Which tokens an account holds now, as bits.
    """
    registry._check_vault()
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
    quote: IRiskEngine.Quote = staticcall IRiskEngine(registry.ENGINE).quote(_market)
    reasons._require(quote.state == 4, reasons.NOT_REDUCE_ONLY)
    g: int256 = convert(quote.mark, int256) - quote.funding
    positions._settle(_market, positions._sides(_market), g)


# --- views -----------------------------------------------------------------------------------------------


@view
@external
def account(_account: uint256) -> IClearinghouse.Account:
    state: ledger_words.AccountState = accounts._peek(_account)
    markets: DynArray[uint256, 16] = []
    for i: uint256 in range(16):
        entry: uint256 = ledger_words._market_at(state.markets, i)
        if entry == 0:
            break
        markets.append(entry - 1)
    return IClearinghouse.Account(
        cash=state.cash,
        mode=state.mode,
        floor=state.floor * 100,
        gateways=state.gateways,
        tokens=state.tokens,
        markets=markets,
    )


@view
@external
def book(_account: uint256) -> IClearinghouse.Book:
    return health._book(_account, accounts._peek(_account))


@view
@external
def position(_account: uint256, _market: uint256) -> IClearinghouse.Position:
    held: positions.Held = positions._held(_account, _market, positions._sides(_market))
    return IClearinghouse.Position(
        scaled=held.scaled, z=held.z, epoch=held.epoch, size=held.size, base=held.base
    )


@view
@external
def market(_market: uint256) -> IClearinghouse.Market:
    sides: ledger_words.Sides = positions._sides(_market)
    long: IClearinghouse.Side = empty(IClearinghouse.Side)
    short: IClearinghouse.Side = empty(IClearinghouse.Side)
    long.scale, long.credit = positions._scale_and_credit(_market, 0, sides.long_cut)
    long.total = sides.long_total
    long.epoch = sides.long_epoch
    short.scale, short.credit = positions._scale_and_credit(_market, 1, sides.short_cut)
    short.total = sides.short_total
    short.epoch = sides.short_epoch
    net: int256 = 0
    fees: uint256 = 0
    net, fees = ledger_words._unpack_books(positions.tallies[_market])
    return IClearinghouse.Market(long=long, short=short, net=net, fees=fees)


@view
@external
def custody_totals() -> IClearinghouse.Custody:
    return IClearinghouse.Custody(
        tokens=custody.vault >> 112,
        deficit=custody.vault & (2**112 - 1),
        tickets=custody.tickets_total,
        interest=accounts.interest_collected,
    )


@view
@external
def settlement() -> address:
    return registry.SETTLEMENT


@view
@external
def vault() -> address:
    return registry.vault


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
def gateway_at(_gateway: uint256) -> address:
    return registry.gateways[_gateway]


@view
@external
def waiting(_receiver: address) -> uint256:
    """
    @return [USD wad] payments the outflow bucket had no room for yet.
    """
    return outflow.waiting[255][_receiver]


@view
@external
def ticket(_account: uint256) -> uint256:
    """
    @return [USD wad] the unpaid part of the account's withdrawals.
    """
    return custody.tickets[_account]


@view
@external
def engine() -> address:
    return registry.ENGINE
