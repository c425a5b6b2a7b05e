# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The engine's words, to be read by anyone and written by the settings contract
@license AGPL-3.0-only
@notice Governance's setters, their bounds and packing live in `RiskSettings` (EIP-170 leaves no
    room for them here). It is fixed at deployment, immutable, and passes on only what the owner
    sets and its checks admit; this contract trusts it with every word.
@dev Reason: "not allowed".
"""
from contracts.modules import checks
from contracts.modules import effective_time
from contracts.modules import engine_scalars as scalars
from contracts.modules import engine_tables as tables
from contracts.modules import load_line
from contracts.modules import prices
from contracts.modules import quorum
from contracts.modules import schedules

uses: effective_time
uses: load_line
uses: prices
uses: quorum
uses: schedules
uses: scalars

SETTINGS: public(immutable(address))


@deploy
def __init__(_settings: address):
    assert _settings.is_contract, "no code"
    SETTINGS = _settings


@external
def store(_table: uint256, _index: uint256, _word: uint256):
    """
    @notice Overwrite a word. Only the settings contract.
    @param _table `engine_tables`; only those governance sets.
    """
    checks._check_caller(SETTINGS)
    if _table == tables.CLOCK:
        effective_time.word = _word
    elif _table == tables.PRICES:
        prices.prices[_index] = _word
    elif _table == tables.CONFIGS:
        prices.configs[_index] = _word
    elif _table == tables.RULES:
        prices.rules[_index] = _word
    elif _table == tables.GUARDS:
        prices.guards[_index] = _word
    elif _table == tables.LIMITS:
        prices.limits[_index] = _word
    elif _table == tables.LINES:
        load_line.lines[_index] = _word
    elif _table == tables.SCHEDULES:
        schedules.words[_index] = _word
    elif _table == tables.SIGNERS:
        quorum.is_signer[convert(convert(_index, uint160), address)] = _word != 0
    else:
        scalars.words[_index] = _word


@view
@external
def word_at(_table: uint256, _index: uint256) -> uint256:
    """
    @notice A raw word; _index is ignored for the clock.
    """
    if _table == tables.CLOCK:
        return effective_time.word
    if _table == tables.PRICES:
        return prices.prices[_index]
    if _table == tables.SETTLING:
        return prices.settling[_index]
    if _table == tables.HELD:
        return prices.held[_index]
    if _table == tables.CONFIGS:
        return prices.configs[_index]
    if _table == tables.RULES:
        return prices.rules[_index]
    if _table == tables.GUARDS:
        return prices.guards[_index]
    if _table == tables.LIMITS:
        return prices.limits[_index]
    if _table == tables.LINES:
        return load_line.lines[_index]
    if _table == tables.SCHEDULES:
        return schedules.words[_index]
    if _table == tables.SIGNERS:
        return convert(quorum.is_signer[convert(convert(_index, uint160), address)], uint256)
    return scalars.words[_index]
