"""Files: a mapping from TOML or JSON, and whole files replaced at once."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from oracle.daemon.alarms import DaemonError, Exit


def read_mapping(path: Path) -> dict[str, Any]:
    """TOML, or JSON by the name of the file.

    Raises:
        DaemonError: unreadable, malformed, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise DaemonError(f"{path} cannot be read: {error.strerror}.", Exit.CONFIG) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DaemonError(f"{path} is malformed: {error}.", Exit.CONFIG) from None
    if not isinstance(values, dict):
        raise DaemonError(f"{path} holds no table of settings.", Exit.CONFIG)
    return values


def replace_file(path: Path, content: str) -> None:
    """Readers see the old content or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)
