"""The replay: five minutes of the past a step, everybody acting in turn.

report, pushes    the keeper; silent during the incident
arrivals, trades  the traders, in the seconds after
liquidation       in rounds, as the auctions get on
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from oracle.chain import Sender
from oracle.feeds.bars import HOUR
from oracle.keeper import Keeper, Quote, local_account
from oracle.policy import Limits
from scripts.demo_parts.bots import Bot, short_accounts
from scripts.demo_parts.cast import MAKERS, Trader
from scripts.demo_parts.desk import Desk
from scripts.demo_parts.incident import Silence
from scripts.demo_parts.node import FREE, GAS
from scripts.demo_parts.plan import COLLATERAL, COLLATERAL_OF, Plan
from scripts.demo_parts.recorder import Recorder
from scripts.demo_parts.traders import Crowd
from scripts.demo_parts.venue import CROSS, WAD, Health, Market, Person, Venue
from scripts.support.config import Config

EARLY: Final = 1_800  # [s] before the first price, in which accounts are opened
REPORT_AFTER: Final = 3  # [s] a report is mined after its observation
TRADE_AFTER: Final = 9  # [s]
ROUNDS: Final = (20, 110, 200, 275)  # [s] after the observation, of the liquidation bot
BLOCKS: Final = 3  # of a round
BLOCK_TIME: Final = 6  # [s]
SIGNER_INDEX: Final = 3  # first signer in the local mnemonic, as in the local configuration
SUBMITTER_INDEX: Final = 9  # pays for reports and pushes
OnStep = Callable[[int, int, Mapping[str, Market]], None]


@dataclass
class Stage:
    """All who act."""

    plan: Plan
    venue: Venue
    keeper: Keeper
    crowd: Crowd
    bot: Bot
    makers: list[Person]
    recorder: Recorder
    silence: Silence | None

    @property
    def accounts(self) -> list[int]:
        """Every one that was opened."""
        return [*self.traders, *self.bot.accounts, *(maker.account for maker in self.makers)]

    @property
    def names(self) -> dict[int, str]:
        """Of everybody, by account."""
        people = [member.person for member in self.crowd.members]
        people += [*self.bot.people.values(), *self.makers]
        return {person.account: person.name for person in people}

    @property
    def traders(self) -> list[int]:
        """Of the traders."""
        return [member.account for member in self.crowd.members]


def set_stage(
    plan: Plan, config: Config, venue: Venue, cast: list[Trader], silence: Silence | None
) -> Stage:
    """Everybody with an account and money, and the chain's clock at the beginning."""
    makers = [venue.person(f"maker-{i}") for i in range(MAKERS)]
    desk = Desk(venue, makers)
    units = {symbol: plan.calibration[symbol].schedule.bounds[0] for symbol in plan.symbols}
    crowd = Crowd(venue, desk, cast, units)
    collateral = [m.account for m in crowd.members if m.trader.with_collateral]
    stage = Stage(
        plan=plan,
        venue=venue,
        keeper=_keeper(config, venue),
        crowd=crowd,
        bot=Bot(venue, desk, collateral),
        makers=makers,
        recorder=Recorder(venue.symbols, plan.calibration, (COLLATERAL, COLLATERAL_OF)),
        silence=silence,
    )
    venue.node.listen(stage.recorder.hear)
    venue.node.listen(stage.bot.hear)
    venue.node.mine_on_demand()
    _fund(stage, _notional(cast, units))
    return stage


def play(stage: Stage, on_step: OnStep) -> None:
    """All steps."""
    for step, (time, prices) in enumerate(stage.plan.steps):
        is_silent = stage.silence is not None and stage.silence.covers(step)
        if not is_silent:
            _report(stage, time, prices)
        stage.venue.node.mine(time + REPORT_AFTER)
        views = stage.venue.look()
        health = _trade(stage, time, views)
        stage.recorder.sample(time, prices, views, health)
        _liquidate(stage, time, views, health)
        on_step(step, time, views)


# --- internals -----------------------------------------------------------------------------------


def _keeper(config: Config, venue: Venue) -> Keeper:
    count = len(config.oracle.signers)
    signers = [local_account(venue.client, SIGNER_INDEX + i) for i in range(count)]
    submitter = Sender(venue.client, local_account(venue.client, SUBMITTER_INDEX), FREE)
    rules = config.push_rules
    limits = Limits(
        severity_up=rules.step_up,
        severity_down=rules.step_down,
        depth_fall=rules.depth_fall,
        depth_rise=rules.depth_rise,
        depth_min=rules.depth_min,
        min_delay=rules.min_delay,
    )
    quorum = config.oracle.quorum
    engine = venue.engine.address
    return Keeper(venue.client, engine, signers, submitter, quorum=quorum, limits=limits, gas=GAS)


def _notional(cast: list[Trader], units: Mapping[str, int]) -> int:
    """Of all positions wished for [USD wad]."""
    wishes = (wish for trader in cast for wish in trader.wishes)
    return sum(int(wish.size * units[wish.symbol]) for wish in wishes) * WAD


def _fund(stage: Stage, notional: int) -> None:
    """Accounts are opened, makers and the bot paid in."""
    node = stage.venue.node
    stage.crowd.open_accounts()
    stage.bot.open_accounts()
    for maker in stage.makers:
        stage.venue.open_account(maker, CROSS)
    node.mine(stage.plan.start - EARLY)
    stage.bot.fund(notional)
    for maker in stage.makers:
        stage.venue.deposit(maker, 2 * notional // len(stage.makers))
    node.mine(stage.plan.start - EARLY + 60)


def _report(stage: Stage, time: int, prices: Mapping[str, int]) -> None:
    """Prices each time, load lines every hour."""
    venue, keeper = stage.venue, stage.keeper
    premiums = stage.plan.premiums[time - time % HOUR]
    quotes = {
        venue.markets[symbol]: Quote(price, premiums[symbol]) for symbol, price in prices.items()
    }
    quotes[venue.collateral_asset] = Quote(prices[COLLATERAL_OF])
    venue.node.note(keeper.report(time, quotes), "report")
    if time % HOUR:
        return
    asks = {venue.markets[symbol]: ask for symbol, ask in stage.plan.asks[time].items()}
    asks[venue.collateral_asset] = stage.plan.asks[time][COLLATERAL_OF]
    push = keeper.push(asks, time)
    if push is not None:
        venue.node.note(push, "push")


def _trade(stage: Stage, time: int, views: Mapping[str, Market]) -> dict[int, Health]:
    """Who comes pays in first, and trades in the next block. Returns how the traders stand then."""
    node, crowd = stage.venue.node, stage.crowd
    elapsed = time - stage.plan.start
    if crowd.arrive(elapsed, views):
        node.mine(time + TRADE_AFTER)
    crowd.trade(elapsed, views)
    health = stage.venue.health(stage.traders)
    crowd.react(time, views, health)
    if not node.has_work:
        return health
    node.mine(time + TRADE_AFTER)
    return stage.venue.health(stage.traders)


def _liquidate(
    stage: Stage, time: int, views: Mapping[str, Market], health: Mapping[int, Health]
) -> None:
    """Rounds while anybody is short."""
    venue, bot = stage.venue, stage.bot
    watched = [*stage.traders, *(maker.account for maker in stage.makers)]
    for after in ROUNDS:
        if not short_accounts(health, bot.accounts) and not bot.has_stock:
            return
        venue.node.mine(time + after)  # auctions are judged by the time of the last block
        bot.begin_round()
        for block in range(1, BLOCKS + 1):
            health = venue.health(watched)
            short = short_accounts(health, bot.accounts)
            bot.act({account: health[account] for account in short})
            if not venue.node.has_work and not bot.has_stock:
                break
            venue.node.mine(time + after + block * BLOCK_TIME)
            if bot.sell_on(views):
                venue.node.mine(time + after + block * BLOCK_TIME + BLOCK_TIME // 2)
        health = venue.health(watched)
