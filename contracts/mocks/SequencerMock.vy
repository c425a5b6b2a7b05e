# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A Chainlink uptime feed of a rollup's sequencer
@license AGPL-3.0-only
@notice For tests only. The answer is 0 while it is up, 1 while it is down, since `started_at`.
"""

answer: public(int256)
started_at: public(uint256)


@external
def set_down(_down: bool):
    """
    @notice The state begins now.
    """
    self.answer = convert(_down, int256)
    self.started_at = block.timestamp


@external
def set_round(_answer: int256, _started_at: uint256):
    self.answer = _answer
    self.started_at = _started_at


@view
@external
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    return 1, self.answer, self.started_at, block.timestamp, 1
