# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What is held for accounts, what is owed beyond it, and the solvency ratio h
@license AGPL-3.0-only
@notice T is what custody holds of the settlement token less what it holds apart: payments that wait, the insurance
    fund's assets, restored tickets. A claim of x pays y = floor(x·T/(T + D_h)); the unpaid part becomes a ticket.
    A restoration F is shared between those who stayed and the tickets, alike: D_h falls by F·D_h/(D_h + R), and
    F·R/(D_h + R) is held for the tickets (FORMULAS 8).
@dev All amounts in USD wad. A ticket shrinks with an index A, the product of (1 - restored part), as a side shrinks
    by its scale; when all are paid, or A is too small to count with, an epoch ends.
"""
from contracts.interfaces import ICustody
from contracts.modules import fixed_point

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
apart: uint256  # insurance 128 | restored 128 [USD wad]
index_word: uint256  # epoch 128 | RAY - A 128, so that it begins as zero
tickets: HashMap[uint256, Ticket]  # by account


# --- h ---------------------------------------------------------------------------------------------------


@internal
def _settle_claim(_account: uint256, _claim: uint256, _held: uint256, _unit: uint256) -> uint256:
    """
    @dev Returns what a claim pays, a whole number of token units. A remainder of the unit that D_h no longer
        covers is the insurance fund's.
    @param _held T
    """
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


@view
@internal
def _has_deficit() -> bool:
    return self.owing >> 128 != 0


@internal
def _socialise(_amount: uint256):
    self.owing += _amount << 128
    log ICustody.Socialised(amount=_amount, deficit=self.owing >> 128)


@internal
def _restore(_amount: uint256) -> uint256:
    """
    @notice Share income between D_h and the tickets.
    @return What is left of it when both are whole.
    """
    deficit: uint256 = self.owing >> 128
    unpaid: uint256 = self.owing & HALF
    used: uint256 = min(_amount, deficit + unpaid)
    if used == 0:
        return _amount
    for_tickets: uint256 = fixed_point._mul_div_down(used, unpaid, deficit + unpaid)
    self.owing = ((deficit - (used - for_tickets)) << 128) | (unpaid - for_tickets)
    self.apart += for_tickets
    if for_tickets != 0:
        self._shrink(unpaid, unpaid - for_tickets)
    log ICustody.Restored(deficit=used - for_tickets, tickets=for_tickets)
    return _amount - used


# --- tickets ---------------------------------------------------------------------------------------------


@view
@internal
def _ticket_of(_account: uint256) -> Ticket:
    """
    @dev As of now.
    """
    ticket: Ticket = self.tickets[_account]
    left: uint256 = 0
    if ticket.epoch == self.index_word >> 128 and ticket.left != 0:
        left = fixed_point._mul_div_up(ticket.left, self._index(), ticket.index)
    return Ticket(
        left=left,
        owed=ticket.owed + ticket.left - left,
        index=self._index(),
        epoch=self.index_word >> 128,
    )


@internal
def _collect_ticket(_account: uint256) -> uint256:
    """
    @dev Returns what was restored to the account; it is no longer held apart for it.
    """
    ticket: Ticket = self._ticket_of(_account)
    owed: uint256 = ticket.owed
    ticket.owed = 0
    self.tickets[_account] = ticket
    self.apart -= owed
    return owed


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
    @dev R from _before to _after. A rounds up: what is shown as paid never exceeds what was.
    """
    index: uint256 = fixed_point._mul_div_up(self._index(), _after, _before)
    if _after == 0 or index < LEAST_INDEX:
        self.owing -= _after
        self.index_word = ((self.index_word >> 128) + 1) << 128
    else:
        self.index_word = (self.index_word >> 128 << 128) | (RAY - index)


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
def _use_insurance(_amount: uint256):
    self.apart -= _amount << 128
