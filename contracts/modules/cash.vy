# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Settlement tokens in and out, and the solvency ratio h
@license AGPL-3.0-only
@notice Deposits credit face. A withdrawal of claim x pays y = floor(x·T/(T + D_h)); the unpaid part becomes a
    ticket (FORMULAS 8). Outside amounts are in token units, inside in wad.
@dev Only a plain ERC-20. Tokens sent here directly are nobody's.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.modules import accounts
from contracts.modules import fixed_point
from contracts.modules import health
from contracts.modules import ledger_words
from contracts.modules import reasons
from contracts.modules import registry
from contracts.modules import tokens

uses: accounts
uses: health
uses: registry

HALF: constant(uint256) = 2**112 - 1

UNIT: immutable(uint256)  # wad per unit of the settlement token

vault: uint256  # T 112 | D_h 112 [USD wad]
tickets_total: uint256  # [USD wad] R
tickets: HashMap[uint256, uint256]  # account -> [USD wad] unpaid part of its withdrawals


@deploy
def __init__():
    """
    @dev After registry.__init__.
    """
    UNIT = tokens._unit_of(registry.SETTLEMENT)


# --- users -----------------------------------------------------------------------------------------------


@external
def deposit(_account: uint256, _amount: uint256):
    """
    @notice Put the caller's settlement tokens into any opened account. Works in every state, also paused.
    @param _amount [token units]
    """
    self._deposit(_account, _amount, msg.sender)


@external
def deposit_from(_account: uint256, _amount: uint256):
    """
    @notice The same through a gateway the account opted in to, paid by the account's owner.
    """
    state: ledger_words.AccountState = ledger_words._unpack_account(accounts.words[_account])
    accounts._check_opted_in(state, registry._calling_gateway())
    self._deposit(_account, _amount, convert(_account >> 96, address))


@external
def withdraw(_account: uint256, _amount: uint256, _receiver: address):
    """
    @notice Take settled cash out, down to initial margin. What the outflow bucket has no room for waits.
    @param _amount [token units]
    """
    state: ledger_words.AccountState = accounts._load_owned(_account)
    tokens._check_amount(_amount)
    reasons._require(_receiver not in [empty(address), self], reasons.RECEIVER)
    claim: uint256 = _amount * UNIT
    state.cash -= convert(claim, int256)
    accounts._store(_account, state)
    health._check_outflow(_account, state)
    paid: uint256 = self._settle_claim(_account, claim)
    log IClearinghouse.Withdrawn(account=_account, claim=claim, paid=paid, receiver=_receiver)
    self._pay(_receiver, paid)


@external
def transfer(_from: uint256, _to: uint256, _amount: uint256):
    """
    @notice Move settled cash between accounts, down to initial margin.
    @param _amount [USD wad]
    """
    giver: ledger_words.AccountState = accounts._load_owned(_from)
    tokens._check_amount(_amount)
    health._check_outflow(_from, self._move_cash(_from, giver, _to, _amount))


@external
def release(_receiver: address):
    """
    @notice Pay what waits for a receiver, as far as the outflow bucket has room. Anyone may call.
    """
    now: uint256 = 0
    paused: bool = False
    now, paused = accounts._clock()
    reasons._require(not paused, reasons.PAUSED)
    self._pay(_receiver, 0)


# --- internals -------------------------------------------------------------------------------------------


@internal
def _pay(_receiver: address, _amount: uint256):
    """
    @dev Custody says how much of it, and of what waited, leaves now. _amount in USD wad.
    """
    units: uint256 = extcall ICustody(registry.CUSTODY).admit(_receiver, _amount)
    tokens._send(registry.SETTLEMENT, _receiver, units)


@internal
def _deposit(_account: uint256, _amount: uint256, _payer: address):
    state: ledger_words.AccountState = accounts._load_open(_account)
    tokens._check_amount(_amount)
    self.vault += (_amount * UNIT) << 112
    state.cash += convert(_amount * UNIT, int256)
    accounts._store(_account, state)
    log IClearinghouse.Deposited(account=_account, amount=_amount * UNIT)
    tokens._pull(registry.SETTLEMENT, _payer, _amount)


@internal
def _settle_claim(_account: uint256, _claim: uint256) -> uint256:
    """
    @dev Returns what a claim pays, a whole number of token units [USD wad] (FORMULAS 8). A remainder of the
        unit that D_h no longer covers is the protocol's.
    """
    held: uint256 = self.vault >> 112
    deficit: uint256 = self.vault & HALF
    paid: uint256 = fixed_point._mul_div_down(_claim, held, held + deficit) // UNIT * UNIT
    unpaid: uint256 = _claim - paid
    covered: uint256 = min(unpaid, deficit)
    self.vault = ((held - paid) << 112) | (deficit - covered)
    if unpaid != 0:
        self.tickets[_account] += unpaid
        self.tickets_total += unpaid
        accounts.interest_collected += unpaid - covered
    return paid


@internal
def _move_cash(
    _from: uint256, _giver: ledger_words.AccountState, _to: uint256, _amount: uint256
) -> ledger_words.AccountState:
    """
    @dev Returns the giver's state; the gate is the caller's.
    """
    reasons._require(_from != _to, reasons.SAME_ACCOUNT)
    giver: ledger_words.AccountState = _giver
    giver.cash -= convert(_amount, int256)
    accounts._store(_from, giver)
    taker: ledger_words.AccountState = accounts._load_open(_to)
    taker.cash += convert(_amount, int256)
    accounts._store(_to, taker)
    log IClearinghouse.Transferred(account=_from, to=_to, amount=_amount)
    return giver


@internal
def _socialise(_amount: uint256):
    """
    @dev D_h grows.
    """
    self.vault += _amount
