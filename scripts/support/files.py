"""Small JSON files, written whole or not at all; folders and files of reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.support.errors import ScriptError


class FileError(ScriptError):
    """A file cannot be used. One sentence."""


def read_json(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be read: {error}.") from None


def write_json(path: Path, values: Any) -> None:
    """All or nothing: a crash leaves the file as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(values, indent=2) + "\n")
    draft.replace(path)


def prepare_folder(out: Path) -> None:
    """Before anything takes time: can the report be written?"""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".probe"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise FileError(f"Nothing can be written to {out}: {error.strerror}.") from None


def write(path: Path, content: str) -> None:
    """A file, or a sentence."""
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}.") from None
