"""Compiles what is deployed, from the sources as they are.

Ape compiles a contract anew when its own file changed, but not when a module it imports did, so
what it has in its cache may be old. `refresh` compares all sources with those of its last run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import ape

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ROOT / "contracts"
STAMP: Final = ROOT / ".build/sources.sha256"


def refresh(names: Iterable[str]) -> bool:
    """Compile these contracts anew if any source changed; whether it did."""
    names = sorted(names)
    stamp = f"{digest_of_sources()} {','.join(names)}"
    if STAMP.exists() and STAMP.read_text() == stamp:
        return False
    ape.project.load_contracts(*(f"contracts/{path}" for path in paths_of(names)), use_cache=False)
    STAMP.parent.mkdir(exist_ok=True)
    STAMP.write_text(stamp)
    return True


def digest_of_sources() -> str:
    """Of all Vyper files, modules and interfaces too."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*.vy*")):
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def paths_of(names: Iterable[str]) -> list[Path]:
    """Relative to the sources."""
    found = {path.stem: path.relative_to(SOURCES) for path in SOURCES.rglob("[A-Z]*.vy")}
    return [found[name] for name in names]
