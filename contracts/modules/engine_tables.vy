# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Names of the engine's tables of words
@license AGPL-3.0-only
@notice For `RiskEngine.word_at` and `RiskEngine.store`; the layouts are in the docstrings of the
    modules named.
"""

CLOCK: constant(uint256) = 0  # effective_time
PRICES: constant(uint256) = 1  # price_words, by asset, to LIMITS
SETTLING: constant(uint256) = 2
HELD: constant(uint256) = 3
CONFIGS: constant(uint256) = 4
GUARDS: constant(uint256) = 5
LIMITS: constant(uint256) = 6
LINES: constant(uint256) = 7  # load_line, by asset
SCHEDULES: constant(uint256) = 8  # schedules, by asset·8 + kind·4 + pair
SIGNERS: constant(uint256) = 9  # 1 if active, by address
SCALARS: constant(uint256) = 10  # engine_scalars, by the names there
RULES: constant(uint256) = 11  # price_words, by asset // 4
