"""Loopback servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.feeds.exchanges import ExchangeServer


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    """Five exchanges on one port."""
    running = ExchangeServer()
    yield running
    running.close()
