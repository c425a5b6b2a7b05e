# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Accounts: their words, interest on negative cash
@license AGPL-3.0-only
@notice account = owner (160 bits) | subaccount (96 bits). Interest runs on negative cash only: an index J
    grows by rate·dt of effective time, and on every touch, and in every view,
    cash -= ceil(-cash·(J - J0)/RAY) (FORMULAS 9).
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IRiskEngine
from contracts.modules import fixed_point
from contracts.modules import ledger_words
from contracts.modules import ownership
from contracts.modules import reasons
from contracts.modules import registry

uses: ownership
uses: registry

UNOPENED: constant(uint256) = 0
CROSS: constant(uint256) = 1
ISOLATED: constant(uint256) = 2
FLOOR_UNIT: constant(uint256) = 100  # [ppm]
RAY: constant(uint256) = 10**27
PPM: constant(uint256) = 10**6
MAX_RATE: constant(uint256) = 10**27 // (365 * 86400)  # [ray per second] 100 % a year


struct Interest:
    rate: uint256  # [ray per second] 72 bits
    index: uint256  # [ray] J at `at`, 144 bits
    at: uint256  # [s] effective, 40 bits


words: HashMap[uint256, uint256]
indices: HashMap[uint256, uint256]  # [ray] J0 of accounts whose cash is negative
interest_word: uint256
interest_collected: uint256  # [USD wad]


# --- owners ----------------------------------------------------------------------------------------------


@external
def open_account(_subaccount: uint256, _mode: uint256, _gateways: uint256):
    """
    @notice Open a subaccount of the caller, or change the mode of an empty one.
    @param _subaccount At most 96 bits.
    @param _mode 1 CROSS, 2 ISOLATED.
    @param _gateways Bit g: gateway g may trade for the account.
    """
    reasons._require(_subaccount < 2**96, reasons.SUBACCOUNT)
    reasons._require(_mode in [CROSS, ISOLATED], reasons.MODE)
    account: uint256 = (convert(msg.sender, uint256) << 96) | _subaccount
    state: ledger_words.AccountState = self._load(account)
    self._check_empty(state)
    state.mode = _mode
    self._configure(account, state, _gateways, 0)


@external
def configure(_account: uint256, _gateways: uint256, _floor: uint256):
    """
    @notice Set which gateways may trade for the account, and the initial margin asked of oneself at least.
    @param _gateways Bit g: gateway g.
    @param _floor [ppm of notional] a multiple of 100, at most 1e6; 0 for none.
    """
    self._check_owned(_account)
    state: ledger_words.AccountState = self._load_open(_account)
    self._configure(_account, state, _gateways, _floor)


# --- governance ------------------------------------------------------------------------------------------


@external
def set_interest_rate(_rate: uint256):
    """
    @notice Rate on negative cash.
    @param _rate [ray per second], at most 100 % a year.
    """
    ownership._check_owner()
    reasons._require(_rate <= MAX_RATE, reasons.RATE)
    now: uint256 = self._now()
    self.interest_word = (_rate << 184) | (self._index_at(now) << 40) | now
    log IClearinghouse.InterestRateSet(rate=_rate)


# --- internals -------------------------------------------------------------------------------------------


@view
@internal
def _clock() -> (uint256, bool):
    return staticcall IRiskEngine(registry.ENGINE).clock()


@view
@internal
def _now() -> uint256:
    now: uint256 = 0
    paused: bool = False
    now, paused = self._clock()
    return now


@view
@internal
def _interest() -> Interest:
    word: uint256 = self.interest_word
    return Interest(rate=word >> 184, index=(word >> 40) & (2**144 - 1), at=word & (2**40 - 1))


@view
@internal
def _index_at(_now: uint256) -> uint256:
    interest: Interest = self._interest()
    return interest.index + interest.rate * (_now - interest.at)


@view
@internal
def _interest_due(_account: uint256, _cash: int256) -> uint256:
    if _cash >= 0:
        return 0
    grown: uint256 = self._index_at(self._now()) - self.indices[_account]
    return fixed_point._mul_div_up(convert(-_cash, uint256), grown, RAY)


@view
@internal
def _stored(_account: uint256) -> ledger_words.AccountState:
    """
    @dev Without the interest since the last touch.
    """
    return ledger_words._unpack_account(self.words[_account])


@view
@internal
def _peek(_account: uint256) -> ledger_words.AccountState:
    """
    @dev As of now, interest included; for views.
    """
    state: ledger_words.AccountState = self._stored(_account)
    state.cash -= convert(self._interest_due(_account, state.cash), int256)
    return state


@internal
def _load(_account: uint256) -> ledger_words.AccountState:
    """
    @dev Accrues: the interest moves from the account to the protocol. `_store` must follow.
    """
    state: ledger_words.AccountState = self._stored(_account)
    if state.cash < 0:
        due: uint256 = self._interest_due(_account, state.cash)
        state.cash -= convert(due, int256)
        self.interest_collected += due
    return state


@internal
def _load_open(_account: uint256) -> ledger_words.AccountState:
    state: ledger_words.AccountState = self._load(_account)
    reasons._require(state.mode != UNOPENED, reasons.NOT_OPENED)
    return state


@internal
def _configure(
    _account: uint256, _state: ledger_words.AccountState, _gateways: uint256, _floor: uint256
):
    reasons._require(_gateways < 256, reasons.GATEWAY)
    reasons._require(_floor <= PPM and _floor % FLOOR_UNIT == 0, reasons.FLOOR)
    state: ledger_words.AccountState = _state
    state.gateways = _gateways
    state.floor = _floor // FLOOR_UNIT
    self._store(_account, state)
    log IClearinghouse.AccountConfigured(
        account=_account, mode=state.mode, gateways=_gateways, floor=_floor
    )


@internal
def _load_owned(_account: uint256) -> ledger_words.AccountState:
    self._check_owned(_account)
    return self._load_open(_account)


@internal
def _store(_account: uint256, _state: ledger_words.AccountState):
    if _state.cash < 0:
        self.indices[_account] = self._index_at(self._now())
    self._store_word(_account, _state)


@internal
def _store_word(_account: uint256, _state: ledger_words.AccountState):
    """
    @dev Without J0: only where negative cash is forgiven before the call ends, so that no interest runs.
    """
    self.words[_account] = ledger_words._pack_account(_state)


@view
@internal
def _check_owned(_account: uint256):
    reasons._require(_account >> 96 == convert(msg.sender, uint256), reasons.NOT_YOUR_ACCOUNT)


@pure
@internal
def _check_empty(_state: ledger_words.AccountState):
    reasons._require(
        _state.cash == 0 and _state.tokens == 0 and _state.markets == 0, reasons.ACCOUNT_NOT_EMPTY
    )


@pure
@internal
def _check_opted_in(_state: ledger_words.AccountState, _gateway: uint256):
    reasons._require((_state.gateways >> _gateway) & 1 == 1, reasons.NOT_OPTED_IN)
