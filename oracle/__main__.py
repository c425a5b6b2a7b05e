"""`python -m oracle`: the risk oracle's commands.

Commands of other parts are found where they are installed; one whose module is not there is not
listed.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

from oracle.daemon.commands import run, signer, status

# Command -> module, and names it may have there.
ELSEWHERE: Final = {
    "verify": ("oracle.verify", ("verify", "cli", "main", "command")),
    "optimise": ("oracle.optimise", ("optimise", "cli", "main", "command")),
    "backtest": ("oracle.backtest", ("backtest", "cli", "main", "command")),
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
    module, attributes = ELSEWHERE[name]
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        return None
    commands = (getattr(found, attribute, None) for attribute in attributes)
    return next((each for each in commands if isinstance(each, click.Command)), None)


@click.command(cls=Group)
def main() -> None:
    """Plimsoll's risk oracle: keeper, signers, and what they say."""


main.add_command(run)
main.add_command(status)
main.add_command(signer)

if __name__ == "__main__":
    main(prog_name="python -m oracle")
