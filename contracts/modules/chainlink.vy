# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Reading a Chainlink AggregatorV3 that may fail
@license AGPL-3.0-only
@notice Never reverts for what the feed does: a missing, reverting or short answer reads as zeros.
@dev The feed gets FEED_GAS, and the caller must have brought more than that and what is left to do:
    otherwise a caller could starve the feed to have it read as missing. Reason: "low gas".
"""

FEED_GAS: constant(uint256) = 200_000


@view
@internal
def _latest(_feed: address) -> (int256, uint256, uint256):
    """
    @return Answer, startedAt, updatedAt [s, Unix time]; zeros if there is none.
    """
    assert msg.gas > FEED_GAS + FEED_GAS // 32, "low gas"
    success: bool = False
    answer: Bytes[160] = b""
    success, answer = raw_call(
        _feed,
        method_id("latestRoundData()"),
        max_outsize=160,
        gas=FEED_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not success or len(answer) != 160:
        return 0, 0, 0
    return (
        extract32(answer, 32, output_type=int256),
        extract32(answer, 64, output_type=uint256),
        extract32(answer, 96, output_type=uint256),
    )
