"""A keeper in a process of its own.

    python -m tests.support.keeper_process URL DEPLOYMENT STATE
        [--arrow NAME]      ends itself there at the first time, as `kill -9` would
        [--host-ahead S]    its host's clock is S seconds ahead of the chain's
        [--times T,T,..]    rounds at each of these chain times, else at the one there is

It works until there is nothing to do, then prints a JSON list of [kind, epoch, step] of its journal
and of its alarms, and exits with 0.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from pathlib import Path

from oracle.chain import Client
from oracle.daemon.node import ClockGuard
from tests.support.keeper_stage import Scene, Stand


def main() -> None:
    """One keeper, killed at the first `arrow` if there is one."""
    given = arguments()

    def at(name: str) -> None:
        if name == given.arrow:
            os.kill(os.getpid(), signal.SIGKILL)

    scene = Scene(Client(given.url), given.deployment, None)  # type: ignore[arg-type]
    clock = None
    if given.host_ahead is not None:
        offset = scene.client.block_time() + given.host_ahead - time.time()
        clock = ClockGuard(60.0, 30.0, wall=lambda: time.time() + offset)
    stand = scene.keeper(given.state, arrow=at, clock=clock)
    for moment in given.times or [None]:
        if moment is not None:
            scene.at(moment)
        stand.rounds()
    print(json.dumps(outcome(stand)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("deployment", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("--arrow")
    parser.add_argument("--host-ahead", type=float)
    parser.add_argument("--times", type=lambda text: [int(part) for part in text.split(",")])
    return parser.parse_args()


def outcome(stand: Stand) -> list[object]:
    """What it did, and what it said was wrong."""
    entries = stand.journal.entries(10_000)
    return [[[e["kind"], e["epoch"], e["step"]] for e in entries], stand.alarms()]


if __name__ == "__main__":
    main()
