# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Steps 2 and 3: the backstop vault or the opposite side takes the book at mark, and the hole is split
@license AGPL-3.0-only
@notice Needs no capital of the caller and no list of accounts. The vault takes the whole book where its rings have room;
    else the legs close at mark and the side opposite to each is cut by the same fraction for everyone. What the
    account cannot pay, the caller's reward among it, the insurance fund covers up to each market's bucket, then the
    opposite sides are charged by loss, never more than FORMULAS 2 allows; the rest is socialised. D = sum of b +
    sum of c + d in integers, whoever took the book.
@dev Reasons: "healthy", "called", "auction running", "collateral first", "price unknown".
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ILiquidator
from contracts.interfaces import IRiskEngine
from contracts.modules import account_state
from contracts.modules import auctions
from contracts.modules import fixed_point
from contracts.modules import ledger_reader
from contracts.modules import liquidation
from contracts.modules import liquidation_words as words
from contracts.modules import reasons
from contracts.modules import side_index

uses: liquidation

UNKNOWN: constant(uint256) = 1  # state bit of the risk engine
NO_MARKET: constant(uint256) = 32  # the fund's bucket of interest
PPM: constant(uint256) = 10**6
WAD: constant(uint256) = 10**18
CAP_UNIT: constant(uint256) = 10**24  # wad · ppm
DUST: constant(uint256) = 10**18  # [USD wad] of all collateral at the mark: holds up no legs
SIGNED_RAY: constant(int256) = 10**27

sureties: HashMap[uint256, uint256]  # 2·market + (1 where the shorts pay) -> packed word


# Who pays D, so far.
struct Split:
    deficit: uint256  # [USD wad] D
    loss: uint256  # [USD wad] W
    loss_left: uint256  # [USD wad] W of the legs not yet seen
    assigned: uint256  # [USD wad] sum of D_m
    insured: uint256  # [USD wad] sum of b_m
    charged: uint256  # [USD wad] sum of c_m


@internal
def _resolve(_account: uint256):
    case: liquidation.Case = liquidation._open_case(_account)
    self._check_resolvable(case)
    self._check_collateral(case.book)
    frozen: uint256 = self._frozen_markets(case)
    is_all: bool = frozen == 0 and len(case.book.holdings) == 0
    reward: uint256 = self._reward_of(case)
    payments: DynArray[uint256, 16] = []
    if is_all:
        payments = self._plan(case, reward)
    is_taken: bool = len(payments) != 0
    taker: address = empty(address)
    if is_taken:
        taker = liquidation.VAULT.address
    cash: int256 = 0
    legs: DynArray[IClearinghouse.ClosedLeg, 16] = []
    cash, legs = extcall liquidation.LEDGER.close_at_mark(_account, frozen, taker, payments)
    if reward != 0:
        extcall liquidation.LEDGER.reward(_account, msg.sender, reward)
        cash -= convert(reward, int256)
    split: Split = self._split_of(legs, self._deficit_of(case, is_all, cash))
    for leg: IClearinghouse.ClosedLeg in legs:
        split = self._settle_leg(_account, leg, is_taken, split, case.parameters.min_deficit)
    if split.deficit > 0 and split.loss == 0:
        split.insured = extcall liquidation.FUND.cover(NO_MARKET, split.deficit)
    self._finish(case, cash, reward, split, is_all)


@internal
def _finish(_case: liquidation.Case, _cash: int256, _reward: uint256, _split: Split, _is_all: bool):
    """
    @dev _is_all: nothing is left but cash, and that is not negative.
    """
    socialised: uint256 = _split.deficit - _split.insured - _split.charged
    if _split.deficit > 0:
        extcall liquidation.LEDGER.write_off(_case.account, _split.deficit, socialised)
    if _is_all:
        liquidation._end_case(_case)
    else:
        liquidation._close_case(_case, liquidation._margin_of(_case.account))
    log ILiquidator.AccountResolved(
        caller=msg.sender,
        account=_case.account,
        cash=_cash,
        reward=_reward,
        deficit=_split.deficit,
        insured=_split.insured,
        charged=_split.charged,
        socialised=socialised,
    )


@internal
@view
def _plan(_case: liquidation.Case, _reward: uint256) -> DynArray[uint256, 16]:
    """
    @dev Step 2: what the vault is paid for each leg, if its rings take the whole book.
    """
    if _case.account >> 96 == convert(liquidation.VAULT.address, uint256):
        return []
    return staticcall liquidation.VAULT.plan(
        _case.book.legs,
        _case.margin.equity - convert(_reward, int256),
        _case.margin.requirement,
    )


@internal
def _settle_leg(
    _account: uint256,
    _leg: IClearinghouse.ClosedLeg,
    _is_taken: bool,
    _split: Split,
    _min_deficit: uint256,
) -> Split:
    """
    @dev Settle one leg's part of the deficit, and deleverage the other side where nobody took it. An aftermath
        begins before the charge is counted: it takes P_ref anew, and what is charged now is charged since.
    """
    split: Split = _split
    share: uint256 = self._share_of(_leg.loss, _split)
    insured: uint256 = 0
    if share > 0:
        insured = extcall liquidation.FUND.cover(_leg.market, share)
    if share - insured > _min_deficit:
        extcall liquidation.ENGINE.begin_aftermath(_leg.market)
    charge: uint256 = 0
    if share > insured:
        charge = self._charge(_leg, share - insured)
    size: uint256 = 0
    if not _is_taken:
        size = convert(abs(_leg.size), uint256)
    if size | charge != 0:
        extcall liquidation.LEDGER.deleverage(_leg.market, _leg.size < 0, size, charge, _leg.g)
    split.loss_left -= _leg.loss
    split.assigned += share
    split.insured += insured
    split.charged += charge
    log ILiquidator.LegResolved(
        account=_account,
        market=_leg.market,
        size=_leg.size,
        taken=_is_taken,
        loss=_leg.loss,
        deficit=share,
        insured=insured,
        charged=charge,
    )
    return split


@internal
@view
def _reward_of(_case: liquidation.Case) -> uint256:
    """
    @dev What the caller gets, small enough that farming it loses: an eighth of the smaller of the insurance fee on a
        minimum position and of what opening one paid in fees, at the entry or at the mark. A position is opened
        once and its two accounts may be resolved up to twice each. Where no leg is left, at most what is missing.
    """
    most: uint256 = _case.parameters.reward
    for leg: IRiskEngine.Leg in _case.book.legs:
        quote: IRiskEngine.Quote = staticcall liquidation.ENGINE.quote(leg.market)
        calm: uint256 = liquidation._reference_of(leg.market).calm_mmr
        fee: uint256 = auctions._rate_down(_case.parameters.insurance_fee, calm)
        rate: uint256 = min(fee, quote.maker_fee + quote.taker_fee)
        whole: uint256 = convert(abs(leg.size), uint256)
        size: uint256 = min(whole, quote.min_size)
        entry: uint256 = fixed_point._mul_div_down(convert(abs(leg.base), uint256), size, whole)
        notional: uint256 = min(entry, fixed_point._mul_div_down(quote.mark, size, WAD))
        return min(most, fixed_point._mul_div_down(notional, rate, PPM) // 8)
    return min(most, fixed_point._positive(-_case.margin.equity))


@internal
def _charge(_leg: IClearinghouse.ClosedLeg, _due: uint256) -> uint256:
    """
    @dev c_m: at most what is due, the leg's own loss, and what the opposite side is still sure to own.
    """
    sure: uint256 = 0
    surety: words.Surety = empty(words.Surety)
    sure, surety = self._sure_down(_leg.market, _leg.size < 0)
    self.sureties[self._key_of(_leg.market, _leg.size < 0)] = words._pack_surety(surety)
    return min(min(_due, _leg.loss), sure)


@internal
@view
def _sure_down(_market: uint256, _is_long: bool) -> (uint256, words.Surety):
    """
    @dev What a side is still sure to own, by its own index: every account of it at or above MM at P_ref owned
        calm MMR_0·P_ref a unit, and since then a scaled unit gained X - X(P_ref): moves of the mark, cuts at the
        marks of their time, funding and every charge are in it. In rays: Q^·(calm·A_ref·P_ref + X - X_ref).
        FORMULAS 2 counts the open interest now and subtracts what was charged: once a side was cut that is too
        little, and where the mark moved against the side too much (docs/decisions).
    """
    reference: IRiskEngine.Reference = staticcall liquidation.ENGINE.reference_of(_market)
    side: IClearinghouse.Side = ledger_reader._side(liquidation.LEDGER.address, _market, _is_long)
    surety: words.Surety = self._surety_of(_market, _is_long, side, reference)
    g: int256 = convert(reference.mark, int256) - reference.funding
    index: int256 = side_index._settled_credit(_is_long, g, side.scale, side.credit)
    sure: uint256 = fixed_point._positive(
        fixed_point._mul_div_floor(convert(side.total, int256), surety.owned + index, SIGNED_RAY)
    )
    return sure, surety


@internal
@view
def _surety_of(
    _market: uint256,
    _is_long: bool,
    _side: IClearinghouse.Side,
    _reference: IRiskEngine.Reference,
) -> words.Surety:
    """
    @dev Kept from the first charge of a round, before its cut. A side that began a new epoch since begins anew.
    """
    surety: words.Surety = words._unpack_surety(self.sureties[self._key_of(_market, _is_long)])
    round: uint256 = (_reference.round + _side.epoch) % 2**32
    if surety.round == round:
        return surety
    g: int256 = convert(_reference.reference, int256) - _reference.funding
    owned: uint256 = fixed_point._mul_div_down(
        _side.scale, _reference.calm_mmr * _reference.reference, CAP_UNIT
    )
    index: int256 = side_index._settled_credit(_is_long, g, _side.scale, _side.credit)
    return words.Surety(round=round, owned=convert(owned, int256) - index - 1)


@internal
@pure
def _key_of(_market: uint256, _is_long: bool) -> uint256:
    return 2 * _market + convert(not _is_long, uint256)


@internal
@pure
def _split_of(_legs: DynArray[IClearinghouse.ClosedLeg, 16], _deficit: uint256) -> Split:
    split: Split = empty(Split)
    split.deficit = _deficit
    for leg: IClearinghouse.ClosedLeg in _legs:
        split.loss += leg.loss
    split.loss_left = split.loss
    return split


@internal
@pure
def _share_of(_loss: uint256, _split: Split) -> uint256:
    """
    @dev D_m = D·w_m/W; the last losing market takes the rounding.
    """
    if _split.deficit == 0 or _loss == 0:
        return 0
    if _loss == _split.loss_left:
        return _split.deficit - _split.assigned
    return fixed_point._mul_div_down(_split.deficit, _loss, _split.loss)


@internal
@view
def _frozen_markets(_case: liquidation.Case) -> uint256:
    """
    @dev Bit m: the leg in market m has an unknown price; not all may. A position of an ended epoch needs no
        price: it is no leg of the book.
    """
    if _case.margin.state & UNKNOWN == 0:
        return 0
    frozen: uint256 = 0
    live: uint256 = 0
    for leg: IRiskEngine.Leg in _case.book.legs:
        reference: IRiskEngine.Reference = liquidation._reference_of(leg.market)
        frozen |= (reference.state & UNKNOWN) << leg.market
        live += 1 - (reference.state & UNKNOWN)
    reasons._require(live > 0 or frozen == 0, reasons.PRICE_UNKNOWN)
    return frozen


@internal
@view
def _check_resolvable(_case: liquidation.Case):
    """
    @dev Names the state of an account that is not for step 3.
    """
    state: uint256 = liquidation._state_of(_case)
    reasons._require(state != account_state.HEALTHY, reasons.HEALTHY)
    reasons._require(state != account_state.CALLED, reasons.CALLED)
    reasons._require(state != account_state.LIQUIDATABLE, reasons.AUCTION_RUNNING)


@internal
@view
def _check_collateral(_book: IClearinghouse.Book):
    """
    @dev Collateral meets a debt before anyone else does. Where there is none (cash + sum of V >= 0, the haircuts
        alone made the account short), step 0 has nothing to sell for and closing leaves no hole: it goes on; so
        it does where all there is has no known price, which step 0 waits for, or is dust: nobody would buy it
        for its discount, and legs would stay open past the aftermath for the sake of a wei. Such dust stays
        with the account and counts, after its haircut, against the deficit.
    """
    worth: uint256 = 0
    for holding: IRiskEngine.Holding in _book.holdings:
        haircut: uint256 = 0
        price: uint256 = 0
        state: uint256 = 0
        haircut, price, state = staticcall liquidation.ENGINE.collateral_terms(holding.token)
        if state & UNKNOWN == 0:
            worth += fixed_point._mul_div_up(holding.amount, price, WAD)
    if worth > DUST or (worth != 0 and len(_book.legs) == 0):
        reasons._require(liquidation._debt_of(_book) == 0, reasons.COLLATERAL_FIRST)


@internal
@view
def _deficit_of(_case: liquidation.Case, _is_all: bool, _cash: int256) -> uint256:
    """
    @dev D = max(0, -E) after the close. What is left behind, legs and collateral of unknown price, counts at its
        best (MAINTENANCE), so D is what is missing whatever that price turns out to be; the rest waits.
    """
    if _is_all:
        return fixed_point._positive(-_cash)
    left: IRiskEngine.Margin = liquidation._margin_of(_case.account)
    return min(fixed_point._positive(-left.equity), fixed_point._positive(-_cash))
