"""Compiled contracts for the drivers, kept under build/ until a source changes."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import vyper

from .driver import Artifact

CACHE = Path(os.environ.get("ARTIFACTS", "build/artifacts"))
IMPORT = re.compile(r"^from (contracts[\w.]*) import (\w+)", re.MULTILINE)
PATHS = {
    "TokenMock": "contracts/mocks/TokenMock.vy",
    "StubGateway": "contracts/mocks/stubs/StubGateway.vy",
}


@cache
def artifact(name: str) -> Artifact:
    """A contract of this tree by name; paths are relative to the working directory."""
    path = Path(PATHS.get(name, f"contracts/{name}.vy"))
    kept = CACHE / f"{name}-{_fingerprint(path)}.pickle"
    if kept.exists():
        return Artifact(*pickle.loads(kept.read_bytes()))
    fields = _compiled(path)
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(pickle.dumps(fields))
    fresh.rename(kept)  # another process may be writing the same
    return Artifact(*fields)


def _compiled(path: Path) -> tuple[Any, ...]:
    """As the deployable's own pragmas say, like every other compiler here."""
    from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle
    from vyper.compiler.output import build_abi_output
    from vyper.compiler.phases import CompilerData

    source = FileInput(
        contents=path.read_text(), source_id=-1, path=path, resolved_path=path.resolve()
    )
    places = [Path(place) for place in sys.path if Path(place).is_dir()]
    data = CompilerData(source, FilesystemInputBundle([*places, Path(".")]))
    layout = dict(_flat(data.storage_layout.get("storage_layout", {})))
    return path.stem, build_abi_output(data), data.bytecode, layout


def _fingerprint(path: Path) -> str:
    """Hash of the compiler, a source and all it imports."""
    digest = hashlib.sha256(vyper.__version__.encode())
    for source in sorted(_closure(path, set())):
        digest.update(f"{source}".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _closure(path: Path, seen: set[Path]) -> set[Path]:
    seen.add(path)
    for folder, name in IMPORT.findall(path.read_text()):
        for suffix in (".vy", ".vyi"):
            source = Path(folder.replace(".", "/")) / f"{name}{suffix}"
            if source.exists() and source not in seen:
                _closure(source, seen)
    return seen


def _flat(layout: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, entry in layout.items():
        if "slot" in entry and "type" in entry:
            yield prefix + name, int(entry["slot"])
        else:
            yield from _flat(entry, f"{prefix}{name}.")
