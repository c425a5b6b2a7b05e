# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Custody: all tokens of the protocol, and the outflow bucket of each
@license AGPL-3.0-only
@notice Holds the settlement token, whose accounts the clearinghouse keeps, and up to 8 listed collateral tokens of
    CROSS accounts. Everything that leaves passes the outflow bucket here. A token counts with a haircut that the
    risk engine sets (asset 32 + index) and that grows with the account's own amount only. Limits: a cap per
    token, and all non-cash collateral together at most a multiple of the settlement tokens held.

    Where to look: what settlement tokens are owed to whom, and the solvency ratio `reserve` · how fast tokens may
    leave `outflow`.
@dev Only plain ERC-20 are to be listed: no fee on transfer, no rebasing, no hooks; a transfer that moves less
    than asked reverts. Collateral sent here directly is nobody's; settlement tokens are everybody's: they raise T.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IInsuranceFund
from contracts.interfaces import IRiskEngine
from contracts.modules import outflow
from contracts.modules import ownership
from contracts.modules import reasons
from contracts.modules import reserve
from contracts.modules import tokens

implements: ICustody

initializes: ownership
initializes: outflow
initializes: reserve

exports: (ownership.hand_over, ownership.owner)

MAX_TOKENS: constant(uint256) = 8
SETTLEMENT_INDEX: constant(uint256) = 255
PPM: constant(uint256) = 10**6

ENGINE: immutable(address)
SETTLEMENT: immutable(address)
SETTLEMENT_UNIT: immutable(uint256)  # wad per token unit


struct Token:
    contract_address: address
    unit: uint256  # wad per token unit
    cap: uint256  # [wad] all accounts together
    total: uint256  # [wad]


ledger: public(reentrant(address))
insurance_fund: public(address)
token_count: public(uint256)
listed: public(HashMap[uint256, Token])
collateral_multiple: public(uint256)  # [ppm]
balances: HashMap[uint256, HashMap[uint256, uint256]]  # account -> token -> [wad]


@deploy
def __init__(_engine: address, _settlement: address):
    ownership.__init__()
    assert _engine.is_contract and _settlement.is_contract, "no code"
    ENGINE = _engine
    SETTLEMENT = _settlement
    SETTLEMENT_UNIT = tokens._unit_of(_settlement)
    outflow._set_bucket(SETTLEMENT_INDEX, outflow.MAX_CAP, 86_400)


# --- users -----------------------------------------------------------------------------------------------


@external
def deposit(_account: uint256, _token: uint256, _amount: uint256):
    """
    @notice Put the caller's tokens into a CROSS account of the caller's. Works in every state, also paused.
    @dev Not into others' accounts: collateral can be in the way, of a step of liquidation for one.
    @param _amount [token units]
    """
    self._check_owned(_account)
    token: Token = self._listed(_token)
    tokens._check_amount(_amount)
    amount: uint256 = _amount * token.unit
    reasons._require(token.total + amount <= token.cap, reasons.TOKEN_CAP)
    self.listed[_token].total = token.total + amount
    self.balances[_account][_token] += amount
    self._note(_account)
    self._check_multiple()
    outflow._note(_token, tokens._held_by(token.contract_address, self) * token.unit + amount)
    log ICustody.CollateralDeposited(account=_account, token=_token, amount=amount)
    tokens._pull(token.contract_address, msg.sender, self, _amount)


@external
def withdraw(_account: uint256, _token: uint256, _amount: uint256, _receiver: address):
    """
    @notice Take collateral out, down to initial margin. What the outflow bucket has no room for waits.
    @param _amount [token units]
    """
    self._check_owned(_account)
    self._check_receiver(_receiver)
    token: Token = self._listed(_token)
    tokens._check_amount(_amount)
    amount: uint256 = _amount * token.unit
    self._debit(_account, _token, amount)
    self.listed[_token].total = token.total - amount
    self._note(_account)
    may_leave: bool = staticcall IClearinghouse(self.ledger).check_outflow(_account)
    log ICustody.CollateralWithdrawn(
        account=_account, token=_token, amount=amount, receiver=_receiver
    )
    self._pay(_token, _receiver, amount)


@external
def release(_token: uint256, _receiver: address):
    """
    @notice Pay what waits for a receiver, as far as the bucket has room. Anyone may call.
    @param _token 255 for the settlement token.
    """
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall IRiskEngine(ENGINE).clock()
    reasons._require(not paused, reasons.PAUSED)
    if _token == SETTLEMENT_INDEX:
        self._pay_settlement(_receiver, 0, self._settlement_held())
    else:
        self._pay(_token, _receiver, 0)


@external
def collect_ticket(_account: uint256, _receiver: address):
    """
    @notice Take what was restored of the unpaid part of an account's withdrawals, in whole token units; it waits to
        be released.
    """
    self._check_owned(_account)
    self._check_receiver(_receiver)
    amount: uint256 = reserve._collect_ticket(_account, SETTLEMENT_UNIT)
    log ICustody.TicketPaid(account=_account, amount=amount, receiver=_receiver)
    outflow._wait(SETTLEMENT_INDEX, _receiver, amount)


# --- the clearinghouse -----------------------------------------------------------------------------------


@external
def pay_claim(_account: uint256, _receiver: address, _claim: uint256):
    """
    @notice Pay a claim of an account on the settlement tokens held, times h; the rest becomes its ticket.
    @param _claim [USD wad] whole token units.
    """
    self._check_ledger()
    self._check_receiver(_receiver)
    held: uint256 = self._settlement_held()
    paid: uint256 = reserve._settle_claim(
        _account, _claim, held - reserve._apart(), SETTLEMENT_UNIT
    )
    self._pay_settlement(_receiver, paid, held)


@external
def credit(_receiver: address, _amount: uint256):
    """
    @notice Set settlement tokens apart for a receiver, to be released; never more than there are.
    @param _amount [USD wad]
    """
    self._check_ledger()
    amount: uint256 = min(_amount, self._held_for_accounts())
    outflow._wait(SETTLEMENT_INDEX, _receiver, amount)
    reserve._pay_out(amount, 0)


@external
def socialise(_amount: uint256):
    """
    @notice D_h grows: accounts are owed more than is held [USD wad].
    """
    self._check_ledger()
    reserve._socialise(_amount)


@external
def distribute(_market: uint256, _amount: uint256):
    """
    @notice Income of the protocol: restores what is owed, the rest is the insurance fund's.
    @param _market Whose fees they were, 32 for interest.
    @param _amount [USD wad]
    """
    self._check_ledger()
    rest: uint256 = reserve._restore(_amount, self._held_for_accounts())
    reserve._add_insurance(rest)
    extcall IInsuranceFund(self.insurance_fund).note_income(_market, rest)


# --- the insurance fund ----------------------------------------------------------------------------------


@external
def add_insurance(_amount: uint256):
    """
    @notice Count settlement tokens that the fund moved here as its assets [USD wad].
    """
    self._check_fund()
    reserve._add_insurance(_amount)


@external
def use_insurance(_amount: uint256):
    """
    @notice Give assets of the fund to the accounts, for a deficit it covers [USD wad].
    """
    self._check_fund()
    reserve._use_insurance(_amount)


@external
def pay_insurance(_receiver: address, _amount: uint256):
    """
    @notice Pay assets of the fund out [USD wad]; what the outflow bucket has no room for waits.
    """
    self._check_fund()
    self._check_receiver(_receiver)
    reserve._use_insurance(_amount)
    self._pay_settlement(_receiver, _amount, self._settlement_held())


# --- the liquidator --------------------------------------------------------------------------------------


@external
def move(_from: uint256, _to: uint256, _token: uint256, _amount: uint256):
    """
    @notice Move collateral between accounts; only the clearinghouse's liquidator, which sees to the payment.
    @param _amount [wad]
    """
    reasons._require(
        msg.sender == staticcall IClearinghouse(self.ledger).liquidator(), reasons.NOT_LIQUIDATOR
    )
    self._debit(_from, _token, _amount)
    self.balances[_to][_token] += _amount
    self._note(_from)
    self._note(_to)
    log ICustody.CollateralMoved(account=_from, to=_to, token=_token, amount=_amount)


# --- governance ------------------------------------------------------------------------------------------


@external
def set_ledger(_ledger: address):
    """
    @notice Register the clearinghouse, once.
    """
    ownership._check_owner()
    reasons._require(self.ledger == empty(address) and _ledger.is_contract, reasons.NOT_LEDGER)
    self.ledger = _ledger
    log ICustody.LedgerSet(ledger=_ledger)


@external
def set_insurance_fund(_fund: address):
    """
    @notice Register the insurance fund, once.
    """
    ownership._check_owner()
    unset: bool = self.insurance_fund == empty(address)
    reasons._require(unset and _fund.is_contract, reasons.NOT_FUND)
    self.insurance_fund = _fund
    log ICustody.InsuranceFundSet(fund=_fund)


@external
def list_token(_contract: address, _cap: uint256, _outflow_cap: uint256, _window: uint256) -> uint256:
    """
    @notice List a token; the engine prices it as asset 32 + the index returned.
    @param _cap [wad] all accounts together.
    @param _outflow_cap [wad] in _window [s].
    """
    ownership._check_owner()
    index: uint256 = self.token_count
    reasons._require(index < MAX_TOKENS, reasons.TOKEN)
    reasons._require(_contract != SETTLEMENT, reasons.TOKEN)
    for i: uint256 in range(MAX_TOKENS):
        reasons._require(self.listed[i].contract_address != _contract, reasons.TOKEN)
    self.token_count = index + 1
    self.listed[index] = Token(
        contract_address=_contract, unit=tokens._unit_of(_contract), cap=_cap, total=0
    )
    outflow._set_bucket(index, _outflow_cap, _window)
    log ICustody.TokenListed(token=index, contract_address=_contract, cap=_cap)
    return index


@external
def set_token_cap(_token: uint256, _cap: uint256):
    """
    @notice Bound what all accounts together may hold; what is there may stay.
    """
    ownership._check_owner()
    token: Token = self._listed(_token)
    self.listed[_token].cap = _cap
    log ICustody.TokenCapSet(token=_token, cap=_cap)


@external
def set_collateral_multiple(_multiple: uint256):
    """
    @notice All non-cash collateral together may be worth this multiple of the settlement tokens held.
    @param _multiple [ppm] at most 10e6.
    """
    ownership._check_owner()
    reasons._require(_multiple <= 10 * PPM, reasons.MULTIPLE)
    self.collateral_multiple = _multiple
    log ICustody.CollateralMultipleSet(multiple=_multiple)


@external
def set_outflow(_token: uint256, _cap: uint256, _window: uint256):
    """
    @notice Bound how fast a token may leave.
    @param _cap [wad] in a window of an hour to 30 days.
    """
    ownership._check_owner()
    reasons._require(_token < self.token_count or _token == SETTLEMENT_INDEX, reasons.TOKEN)
    outflow._set_bucket(_token, _cap, _window)


# --- views -----------------------------------------------------------------------------------------------


@view
@external
@reentrant
def holdings(_account: uint256, _tokens: uint256) -> DynArray[IRiskEngine.Holding, MAX_TOKENS]:
    """
    @dev Reentrant: the clearinghouse reads it while a withdrawal from here is checked, after all writes.
    """
    holdings: DynArray[IRiskEngine.Holding, MAX_TOKENS] = []
    for token: uint256 in range(MAX_TOKENS):
        if (_tokens >> token) & 1 == 1:
            holdings.append(
                IRiskEngine.Holding(token=token, amount=self.balances[_account][token])
            )
    return holdings


@view
@external
def collateral_of(_account: uint256, _token: uint256) -> uint256:
    """
    @return [wad]
    """
    return self.balances[_account][_token]


@view
@external
def token_at(_token: uint256) -> address:
    return self.listed[_token].contract_address


@view
@external
def waiting(_token: uint256, _receiver: address) -> uint256:
    """
    @return [wad] what the bucket had no room for yet.
    """
    return outflow.waiting[_token][_receiver]


@view
@external
def totals() -> ICustody.Totals:
    """
    @notice What settlement tokens are held for whom [USD wad].
    """
    return ICustody.Totals(
        tokens=self._held_for_accounts(),
        deficit=reserve.owing >> 128,
        tickets=reserve.owing & reserve.HALF,
        insurance=reserve._insurance(),
        restored=reserve.restored,
        waiting=(reserve.apart & reserve.HALF) - reserve.restored,
    )


@view
@external
@reentrant
def insurance() -> uint256:
    """
    @return [USD wad] the insurance fund's assets.
    """
    return reserve._insurance()


@view
@external
def ticket_of(_account: uint256) -> (uint256, uint256):
    """
    @return [USD wad] what the account's withdrawals are still unpaid; what was restored, to be collected.
    """
    ticket: reserve.Ticket = reserve._ticket_of(_account)
    return ticket.left, ticket.owed


# --- internals -------------------------------------------------------------------------------------------


@internal
def _pay(_token: uint256, _receiver: address, _amount: uint256):
    token: Token = self._listed(_token)
    held: uint256 = tokens._held_by(token.contract_address, self) * token.unit
    paid: uint256 = outflow._take(_token, held, token.unit, _receiver, _amount)
    tokens._send(token.contract_address, _receiver, paid)


@internal
def _pay_settlement(_receiver: address, _amount: uint256, _held: uint256):
    paid: uint256 = outflow._take(SETTLEMENT_INDEX, _held, SETTLEMENT_UNIT, _receiver, _amount)
    reserve._pay_out(_amount, paid * SETTLEMENT_UNIT)
    tokens._send(SETTLEMENT, _receiver, paid)


@view
@internal
def _held_for_accounts() -> uint256:
    """
    @dev T [USD wad]
    """
    return self._settlement_held() - reserve._apart()


@view
@internal
def _settlement_held() -> uint256:
    """
    @dev All of it [USD wad].
    """
    return tokens._held_by(SETTLEMENT, self) * SETTLEMENT_UNIT


@internal
def _debit(_account: uint256, _token: uint256, _amount: uint256):
    held: uint256 = self.balances[_account][_token]
    reasons._require(_amount <= held, reasons.BALANCE)
    self.balances[_account][_token] = held - _amount


@view
@internal
def _listed(_token: uint256) -> Token:
    reasons._require(_token < self.token_count, reasons.TOKEN)
    return self.listed[_token]


@view
@internal
def _check_owned(_account: uint256):
    reasons._require(
        _account >> 96 == convert(msg.sender, uint256), reasons.NOT_YOUR_ACCOUNT
    )


@view
@internal
def _check_ledger():
    reasons._require(msg.sender == self.ledger, reasons.NOT_LEDGER)


@view
@internal
def _check_fund():
    reasons._require(msg.sender == self.insurance_fund, reasons.NOT_FUND)


@view
@internal
def _check_receiver(_receiver: address):
    reasons._require(_receiver not in [empty(address), self, self.ledger], reasons.RECEIVER)


@internal
def _note(_account: uint256):
    """
    @dev Tells the ledger which tokens the account holds.
    """
    bits: uint256 = 0
    for token: uint256 in range(MAX_TOKENS):
        if self.balances[_account][token] != 0:
            bits |= 1 << token
    extcall IClearinghouse(self.ledger).note_collateral(_account, bits)


@view
@internal
def _check_multiple():
    """
    @dev At the last prices.
    """
    totals: DynArray[IRiskEngine.Holding, MAX_TOKENS] = []
    for i: uint256 in range(MAX_TOKENS):
        if self.listed[i].total != 0:
            totals.append(IRiskEngine.Holding(token=i, amount=self.listed[i].total))
    value: uint256 = 0
    state: uint256 = 0
    value, state = staticcall IRiskEngine(ENGINE).collateral_value(totals)
    limit: uint256 = self._held_for_accounts() * self.collateral_multiple
    reasons._require(value * PPM <= limit, reasons.COLLATERAL_CAP)
