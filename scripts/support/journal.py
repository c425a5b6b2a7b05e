"""What a deployment has done so far, so that one that broke off can be continued."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.support.deployed import FOLDER, DeploymentError
from scripts.support.files import read_json, write_json


def journal_path_of(chain_id: int, folder: Path = FOLDER) -> Path:
    return folder / f"{chain_id}.unfinished.json"


class Journal:
    """Steps taken so far; kept in memory if it has no path."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.steps: dict[str, dict[str, Any]] = {}
        self.head: dict[str, Any] = {}
        values = read_json(path) if path else None
        if values:
            self.head, self.steps = values["head"], values["steps"]

    @property
    def is_empty(self) -> bool:
        return not self.steps

    def open(self, head: Mapping[str, Any]) -> None:
        """Start, or check that what was begun is what is continued now."""
        for key, value in self.head.items():
            if head.get(key) != value:
                raise DeploymentError(
                    f"A deployment with another {key} is half finished ({self.path}): finish it as"
                    " it was begun, or move that file away to start anew."
                )
        self.head = dict(head)

    def note(self, step: str, **values: Any) -> None:
        self.steps[step] = self.steps.get(step, {}) | values
        if self.path:
            write_json(self.path, {"head": self.head, "steps": self.steps})

    def is_done(self, step: str) -> bool:
        return bool(self.steps.get(step, {}).get("done"))

    @property
    def count(self) -> int:
        return sum(1 for step in self.steps.values() if step.get("done"))

    def close(self) -> None:
        if self.path:
            self.path.unlink(missing_ok=True)
