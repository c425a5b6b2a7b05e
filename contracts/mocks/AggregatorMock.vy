# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A Chainlink AggregatorV3, proxy and aggregator in one
@license AGPL-3.0-only
@notice For tests only.
"""


struct Round:
    id: uint80
    answer: int256
    started_at: uint256
    updated_at: uint256
    answered_in: uint80


decimals: public(uint8)
minAnswer: public(int192)
maxAnswer: public(int192)
reverting: public(bool)
round: Round


@deploy
def __init__(_decimals: uint8):
    self.decimals = _decimals
    self.minAnswer = 1
    self.maxAnswer = 2**176


@external
def set_answer(_answer: int256):
    """
    @notice A complete round, now.
    """
    id: uint80 = self.round.id + 1
    self.round = Round(
        id=id,
        answer=_answer,
        started_at=block.timestamp,
        updated_at=block.timestamp,
        answered_in=id,
    )


@external
def set_round(_round: Round):
    self.round = _round


@external
def set_bounds(_min_answer: int192, _max_answer: int192):
    self.minAnswer = _min_answer
    self.maxAnswer = _max_answer


@external
def set_reverting(_reverting: bool):
    self.reverting = _reverting


@view
@external
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    assert not self.reverting, "feed down"
    r: Round = self.round
    return r.id, r.answer, r.started_at, r.updated_at, r.answered_in


@view
@external
def aggregator() -> address:
    return self
