"""One round of the keeper: look, find out, and send at most one transaction.

fetch      nodes agree, the clock is right, the engine in one question; prices and numbers
validate   guards at each signer                    compute    one step toward what is asked
bound      the steward's limits, before a key is near   simulate   what reverts is left out
sign       by the signers, then the sender          send, confirm, journal   `outbox`

What is due first goes first: a price report at each time of the grid, then load lines, then once a
day the note of what custody holds. A time that was missed is skipped: old prices are not sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from oracle.chain import ChainError, Client, Reverted, release_call
from oracle.daemon.alarms import Alarms, DaemonError, Exit
from oracle.daemon.fees import Patience
from oracle.daemon.journal import Flight, Journal
from oracle.daemon.messages import (
    VALID_FOR,
    PushTerms,
    Signed,
    propose,
    push_data,
    report_data,
)
from oracle.daemon.metrics import Metrics
from oracle.daemon.node import ClockGuard, Nodes, Session
from oracle.daemon.outbox import Arrow, Outbox, Payload, simulate
from oracle.daemon.panel import Panel
from oracle.daemon.sources import MarketInfo
from oracle.daemon.trial import Trial
from oracle.daemon.view import Looker, View
from oracle.policy import PPM
from oracle.risk import Ask

DAY: Final = 86_400
HOUR: Final = 3_600
WAD: Final = 10**18
TRY_AGAIN: Final = 60  # [s] after a push that was refused or reverted
REST: Final = 5.0  # [s] after something that could not go out
FATAL: Final = (Exit.JOURNAL, Exit.KEYS)
GONE: Final = ("dropped", "lost", "superseded", "refused")
OUT: Final = ("signed", "sent", "unanswered", "mined", "confirmed", "failed")


@dataclass
class Keeper:
    """All parts. `infos` by asset id; `report_every` [s] None takes the chain's period."""

    nodes: Nodes
    looker: Looker
    panel: Panel
    outbox: Outbox
    journal: Journal
    alarms: Alarms
    metrics: Metrics
    infos: Mapping[int, MarketInfo]
    patience: Patience
    clock: ClockGuard | None = None
    report_every: int | None = None
    arrow: Arrow = lambda name: None
    monotonic: Callable[[], float] = time.monotonic
    is_waiting: bool = False  # for a transaction to be mined
    trial: Trial = field(init=False)
    _said: dict[str, str] = field(default_factory=dict)
    _bumped: float = float("-inf")
    _rest_until: float = float("-inf")
    _refused: dict[str, float] = field(default_factory=dict)  # kind -> [s] chain time
    _last_observed: int = 0

    def __post_init__(self) -> None:
        self.trial = Trial(self.outbox.address, self.alarms)

    # --- the round -------------------------------------------------------------------------------

    def round(self) -> bool:
        """Whether something was sent. Whatever goes wrong is an alarm.

        Raises:
            DaemonError: nothing can be done without a person (the journal, the keys).
        """
        self.alarms.begin()
        self.metrics.rounds.inc()
        tick = self.monotonic()
        try:
            return self._round(tick)
        except DaemonError as error:
            if error.code in FATAL:
                raise
            self.alarms.sound(error.code, "error", "round failed", reason=str(error))
        except ChainError as error:
            self.alarms.sound(Exit.NODE, "error", "round failed", reason=str(error))
        return False

    def _round(self, tick: float) -> bool:
        session = self.nodes.session()
        for trouble in session.troubles:
            self.alarms.sound(Exit.NODE, "warning", "node", reason=trouble)
        if self.clock is not None:
            self.metrics.head_age.set(self.clock.check(session.head))
        view = self.looker.read(session.client)
        self._observe(view)
        waiting = self.outbox.settle(session.client, view.head)
        self.is_waiting = waiting is not None
        self.arrow("fetch")
        if view.paused:
            self._say("paused", "the protocol is paused")
            return False
        self._say("paused", "")
        if waiting is not None and not self._may_replace(waiting):
            return False
        if waiting is not None:
            return self._replace(session, view, waiting, tick)
        if self.monotonic() < self._rest_until:
            return False
        for duty in (self._report, self._push, self._release):
            if duty(session, view, tick):
                return True
            if self.monotonic() < self._rest_until:
                break
        return False

    def _submit(
        self, session: Session, view: View, payload: Payload, gas: int, replace: Flight | None
    ) -> bool:
        """Where fees, money or the node forbid it, nothing is tried for a while."""
        is_out = self.outbox.submit(session.client, view.head, payload, gas, replace)
        if not is_out:
            self._rest_until = self.monotonic() + REST
        return is_out

    # --- what waits too long ---------------------------------------------------------------------

    def _may_replace(self, waiting: Flight) -> bool:
        """Once every `bump_after`, by the journal's times and by this process' own clock."""
        age = self.journal.now() - waiting.last.at
        since = self.monotonic() - self._bumped
        return age >= self.patience.bump_after and since >= self.patience.bump_after

    def _replace(self, session: Session, view: View, waiting: Flight, tick: float) -> bool:
        """With what is true now; where nothing is due any more, or it is late, with nothing."""
        self._bumped = self.monotonic()
        kind, age = waiting.last.kind, self.journal.now() - waiting.first_at
        values = {"kind": kind, "nonce": waiting.nonce, "seconds": round(age)}
        if age < self.patience.deadline and kind != "cancel":
            self.alarms.sound(Exit.TRANSACTION, "warning", "stuck", **values)
            if kind == "report" and self._report(session, view, tick, waiting):
                return True
            if kind == "push" and self._push(session, view, tick, waiting):
                return True
        self.alarms.sound(Exit.TRANSACTION, "error", "cancelling", **values)
        return self.outbox.cancel(session.client, view.head, waiting)

    # --- prices ----------------------------------------------------------------------------------

    def _report(
        self, session: Session, view: View, tick: float, replace: Flight | None = None
    ) -> bool:
        every = self.report_every or view.period
        observed = view.head.time - view.head.time % every
        if replace is None and not self._is_report_due(view, observed):
            return False
        if view.head.time - observed > 2 * view.period:
            return False  # a coarse grid, and its time is over
        self._count_missed(observed, every)
        assets = [asset for asset in sorted(self.infos) if view.lines[asset].pushed]
        if not assets:
            return False
        allowed = self.trial.allowed(view)
        report = self.panel.report(observed, assets, allowed, view.quorum, view.max_spread)
        self._trouble("report", report.troubles)
        self.metrics.signers.set(len(report.signed))
        if not report.assets or len(report.signed) < view.quorum:
            self._no_quorum("report", report.troubles, len(report.signed), view.quorum)
            return False
        if len(report.assets) < len(assets):
            left = sorted(set(assets) - set(report.assets))
            self.alarms.sound(Exit.SOURCE, "error", "assets left out", assets=left)
        self.arrow("validate")
        engine = self.looker.deployment.engine

        def encode(signed: Sequence[Signed]) -> bytes:
            return report_data(observed, report.assets, signed)

        tried = self.trial.simulate(session.client, engine, encode, report.signed, view.quorum)
        if isinstance(tried, str):
            self._refusal("report", observed, tried, view)
            return False
        signed, gas = tried
        self.arrow("simulate")
        detail = {
            "assets": list(report.assets),
            "signers": [part.signer for part in signed],
        }
        payload = Payload("report", observed, engine, encode(signed), detail, tick)
        return self._submit(session, view, payload, gas, replace)

    def _is_report_due(self, view: View, observed: int) -> bool:
        """Not yet on the chain, not yet under way, not refused for this time."""
        paused_total = view.head.time - view.now
        effective = observed - paused_total
        stored = [view.prices[asset].observed for asset in self.infos if view.lines[asset].pushed]
        if stored and min(stored) >= effective:
            return False
        return self._refused.get("report", -1) < observed and not self._was_sent("report", observed)

    def _was_sent(self, kind: str, epoch: int) -> bool:
        """For this time or a later one, and nothing is known to have come of it but a receipt."""
        last = self.journal.last(kind, (*OUT, *GONE))
        return last is not None and last[0] >= epoch and last[1] in OUT

    def _count_missed(self, observed: int, every: int) -> None:
        if self._last_observed and observed - self._last_observed > every:
            missed = (observed - self._last_observed) // every - 1
            self.metrics.skipped.inc(missed)
            self.alarms.log.warning("epochs skipped", count=missed, to=observed)
        self._last_observed = observed

    # --- load lines ------------------------------------------------------------------------------

    def _push(
        self, session: Session, view: View, tick: float, replace: Flight | None = None
    ) -> bool:
        due = [
            asset
            for asset in sorted(self.infos)
            if view.lines[asset].pushed
            and view.now - view.lines[asset].pushed >= view.limits.min_delay
        ]
        if not due or view.head.time - self._refused.get("push", -TRY_AGAIN) < TRY_AGAIN:
            return False
        # On the grid, so that what is signed does not depend on the moment.
        moment = view.head.time - view.head.time % view.period
        allowed = self.trial.allowed(view)
        asks, troubles = self.panel.asks(moment, due, allowed, view.quorum)
        self._trouble("ask", troubles)
        self._show_asks(asks)
        self.arrow("compute")
        terms = propose(asks, view.lines, view.now, moment + VALID_FOR, view.limits)
        if len(asks) < len(due):
            left = sorted(set(due) - set(asks))
            self.alarms.sound(Exit.SOURCE, "error", "no numbers", assets=left)
        if terms is None:
            self._refused["push"] = view.head.time
            return False
        self.arrow("bound")
        payload, gas = self._agreed_push(session, view, terms, allowed, tick)
        if payload is None:
            self._refused["push"] = view.head.time
            return False
        self.arrow("simulate")
        return self._submit(session, view, payload, gas, replace)

    def _agreed_push(
        self,
        session: Session,
        view: View,
        terms: PushTerms,
        allowed: Sequence[str],
        tick: float,
    ) -> tuple[Payload | None, int]:
        """Signed by a quorum and accepted by the chain; lines that are not are left out."""
        engine = self.looker.deployment.engine
        push = self.panel.push(terms, allowed, view.quorum)
        self._trouble("push", push.troubles)
        if not push.signed:
            self._no_quorum("push", push.troubles, 0, view.quorum)
            return None, 0
        tried = self._simulate_push(session.client, push.terms, push.signed, view.quorum)
        if isinstance(tried, str) and len(push.terms.lines) > 1:
            terms = self._without_refused(session, push.terms, allowed, view)
            if not terms.lines:
                return None, 0
            push = self.panel.push(terms, allowed, view.quorum)
            if not push.signed:
                return None, 0
            tried = self._simulate_push(session.client, push.terms, push.signed, view.quorum)
        if isinstance(tried, str):
            self._refusal("push", view.head.time, tried, view)
            return None, 0
        signed, gas = tried
        detail = push_detail(push.terms, signed)
        data = push_data(push.terms, signed)
        epoch = push.terms.valid_until - VALID_FOR
        return Payload("push", epoch, engine, data, detail, tick), gas

    def _simulate_push(
        self, client: Client, terms: PushTerms, signed: Sequence[Signed], quorum: int
    ) -> tuple[Sequence[Signed], int] | str:
        engine = self.looker.deployment.engine
        return self.trial.simulate(client, engine, lambda s: push_data(terms, s), signed, quorum)

    def _without_refused(
        self, session: Session, terms: PushTerms, allowed: Sequence[str], view: View
    ) -> PushTerms:
        """Each line alone; those that the chain refuses are left out and said."""
        good = []
        for line in terms.lines:
            alone = self.panel.push(terms.only([line.asset]), allowed, view.quorum)
            why = "no quorum"
            if alone.signed:
                tried = self._simulate_push(session.client, alone.terms, alone.signed, view.quorum)
                if not isinstance(tried, str):
                    good.append(line.asset)
                    continue
                why = tried
            self.alarms.sound(
                Exit.TRANSACTION, "warning", "line left out", asset=line.asset, reason=why
            )
        return terms.only(good)

    # --- once a day ------------------------------------------------------------------------------

    def _release(self, session: Session, view: View, _tick: float) -> bool:
        """Custody takes note of what is held: deposits of settlement tokens alone do not."""
        day = view.head.time - view.head.time % DAY
        if self._was_sent("release", day):
            return False
        if view.head.time - self._refused.get("release", -HOUR) < HOUR:
            return False
        to, data = release_call(self.looker.deployment.addresses, self.outbox.address)
        try:
            gas = simulate(session.client, self.outbox.address, to, data)
        except Reverted as error:
            self._refusal("release", day, error.reason, view)
            return False
        payload = Payload("release", day, to, data, {})
        return self._submit(session, view, payload, gas, None)

    # --- internals -------------------------------------------------------------------------------

    def _refusal(self, kind: str, epoch: int, reason: str, view: View) -> None:
        """The chain would refuse it: said, journaled, and not tried again at once."""
        self._refused[kind] = epoch if kind == "report" else view.head.time
        self.journal.note(kind, epoch, "refused", reason=reason)
        self.alarms.sound(Exit.TRANSACTION, "warning", "refused", kind=kind, reason=reason)

    def _no_quorum(self, kind: str, troubles: Mapping[str, str], count: int, quorum: int) -> None:
        sources = any("/" in where for where in troubles)
        code = Exit.SOURCE if sources else Exit.QUORUM
        why = sorted(set(troubles.values()))[:5]
        self.alarms.sound(code, "error", "no quorum", kind=kind, have=count, need=quorum, why=why)

    def _trouble(self, what: str, troubles: Mapping[str, str]) -> None:
        """Each once, until it changes."""
        gone = [
            k for k in self._said if k.startswith(f"{what}:") and k[len(what) + 1 :] not in troubles
        ]
        for key in gone:
            del self._said[key]
        for where, why in troubles.items():
            if self._say(f"{what}:{where}", why, quiet=True):
                self.alarms.sound(
                    Exit.SOURCE, "warning", "left out", what=what, who=where, reason=why
                )

    def _say(self, key: str, text: str, quiet: bool = False) -> bool:
        """Whether it is news."""
        is_new = self._said.get(key, "") != text
        self._said[key] = text
        if is_new and text and not quiet:
            self.alarms.log.warning(text)
        return is_new

    def _observe(self, view: View) -> None:
        """Prices and lines into metrics and, for coverage, the journal."""
        seen = []
        for asset, info in self.infos.items():
            price, line, loads = view.prices[asset], view.lines[asset], view.loads[asset]
            labels = info.symbol
            self.metrics.price.labels(labels).set(price.price / WAD)
            self.metrics.price_age.labels(labels).set(view.now - price.observed)
            self.metrics.line_age.labels(labels).set(view.now - line.pushed)
            self.metrics.severity.labels(labels, "pushed").set(line.severity)
            self.metrics.depth.labels(labels, "pushed").set(line.depth)
            if price.price:
                rate = info.calm_mmr0 + (info.storm_mmr0 - info.calm_mmr0) * loads[0] // PPM
                seen.append((asset, price.observed, price.price, rate))
        news = [row for row in seen if self._said.get(f"seen:{row[0]}") != str(row[1:3])]
        if news:
            self.journal.observe((a, t // HOUR, price, rate) for a, t, price, rate in news)
            for row in news:
                self._said[f"seen:{row[0]}"] = str(row[1:3])

    def _show_asks(self, asks: Mapping[int, Ask]) -> None:
        for asset, ask in asks.items():
            symbol = self.infos[asset].symbol
            self.metrics.severity.labels(symbol, "asked").set(ask.severity)
            self.metrics.depth.labels(symbol, "asked").set(ask.depth)


def push_detail(terms: PushTerms, signed: Sequence[Signed]) -> dict[str, Any]:
    """Of a push, for the journal."""
    asked = {line.asset: terms.asks[line.asset] for line in terms.lines}
    return {
        "lines": [[line.asset, line.severity, line.depth, line.nonce] for line in terms.lines],
        "asked": {asset: [ask.severity, ask.depth] for asset, ask in asked.items()},
        "inputs": terms.message.inputs.hex(),
        "signers": [part.signer for part in signed],
    }


def summary(view: View, infos: Mapping[int, MarketInfo]) -> dict[str, Any]:
    """For a log line at the start."""
    return {
        "block": view.head.number,
        "quorum": view.quorum,
        "signers": len(view.signers),
        "assets": {info.symbol: asset for asset, info in infos.items()},
    }
