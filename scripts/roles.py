"""`ape run roles`: writes docs/roles.md and docs/roles.json from what the contracts answer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from scripts.support.config import load_config
from scripts.support.files import write_json
from scripts.support.roles import measure, render, set_scene
from scripts.support.terminal import LOCAL_NETWORK, connected, console, in_one_sentence

CONFIG: Final = "scripts/config/local.toml"
PAGE: Final = Path("docs/roles.md")
TABLE: Final = Path("docs/roles.json")


@click.command()
@in_one_sentence
def cli() -> None:
    """Ask every function as every role, on a local deployment."""
    with connected(LOCAL_NETWORK):
        table = measure(set_scene(load_config(CONFIG)))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(table), encoding="utf-8")
    write_json(TABLE, table)
    rows = sum(len(functions) for functions in table.values())
    console.print(f"{rows} rows written to {PAGE} and {TABLE}.")
