"""A keeper in a process of its own that ends itself at one arrow, as `kill -9` would.

    python -m tests.support.keeper_process URL DEPLOYMENT STATE ARROW TIME

Without an arrow (-) it works until there is nothing to do, and exits with 0.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from oracle.chain import Client
from tests.support.keeper_stage import Scene


def main(url: str, deployment: str, state: str, arrow: str) -> None:
    """One keeper, killed at the first `arrow` if there is one."""

    def at(name: str) -> None:
        if name == arrow:
            os.kill(os.getpid(), signal.SIGKILL)

    scene = Scene(Client(url), Path(deployment), None)  # type: ignore[arg-type]
    scene.keeper(Path(state), arrow=at).rounds()


if __name__ == "__main__":
    main(*sys.argv[1:])
