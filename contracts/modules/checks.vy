# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title One owner for each shared revert reason
@license AGPL-3.0-only
@dev An inline reason costs 107 bytes, a call of one of these 15.
"""


@pure
@internal
def _check_bounds(_value: uint256, _low: uint256, _high: uint256):
    self._check_within(_low <= _value and _value <= _high)


@pure
@internal
def _check_within(_ok: bool):
    assert _ok, "out of bounds"


@pure
@internal
def _check_fit(_ok: bool):
    """
    @dev Parameters that are each within bounds but do not fit together.
    """
    assert _ok, "bad parameters"


@pure
@internal
def _check_delay(_ok: bool):
    assert _ok, "too soon"


@view
@internal
def _check_until(_time: uint256):
    """
    @dev _time is the last valid second [Unix time].
    """
    assert block.timestamp <= _time, "expired"


@view
@internal
def _check_caller(_allowed: address):
    assert msg.sender == _allowed, "not allowed"
