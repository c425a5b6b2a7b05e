# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that calls someone in the middle of a transfer, as ERC-777
@license AGPL-3.0-only
@notice For tests only. `arm` sets whom it calls with what, before or after the balances move; the call is made
    once, and its failure is noted, or passed on if `strict`.
"""
from contracts.mocks.modules import plain_token

initializes: plain_token

exports: plain_token.__interface__

target: public(address)
payload: public(Bytes[4096])
before: public(bool)
strict: public(bool)
called: public(uint256)
succeeded: public(bool)
answer: public(Bytes[256])


@deploy
def __init__(_decimals: uint8):
    plain_token.__init__(_decimals)


@external
def arm(_target: address, _payload: Bytes[4096], _before: bool, _strict: bool):
    self.target = _target
    self.payload = _payload
    self.before = _before
    self.strict = _strict
    self.called = 0
    self.succeeded = False


@external
def transfer(_to: address, _amount: uint256) -> bool:
    self._move_with_hook(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    plain_token._spend_allowance(_from, msg.sender, _amount)
    self._move_with_hook(_from, _to, _amount)
    return True


@internal
def _move_with_hook(_from: address, _to: address, _amount: uint256):
    if self.before:
        self._call_hook()
    plain_token._move(_from, _to, _amount)
    if not self.before:
        self._call_hook()


@internal
def _call_hook():
    if self.target == empty(address) or self.called != 0:
        return
    self.called = 1
    self.succeeded, self.answer = raw_call(
        self.target, self.payload, max_outsize=256, revert_on_failure=False
    )
    assert self.succeeded or not self.strict, "hook failed"
