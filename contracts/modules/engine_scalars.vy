# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The engine's words that belong to no asset
@license AGPL-3.0-only
@notice rules (`steward`) · sequencer feed and Unix time of the last pause's end
    (`effective_time`) · liquidator (`prices`). The clock word is `effective_time.word`.
"""

RULES: constant(uint256) = 0
SEQUENCER: constant(uint256) = 1
LIQUIDATOR: constant(uint256) = 2
PAUSE_ENDED: constant(uint256) = 3

words: uint256[4]


@view
@internal
def _address(_index: uint256) -> address:
    return convert(convert(self.words[_index], uint160), address)
