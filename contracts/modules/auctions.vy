# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Auction clock and discounts
@license AGPL-3.0-only
@notice One clock an account (FORMULAS 4). It starts at the first call that sees E < MM, is kept through partial
    takes and while MM <= E < (1+b) MM, ends at E >= (1+b) MM, and stands still (neither runs nor ends) while a
    price of the account is unknown. A tail after T it expires if E >= MM: now, or when it was last seen. (The contract acts only when
    called: without the second half, an account cured long ago and never touched since would fall straight
    into the backstop at its next dip.)
@dev Reason: "out of range".
"""
from contracts.interfaces import ILiquidator
from contracts.interfaces import IRiskEngine
from contracts.modules import account_state
from contracts.modules import fixed_point
from contracts.modules import liquidation_words as words
from contracts.modules import reasons

UNKNOWN: constant(uint256) = 1  # state bit of the risk engine
PPM: constant(uint256) = 10**6
TWO_THIRDS: constant(uint256) = 666_666  # [ppm] discount and fee stay below it, see FORMULAS 4
MIN_DURATION: constant(uint256) = 60  # [s]
MAX_DURATION: constant(uint256) = 4 * 3_600  # [s]
MAX_TAIL: constant(uint256) = 86_400  # [s]
LEAST_MIN_DEFICIT: constant(uint256) = 10**18  # [USD wad]
MOST_MIN_DEFICIT: constant(uint256) = 10**24  # [USD wad]
MOST_REWARD: constant(uint256) = 10**19  # [USD wad]

packed_parameters: uint256
clocks: HashMap[uint256, uint256]


@internal
@view
def _parameters() -> ILiquidator.Parameters:
    return words._unpack_parameters(self.packed_parameters)


@internal
def _set_parameters(_p: ILiquidator.Parameters):
    valid: bool = _p.duration >= MIN_DURATION and _p.duration <= MAX_DURATION
    valid = valid and _p.tail <= MAX_TAIL
    valid = valid and _p.discount_min <= _p.discount_max and _p.discount_max <= PPM
    valid = valid and _p.insurance_fee <= PPM and _p.discount_max + _p.insurance_fee < TWO_THIRDS
    valid = valid and _p.min_deficit >= LEAST_MIN_DEFICIT and _p.min_deficit <= MOST_MIN_DEFICIT
    valid = valid and _p.reward <= MOST_REWARD
    reasons._require(valid, reasons.OUT_OF_RANGE)
    self.packed_parameters = words._pack_parameters(_p)
    log ILiquidator.ParametersSet(
        duration=_p.duration,
        tail=_p.tail,
        discount_min=_p.discount_min,
        discount_max=_p.discount_max,
        insurance_fee=_p.insurance_fee,
        min_deficit=_p.min_deficit,
        reward=_p.reward,
    )


@internal
@view
def _clock_of(_account: uint256) -> words.Clock:
    return words._unpack_clock(self.clocks[_account])


@internal
@pure
def _touch(
    _clock: words.Clock, _margin: IRiskEngine.Margin, _now: uint256, _p: ILiquidator.Parameters
) -> words.Clock:
    """
    @dev The clock as it stands now, given the account's maintenance margin.
    """
    short: bool = account_state._is_short(_margin.equity, _margin.requirement)
    clock: words.Clock = _clock
    if _margin.state & UNKNOWN != 0:
        if clock.running or short:
            return words.Clock(running=True, cured=clock.cured, touched=_now, elapsed=clock.elapsed)
        return empty(words.Clock)
    if account_state._is_restored(_margin.equity, _margin.requirement):
        return empty(words.Clock)
    if clock.running:
        clock.elapsed += _now - min(max(clock.touched, _margin.known_since), _now)
    if clock.elapsed >= _p.duration + _p.tail and (clock.cured or not short):
        clock = empty(words.Clock)
    if not clock.running and not short:
        return empty(words.Clock)
    return words.Clock(running=True, cured=not short, touched=_now, elapsed=clock.elapsed)


@internal
def _store(_account: uint256, _before: words.Clock, _after: words.Clock):
    """
    @dev _before is what storage holds.
    """
    word: uint256 = words._pack_clock(_after)
    if word == words._pack_clock(_before):
        return
    self.clocks[_account] = word
    if not _before.running:
        log ILiquidator.AuctionStarted(account=_account)
    if not _after.running:
        log ILiquidator.AuctionEnded(account=_account)


@internal
@pure
def _share_down(_elapsed: uint256, _p: ILiquidator.Parameters) -> uint256:
    """
    @dev d(t) as a share of the market's calm MMR_0 [ppm] (FORMULAS 4).
    """
    span: uint256 = _p.discount_max - _p.discount_min
    return _p.discount_min + span * min(_elapsed, _p.duration) // _p.duration


@internal
@pure
def _rate_down(_share: uint256, _calm_mmr: uint256) -> uint256:
    """
    @dev A share of the calm MMR_0 as a rate [ppm].
    """
    return fixed_point._mul_div_down(_calm_mmr, _share, PPM)


@internal
@pure
def _collateral_discount_down(_elapsed: uint256, _haircut: uint256, _duration: uint256) -> uint256:
    """
    @dev From 0 to the haircut, which it reaches at T, then to all of the price at 2T [ppm].
    """
    if _elapsed < _duration:
        return _haircut * _elapsed // _duration
    rest: uint256 = min(_elapsed - _duration, _duration)
    return _haircut + (PPM - _haircut) * rest // _duration


@internal
@pure
def _discounted_up(_price: uint256, _discount: uint256) -> uint256:
    """
    @dev Price of a long or a token that is sold: the account gets at least this much.
    """
    return fixed_point._mul_div_up(_price, PPM - _discount, PPM)


@internal
@pure
def _premium_down(_price: uint256, _discount: uint256) -> uint256:
    """
    @dev Price at which a short is bought back: the account pays at most this much.
    """
    return fixed_point._mul_div_down(_price, PPM + _discount, PPM)
