"""`python -m oracle`: the risk oracle's commands.

Commands of other parts are found where they are installed; one whose module is not there is not
listed.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

from oracle import threads

# Command -> module and name there.
ELSEWHERE: Final = {
    "backtest": ("oracle.backtest.main", "backtest"),
    "calibrate": ("oracle.calibration.command", "cli"),
    "feeds": ("oracle.feeds.main", "main"),
    "optimise": ("oracle.optimise.main", "optimise"),
    "run": ("oracle.daemon.commands", "run"),
    "signer": ("oracle.daemon.commands", "signer"),
    "status": ("oracle.daemon.commands", "status"),
    "verify": ("oracle.verify_command", "verify"),
}


class Group(click.Group):
    """Looks for a command only when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Those that are there."""
        found = [name for name in ELSEWHERE if _elsewhere(name) is not None]
        return sorted({*super().list_commands(context), *found})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Ours, or a part's."""
        return super().get_command(context, name) or _elsewhere(name)


def _elsewhere(name: str) -> click.Command | None:
    if name not in ELSEWHERE:
        return None
    module, attribute = ELSEWHERE[name]
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name is not None and module.startswith(error.name):
            return None  # that part is not there
        raise
    return found if isinstance(found, click.Command) else None


@click.command(cls=Group)
def main() -> None:
    """Plimsoll's risk oracle: keeper, signers, and what they say."""


def start() -> None:
    """The installed command."""
    threads.use_one()
    main()


if __name__ == "__main__":
    threads.use_one()
    main(prog_name="python -m oracle")
