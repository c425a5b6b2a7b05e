# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Step 3: the opposite side takes a position at mark, and the hole is split
@license AGPL-3.0-only
@notice Needs no capital and no list of accounts: the legs close at mark, the side opposite to each is cut by the
    same fraction for everyone, and what the account cannot pay is charged to those sides by loss, never more
    than FORMULAS 2 allows; the rest is socialised. D = sum of b + sum of c + d in integers.
@dev Disposal and funding of a deficit are separate: `_insure` is where the insurance fund's b comes in.
    Reasons: "healthy", "called", "auction running", "collateral first", "price unknown".
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ILiquidator
from contracts.interfaces import IRiskEngine
from contracts.modules import account_state
from contracts.modules import auctions
from contracts.modules import fixed_point
from contracts.modules import liquidation
from contracts.modules import liquidation_words as words

uses: liquidation

UNKNOWN: constant(uint256) = 1  # state bit of the risk engine
PPM: constant(uint256) = 10**6
CAP_UNIT: constant(uint256) = 10**24  # wad · ppm

charged: HashMap[uint256, uint256]  # 2·market + (1 where the shorts pay) -> packed word


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
    cash: int256 = 0
    closed: DynArray[IClearinghouse.ClosedLeg, 16] = []
    cash, closed = extcall liquidation.LEDGER.close_at_mark(_account, frozen)
    split: Split = self._split_of(closed, cash, frozen == 0 and len(case.book.holdings) == 0)
    for leg: IClearinghouse.ClosedLeg in closed:
        split = self._settle_leg(_account, leg, split, case.parameters.min_deficit)
    self._finish(case, cash, split)


@internal
def _finish(_case: liquidation.Case, _cash: int256, _split: Split):
    socialised: uint256 = _split.deficit - _split.insured - _split.charged
    if _split.deficit > 0:
        extcall liquidation.LEDGER.write_off(_case.account, socialised)
    liquidation._close_case(_case, liquidation._margin_of(_case.account))
    log ILiquidator.AccountResolved(
        caller=msg.sender,
        account=_case.account,
        cash=_cash,
        deficit=_split.deficit,
        insured=_split.insured,
        charged=_split.charged,
        socialised=socialised,
    )


@internal
def _settle_leg(
    _account: uint256, _leg: IClearinghouse.ClosedLeg, _split: Split, _min_deficit: uint256
) -> Split:
    """
    @dev Deleverage one closed leg with its part of the deficit. An aftermath begins before the charge is counted:
        it takes P_ref anew, and what is charged now is charged since.
    """
    split: Split = _split
    share: uint256 = self._share_of(_leg.loss, _split)
    insured: uint256 = self._insure(_leg.market, share)
    if share - insured > _min_deficit:
        extcall liquidation.ENGINE.begin_aftermath(_leg.market)
    charge: uint256 = 0
    if share > insured:
        charge = self._charge(_leg, share - insured)
    extcall liquidation.LEDGER.deleverage(_leg.market, _leg.size, charge)
    split.loss_left -= _leg.loss
    split.assigned += share
    split.insured += insured
    split.charged += charge
    log ILiquidator.LegResolved(
        account=_account,
        market=_leg.market,
        size=_leg.size,
        loss=_leg.loss,
        deficit=share,
        insured=insured,
        charged=charge,
    )
    return split


@view
@internal
def _insure(_market: uint256, _share: uint256) -> uint256:
    """
    @dev b_m = min(D_m, bucket_m, fund assets left): nothing, until there is an insurance fund.
    """
    return 0


@internal
def _charge(_leg: IClearinghouse.ClosedLeg, _due: uint256) -> uint256:
    """
    @dev c_m: at most what is due, the leg's own loss, and what the opposite side is still sure to own.
    """
    reference: IRiskEngine.Reference = liquidation._reference_of(_leg.market)
    key: uint256 = 2 * _leg.market + convert(_leg.size > 0, uint256)
    before: words.Charged = words._unpack_charged(self.charged[key])
    if before.reference != reference.reference or before.round != reference.round:
        before = words.Charged(
            reference=reference.reference, round=reference.round, amount=0
        )
    sure: uint256 = self._sure_down(_leg, reference)
    charge: uint256 = min(min(_due, _leg.loss), sure - min(before.amount, sure))
    before.amount += charge
    self.charged[key] = words._pack_charged(before)
    return charge


@pure
@internal
def _sure_down(
    _leg: IClearinghouse.ClosedLeg, _reference: IRiskEngine.Reference
) -> uint256:
    """
    @dev OI·(calm MMR_0·P_ref + fav): what every opposite account at or above MM at P_ref owns at least.
    """
    favour: int256 = convert(_reference.mark, int256) - convert(_reference.reference, int256)
    if _leg.size > 0:
        favour = -favour
    unit: uint256 = _reference.calm_mmr * _reference.reference
    unit += PPM * fixed_point._positive(favour)
    return fixed_point._mul_div_down(_leg.opposite, unit, CAP_UNIT)


@pure
@internal
def _split_of(
    _closed: DynArray[IClearinghouse.ClosedLeg, 16], _cash: int256, _is_flat: bool
) -> Split:
    split: Split = empty(Split)
    if _is_flat:
        split.deficit = fixed_point._positive(-_cash)
    for leg: IClearinghouse.ClosedLeg in _closed:
        split.loss += leg.loss
    split.loss_left = split.loss
    return split


@pure
@internal
def _share_of(_loss: uint256, _split: Split) -> uint256:
    """
    @dev D_m = D·w_m/W; the last losing market takes the rounding.
    """
    if _split.deficit == 0 or _loss == 0:
        return 0
    if _loss == _split.loss_left:
        return _split.deficit - _split.assigned
    return fixed_point._mul_div_down(_split.deficit, _loss, _split.loss)


@view
@internal
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
    assert live > 0 or frozen == 0, "price unknown"
    return frozen


@view
@internal
def _check_resolvable(_case: liquidation.Case):
    """
    @dev Names the state of an account that is not for step 3.
    """
    state: uint256 = liquidation._state_of(_case)
    assert state != account_state.HEALTHY, "healthy"
    assert state != account_state.CALLED, "called"
    assert state != account_state.LIQUIDATABLE, "auction running"


@view
@internal
def _check_collateral(_book: IClearinghouse.Book):
    """
    @dev Collateral meets a debt before anyone else does. Where there is none (cash + sum of V >= 0, the haircuts
        alone made the account short), step 0 has nothing to sell for and closing leaves no hole: it goes on.
    """
    assert len(_book.holdings) == 0 or liquidation._debt_of(_book) == 0, "collateral first"
