"""Compiled contracts for the drivers, kept under build/ until a source changes."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import vyper

from .driver import Artifact

CACHE = Path("build/artifacts")
PATHS = {
    "TokenMock": "contracts/mocks/TokenMock.vy",
    "StubGateway": "contracts/mocks/stubs/StubGateway.vy",
}


@cache
def artifact(name: str) -> Artifact:
    """A contract of this tree by name; paths are relative to the working directory."""
    kept = CACHE / f"{name}-{_sources()}.pickle"
    if kept.exists():
        return Artifact(*pickle.loads(kept.read_bytes()))
    fields = _compiled(PATHS.get(name, f"contracts/{name}.vy"))
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{id(fields)}")
    fresh.write_bytes(pickle.dumps(fields))
    fresh.rename(kept)  # another process may be writing the same
    return Artifact(*fields)


def _compiled(path: str) -> tuple[Any, ...]:
    import boa
    from vyper.compiler.output import build_abi_output

    data = boa.load_partial(path).compiler_data
    layout = dict(_flat(data.storage_layout.get("storage_layout", {})))
    return Path(path).stem, build_abi_output(data), data.bytecode, layout


@cache
def _sources() -> str:
    """Hash of all the sources and the compiler."""
    digest = hashlib.sha256(vyper.__version__.encode())
    for path in sorted(Path("contracts").rglob("*.vy*")):
        digest.update(f"{path}".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _flat(layout: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, entry in layout.items():
        if "slot" in entry and "type" in entry:
            yield prefix + name, int(entry["slot"])
        else:
            yield from _flat(entry, f"{prefix}{name}.")
