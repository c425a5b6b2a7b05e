"""Compiled contracts, kept on disk by the text of everything they import.

titanoboa 0.2.8 keys its own cache by a contract and its direct imports only: after a change in a
module that a module imports, it answers with yesterday's bytecode.
"""

from __future__ import annotations

import gc
import hashlib
import os
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boa
from boa.contracts.vyper.vyper_contract import VyperDeployer

CACHE = Path(".cache/compiled")
IMPORT = re.compile(r"^(?:from (contracts[\w.]*) )?import (contracts[\w.]*|\w+)", re.MULTILINE)
_loaded: dict[str, VyperDeployer] = {}


def load(path: str) -> VyperDeployer:
    """The deployer of a contract; compiled once for each state of its sources."""
    if path not in _loaded:
        stored = CACHE / f"{Path(path).stem}-{digest_of(path)}.pickle"
        with _no_collector():
            data = _read(stored) or _compile(path, stored)
        _loaded[path] = VyperDeployer(data, filename=path)
    return _loaded[path]


def digest_of(path: str) -> str:
    """Of a contract and all it imports, and of the compiler."""
    digest = hashlib.sha256(version("vyper").encode())
    for source in sorted(closure(Path(path), set())):
        digest.update(f"\0{source}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:24]


def closure(path: Path, seen: set[Path]) -> set[Path]:
    """A source and all sources of this project it imports, directly or not."""
    if path in seen:
        return seen
    seen.add(path)
    for package, name in IMPORT.findall(path.read_text()):
        stem = Path(*(f"{package}.{name}" if package else name).split("."))
        for candidate in (stem.with_suffix(".vy"), stem.with_suffix(".vyi")):
            if candidate.exists():
                closure(candidate, seen)
    return seen


def _read(stored: Path) -> Any:
    try:
        return pickle.loads(stored.read_bytes())
    except OSError:
        return None


def _compile(path: str, stored: Path) -> Any:
    kept, boa.interpret._disk_cache = boa.interpret._disk_cache, None
    try:
        data = boa.interpret.compiler_data(Path(path).read_text(), path, path, VyperDeployer)
        with boa.interpret.anchor_settings(data.settings):
            _ = data.bytecode, data.bytecode_runtime
            data.source_map = boa.interpret._compute_source_map(data)
    finally:
        boa.interpret._disk_cache = kept
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = stored.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(pickle.dumps(data))
    unfinished.replace(stored)
    return data


@contextmanager
def _no_collector() -> Iterator[None]:
    """A compiled contract is many objects that stay: collecting them doubles the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
