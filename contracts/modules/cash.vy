# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Settled cash in and out
@license AGPL-3.0-only
@notice Deposits credit face and go straight to custody, which holds all tokens. A withdrawal is a claim on
    custody: what it pays is the solvency ratio's to say (`reserve`). Outside amounts are in token units, inside
    in wad.
@dev Only a plain ERC-20. The payer approves this contract.
"""
from contracts.interfaces import IClearinghouse
from contracts.interfaces import ICustody
from contracts.modules import accounts
from contracts.modules import health
from contracts.modules import ledger_words
from contracts.modules import positions
from contracts.modules import reasons
from contracts.modules import registry
from contracts.modules import tokens

uses: accounts
uses: health
uses: positions
uses: registry

INTEREST: constant(uint256) = 32  # the protocol's income that is no market's

UNIT: immutable(uint256)  # wad per unit of the settlement token


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
    state: ledger_words.AccountState = accounts._stored(_account)
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
    claim: uint256 = _amount * UNIT
    state.cash -= convert(claim, int256)
    accounts._store(_account, state)
    health._check_outflow(_account, state)
    log IClearinghouse.Withdrawn(account=_account, claim=claim, receiver=_receiver)
    extcall ICustody(registry.CUSTODY).pay_claim(_account, _receiver, claim)


@external
def transfer(_from: uint256, _to: uint256, _amount: uint256):
    """
    @notice Move settled cash between accounts, down to initial margin.
    @param _amount [USD wad]
    """
    giver: ledger_words.AccountState = accounts._load_owned(_from)
    tokens._check_amount(_amount)
    health._check_outflow(_from, self._move_cash(_from, giver, _to, _amount))


# --- anyone ----------------------------------------------------------------------------------------------


@external
def sweep(_market: uint256):
    """
    @notice Pass a market's fees on: what was socialised comes first, then the insurance fund.
    @param _market 32 for the interest collected.
    """
    income: uint256 = 0
    if _market == INTEREST:
        income = accounts.interest_collected
        accounts.interest_collected = 0
    else:
        income = positions._take_fees(_market)
    extcall ICustody(registry.CUSTODY).distribute(_market, income)


# --- internals -------------------------------------------------------------------------------------------


@internal
def _deposit(_account: uint256, _amount: uint256, _payer: address):
    state: ledger_words.AccountState = accounts._load_open(_account)
    tokens._check_amount(_amount)
    state.cash += convert(_amount * UNIT, int256)
    accounts._store(_account, state)
    log IClearinghouse.Deposited(account=_account, amount=_amount * UNIT)
    tokens._pull(registry.SETTLEMENT, _payer, registry.CUSTODY, _amount)


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
