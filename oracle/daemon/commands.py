"""Command line of the keeper: run, status, signer."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from oracle.chain import ChainError
from oracle.daemon import replay as replays
from oracle.daemon import service
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.config import KeeperConfig, load_config
from oracle.daemon.keys import make_keystore, passphrase_of
from oracle.daemon.node import ClockGuard
from oracle.daemon.running import run_rounds
from oracle.daemon.status import open_for_reading, read_status, render
from oracle.feeds.scenario import SPANS

NODE: Final = "http://127.0.0.1:8545"
DEPLOYMENT: Final = Path("build/deployments/31337.json")
STATE: Final = Path("build/keeper")
FILE = click.Path(path_type=Path, dir_okay=False)


class Refusal(click.ClickException):
    """One sentence, and its exit code."""

    def __init__(self, error: DaemonError) -> None:
        super().__init__(str(error))
        self.exit_code = int(error.code)


def in_one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """No traceback for what people, files or nodes do wrong."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        try:
            command(*args, **kwargs)
        except DaemonError as error:
            raise Refusal(error) from None
        except ChainError as error:
            raise Refusal(DaemonError(str(error), Exit.NODE)) from None

    return wrapper


CONFIG = click.option("--config", "path", type=FILE, help="TOML or JSON; see docs/operate.md.")
REPLAY = click.option(
    "--replay",
    type=click.Choice(sorted(SPANS)),
    help="A recorded market day instead, on a local node with the development keys.",
)
LOCAL = (
    click.option("--node", default=NODE, show_default=True, help="Local node of a replay."),
    click.option(
        "--deployment",
        default=DEPLOYMENT,
        show_default=True,
        type=FILE,
        help="Of a replay: what `ape run deploy` wrote.",
    ),
    click.option(
        "--state",
        default=STATE,
        show_default=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="Of a replay: folder of journal, lease and heartbeat.",
    ),
)


def local_options(command: Callable[..., None]) -> Callable[..., None]:
    """Where a replay plays."""
    for option in reversed(LOCAL):
        command = option(command)
    return command


def config_of(
    path: Path | None, replay: str | None, node: str, deployment: Path, state: Path
) -> KeeperConfig:
    """From the file, or for a local node.

    Raises:
        DaemonError: neither is named, or both.
    """
    if (path is None) == (replay is None):
        raise DaemonError("Name a --config file or a --replay.", Exit.CONFIG)
    if path is not None:
        return load_config(path)
    return replays.local_config(replay or "", node, deployment, state)


@click.command()
@CONFIG
@REPLAY
@local_options
@click.option("--hours", type=click.IntRange(min=1), help="Play so many hours of a replay only.")
@click.option("--once", is_flag=True, help="One round; ends with the code of its gravest alarm.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, a JSON object a line.")
@in_one_sentence
def run(
    path: Path | None,
    replay: str | None,
    node: str,
    deployment: Path,
    state: Path,
    hours: int | None,
    once: bool,
    dry_run: bool,
) -> None:
    """Collect M of N signatures, bring prices and load lines to the chain, for ever.

    Prices go out at each time of the grid, load lines when the steward allows a step, and once a
    day custody takes note of what it holds. Logs are JSON lines on standard error. `--replay` plays
    a recorded day on a local node (`anvil`, then `ape run deploy --network http://127.0.0.1:8545`).
    Where the file names a `relay` under [sending], transactions go there first, unseen by others;
    if it fails or is slow the node gets the same transaction.
    """
    config = config_of(path, replay, node, deployment, state)
    parts = service.open_parts(config)
    try:
        if replay is not None:
            play(parts, replay, hours)
            return
        code = run_live(parts, once=once, dry_run=dry_run)
    finally:
        parts.close()
    if code:
        raise SystemExit(int(code))


def run_live(parts: service.Parts, *, once: bool, dry_run: bool) -> Exit:
    """With the keys of the configuration."""
    config = parts.config
    if config.sender is None:
        raise DaemonError("There is no [sender] with a keystore.", Exit.CONFIG)
    signers = service.make_signers(parts, service.origin_now(parts))
    sender = service.open_entry(config.sender)
    clock = ClockGuard(config.timing.max_head_age, config.timing.max_skew)
    say: Callable[[Any], None] = lambda payload: click.echo(service.payload_line(payload))  # noqa: E731
    lease = service.lease_of(parts, sender.address)
    if not dry_run:
        lease.take()
    try:
        keeper = service.make_keeper(
            parts, signers, sender, dry_run=say if dry_run else None, clock=clock
        )
        if config.metrics is not None:
            parts.metrics.serve(config.metrics.host, config.metrics.port)
        return run_rounds(keeper, parts, once=once)
    finally:
        lease.give()


def play(parts: service.Parts, name: str, hours: int | None) -> None:
    """A recording, with a progress bar."""
    replays.name_aliases(parts)
    lease = service.lease_of(parts, replays.dev_sender(parts.deployment.chain_id).address)
    lease.take()
    try:
        origin = replays.begin(parts.client)
        keeper = replays.local_keeper(parts, origin)
        steps = replays.step_count(name, hours)
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(f"replaying {name}", total=steps)
            played = replays.play(
                keeper, parts.client, origin, steps, lambda _: progress.advance(task)
            )
        latency = "-" if played.latency_ms is None else f"{played.latency_ms:.0f} ms"
        click.echo(
            f"{played.reports} reports and {played.pushes} pushes sent, {played.reverted} of them"
            f" reverted; price tick to submitted: {latency} (median)."
        )
    finally:
        lease.give()


@click.command()
@CONFIG
@REPLAY
@local_options
@click.option("--sender", help="Address that sends.  [default: of the configured keystore]")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@in_one_sentence
def status(
    path: Path | None,
    replay: str | None,
    node: str,
    deployment: Path,
    state: Path,
    sender: str | None,
    as_json: bool,
) -> None:
    """Each asset's last push, its age, severity now and asked, depth, coverage; the signers.

    Needs no key and disturbs no running keeper.
    """
    config = config_of(path, replay, node, deployment, state)
    parts = service.open_parts(config)
    address = sender or _sender_address(config, parts)
    journal_path = service.journal_path(config, parts.deployment, parts.client, address)
    identity = service.identity_of(parts, address)
    journal = open_for_reading(journal_path, identity)
    found = read_status(parts, journal, config.state / "heartbeat.json")
    if as_json:
        click.echo(json.dumps(found.as_dict()))
        return
    Console(width=None).print(render(found))


def _sender_address(config: KeeperConfig, parts: service.Parts) -> str:
    if config.sender is not None:
        return service.keystore_address(config.sender.keystore)
    if config.sources is not None and config.sources.replay is not None:
        return replays.dev_sender(parts.deployment.chain_id).address
    raise DaemonError("There is no [sender]: name its address with --sender.", Exit.CONFIG)


@click.group()
def signer() -> None:
    """A signer of its own: `serve` answers a keeper, `new` makes a key."""


@signer.command()
@click.option("--config", "path", type=FILE, required=True, help="With one [[signers]] entry.")
@click.option("--origin", type=int, help="Of a recorded source: where on the chain it begins [s].")
@in_one_sentence
def serve(path: Path, origin: int | None) -> None:
    """Compute this signer's own numbers and co-sign what agrees with them, until stopped."""
    config = load_config(path)
    entries = [entry for entry in config.signers if entry.keystore is not None]
    if len(entries) != 1:
        raise DaemonError(f"{path}: a signer has one [[signers]] entry.", Exit.CONFIG)
    parts = service.open_parts(config)
    begin = service.origin_now(parts) if origin is None else origin
    server = service.serve_signer(parts, entries[0], begin)
    parts.log.info("signer listens", url=server.url)
    try:
        server.serve()
    except KeyboardInterrupt:
        parts.log.info("stopped")
    finally:
        parts.close()


@signer.command()
@click.argument("path", type=FILE)
@click.option("--passphrase-file", type=FILE, help="Mode 600.  [default: asked for]")
@in_one_sentence
def new(path: Path, passphrase_file: Path | None) -> None:
    """Make a key in an encrypted keystore at PATH; print its address."""
    click.echo(make_keystore(path, passphrase_of(passphrase_file, None, str(path))))
