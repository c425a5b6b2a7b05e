# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Risk engine
@license AGPL-3.0-only
@notice Prices, tier schedules and load lines; answers "what margin does this book need?". Holds no money.
@dev Table of contents; the rules are in the modules, each with its units, choices and reasons:

    governance      owner and guardian            effective_time  pause, grace, clocks of everything
    quorum          who signs reports and pushes  prices          what is known of a price; settling
    reports         price reports and guards      steward         pushes of severity and depth
    load_line       FORMULAS 3                    schedules       FORMULAS 6
    listing         what governance sets          margin          the answers
    chainlink, decimal_words, price_words, fixed_point, checks    stateless helpers

    Assumes: fewer than a third of the signers are hostile (else prices are, within max_move a report and the
    reference feed; pushes within [calm, storm], one step per min_delay); the owner is a timelock. Liveness:
    without reports prices become unknown after price_max_age; without pushes IM goes to storm, MM stays.
"""
from contracts.interfaces import IRiskEngine
from contracts.modules import effective_time
from contracts.modules import governance
from contracts.modules import listing
from contracts.modules import load_line
from contracts.modules import margin
from contracts.modules import prices
from contracts.modules import quorum
from contracts.modules import reports
from contracts.modules import schedules
from contracts.modules import steward

implements: IRiskEngine

initializes: governance
initializes: effective_time[governance := governance]
initializes: quorum[governance := governance]
initializes: load_line
initializes: schedules
initializes: prices[effective_time := effective_time, governance := governance, load_line := load_line]
initializes: reports[
    effective_time := effective_time,
    load_line := load_line,
    prices := prices,
    quorum := quorum,
    schedules := schedules,
]
initializes: steward[
    effective_time := effective_time,
    governance := governance,
    load_line := load_line,
    quorum := quorum,
]
initializes: listing[
    effective_time := effective_time,
    governance := governance,
    load_line := load_line,
    prices := prices,
    schedules := schedules,
]
initializes: margin[
    effective_time := effective_time,
    load_line := load_line,
    prices := prices,
    schedules := schedules,
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
# The guardian.
exports: (
    effective_time.pause,
    effective_time.set_settlement_doubt,
    prices.set_reduce_only,
    quorum.freeze_signer,
)
# Governance.
exports: (
    governance.owner,
    governance.guardian,
    governance.hand_over,
    governance.set_guardian,
    listing.list_asset,
    listing.set_config,
    listing.set_schedule,
    listing.set_feed,
    effective_time.set_price_rules,
    effective_time.set_sequencer_feed,
    steward.set_push_rules,
    quorum.set_signers,
    prices.set_liquidator,
)
# What the lens, the keepers and the tests look at.
exports: (
    margin.line_of,
    margin.price_of,
    margin.pending,
    margin.brackets,
    margin.tier_requirement,
    listing.config_of,
    effective_time.price_rules,
    effective_time.pause_ended,
    effective_time.sequencer_feed,
    steward.push_rules,
    quorum.signers,
    quorum.is_signer,
    quorum.threshold,
    prices.liquidator,
    load_line.SEVERITY_UP,
    load_line.SEVERITY_DOWN,
    load_line.DEPTH_DOWN,
    load_line.DEPTH_UP,
    load_line.RAMP,
)


@deploy
def __init__(
    _guardian: address,
    _clocks: IRiskEngine.Clocks,
    _price_rules: IRiskEngine.PriceRules,
    _push_rules: IRiskEngine.PushRules,
    _signers: DynArray[address, 9],
    _quorum: uint256,
):
    """
    @notice The deployer is the owner until it hands over to the timelock.
    """
    governance.__init__(_guardian)
    quorum.__init__()
    load_line.__init__(_clocks)
    effective_time._set_price_rules(_price_rules)
    steward._set_push_rules(_push_rules)
    quorum._set_signers(_signers, _quorum)


# --- views -----------------------------------------------------------------------------------------------


@view
@external
def severity_now(_asset: uint256) -> (uint256, uint256, uint256, uint256):
    """
    @return s_mm, s_im, depth_mm, depth_im now [ppm].
    """
    clock: uint256 = effective_time.word
    now: uint256 = effective_time._now(clock)
    line: uint256 = load_line.lines[_asset]
    s_mm: uint256 = 0
    d_mm: uint256 = 0
    s_im: uint256 = 0
    d_im: uint256 = 0
    s_mm, d_mm = load_line._read(line, load_line.MAINTENANCE, clock, now)
    s_im, d_im = load_line._read(line, load_line.INITIAL, clock, now)
    return s_mm, s_im, d_mm, d_im
