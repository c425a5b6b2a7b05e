"""The replay: five minutes of the past a step, everybody acting in turn.

report, pushes    the keeper; silent during the incident
arrivals, trades  the traders, in the seconds after
liquidation       in rounds, as the auctions get on
vault             its manager sells on what its rings took over

Before the first price the insurance fund's buckets and the vault's rings are given their capital.
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
from scripts.demo_parts.intermission import go_home
from scripts.demo_parts.node import FREE, GAS
from scripts.demo_parts.plan import CALM, COLLATERAL, COLLATERAL_OF, Plan
from scripts.demo_parts.recorder import Recorder
from scripts.demo_parts.scene import MINUTE
from scripts.demo_parts.second_act import SecondAct, play_second_act
from scripts.demo_parts.traders import Crowd
from scripts.demo_parts.venue import CROSS, UNIT_WAD, WAD, Health, Market, Person, Venue
from scripts.support.config import Config

EARLY: Final = 1_800  # [s] before the first price, in which accounts are opened
REPORT_AFTER: Final = 3  # [s] a report is mined after its observation
TRADE_AFTER: Final = 9  # [s]
ROUNDS: Final = (20, 110, 200, 275)  # [s] after the observation, of the liquidation bot
LAST_AFTER: Final = 297  # [s] of the vault's manager
BLOCKS: Final = 3  # of a round
BLOCK_TIME: Final = 6  # [s]
SIGNER_INDEX: Final = 3  # first signer in the local mnemonic, as in the local configuration
SUBMITTER_INDEX: Final = 9  # pays for reports and pushes, and manages the vault
BUCKET_SHARE: Final = 15_000  # [ppm] of the traders' notional given to each market's bucket
RING_SHARE: Final = 5_000  # [ppm] of it given to each ring of the vault
PPM: Final = 1_000_000
OnStep = Callable[[int, int, Mapping[str, Market]], None]


@dataclass
class Stage:
    """All who act."""

    plan: Plan
    venue: Venue
    desk: Desk
    keeper: Keeper
    manager: Sender  # of the vault
    crowd: Crowd
    bot: Bot
    makers: list[Person]
    recorder: Recorder
    silence: Silence | None

    @property
    def accounts(self) -> list[int]:
        """Every one that was opened."""
        return list(self.names)

    @property
    def names(self) -> dict[int, str]:
        """Of everybody, by account."""
        people = [member.person for member in self.crowd.members]
        people += [*self.bot.people.values(), *self.makers]
        return {person.account: person.name for person in people} | self.venue.own_accounts

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
    submitter = Sender(venue.client, local_account(venue.client, SUBMITTER_INDEX), FREE)
    stage = Stage(
        plan=plan,
        venue=venue,
        desk=desk,
        keeper=_keeper(config, venue, submitter),
        manager=submitter,
        crowd=crowd,
        bot=Bot(venue, desk, collateral),
        makers=makers,
        recorder=Recorder(
            venue.symbols,
            plan.calibration,
            (COLLATERAL, COLLATERAL_OF),
            rings=frozenset(venue.own_accounts),
        ),
        silence=silence,
    )
    venue.node.listen(stage.recorder.hear)
    venue.node.listen(stage.bot.hear)
    venue.node.mine_on_demand()
    _fund(stage, _notional(cast, units))
    return stage


def play_staged(stage: Stage) -> SecondAct:
    """What comes after: people go home, then the second act. The recorder hears none of it."""
    venue, node = stage.venue, stage.venue.node
    node.listeners.clear()
    views = venue.look()
    traders = [member.person for member in stage.crowd.members]
    people = [*traders, *stage.bot.people.values()]
    go_home(venue, stage.desk, people, stage.makers, stage.manager, views)
    start = -(-(node.time + BLOCK_TIME) // MINUTE) * MINUTE
    return play_second_act(venue, stage.keeper, stage.manager, views, start)


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
        _work_off(stage, time, views)
        on_step(step, time, views)


# --- internals -----------------------------------------------------------------------------------


def _keeper(config: Config, venue: Venue, submitter: Sender) -> Keeper:
    count = len(config.oracle.signers)
    signers = [local_account(venue.client, SIGNER_INDEX + i) for i in range(count)]
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
    """Accounts are opened, makers, the bot, insurance fund and vault paid in."""
    node = stage.venue.node
    stage.crowd.open_accounts()
    stage.bot.open_accounts()
    for maker in stage.makers:
        stage.venue.open_account(maker, CROSS)
    node.mine(stage.plan.start - EARLY)
    stage.bot.fund(notional)
    for maker in stage.makers:
        stage.venue.deposit(maker, 2 * notional // len(stage.makers))
    _give_capital(stage.venue, notional // UNIT_WAD)
    node.mine(stage.plan.start - EARLY + 60)


def _give_capital(venue: Venue, notional: int) -> None:
    """Buckets of the insurance fund, rings of the vault [token units]."""
    node, vault = venue.node, venue.vault
    for market in venue.markets.values():
        venue.give(venue.fund, notional * BUCKET_SHARE // PPM, market)
    for market in venue.markets.values():
        venue.give(vault, notional * RING_SHARE // PPM)
        node.send(venue.bank, vault.address, vault.data("fill_ring", market), "fill ring")


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
    asks[venue.staged] = CALM  # of the second act: as it was listed
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
    watched = [*stage.traders, *(maker.account for maker in stage.makers), *venue.own_accounts]
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


def _work_off(stage: Stage, time: int, views: Mapping[str, Market]) -> None:
    """The vault's manager passes what the rings hold to market makers."""
    venue = stage.venue
    if not stage.recorder.has_stock:
        return
    sizes = {symbol: venue.ring_size(market) for symbol, market in venue.markets.items()}
    stage.recorder.has_stock = any(sizes.values())
    for symbol, size in sizes.items():
        if size:
            stage.desk.work_off(stage.manager, symbol, size, views[symbol])
    if venue.node.has_work:
        venue.node.mine(time + LAST_AFTER)
