# pragma version 0.4.3
# pragma nonreentrancy on
# pragma optimize codesize
"""
@title Risk engine
@license AGPL-3.0-only
@notice Prices, tier schedules and load lines; answers "what margin does this book need?". Holds no
    money.
@dev Table of contents; the rules are in the modules, each with its units, choices and reasons:

    governance      owner and guardian            effective_time  pause, grace, clocks of everything
    quorum          who signs reports and pushes  prices          what is known of a price; settling
    reports         price reports and guards      steward         pushes of severity and depth
    load_line       FORMULAS 3                    schedules       FORMULAS 6
    requirement     the two together              margin          the answers
    word_store      every word, raw; RiskSettings writes here what governance sets
    chainlink, decimal_words, price_words, engine_tables, fixed_point, checks    stateless helpers

    Assumes: fewer than a third of the signers are hostile (else prices are, within max_move a
    report and the reference feed; pushes within [calm, storm], one step per min_delay); the owner
    is a timelock. Liveness: without reports prices become unknown after price_max_age; without
    pushes IM goes to storm, MM stays.
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import effective_time
from contracts.modules import engine_scalars as scalars
from contracts.modules import governance
from contracts.modules import load_line
from contracts.modules import margin
from contracts.modules import prices
from contracts.modules import quorum
from contracts.modules import reports
from contracts.modules import requirement
from contracts.modules import schedules
from contracts.modules import steward
from contracts.modules import word_store

implements: IRiskEngine

initializes: governance
initializes: scalars
initializes: effective_time[governance := governance, scalars := scalars]
initializes: quorum[effective_time := effective_time, governance := governance]
initializes: load_line
initializes: schedules
initializes: requirement[load_line := load_line, schedules := schedules]
initializes: prices[
    effective_time := effective_time,
    governance := governance,
    load_line := load_line,
    scalars := scalars,
]
initializes: reports[
    effective_time := effective_time,
    prices := prices,
    quorum := quorum,
    requirement := requirement,
]
initializes: steward[
    effective_time := effective_time,
    load_line := load_line,
    quorum := quorum,
    scalars := scalars,
]
initializes: margin[
    effective_time := effective_time,
    load_line := load_line,
    prices := prices,
    requirement := requirement,
    schedules := schedules,
]
initializes: word_store[
    effective_time := effective_time,
    load_line := load_line,
    prices := prices,
    quorum := quorum,
    schedules := schedules,
    scalars := scalars,
]

# The questions of the ledger and the liquidator.
exports: (
    margin.assess,
    margin.quote,
    margin.reference_of,
    margin.liquidation_size,
    margin.collateral_value,
    margin.collateral_terms,
    effective_time.clock,
)
# Keepers, anyone; begin_aftermath the liquidator.
exports: (reports.report, steward.push, effective_time.unpause, prices.begin_aftermath)
# The guardian; what it set only the owner clears.
exports: (
    effective_time.pause,
    effective_time.set_settlement_doubt,
    prices.set_reduce_only,
    quorum.freeze_signer,
)
# Governance; everything else it sets comes through RiskSettings.
exports: (
    governance.owner,
    governance.guardian,
    governance.hand_over,
    governance.set_guardian,
    word_store.store,
)
# What the lens, the keepers and the tests look at.
exports: (
    margin.price_of,
    margin.pending,
    margin.severity_now,
    margin.tier_requirement,
    word_store.word_at,
    word_store.SETTINGS,
    load_line.clocks,
)


@deploy
def __init__(_guardian: address, _settings: address, _clocks: IRiskEngine.Clocks):
    """
    @notice The deployer is the owner until it hands over to the timelock.
    @param _settings The RiskSettings, which is then bound to this contract.
    """
    governance.__init__(_guardian)
    quorum.__init__()
    load_line.__init__(_clocks)
    word_store.__init__(_settings)
