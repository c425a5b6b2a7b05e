"""Prometheus metrics at an address; names begin with plimsoll_."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from oracle.daemon.alarms import DaemonError, Exit

SECONDS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """Of one keeper."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        common: dict[str, Any] = {"registry": self.registry, "namespace": "plimsoll"}
        self.heartbeat = Gauge("heartbeat_seconds", "Unix time of the last whole round", **common)
        self.rounds = Counter("rounds", "Rounds begun", **common)
        self.skipped = Counter("skipped_epochs", "Report times that were missed", **common)
        self.alarms = Counter("alarms", "By code and level", ("code", "level"), **common)
        self.sent = Counter("transactions_sent", "By kind", ("kind",), **common)
        self.relayed = Counter("transactions_relayed", "By outcome", ("outcome",), **common)
        self.settled = Counter("transactions_settled", "By outcome", ("kind", "step"), **common)
        self.latency = Histogram(
            "submit_seconds", "From price tick to submitted", buckets=SECONDS, **common
        )
        self.balance = Gauge("gas_balance_wei", "Of the sender", **common)
        self.head_age = Gauge("head_age_seconds", "Of the latest block", **common)
        self.price = Gauge("price_usd", "Last stored on the chain", ("asset",), **common)
        self.price_age = Gauge("price_age_seconds", "Since observation", ("asset",), **common)
        self.line_age = Gauge("line_age_seconds", "Since the last push", ("asset",), **common)
        self.severity = Gauge("severity_ppm", "Pushed, and asked", ("asset", "which"), **common)
        self.depth = Gauge("depth_ppm", "Pushed, and asked", ("asset", "which"), **common)
        self.signers = Gauge("signers_answering", "In the last message", **common)

    def count_alarm(self, code: str, level: str) -> None:
        """For `Alarms`."""
        self.alarms.labels(code, level).inc()

    def serve(self, host: str, port: int) -> int:
        """At http://host:port/metrics until the process ends; the port, also if 0 was asked for.

        Raises:
            DaemonError: the address is taken or not ours.
        """
        try:
            server, _ = start_http_server(port, host, self.registry)
        except OSError as error:
            what = f"Metrics cannot be served at {host}:{port}: {error.strerror}."
            raise DaemonError(what, Exit.CONFIG) from None
        return int(server.server_address[1])
