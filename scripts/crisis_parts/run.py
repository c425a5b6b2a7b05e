"""The crisis replay from beginning to end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ape
from rich.console import Console

from oracle.chain import ChainError, Client
from oracle.crisis.path import Step
from oracle.crisis.venue import Rules
from oracle.engine.positions import NEW_MARKET
from oracle.engine.units import WAD
from oracle.keeper import KeeperError
from oracle.signing import MessageError
from scripts.crisis_parts import opening, outcome, page, table
from scripts.crisis_parts.capital import Capital, capital_of, give, with_rings
from scripts.crisis_parts.chain import Chain
from scripts.crisis_parts.errors import CrisisError
from scripts.crisis_parts.inputs import Case, Choices, load_case
from scripts.crisis_parts.ladder import Ladder, Moment
from scripts.crisis_parts.listing import initial_margin, maintenance, market_config
from scripts.crisis_parts.mirror import Mirror
from scripts.crisis_parts.queues import VARIANTS, QueueFigures, Variant, run_queues
from scripts.crisis_parts.solvency import Closing, close_books, read_health
from scripts.support.anvil import connected, running_anvil
from scripts.support.bars import Bars, progress
from scripts.support.compilation import refresh
from scripts.support.config import Config
from scripts.support.deployed import CONTRACTS
from scripts.support.deployment import deploy, step_count
from scripts.support.files import prepare_folder, write

DEPLOYED_BEFORE = 7_200  # [s] the chain begins before the first price
OPENED_BEFORE = 3_600  # [s] accounts are opened


@dataclass(frozen=True)
class Options:
    """How it is replayed."""

    liquidators: bool = False
    variant: Variant = VARIANTS[0]
    initial_margin: int | None = None  # [ppm]
    insurance: float | None = None  # [USD] in each market's bucket
    backstop: float | None = None  # [USD] in each market's ring
    port: int = 0


@dataclass
class Replay:
    """What was replayed, and what came of it."""

    choices: Choices
    options: Options
    case: Case
    config: Config
    ladder: Ladder
    moments: list[Moment]
    queues: list[QueueFigures]
    closing: Closing
    mismatches: int  # accounts whose equity the lens shows otherwise
    unresolved: int  # accounts the lens shows below maintenance margin
    seconds: dict[str, float]

    @property
    def mirror(self) -> Mirror:
        """Accounts at the end."""
        return self.ladder.mirror

    @property
    def queue(self) -> QueueFigures:
        """The variant that was asked for."""
        return next(q for q in self.queues if q.variant == self.options.variant)


def run_crisis(
    choices: Choices, options: Options, out: Path, terminal: Console | None = None
) -> dict[str, Any]:
    """Replay a crisis and write its report; returns it.

    Raises:
        ScriptError: bad input, anything that stops it, or a figure that must be 0 and is not.
    """
    terminal = terminal or Console()
    case = load_case(choices)
    rate = initial_margin(case, options.initial_margin, choices.table)
    capital = capital_of(case, options.insurance, options.backstop)
    config = market_config(case, rate, capital)
    prepare_folder(out)
    try:
        replay = _run(choices, options, case, capital, config, terminal)
    except (ChainError, KeeperError, MessageError) as error:
        raise CrisisError(str(error)) from None
    report = outcome.make_report(replay)
    write(out / "report.json", outcome.as_json(report))
    write(out / "report.html", page.render(replay, report))
    terminal.print(table.comparison(report))
    terminal.print(table.variants(report))
    terminal.print(table.files(out), soft_wrap=True)
    outcome.check(report)
    return report


# --- internals -----------------------------------------------------------------------------------


def _run(
    choices: Choices,
    options: Options,
    case: Case,
    capital: dict[str, Capital],
    config: Config,
    terminal: Console,
) -> Replay:
    clock = {"began": time.monotonic()}
    with progress(terminal) as bars:
        bars.begin("Compiling", None)
        refresh(CONTRACTS.values())
        begin = case.path[0].time - DEPLOYED_BEFORE
        with running_anvil(begin, options.port, history=0) as client, connected(client):
            clock["set up"] = time.monotonic()
            ladder = _open(case, capital, config, client, bars, options)
            clock["opened"] = time.monotonic()
            moments = _replay(case, ladder, bars)
            clock["replayed"] = time.monotonic()
            bars.begin("Counting", None)
            closing, mismatches, unresolved = _close(ladder)
        clock["counted"] = time.monotonic()
        bars.begin("Queue", len(VARIANTS))
        queues = _queues(case, config, ladder, moments, bars)
    clock["queued"] = time.monotonic()
    return Replay(
        choices,
        options,
        case,
        config,
        ladder,
        moments,
        queues,
        closing,
        mismatches,
        unresolved,
        _seconds(clock),
    )


def _open(
    case: Case,
    capital: dict[str, Capital],
    config: Config,
    client: Client,
    bars: Bars,
    options: Options,
) -> Ladder:
    bars.begin("Deploying", step_count(config))
    deployment = deploy(config, ape.accounts.test_accounts[0], on_step=bars.advance)
    chain = Chain(client, deployment)
    symbols = {number: symbol for symbol, number in deployment.markets.items()}
    numbers = deployment.markets
    present = symbols if options.liquidators else {}
    takers = {market: opening.person(f"liquidator {market}") for market in present}
    funded = with_rings(chain, capital)
    rings = {m: each.ring for m, each in funded.items() if each.ring is not None}
    owners = opening.people(len(case.accounts))
    own = [*takers, *rings]  # markets of the accounts that are not of the case
    mirror = Mirror(
        ids=[owner.account for owner in [*owners, *takers.values()]] + list(rings.values()),
        market_of=[numbers[account.market] for account in case.accounts] + own,
        mm_rate=maintenance(config.markets[0].brackets[0].im_calm),
        markets=dict.fromkeys(symbols, NEW_MARKET),
    )
    ladder = Ladder(chain, mirror, config, symbols, takers, funded)
    _bring_in(case, ladder, owners, bars)
    return ladder


def _bring_in(case: Case, ladder: Ladder, owners: Sequence[opening.Person], bars: Bars) -> None:
    chain, mirror = ladder.chain, ladder.mirror
    purse = sum(account.size * account.entry // WAD for account in case.accounts)
    everybody = [*owners, *ladder.liquidators.values()]
    equities = [int(account.equity) for account in case.accounts]
    equities += [2 * purse // opening.UNIT_WAD * opening.UNIT_WAD] * len(ladder.liquidators)
    bars.begin("Opening", 3 * len(owners))

    def advance(count: int) -> None:
        bars.advance(by=count)

    opening.open_accounts(chain, everybody, case.path[0].time - OPENED_BEFORE, advance)
    opening.pay_in(chain, everybody, equities, advance)
    give(chain, opening.person("bank").address, ladder.capital)
    ladder.report(Step(case.path[0].time - OPENED_BEFORE // 2, case.path[0].prices))
    for number, symbol in ladder.symbols.items():
        members = [i for i, account in enumerate(case.accounts) if account.market == symbol]
        opening.match_all(chain, owners, case.accounts, number, members, advance)
    mirror.read(chain)


def _replay(case: Case, ladder: Ladder, bars: Bars) -> list[Moment]:
    bars.begin("Replaying", len(case.path))
    moments: list[Moment] = []
    for step, following in zip(case.path, [*case.path[1:], None], strict=True):
        until = step.time + 10**6 if following is None else following.time
        moments += ladder.play(step, until)
        bars.advance(table.where(ladder, step))
    return moments + ladder.finish(case.path[-1])


def _close(ladder: Ladder) -> tuple[Closing, int, int]:
    """The books; accounts the lens values otherwise than the mirror; accounts that are short."""
    mirror = ladder.mirror
    closing = close_books(ladder.chain, mirror.ids, mirror.market_of, ladder.marks)
    health = read_health(ladder.chain, mirror.ids)
    wrong = sum(
        equity != mirror.equity_of(i, ladder.marks[mirror.market_of[i]])
        for i, (equity, _, _) in enumerate(health)
    )
    short = sum(equity < mm for equity, mm, _ in health)
    return closing, wrong, short


def _queues(
    case: Case, config: Config, ladder: Ladder, moments: Sequence[Moment], bars: Bars
) -> list[QueueFigures]:
    liquidation = config.liquidation
    rules = Rules(ladder.mirror.mm_rate, liquidation.duration, liquidation.tail)
    found = []
    for variant in VARIANTS:
        found += run_queues(case, rules, moments, ladder, [variant])
        bars.advance(variant.name)
    return found


def _seconds(clock: dict[str, float]) -> dict[str, float]:
    """Of each part, and of all."""
    names, times = list(clock), list(clock.values())
    parts = {name: round(b - a, 1) for name, a, b in zip(names[1:], times, times[1:], strict=False)}
    return {"all": round(times[-1] - times[0], 1), **parts}
