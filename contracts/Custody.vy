# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Custody: collateral tokens, and the outflow bucket of every token
@license AGPL-3.0-only
@notice Everything that leaves passes the outflow bucket here: collateral from here, settlement tokens from the
    clearinghouse. Holds up to 8 listed tokens for CROSS accounts. A token counts with a haircut that the risk
    engine sets (asset 32 + index) and that grows with the account's own amount only. Limits: a cap per token,
    and all non-cash collateral together at most a multiple of the settlement tokens held.
@dev Only plain ERC-20 are to be listed: no fee on transfer, no rebasing, no hooks; a transfer that moves less
    than asked reverts. Tokens sent here directly are nobody's.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.interfaces import IRiskEngine
from contracts.modules import outflow
from contracts.modules import ownership
from contracts.modules import reasons
from contracts.modules import tokens

implements: ICustody

initializes: ownership
initializes: outflow

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
    tokens._pull(token.contract_address, msg.sender, _amount)


@external
def withdraw(_account: uint256, _token: uint256, _amount: uint256, _receiver: address):
    """
    @notice Take collateral out, down to initial margin. What the outflow bucket has no room for waits.
    @param _amount [token units]
    """
    self._check_owned(_account)
    reasons._require(_receiver not in [empty(address), self], reasons.RECEIVER)
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
    @notice Pay collateral that waits for a receiver, as far as the bucket has room. Anyone may call.
    """
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall IRiskEngine(ENGINE).clock()
    reasons._require(not paused, reasons.PAUSED)
    self._pay(_token, _receiver, 0)


# --- the protocol -----------------------------------------------------------------------------------------


@external
def admit(_receiver: address, _amount: uint256) -> uint256:
    """
    @notice How many settlement tokens leave now, of _amount and of what waited; the rest waits.
    @param _amount [USD wad] whole token units.
    @return [token units] The clearinghouse moves them.
    """
    reasons._require(msg.sender == self.ledger, reasons.NOT_LEDGER)
    return outflow._take(
        SETTLEMENT_INDEX, SETTLEMENT, self.ledger, SETTLEMENT_UNIT, _receiver, _amount
    )


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


# --- internals -------------------------------------------------------------------------------------------


@internal
def _pay(_token: uint256, _receiver: address, _amount: uint256):
    token: Token = self._listed(_token)
    paid: uint256 = outflow._take(
        _token, token.contract_address, self, token.unit, _receiver, _amount
    )
    tokens._send(token.contract_address, _receiver, paid)


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
    held: uint256 = (staticcall IClearinghouse(self.ledger).custody_totals()).tokens
    reasons._require(value * PPM <= held * self.collateral_multiple, reasons.COLLATERAL_CAP)
