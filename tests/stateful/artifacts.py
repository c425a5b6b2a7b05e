"""Compiled contracts for the drivers, through titanoboa's disk cache."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boa
from vyper.compiler.output import build_abi_output

from .driver import Artifact

PATHS = {
    "TokenMock": "contracts/mocks/TokenMock.vy",
    "StubGateway": "contracts/mocks/stubs/StubGateway.vy",
}


@cache
def artifact(name: str) -> Artifact:
    """A contract of this tree by name; paths are relative to the working directory."""
    path = PATHS.get(name, f"contracts/{name}.vy")
    data = boa.load_partial(path).compiler_data
    layout = dict(_flat(data.storage_layout.get("storage_layout", {})))
    return Artifact(Path(path).stem, build_abi_output(data), data.bytecode, layout)


def _flat(layout: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, entry in layout.items():
        if "slot" in entry and "type" in entry:
            yield prefix + name, int(entry["slot"])
        else:
            yield from _flat(entry, f"{prefix}{name}.")
