"""Command line of the liquidation bot."""

from __future__ import annotations

import functools
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import click
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address

from oracle.bot.act import Actor, Gas
from oracle.bot.errors import BotError
from oracle.bot.journal import Journal
from oracle.bot.logs import Log, configure, usd
from oracle.bot.outbox import DryRun, Live
from oracle.bot.protocol import LIQUIDATABLE, PRICE_OF, WAD, Deployment, short_id
from oracle.bot.rank import ranked, read_health
from oracle.bot.watch import PAGE, Watcher
from oracle.chain import ChainError, Client
from oracle.keeper import KeeperError, open_keystore
from oracle.signing import account_id

PASSPHRASE: Final = "PLIMSOLL_BOT_PASSPHRASE"
FOLDER: Final = Path("build/bot")
NATIVE: Final = ("ETH", "WETH")  # of the deployment, to price gas by
COLLECT_EVERY: Final = 50  # rounds between two looks at one's rewards
MOST_WAIT: Final = 60.0  # [s] between two tries at a node that does not answer


@dataclass
class Bot:
    """One round after the other."""

    client: Client
    deployment: Deployment
    watcher: Watcher
    journal: Journal
    actor: Actor
    live: Live | None  # None in a dry run
    own: int
    native_usd: int | None  # [USD wad]; None for the engine's price
    log: Log
    turn: int = 0

    def round(self) -> int:
        """Settle what was sent, read the chain, act; how many actions went out.

        Raises:
            ChainError: the node cannot be reached, or refused.
        """
        head = self.watcher.update()
        if self.live is not None:
            self.live.settle()
        health = read_health(
            self.client, self.deployment.lens, self.journal.accounts(), head, self.log
        )
        if self.own in health and health[self.own].state >= LIQUIDATABLE:
            self.log.warning("own account is short", account=short_id(self.own))
        short = ranked(health, own={self.own})
        gas = self._gas() if short or self.turn % COLLECT_EVERY == 0 else None
        count = self.actor.act(short, head, gas) if short and gas else 0
        if gas and self.turn % COLLECT_EVERY == 0:
            count += self.actor.collect(gas, head)
        self.turn += 1
        self.log.debug("round", head=head, accounts=len(health), short=len(short), actions=count)
        return count

    def run(self, interval: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Until interrupted. A node that does not answer is asked again, ever less often."""
        wait = interval
        while True:
            try:
                self.round()
                wait = interval
            except ChainError as error:
                self.log.warning("chain", error=str(error), again_in_seconds=wait)
                sleep(wait)
                wait = min(2 * wait, MOST_WAIT)
                continue
            sleep(interval)

    def _gas(self) -> Gas:
        native = self.native_usd
        if native is None:
            asset = native_asset(self.deployment)
            native = int(self.client.call(self.deployment.engine, PRICE_OF, asset)[0])
        if not native:
            raise BotError("The engine has no price of ETH to count gas by: give --native-usd.")
        return Gas(self.client.fees().most, native)


def native_asset(deployment: Deployment) -> int:
    """Whose price in the engine is that of gas.

    Raises:
        BotError: there is none.
    """
    for symbol in NATIVE:
        if symbol in deployment.assets:
            return deployment.assets[symbol]
    raise BotError("The deployment has no price of ETH to count gas by: give --native-usd.")


def in_one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """No traceback for what people or nodes do wrong."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (BotError, KeeperError, ChainError) as error:
            raise click.ClickException(str(error)) from None
        except sqlite3.Error as error:
            raise click.ClickException(f"The journal cannot be written: {error}.") from None

    return wrapper


def usd_wad(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """An amount of dollars on the command line."""
    if value is None:
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise click.BadParameter(f"{value!r} is no amount of dollars.") from None
    if not amount.is_finite() or amount < 0:
        raise click.BadParameter(f"{value!r} is no amount of dollars.")
    return int(amount * WAD)


@click.command()
@click.option("--rpc", required=True, metavar="URL", help="JSON-RPC of a node.")
@click.option(
    "--deployment",
    "deployment_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="What `ape run deploy` wrote: build/deployments/CHAIN.json.",
)
@click.option(
    "--keystore",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Encrypted key that sends. Its passphrase comes from {PASSPHRASE} or is asked for; a dry"
    " run needs only the address in the file.",
)
@click.option(
    "--subaccount",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**96 - 1),
    help="Of the sender: the one to take.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done; send nothing.")
@click.option("--once", is_flag=True, help="One round, then exit.")
@click.option(
    "--journal",
    "journal_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"SQLite file that survives restarts.  [default: {FOLDER}/CHAIN-ADDRESS.sqlite, a dry run"
    " none]",
)
@click.option(
    "--min-profit",
    default="0",
    show_default=True,
    metavar="USD",
    callback=usd_wad,
    help="Take only for more than this, after gas.",
)
@click.option(
    "--native-usd",
    metavar="USD",
    callback=usd_wad,
    help="Price of the coin that pays for gas.  [default: the engine's price of ETH]",
)
@click.option(
    "--interval",
    default=4.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="Seconds between two rounds.",
)
@click.option(
    "--page",
    default=PAGE,
    show_default=True,
    type=click.IntRange(min=1),
    help="Blocks in one question for logs.",
)
@click.option("--verbose", is_flag=True, help="Log every account and every repeated refusal.")
@in_one_sentence
def main(
    rpc: str,
    deployment_file: Path,
    keystore: Path,
    subaccount: int,
    dry_run: bool,
    once: bool,
    journal_file: Path | None,
    min_profit: int,
    native_usd: int | None,
    interval: float,
    page: int,
    verbose: bool,
) -> None:
    """Liquidate what is short: start auctions, take at a discount, resolve.

    Takes go into an account of the sender's, which has to be open and funded; without one the bot
    only starts auctions and resolves. Logs go to standard error, one line an event.
    """
    configure(verbose)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    log = Log()
    client = Client(rpc)
    deployment = Deployment.load(deployment_file)
    deployment.check(client)
    if native_usd is None:
        native_asset(deployment)  # without one it could not act later
    signer = None if dry_run else open_keystore(keystore, passphrase())
    address = keystore_address(keystore) if signer is None else str(signer.address)
    own = account_id(address, subaccount)
    path = journal_path(journal_file, deployment, address, dry_run)
    journal = Journal(path, f"{deployment.chain_id}:{deployment.ledger}:{address}")
    try:
        bot = assemble(client, deployment, journal, log, signer, address, own, min_profit, page)
        bot.native_usd = native_usd
        log.info("start", account=short_id(own), dry_run=dry_run, min_profit_usd=usd(min_profit))
        if once:
            bot.round()
        else:
            bot.run(interval)
    except KeyboardInterrupt:
        log.info("stop")
    finally:
        journal.close()


def assemble(
    client: Client,
    deployment: Deployment,
    journal: Journal,
    log: Log,
    signer: LocalAccount | None,
    address: str,
    own: int,
    min_profit: int = 0,
    page: int = PAGE,
) -> Bot:
    """All parts; without a signer it is a dry run."""
    live = signer and Live(client, signer, deployment.liquidator, journal, log)
    actor = Actor(
        client,
        deployment,
        journal,
        live or DryRun(click.echo),
        log,
        address=address,
        own=own,
        min_profit=min_profit,
    )
    watcher = Watcher(client, deployment, journal, log, page)
    return Bot(client, deployment, watcher, journal, actor, live or None, own, None, log)


def passphrase() -> str:
    """From the environment, or typed.

    Raises:
        BotError: neither is possible.
    """
    given = os.environ.get(PASSPHRASE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise BotError(f"There is no passphrase: set {PASSPHRASE}.")
    return str(click.prompt("Passphrase", hide_input=True, err=True))


def keystore_address(path: Path) -> str:
    """Of an encrypted key, without opening it.

    Raises:
        BotError: unreadable, or no keystore that names its address.
    """
    try:
        address = json.loads(path.read_text(encoding="utf-8"))["address"]
    except OSError as error:
        raise BotError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise BotError(f"{path} is no keystore with an address.") from None
    if not is_address(address):
        raise BotError(f"{path} is no keystore with an address.")
    return str(to_checksum_address(address))


def journal_path(given: Path | None, deployment: Deployment, address: str, dry: bool) -> Path | str:
    """Where to keep it. A dry run keeps nothing: it must not lock out the bot that works."""
    if given is not None:
        return given
    return ":memory:" if dry else FOLDER / f"{deployment.chain_id}-{address}.sqlite"
