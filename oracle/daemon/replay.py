"""A recorded day on a local node, as fast as it goes: the node's clock is moved with the tape."""

from __future__ import annotations

import time as host
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from oracle.chain import ChainError, Client
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.config import KeeperConfig
from oracle.daemon.keeper import Keeper
from oracle.daemon.keys import Key, dev_key
from oracle.daemon.service import Parts, local_signer, make_keeper, open_sources
from oracle.dev_keys import LOCAL_CHAIN
from oracle.feeds.scenario import SPANS

HOUR: Final = 3_600
STEP: Final = 300  # [s]
MOST_ROUNDS: Final = 20  # of one step, besides those that wait
MOST_WAIT: Final = 60.0  # [s] of the host, for the node to mine what it was sent
LOOK: Final = 0.02  # [s] of the host, between two looks
SIGNERS: Final = (3, 4, 5)  # of the local configuration, in the mnemonic everybody knows
SENDER: Final = 9
ALIASES: Final = {"WETH": "ETH"}  # collateral that has a market's price and numbers


@dataclass(frozen=True)
class Played:
    """What came of it, without what the journal has of plays before it.

    Attributes:
        reports, pushes: sent; reverted: of both.
        latency_ms: None where nothing was reported.
    """

    steps: int
    reports: int
    pushes: int
    reverted: int
    latency_ms: float | None


def local_config(replay: str, node: str, deployment: Path, state: Path) -> KeeperConfig:
    """For a local node, without a file. Keystores are not needed there."""
    values = {
        "deployment": deployment,
        "nodes": [node],
        "state": state,
        "sources": {"replay": replay},
        "signers": [{"keystore": "development"}],
        "timing": {"report_every": STEP},
        "sending": {"confirmations": 1, "tip_gwei": 1.0},
        "log_level": "warning",
    }
    return KeeperConfig.model_validate(values)


def local_keeper(parts: Parts, origin: int) -> Keeper:
    """With the development keys of the local configuration.

    Raises:
        DaemonError: this is no local chain, or its signers are others.
    """
    chain = parts.deployment.chain_id
    keys = [dev_key(index, chain) for index in SIGNERS]
    view = parts.view()
    ours = [key for key in keys if key.address.lower() in view.signers]
    if not ours:
        what = "A replay signs with the development keys, and the engine's signers are others."
        raise DaemonError(what, Exit.SELF_CHECK)
    signers = [local_signer(parts, key, open_sources(parts, origin)) for key in ours]
    return make_keeper(parts, list(signers), dev_sender(chain))


def dev_sender(chain_id: int) -> Key:
    """Pays on a local chain."""
    return dev_key(SENDER, chain_id)


def name_aliases(parts: Parts) -> None:
    """Collateral follows its market, where the file says nothing else."""
    if parts.config.markets is None:
        parts.aliases = {symbol: ALIASES.get(symbol, symbol) for symbol in parts.aliases}


def begin(client: Client) -> int:
    """[s] The next full hour of the chain: there the recording begins.

    Raises:
        DaemonError: no local chain.
    """
    if client.chain_id != LOCAL_CHAIN:
        what = f"A recording is played on chain {LOCAL_CHAIN}, not on {client.chain_id}."
        raise DaemonError(what, Exit.CONFIG)
    return (client.block_time() // HOUR + 1) * HOUR


def step_count(name: str, hours: int | None = None, step: int = STEP) -> int:
    """Of a recording, or of so many hours of it."""
    start, end = SPANS[name]
    length = end - start if hours is None else min(end - start, hours * HOUR)
    return length // step


def play(
    keeper: Keeper,
    client: Client,
    origin: int,
    steps: int,
    on_step: Callable[[int], None] = lambda time: None,
    step: int = STEP,
) -> Played:
    """Move the clock, let the keeper do what is due, and again.

    Args:
        on_step: told the chain's time after each step.

    Raises:
        DaemonError: the node does not let its clock be moved, or does not mine.
    """
    before = _counted(keeper)
    for number in range(steps):
        time = origin + number * step
        try:
            client.request("evm_mine", {"timestamp": max(time, client.block_time() + 1)})
        except ChainError as error:
            what = f"The node does not let its clock be moved: {error}"
            raise DaemonError(what, Exit.NODE) from None
        _rounds(keeper)
        on_step(time)
    counted = zip(_counted(keeper), before, strict=True)
    reports, pushes, reverted = (now - then for now, then in counted)
    latencies = keeper.journal.latencies(limit=reports)
    return Played(steps, reports, pushes, reverted, median(latencies) if latencies else None)


def _rounds(keeper: Keeper) -> None:
    """Until nothing is due and what was sent is mined: the next step is minutes later, too late
    for it.

    Raises:
        DaemonError: it is not mined.
    """
    end, rounds = host.monotonic() + MOST_WAIT, 0
    while rounds < MOST_ROUNDS:
        is_sent = keeper.round()
        if keeper.is_waiting:  # also where it was just replaced
            if host.monotonic() > end:
                what = f"The node did not mine what it was sent in {MOST_WAIT:g} seconds."
                raise DaemonError(what, Exit.NODE)
            host.sleep(LOOK)
        elif is_sent:
            end, rounds = host.monotonic() + MOST_WAIT, rounds + 1
        else:
            return


def _counted(keeper: Keeper) -> tuple[int, int, int]:
    """Reports and pushes sent, and of both those that reverted."""
    count = keeper.journal.count
    failed = count("report", "failed") + count("push", "failed")
    return count("report", "sent"), count("push", "sent"), failed
