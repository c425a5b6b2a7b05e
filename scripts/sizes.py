"""`ape run sizes`: bytes of every contract as deployed; fails above our limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import ape
import cbor2
import click
from rich.table import Table

from scripts.support.compilation import refresh
from scripts.support.deployed import CONTRACTS
from scripts.support.errors import ScriptError
from scripts.support.files import write_json
from scripts.support.terminal import console, in_one_sentence

LIMIT: Final = 22_000  # ours; the EVM's is 24,576 (EIP-170)
RESULT: Final = Path("build/sizes.json")
NOT_OURS: Final = "settlement"


@click.command()
@in_one_sentence
def cli() -> None:
    """Print bytes as deployed (code and immutables) and write build/sizes.json."""
    names = sorted(name for key, name in CONTRACTS.items() if key != NOT_OURS)
    refresh(CONTRACTS.values())
    sizes = {name: deployed_size(getattr(ape.project, name).contract_type) for name in names}
    table = Table("contract", "code", "immutables", "deployed", "room")
    for name, (code, immutables) in sizes.items():
        room = LIMIT - code - immutables
        row = (f"{each:,}" for each in (code, immutables, code + immutables, room))
        table.add_row(name, *row, style="red" if room < 0 else None)
    console.print(table)
    write_json(RESULT, {"limit": LIMIT, "bytes": {n: sum(s) for n, s in sizes.items()}})
    above = [name for name, size in sizes.items() if sum(size) > LIMIT]
    if above:
        verb = "is" if len(above) == 1 else "are"
        raise ScriptError(f"{' and '.join(above)} {verb} above {LIMIT:,} bytes.")


def deployed_size(contract_type: Any) -> tuple[int, int]:
    """Code and immutables [bytes], from the metadata Vyper appends to the deployment code."""
    code = bytes.fromhex(contract_type.deployment_bytecode.bytecode.removeprefix("0x"))
    length = int.from_bytes(code[-2:], "big")
    _, runtime, _, immutables, _ = cbor2.loads(code[-length:-2])
    return runtime, immutables
