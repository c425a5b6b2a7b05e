# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title InsuranceFund: ERC-4626 capital that pays shortfalls
@license AGPL-3.0-only
@notice Pays a market's part of a deficit up to that market's bucket, which its own fees fill up to a cap: a market can
    lose at most what it brought in (or what somebody gave for it). Earns the protocol's fees and interest once
    what was socialised is restored. Its assets are held by custody, apart from those of the accounts.

    Where to look: shares, and the delays in and out `shares` · buckets here.
@dev Safety assumes that custody counts the assets and the ledger names the liquidator. Nobody leaves while a market
    that has a bucket settles. A fund that paid its last unit is worth nothing to its shares: who comes after has all
    but 10^-9 of it.
"""
from ethereum.ercs import IERC4626
from snekmate.auth import ownable
from snekmate.tokens import erc20

from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IInsuranceFund
from contracts.interfaces import IRiskEngine
from contracts.modules import ownership
from contracts.modules import reasons
from contracts.modules import shares
from contracts.modules import tokens

implements: IInsuranceFund
implements: IERC4626

initializes: ownership
initializes: erc20[ownable := ownable]
initializes: shares[erc20 := erc20]

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

MARKETS: constant(uint256) = 33  # 32 markets, then interest
INTEREST: constant(uint256) = 32
SETTLING: constant(uint256) = 1 | 2  # state bits of the risk engine
HALF: constant(uint256) = 2**128 - 1

CUSTODY: immutable(address)
LEDGER: immutable(IClearinghouse)
ENGINE: immutable(IRiskEngine)

buckets: uint256[MARKETS]  # cap 128 | filled 128 [USD wad]


@deploy
def __init__(
    _custody: address,
    _ledger: address,
    _engine: address,
    _deposit_delay: uint256,
    _redeem_delay: uint256,
):
    """
    @param _custody Holds the assets; its `set_insurance_fund` is called next.
    @param _ledger The clearinghouse, which names the liquidator.
    @param _deposit_delay [s] an hour to 30 days, as _redeem_delay.
    """
    ownership.__init__()
    assert _custody.is_contract and _engine.is_contract, "no code"
    CUSTODY = _custody
    LEDGER = IClearinghouse(_ledger)
    ENGINE = IRiskEngine(_engine)
    settlement: address = staticcall IClearinghouse(_ledger).settlement()
    erc20.__init__("Plimsoll Insurance", "pINS", shares.SHARE_DECIMALS, "Plimsoll Insurance", "1")
    shares.__init__(settlement, _deposit_delay, _redeem_delay)


# --- shareholders ----------------------------------------------------------------------------------------


@external
def deposit(_assets: uint256, _receiver: address) -> uint256:
    """
    @notice Turn tokens that the caller handed in, and that are due, into shares.
    """
    minted: uint256 = shares._shares_down(_assets, self._total())
    self._enter(_assets, minted, _receiver)
    return minted


@external
def mint(_shares: uint256, _receiver: address) -> uint256:
    """
    @notice The same, for a number of shares.
    """
    assets: uint256 = shares._assets_up(_shares, self._total())
    self._enter(assets, _shares, _receiver)
    return assets


@external
def redeem(_shares: uint256, _receiver: address, _owner: address) -> uint256:
    """
    @notice Turn shares that the caller locked, and that are due, into tokens.
    """
    assets: uint256 = shares._assets_down(_shares, self._total())
    self._leave(assets, _shares, _receiver, _owner)
    return assets


@external
def withdraw(_assets: uint256, _receiver: address, _owner: address) -> uint256:
    """
    @notice The same, for an amount of tokens.
    """
    burned: uint256 = shares._shares_up(_assets, self._total())
    self._leave(_assets, burned, _receiver, _owner)
    return burned


@external
def give(_market: uint256, _assets: uint256):
    """
    @notice Add tokens of the caller to the fund and to a market's bucket, for no shares.
    """
    tokens._check_amount(_assets)
    amount: uint256 = _assets * shares.UNIT
    self._fill(_market, amount)
    extcall ICustody(CUSTODY).add_insurance(amount)
    tokens._pull(shares.ASSET, msg.sender, CUSTODY, _assets)


# --- the protocol ----------------------------------------------------------------------------------------


@external
def note_income(_market: uint256, _amount: uint256):
    reasons._require(msg.sender == CUSTODY, reasons.NOT_CUSTODY)
    self._fill(_market, _amount)


@external
def cover(_market: uint256, _due: uint256) -> uint256:
    reasons._require(msg.sender == staticcall LEDGER.liquidator(), reasons.NOT_LIQUIDATOR)
    paid: uint256 = self._coverable(_market, _due)
    if paid != 0:
        self.buckets[_market] -= paid
        log IInsuranceFund.ShortfallCovered(
            market=_market, due=_due, paid=paid, bucket=self.buckets[_market] & HALF
        )
        extcall ICustody(CUSTODY).use_insurance(paid)
    return paid


# --- governance ------------------------------------------------------------------------------------------


@external
def set_bucket_cap(_market: uint256, _cap: uint256):
    """
    @notice Bound what a market may ever cost the fund [USD wad]; what is in the bucket above it is so no more.
    """
    ownership._check_owner()
    reasons._require(_cap < 2**112, reasons.AMOUNT)
    filled: uint256 = min(self.buckets[_market] & HALF, _cap)
    self.buckets[_market] = (_cap << 128) | filled
    log IInsuranceFund.BucketCapSet(market=_market, cap=_cap)


# --- views -----------------------------------------------------------------------------------------------


@view
@external
@reentrant
def totalAssets() -> uint256:
    """
    @return [token units] what custody holds for the fund.
    """
    return self._total()


@view
@external
@reentrant
def coverable(_market: uint256, _due: uint256) -> uint256:
    return self._coverable(_market, _due)


@view
@external
@reentrant
def bucket_of(_market: uint256) -> uint256:
    return self.buckets[_market] & HALF


@view
@external
@reentrant
def cap_of(_market: uint256) -> uint256:
    return self.buckets[_market] >> 128


# --- internals -------------------------------------------------------------------------------------------


@internal
def _enter(_assets: uint256, _shares: uint256, _receiver: address):
    shares._enter(_assets, _shares, _receiver)
    extcall ICustody(CUSTODY).add_insurance(_assets * shares.UNIT)
    tokens._send(shares.ASSET, CUSTODY, _assets)


@internal
def _leave(_assets: uint256, _shares: uint256, _receiver: address, _owner: address):
    self._check_calm()
    shares._leave(_assets, _shares, _receiver, _owner)
    extcall ICustody(CUSTODY).pay_insurance(_receiver, _assets * shares.UNIT)


@internal
def _fill(_market: uint256, _amount: uint256):
    """
    @dev What the bucket has no room for is the fund's all the same.
    """
    word: uint256 = self.buckets[_market]
    filled: uint256 = min((word & HALF) + _amount, word >> 128)
    self.buckets[_market] = (word >> 128 << 128) | filled
    log IInsuranceFund.IncomeNoted(market=_market, amount=_amount, bucket=filled)


@view
@internal
def _coverable(_market: uint256, _due: uint256) -> uint256:
    """
    @dev b = min(D, bucket, assets) (FORMULAS 2).
    """
    within: uint256 = min(_due, self.buckets[_market] & HALF)
    if within == 0:
        return 0
    return min(within, staticcall ICustody(CUSTODY).insurance())


@view
@internal
def _total() -> uint256:
    return staticcall ICustody(CUSTODY).insurance() // shares.UNIT


@view
@internal
def _check_calm():
    """
    @dev No market that the fund stands for settles.
    """
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall ENGINE.clock()
    reasons._require(not paused, reasons.PAUSED)
    for market: uint256 in range(INTEREST):
        if self.buckets[market] & HALF != 0:
            quote: IRiskEngine.Quote = staticcall ENGINE.quote(market)
            reasons._require(quote.state & SETTLING == 0, reasons.SETTLING)
