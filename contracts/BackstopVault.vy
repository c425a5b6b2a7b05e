# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title BackstopVault: ERC-4626 capital that takes positions over
@license AGPL-3.0-only
@notice Takes whole books of accounts in the backstop at the mark and is paid for it (DESIGN 8, step 2). Each market's
    positions are in an isolated account of the ledger, its ring, which is given at most its target: what goes wrong
    there costs the ring. The manager may only reduce a ring's position, near the mark and within a daily loss.

    Where to look: shares, and the delays in and out `shares` · what a ring takes, and what its positions are worth
    `rings` · the manager's verb here.
@dev Safety assumes the ledger, the engine and the gateway of the constructor. Nobody enters or leaves while a market
    that a ring has a position in settles. Assets lying in a ring with a position leave when it is closed.
"""
from ethereum.ercs import IERC20
from ethereum.ercs import IERC4626
from snekmate.auth import ownable
from snekmate.tokens import erc20

from contracts.interfaces import IBackstopVault
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import ILiquidator
from contracts.interfaces import IOrderGateway
from contracts.interfaces import IRiskEngine
from contracts.modules import fixed_point
from contracts.modules import ownership
from contracts.modules import reasons
from contracts.modules import rings
from contracts.modules import shares
from contracts.modules import tokens

implements: IBackstopVault
implements: IERC4626

initializes: ownership
initializes: erc20[ownable := ownable]
initializes: shares[erc20 := erc20]
initializes: rings

exports: (ownership.hand_over, ownership.owner)
exports: (
    erc20.transfer,
    erc20.approve,
    erc20.transferFrom,
    erc20.permit,
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.balanceOf,
    erc20.allowance,
    erc20.totalSupply,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
)
exports: (
    shares.request_deposit,
    shares.cancel_deposit,
    shares.request_redeem,
    shares.cancel_redeem,
    shares.asset,
    shares.deposit_request,
    shares.redeem_request,
    shares.delays,
    shares.convertToShares,
    shares.convertToAssets,
    shares.maxDeposit,
    shares.maxMint,
    shares.maxRedeem,
    shares.maxWithdraw,
    shares.previewDeposit,
    shares.previewMint,
    shares.previewRedeem,
    shares.previewWithdraw,
)
exports: (rings.plan, rings.has_ring, rings.ring_of)

PPM: constant(uint256) = 10**6
DAY: constant(uint256) = 86_400
SETTLEMENT: constant(uint256) = 255  # custody's index of the settlement token
UNKNOWN: constant(uint256) = 1  # state bit of the risk engine
MOST_DISTANCE: constant(uint256) = 100_000  # [ppm]

GATEWAY: immutable(IOrderGateway)
GATEWAY_NUMBER: constant(uint256) = 0

free: public(uint256)  # [token units] in this contract, besides what was handed in for shares
manager: public(address)
distance: public(uint256)  # [ppm] the manager trades at most this far from the mark
daily_loss: public(uint256)  # [USD wad] the manager may lose in a UTC day
day: uint256  # [days since 1970] of `lost`
lost: uint256  # [USD wad]


@deploy
def __init__(
    _ledger: address,
    _engine: address,
    _gateway: address,
    _deposit_delay: uint256,
    _redeem_delay: uint256,
):
    """
    @param _ledger The clearinghouse.
    @param _gateway Takes the manager's orders; number 0 of the ledger.
    @param _deposit_delay [s] an hour to 30 days, as _redeem_delay.
    """
    ownership.__init__()
    assert _gateway.is_contract, "no code"
    GATEWAY = IOrderGateway(_gateway)
    rings.__init__(_ledger, _engine)
    settlement: address = staticcall IClearinghouse(_ledger).settlement()
    erc20.__init__("Plimsoll Backstop", "pBACK", shares.SHARE_DECIMALS, "Plimsoll Backstop", "1")
    shares.__init__(settlement, _deposit_delay, _redeem_delay)
    ok: bool = extcall IERC20(settlement).approve(_ledger, max_value(uint256))
    assert ok, "approve"
    rings._open_bidder()


# --- shareholders ----------------------------------------------------------------------------------------


@external
def deposit(_assets: uint256, _receiver: address) -> uint256:
    """
    @notice Turn tokens that the caller handed in, and that are due, into shares.
    """
    minted: uint256 = shares._shares_down(_assets, self._calm_total())
    self._enter(_assets, minted, _receiver)
    return minted


@external
def mint(_shares: uint256, _receiver: address) -> uint256:
    """
    @notice The same, for a number of shares.
    """
    assets: uint256 = shares._assets_up(_shares, self._calm_total())
    self._enter(assets, _shares, _receiver)
    return assets


@external
def redeem(_shares: uint256, _receiver: address, _owner: address) -> uint256:
    """
    @notice Turn shares that the caller locked, and that are due, into tokens. Rings without a position give theirs
        up for it.
    """
    assets: uint256 = shares._assets_down(_shares, self._calm_total())
    self._leave(assets, _shares, _receiver, _owner)
    return assets


@external
def withdraw(_assets: uint256, _receiver: address, _owner: address) -> uint256:
    """
    @notice The same, for an amount of tokens.
    """
    burned: uint256 = shares._shares_up(_assets, self._calm_total())
    self._leave(_assets, burned, _receiver, _owner)
    return burned


# --- anyone ----------------------------------------------------------------------------------------------


@external
def fill_ring(_market: uint256):
    """
    @notice Give a ring what it was not given yet of its target, as far as there are free assets. Not while accounts
        are owed more than is held: a deposit would share that.
    """
    account: uint256 = rings._account_of(_market)
    totals: ICustody.Totals = staticcall ICustody(rings.CUSTODY).totals()
    reasons._require(totals.deficit == 0, reasons.INSOLVENT)
    given: uint256 = rings.given[_market]
    gap: uint256 = (rings.targets[_market] - min(given, rings.targets[_market])) // shares.UNIT
    amount: uint256 = min(gap, self.free)
    reasons._require(amount != 0, reasons.AMOUNT)
    self.free -= amount
    rings.given[_market] = given + amount * shares.UNIT
    log IBackstopVault.RingFunded(market=_market, amount=convert(amount * shares.UNIT, int256))
    extcall rings.LEDGER.deposit(account, amount)


@external
def drain_ring(_market: uint256):
    """
    @notice Bring back what a ring's cash has above its target.
    """
    ring: IBackstopVault.Ring = rings._ring_of(_market)
    cash: uint256 = fixed_point._positive(rings._cash_of(ring.account))
    amount: uint256 = (cash - min(cash, ring.target)) // shares.UNIT
    reasons._require(amount != 0, reasons.AMOUNT)
    self._drain(_market, ring.account, amount)


@external
def collect(_market: uint256):
    """
    @notice Bring back what was restored of a ring's withdrawals.
    """
    account: uint256 = rings._account_of(_market)
    before: uint256 = tokens._held_by(shares.ASSET, self)
    extcall ICustody(rings.CUSTODY).collect_ticket(account, self)
    extcall ICustody(rings.CUSTODY).release(SETTLEMENT, self)
    self._check_none_waits()
    self.free += tokens._held_by(shares.ASSET, self) - before


@external
def take_last(_account: uint256, _token: uint256):
    """
    @notice Take collateral that nobody bought when its price came down to nothing, so that step 0 ends without
        anybody's capital.
    """
    liquidator: address = staticcall rings.LEDGER.liquidator()
    amount: uint256 = 0
    payment: uint256 = 0
    amount, payment = extcall ILiquidator(liquidator).take_collateral(
        _account, _token, max_value(uint256), rings._bidder(), 0
    )


# --- the manager -----------------------------------------------------------------------------------------


@external
def reduce(_order: IOrderGateway.Order, _signature: Bytes[1024], _size: uint256):
    """
    @notice Take somebody's order against a ring's position, which it must reduce.
    @param _size [base wad]
    """
    reasons._require(msg.sender == self.manager, reasons.NOT_MANAGER)
    before: IBackstopVault.Ring = rings._ring_of(_order.market)
    self._check_reduces(before, _order.size, _size)
    fill: IClearinghouse.Fill = extcall GATEWAY.fill_within(
        _order, _signature, _size, before.account, self._terms(_order.market, before.size > 0)
    )
    after: IBackstopVault.Ring = rings._ring_of(_order.market)
    self._count_loss(_order.market, _size, fixed_point._positive(before.equity - after.equity))


# --- governance ------------------------------------------------------------------------------------------


@external
def open_ring(_market: uint256, _target: uint256):
    """
    @notice Let the vault take positions of a market, with that much capital.
    @param _target [USD wad] that may be given to it in all, net of what comes back.
    """
    ownership._check_owner()
    rings._open(_market, 1 << GATEWAY_NUMBER)
    rings._set_target(_market, _target)


@external
def set_target(_market: uint256, _target: uint256):
    """
    @notice Change how much capital a ring is given in all, net of what comes back [USD wad].
    """
    ownership._check_owner()
    rings._set_target(_market, _target)


@external
def set_manager(_manager: address):
    """
    @notice Who may reduce positions; the zero address for nobody.
    """
    ownership._check_owner()
    self.manager = _manager
    log IBackstopVault.ManagerSet(manager=_manager)


@external
def set_limits(_distance: uint256, _daily_loss: uint256):
    """
    @notice Bound the manager.
    @param _distance [ppm] from the mark, at most 10 %.
    @param _daily_loss [USD wad] in a UTC day.
    """
    ownership._check_owner()
    reasons._require(_distance <= MOST_DISTANCE, reasons.RATE)
    self.distance = _distance
    self.daily_loss = _daily_loss
    log IBackstopVault.LimitsSet(distance=_distance, daily_loss=_daily_loss)


@external
def sell(_token: uint256, _amount: uint256, _receiver: address):
    """
    @notice Hand out collateral that `take_last` brought; the proceeds are brought in by `give`.
    @param _amount [token units]
    """
    ownership._check_owner()
    extcall ICustody(rings.CUSTODY).withdraw(rings._bidder(), _token, _amount, _receiver)


# --- gifts -----------------------------------------------------------------------------------------------


@external
def give(_assets: uint256):
    """
    @notice Add tokens of the caller to the vault's assets, for no shares.
    """
    tokens._check_amount(_assets)
    self.free += _assets
    tokens._pull(shares.ASSET, msg.sender, self, _assets)


# --- views -----------------------------------------------------------------------------------------------


@view
@external
@reentrant
def totalAssets() -> uint256:
    """
    @return [token units] free assets, and what the rings are worth at the marks.
    """
    return self._total(rings._worth())


@view
@external
def lost_today() -> uint256:
    """
    @return [USD wad] lost by the manager in this UTC day.
    """
    if self.day != block.timestamp // DAY:
        return 0
    return self.lost


# --- internals -------------------------------------------------------------------------------------------


@internal
def _enter(_assets: uint256, _shares: uint256, _receiver: address):
    shares._enter(_assets, _shares, _receiver)
    self.free += _assets


@internal
def _leave(_assets: uint256, _shares: uint256, _receiver: address, _owner: address):
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall rings.ENGINE.clock()
    reasons._require(not paused, reasons.PAUSED)
    shares._leave(_assets, _shares, _receiver, _owner)
    self._free_up(_assets)
    self.free -= _assets
    tokens._send(shares.ASSET, _receiver, _assets)


@internal
def _free_up(_assets: uint256):
    """
    @dev From rings without a position, lowest market first.
    """
    for market: uint256 in range(rings.MARKETS):
        if self.free >= _assets:
            return
        if rings._is_flat(market):
            account: uint256 = rings._account_of(market)
            cash: uint256 = fixed_point._positive(rings._cash_of(account)) // shares.UNIT
            amount: uint256 = min(cash, rings._over_h(_assets - self.free))
            if amount != 0:
                self._drain(market, account, amount)
    reasons._require(self.free >= _assets, reasons.NOT_ENOUGH_FREE)


@internal
def _drain(_market: uint256, _account: uint256, _amount: uint256):
    """
    @dev What is not paid of the claim, times h, becomes the ring's ticket.
    """
    before: uint256 = tokens._held_by(shares.ASSET, self)
    extcall rings.LEDGER.withdraw(_account, _amount, self)
    self._check_none_waits()
    received: uint256 = tokens._held_by(shares.ASSET, self) - before
    self.free += received
    rings.given[_market] -= min(rings.given[_market], received * shares.UNIT)
    log IBackstopVault.RingFunded(market=_market, amount=-convert(received * shares.UNIT, int256))


@internal
def _count_loss(_market: uint256, _size: uint256, _loss: uint256):
    today: uint256 = block.timestamp // DAY
    lost: uint256 = _loss
    if self.day == today:
        lost += self.lost
    reasons._require(lost <= self.daily_loss, reasons.LOSS_CAP)
    self.day = today
    self.lost = lost
    log IBackstopVault.PositionReduced(market=_market, size=_size, loss=_loss, lost_today=lost)


@view
@internal
def _terms(_market: uint256, _is_long: bool) -> IOrderGateway.Terms:
    """
    @dev The worst price for the ring: it sells where it is long. A jump that waits for its confirmation would not
        be counted as a loss.
    """
    quote: IRiskEngine.Quote = staticcall rings.ENGINE.quote(_market)
    reasons._require(quote.state & UNKNOWN == 0, reasons.PRICE_UNKNOWN)
    worst: uint256 = fixed_point._mul_div_down(quote.mark, PPM + self.distance, PPM)
    if _is_long:
        worst = fixed_point._mul_div_up(quote.mark, PPM - self.distance, PPM)
    return IOrderGateway.Terms(limit_price=worst, max_fee=quote.taker_fee)


@view
@internal
def _calm_total() -> uint256:
    """
    @dev No market that a ring has a position in settles.
    """
    worth: rings.Worth = rings._worth()
    reasons._require(worth.is_calm, reasons.SETTLING)
    return self._total(worth)


@view
@internal
def _total(_worth: rings.Worth) -> uint256:
    return self.free + _worth.equity // shares.UNIT


@view
@internal
def _check_none_waits():
    """
    @dev Tokens that waited could be released to this contract by anybody, and nobody would count them.
    """
    waiting: uint256 = staticcall ICustody(rings.CUSTODY).waiting(SETTLEMENT, self)
    reasons._require(waiting == 0, reasons.OUTFLOW)


@pure
@internal
def _check_reduces(_ring: IBackstopVault.Ring, _maker_size: int256, _size: uint256):
    """
    @dev Who takes a buyer's order sells.
    """
    reasons._require(_ring.size != 0, reasons.SIZE)
    is_opposite: bool = (_maker_size > 0) == (_ring.size > 0)
    reasons._require(
        is_opposite and _size <= convert(abs(_ring.size), uint256), reasons.REDUCE_ONLY
    )
