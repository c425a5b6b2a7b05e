# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What is held for accounts, what is owed beyond it, and the solvency ratio h
@license AGPL-3.0-only
@notice T is what custody holds of the settlement token less what it holds apart: the insurance fund's assets, and what
    is outgoing: payments that wait and restored tickets. A claim of x pays y = floor(x·T/(T + D_h)); the unpaid part
    becomes a ticket. Income is a claim like any other and is worth as much; with what it is paid, F, those who
    stayed and the tickets are restored alike: D_h falls by F·D_h/(D_h + R), and F·R/(D_h + R) is held for the
    tickets (FORMULAS 8).
@dev All amounts in USD wad. A ticket shrinks with an index A, the product of (1 - restored part), as a side shrinks
    by its scale. When all are paid, or A is too small to count with, the next epoch begins at 1.
"""
from contracts.interfaces import ICustody
from contracts.modules import fixed_point
from contracts.modules import reasons

RAY: constant(uint256) = 10**27
LEAST_INDEX: constant(uint256) = 10**9
HALF: constant(uint256) = 2**128 - 1


# An account's unpaid claims.
struct Ticket:
    left: uint256  # [USD wad] unpaid, at `index`
    owed: uint256  # [USD wad] restored and not collected yet
    index: uint256  # [ray] A when last touched
    epoch: uint256


owing: uint256  # D_h 128 | R 128 [USD wad]
apart: uint256  # insurance 128 | outgoing 128 [USD wad]
restored: uint256  # [USD wad] part of what is outgoing: of tickets, not collected yet
index_word: uint256  # epoch 128 | RAY - A 128, so that it begins as zero
finals: HashMap[uint256, uint256]  # epoch -> [ray] A at its end
tickets: HashMap[uint256, Ticket]  # by account


# --- h ---------------------------------------------------------------------------------------------------


@internal
def _settle_claim(_account: uint256, _claim: uint256, _held: uint256, _unit: uint256) -> uint256:
    """
    @dev Returns what a claim pays, a whole number of token units. A remainder of the unit that D_h no longer
        covers is the insurance fund's.
    @param _held T
    """
    reasons._require(_claim <= _held + (self.owing >> 128), reasons.RESERVE)
    deficit: uint256 = self.owing >> 128
    if deficit == 0:
        return _claim
    paid: uint256 = fixed_point._mul_div_down(_claim, _held, _held + deficit) // _unit * _unit
    unpaid: uint256 = _claim - paid
    covered: uint256 = min(unpaid, deficit)
    self.owing -= covered << 128
    self.apart += (unpaid - covered) << 128
    self._issue(_account, unpaid)
    return paid


@internal
def _socialise(_amount: uint256):
    self.owing += _amount << 128
    log ICustody.Socialised(amount=_amount, deficit=self.owing >> 128)


@internal
def _restore(_claim: uint256, _held: uint256) -> uint256:
    """
    @notice Share income between D_h and the tickets.
    @param _claim Of the protocol, on what is held for accounts; it ends.
    @return What is left of it when both are whole.
    """
    deficit: uint256 = self.owing >> 128
    unpaid: uint256 = self.owing & HALF
    income: uint256 = _claim
    if deficit != 0:
        income = fixed_point._mul_div_down(_claim, _held, _held + deficit)
        deficit -= _claim - income
    used: uint256 = min(income, deficit + unpaid)
    for_tickets: uint256 = 0
    if unpaid != 0:
        for_tickets = fixed_point._mul_div_down(used, unpaid, deficit + unpaid)
    self.owing = ((deficit - (used - for_tickets)) << 128) | (unpaid - for_tickets)
    if for_tickets != 0:
        self.apart += for_tickets
        self.restored += for_tickets
        self._shrink(unpaid, unpaid - for_tickets)
    if used != 0:
        log ICustody.Restored(deficit=used - for_tickets, tickets=for_tickets)
    return income - used


# --- tickets ---------------------------------------------------------------------------------------------


@view
@internal
def _ticket_of(_account: uint256) -> Ticket:
    """
    @dev As of now. What is left rounds up, so that no more is owed than was restored.
    """
    ticket: Ticket = self.tickets[_account]
    left: uint256 = self._left_of(ticket)
    return Ticket(
        left=left,
        owed=ticket.owed + ticket.left - left,
        index=self._index(),
        epoch=self.index_word >> 128,
    )


@view
@internal
def _left_of(_ticket: Ticket) -> uint256:
    """
    @dev Two epochs shrink any ticket to less than a wei.
    """
    epoch: uint256 = self.index_word >> 128
    if _ticket.left == 0:
        return 0
    if _ticket.epoch == epoch:
        return fixed_point._mul_div_up(_ticket.left, self._index(), _ticket.index)
    if _ticket.epoch + 1 < epoch:
        return 1
    ended: uint256 = fixed_point._mul_div_up(
        _ticket.left, self.finals[_ticket.epoch], _ticket.index
    )
    return fixed_point._mul_div_up(ended, self._index(), RAY)


@internal
def _collect_ticket(_account: uint256, _unit: uint256) -> uint256:
    """
    @dev Returns what was restored to the account, in whole token units; it waits for a receiver now.
    """
    ticket: Ticket = self._ticket_of(_account)
    paid: uint256 = ticket.owed // _unit * _unit
    ticket.owed -= paid
    self.tickets[_account] = ticket
    self.restored -= paid
    return paid


@internal
def _issue(_account: uint256, _unpaid: uint256):
    ticket: Ticket = self._ticket_of(_account)
    ticket.left += _unpaid
    self.tickets[_account] = ticket
    self.owing += _unpaid
    log ICustody.TicketIssued(account=_account, unpaid=_unpaid)


@internal
def _shrink(_before: uint256, _after: uint256):
    """
    @dev R from _before to _after.
    """
    index: uint256 = fixed_point._mul_div_up(self._index(), _after, _before)
    if index >= LEAST_INDEX:
        self.index_word = (self.index_word >> 128 << 128) | (RAY - index)
        return
    epoch: uint256 = self.index_word >> 128
    self.finals[epoch] = index
    self.index_word = (epoch + 1) << 128


@view
@internal
def _index() -> uint256:
    return RAY - (self.index_word & HALF)


# --- held apart ------------------------------------------------------------------------------------------


@view
@internal
def _apart() -> uint256:
    return (self.apart >> 128) + (self.apart & HALF)


@view
@internal
def _insurance() -> uint256:
    return self.apart >> 128


@internal
def _add_insurance(_amount: uint256):
    self.apart += _amount << 128


@internal
def _pay_out(_amount: uint256, _paid: uint256):
    """
    @dev _amount is owed to a receiver who was paid _paid, of it and of what waited.
    """
    if _amount != _paid:
        self.apart = self.apart + _amount - _paid


@internal
def _use_insurance(_amount: uint256):
    self.apart -= _amount << 128
