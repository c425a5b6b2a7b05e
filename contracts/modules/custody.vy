# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Custody: tokens in and out, the solvency ratio h, the outflow bucket and its queue
@license AGPL-3.0-only
@notice Deposits credit face. A withdrawal of claim x of the settlement token pays floor(x·T/(T + D_h)), the
    unpaid part becomes a ticket (FORMULAS 8). Per token at most `cap` leaves in a `window`, refilled
    linearly (FORMULAS 9); what is above waits in a queue that anyone may release.
@dev Only plain ERC-20: a transfer that moves less than asked reverts. Tokens sent here directly are nobody's.
    Token index 255 is the settlement token. Amounts are in token units outside, in wad inside.
"""
from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

from contracts.interfaces import IClearinghouse
from contracts.interfaces import IRiskEngine
from contracts.modules import accounts
from contracts.modules import fixed_point
from contracts.modules import health
from contracts.modules import ledger_words
from contracts.modules import ownership
from contracts.modules import registry

uses: accounts
uses: health
uses: ownership
uses: registry

SETTLEMENT_INDEX: constant(uint256) = 255
MAX_TOKENS: constant(uint256) = 8
CROSS: constant(uint256) = 1
PPM: constant(uint256) = 10**6
SETTLING: constant(uint256) = 1 | 2
HALF: constant(uint256) = 2**112 - 1
MAX_CAP: constant(uint256) = 2**96 - 1
MIN_WINDOW: constant(uint256) = 3_600
MAX_WINDOW: constant(uint256) = 30 * 86_400

UNIT: immutable(uint256)  # wad per unit of the settlement token


struct Token:
    token: address
    unit: uint256  # wad per token unit
    cap: uint256  # [wad] all accounts together
    total: uint256  # [wad]


struct Withdrawal:
    amount: uint256  # [wad] claim, already taken from the account
    receiver: address


token_count: uint256
tokens: HashMap[uint256, Token]
collateral_multiple: uint256  # [ppm] non-cash collateral's value per settlement token held, at most
vault: uint256  # T 112 | D_h 112 [USD wad]
tickets_total: uint256  # [USD wad] R
tickets: HashMap[uint256, uint256]  # account -> [USD wad] unpaid part of its withdrawals
outflows: HashMap[uint256, uint256]  # token -> cap 96 [wad] | out 96 [wad] | window 24 [s] | at 40 [s]
queue: HashMap[uint256, HashMap[uint256, Withdrawal]]  # account -> token
queued_total: uint256  # [USD wad] of the settlement token


@deploy
def __init__():
    """
    @dev After registry.__init__.
    """
    UNIT = self._unit_of(registry.SETTLEMENT)
    self.outflows[SETTLEMENT_INDEX] = self._pack_outflow(MAX_CAP, 0, 86_400, 0)


# --- users -----------------------------------------------------------------------------------------------


@external
def deposit(_account: uint256, _token: uint256, _amount: uint256):
    """
    @notice Put the caller's tokens into any opened account; collateral tokens into CROSS accounts.
    @param _token 255 the settlement token, 0..7 a collateral token.
    @param _amount [token units]
    """
    self._deposit(_account, _token, _amount, msg.sender)


@external
def deposit_from(_account: uint256, _token: uint256, _amount: uint256):
    """
    @notice The same for a gateway the account opted in to, paid by the account's owner.
    """
    gateway: uint256 = registry._calling_gateway()
    state: ledger_words.AccountState = ledger_words._unpack_account(accounts.words[_account])
    assert (state.gateways >> gateway) & 1 == 1, "gateway not allowed"
    self._deposit(_account, _token, _amount, convert(_account >> 96, address))


@external
def withdraw(_account: uint256, _token: uint256, _amount: uint256, _receiver: address):
    """
    @notice Take settled cash or collateral out, down to initial margin. Queued where the outflow bucket is full.
    @param _amount [token units]
    """
    state: ledger_words.AccountState = accounts._load_owned(_account)
    self._check_amount(_amount)
    assert _receiver not in [empty(address), self], "receiver"
    unit: uint256 = self._unit(_token)
    if _token == SETTLEMENT_INDEX:
        state.cash -= convert(_amount * unit, int256)
    else:
        state.tokens = accounts._debit_token(_account, state, _token, _amount * unit)
    accounts._store(_account, state)
    health._check_outflow(_account, state)
    if _amount * unit <= self._room(_token):
        self._pay(_account, _token, _amount * unit, _receiver)
    else:
        self._enqueue(_account, _token, _amount * unit, _receiver)


@external
def transfer(_from: uint256, _to: uint256, _amount: uint256):
    """
    @notice Move settled cash between accounts, down to initial margin.
    @param _amount [USD wad]
    """
    giver: ledger_words.AccountState = accounts._load_owned(_from)
    self._check_amount(_amount)
    assert _from != _to, "same account"
    giver.cash -= convert(_amount, int256)
    accounts._store(_from, giver)
    taker: ledger_words.AccountState = accounts._load_open(_to)
    taker.cash += convert(_amount, int256)
    accounts._store(_to, taker)
    health._check_outflow(_from, giver)
    log IClearinghouse.Transferred(account=_from, to=_to, amount=_amount)


@external
def release(_account: uint256, _token: uint256):
    """
    @notice Pay what the bucket has room for of a queued withdrawal, to its receiver. Anyone may call.
    """
    waiting: Withdrawal = self.queue[_account][_token]
    unit: uint256 = self._unit(_token)
    paid: uint256 = min(waiting.amount, self._room(_token)) // unit * unit
    self._check_amount(paid)
    self._check_not_settling(_account)
    self._take_from_queue(_account, _token, paid)
    self._pay(_account, _token, paid, waiting.receiver)


@external
def cancel_withdrawal(_account: uint256, _token: uint256):
    """
    @notice Put a queued withdrawal back into the account.
    """
    state: ledger_words.AccountState = accounts._load_owned(_account)
    amount: uint256 = self.queue[_account][_token].amount
    self._check_amount(amount)
    self._take_from_queue(_account, _token, amount)
    if _token == SETTLEMENT_INDEX:
        state.cash += convert(amount, int256)
    else:
        state.tokens = accounts._credit_token(_account, state, _token, amount)
    accounts._store(_account, state)
    log IClearinghouse.WithdrawalCancelled(account=_account, token=_token, amount=amount)


# --- governance ------------------------------------------------------------------------------------------


@external
def list_token(_token: address, _cap: uint256, _outflow_cap: uint256, _window: uint256) -> uint256:
    """
    @notice List a collateral token: a plain ERC-20 with at most 18 decimals, priced by the engine as asset
        32 + its index. Fee-on-transfer, rebasing and hook tokens are not to be listed.
    @param _cap [wad] all accounts together.
    """
    ownership._check_owner()
    index: uint256 = self.token_count
    assert index < MAX_TOKENS and _token != registry.SETTLEMENT, "token"
    for i: uint256 in range(MAX_TOKENS):
        assert self.tokens[i].token != _token, "token"
    self.token_count = index + 1
    self.tokens[index] = Token(token=_token, unit=self._unit_of(_token), cap=_cap, total=0)
    self._set_outflow(index, _outflow_cap, _window)
    log IClearinghouse.TokenListed(token=index, contract_address=_token, cap=_cap)
    return index


@external
def set_token_cap(_token: uint256, _cap: uint256):
    """
    @notice Bound what all accounts together may hold of a token; what is there may stay.
    """
    ownership._check_owner()
    self._check_listed(self.tokens[_token].token)
    self.tokens[_token].cap = _cap
    log IClearinghouse.TokenCapSet(token=_token, cap=_cap)


@external
def set_collateral_multiple(_multiple: uint256):
    """
    @notice All non-cash collateral together may be worth this multiple of the settlement tokens held.
    @param _multiple [ppm] at most 10e6.
    """
    ownership._check_owner()
    assert _multiple <= 10 * PPM, "multiple"
    self.collateral_multiple = _multiple
    log IClearinghouse.CollateralMultipleSet(multiple=_multiple)


@external
def set_outflow(_token: uint256, _cap: uint256, _window: uint256):
    """
    @notice Bound how fast a token may leave.
    @param _cap [wad] in a window.
    @param _window [s] an hour to 30 days.
    """
    ownership._check_owner()
    self._set_outflow(_token, _cap, _window)


# --- internals: tokens in --------------------------------------------------------------------------------


@internal
def _deposit(_account: uint256, _token: uint256, _amount: uint256, _payer: address):
    state: ledger_words.AccountState = accounts._load_open(_account)
    self._check_amount(_amount)
    if _token == SETTLEMENT_INDEX:
        self.vault += (_amount * UNIT) << 112
        state.cash += convert(_amount * UNIT, int256)
        accounts._store(_account, state)
        log IClearinghouse.Deposited(account=_account, token=_token, amount=_amount)
        self._pull(registry.SETTLEMENT, _payer, _amount)
    else:
        self._deposit_collateral(_account, state, _token, _amount, _payer)


@internal
def _deposit_collateral(
    _account: uint256,
    _state: ledger_words.AccountState,
    _token: uint256,
    _amount: uint256,
    _payer: address,
):
    state: ledger_words.AccountState = _state
    token: Token = self.tokens[_token]
    self._check_listed(token.token)
    assert state.mode == CROSS, "mode"
    amount: uint256 = _amount * token.unit
    assert token.total + amount <= token.cap, "token cap"
    self.tokens[_token].total = token.total + amount
    state.tokens = accounts._credit_token(_account, state, _token, amount)
    accounts._store(_account, state)
    self._check_multiple()
    log IClearinghouse.Deposited(account=_account, token=_token, amount=_amount)
    self._pull(token.token, _payer, _amount)


@internal
def _pull(_token: address, _payer: address, _amount: uint256):
    """
    @dev The last thing an action does; a token that moves less than asked reverts it.
    """
    before: uint256 = staticcall IERC20(_token).balanceOf(self)
    assert extcall IERC20(_token).transferFrom(
        _payer, self, _amount, default_return_value=True
    ), "transfer"
    assert staticcall IERC20(_token).balanceOf(self) == before + _amount, "transfer"


# --- internals: tokens out -------------------------------------------------------------------------------


@internal
def _pay(_account: uint256, _token: uint256, _claim: uint256, _receiver: address):
    """
    @dev Counts the outflow, then moves tokens: the last thing an action does.
    """
    paid: uint256 = _claim
    token: address = registry.SETTLEMENT
    unit: uint256 = UNIT
    if _token == SETTLEMENT_INDEX:
        paid = self._settle_claim(_account, _claim)
    else:
        self.tokens[_token].total -= _claim
        token = self.tokens[_token].token
        unit = self.tokens[_token].unit
    self._count_outflow(_token, paid)
    log IClearinghouse.Withdrawn(
        account=_account, token=_token, claim=_claim, paid=paid, receiver=_receiver
    )
    if paid != 0:
        assert extcall IERC20(token).transfer(
            _receiver, paid // unit, default_return_value=True
        ), "transfer"


@internal
def _settle_claim(_account: uint256, _claim: uint256) -> uint256:
    """
    @dev Returns what a claim pays now, a whole number of token units [USD wad] (FORMULAS 8).
    """
    held: uint256 = self.vault >> 112
    deficit: uint256 = self.vault & HALF
    if deficit == 0:
        assert _claim <= held, "vault"
        self.vault = (held - _claim) << 112
        return _claim
    paid: uint256 = fixed_point._mul_div_down(_claim, held, held + deficit) // UNIT * UNIT
    unpaid: uint256 = _claim - paid
    covered: uint256 = min(unpaid, deficit)
    self.vault = ((held - paid) << 112) | (deficit - covered)
    self.tickets[_account] += unpaid
    self.tickets_total += unpaid
    if covered < unpaid:
        accounts.interest_collected += unpaid - covered
    return paid


@internal
def _socialise(_amount: uint256):
    """
    @dev D_h grows.
    """
    self.vault += _amount


# --- internals: the bucket and its queue -----------------------------------------------------------------


@internal
def _enqueue(_account: uint256, _token: uint256, _claim: uint256, _receiver: address):
    """
    @dev A second withdrawal joins the first; the newest receiver gets both.
    """
    self.queue[_account][_token] = Withdrawal(
        amount=self.queue[_account][_token].amount + _claim, receiver=_receiver
    )
    if _token == SETTLEMENT_INDEX:
        self.queued_total += _claim
    log IClearinghouse.WithdrawalQueued(
        account=_account, token=_token, claim=_claim, receiver=_receiver
    )


@internal
def _take_from_queue(_account: uint256, _token: uint256, _claim: uint256):
    self.queue[_account][_token].amount -= _claim
    if _token == SETTLEMENT_INDEX:
        self.queued_total -= _claim


@view
@internal
def _outflow(_token: uint256) -> (uint256, uint256, uint256):
    """
    @dev cap, out as of now, window (FORMULAS 9). Wall time: the bucket refills during a pause.
    """
    word: uint256 = self.outflows[_token]
    cap: uint256 = word >> 160
    out: uint256 = (word >> 64) & MAX_CAP
    window: uint256 = (word >> 40) & (2**24 - 1)
    elapsed: uint256 = min(block.timestamp - (word & (2**40 - 1)), window)
    refilled: uint256 = cap * elapsed // window
    if refilled >= out:
        return cap, 0, window
    return cap, out - refilled, window


@view
@internal
def _room(_token: uint256) -> uint256:
    cap: uint256 = 0
    out: uint256 = 0
    window: uint256 = 0
    cap, out, window = self._outflow(_token)
    return cap - min(out, cap)


@internal
def _count_outflow(_token: uint256, _paid: uint256):
    cap: uint256 = 0
    out: uint256 = 0
    window: uint256 = 0
    cap, out, window = self._outflow(_token)
    self.outflows[_token] = self._pack_outflow(cap, out + _paid, window, block.timestamp)


@internal
def _set_outflow(_token: uint256, _cap: uint256, _window: uint256):
    assert _cap <= MAX_CAP and _window >= MIN_WINDOW and _window <= MAX_WINDOW, "outflow"
    self._unit(_token)
    out: uint256 = 0
    if self.outflows[_token] != 0:
        cap: uint256 = 0
        window: uint256 = 0
        cap, out, window = self._outflow(_token)
    self.outflows[_token] = self._pack_outflow(_cap, out, _window, block.timestamp)
    log IClearinghouse.OutflowSet(token=_token, cap=_cap, window=_window)


@pure
@internal
def _pack_outflow(_cap: uint256, _out: uint256, _window: uint256, _at: uint256) -> uint256:
    return (_cap << 160) | (_out << 64) | (_window << 40) | _at


# --- internals: checks -----------------------------------------------------------------------------------


@view
@internal
def _unit(_token: uint256) -> uint256:
    if _token == SETTLEMENT_INDEX:
        return UNIT
    self._check_listed(self.tokens[_token].token)
    return self.tokens[_token].unit


@view
@internal
def _unit_of(_token: address) -> uint256:
    decimals: uint8 = staticcall IERC20Detailed(_token).decimals()
    assert decimals <= 18, "decimals"
    return 10 ** convert(18 - decimals, uint256)


@view
@internal
def _check_multiple():
    """
    @dev Value of all collateral tokens at the last prices, against T.
    """
    totals: DynArray[IRiskEngine.Holding, MAX_TOKENS] = []
    for i: uint256 in range(MAX_TOKENS):
        if i >= self.token_count:
            break
        totals.append(IRiskEngine.Holding(token=i, amount=self.tokens[i].total))
    value: uint256 = 0
    state: uint256 = 0
    value, state = staticcall IRiskEngine(registry.ENGINE).collateral_value(totals)
    assert value * PPM <= (self.vault >> 112) * self.collateral_multiple, "collateral multiple"


@view
@internal
def _check_not_settling(_account: uint256):
    state: ledger_words.AccountState = accounts._peek(_account)
    margin: IRiskEngine.Margin = health._assess(health.INITIAL, health._book(_account, state))
    health._check_running(margin.state)
    assert margin.state & SETTLING == 0, "settling"


@pure
@internal
def _check_listed(_token: address):
    assert _token != empty(address), "token"


@pure
@internal
def _check_amount(_amount: uint256):
    assert _amount != 0 and _amount < 2**127, "amount"
