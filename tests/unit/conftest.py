"""titanoboa 0.2.8 keys its disk cache by a contract's text and that of its direct imports: after a
change in a module imported by a module it would test yesterday's bytecode. (Without a cache it
fails.) So the cache's folder is named by all sources."""

from __future__ import annotations

import hashlib
from pathlib import Path

import boa


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path("contracts").rglob("*.vy*")):
        digest.update(f"{path}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


boa.interpret.set_cache_dir(f".cache/titanoboa/{_sources_digest()}")
