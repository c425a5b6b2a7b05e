"""KEY-9 (Velar M-6): who signed the transaction is nobody's business; only the caller counts."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCES = sorted(path for path in Path("contracts").rglob("*.vy*"))


def test_sources__are_found() -> None:
    assert len(SOURCES) > 40


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_source__never_reads_tx_origin(path: Path) -> None:
    assert "tx.origin" not in path.read_text()
