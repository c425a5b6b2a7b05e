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

from oracle.chain import ChainError, Reverted, release_call
from oracle.daemon.alarms import Alarms, DaemonError, Exit
from oracle.daemon.fees import Patience
from oracle.daemon.journal import Flight, Journal
from oracle.daemon.messages import VALID_FOR, Signed, propose, report_data
from oracle.daemon.metrics import Metrics
from oracle.daemon.node import ClockGuard, Nodes, Session
from oracle.daemon.observer import Observer
from oracle.daemon.outbox import Arrow, Outbox, Payload, simulate
from oracle.daemon.panel import Panel, Report
from oracle.daemon.pushes import Accepted, Pushes, Reports, keep
from oracle.daemon.saying import Saying
from oracle.daemon.sources import MarketInfo
from oracle.daemon.trial import Trial
from oracle.daemon.view import Looker, View

DAY: Final = 86_400
HOUR: Final = 3_600
TRY_AGAIN: Final = 60  # [s] after a push that was refused or reverted
REST: Final = 5.0  # [s] after something that could not go out
FATAL: Final = (Exit.JOURNAL, Exit.KEYS)
GONE: Final = ("dropped", "lost", "superseded", "refused")
OUT: Final = ("signed", "sent", "unanswered", "published", "mined", "confirmed", "failed")


@dataclass
class Keeper:
    """All parts.

    Attributes:
        infos: by asset id.
        fixed: assets whose severity a signer here solves for the table of its start.
        report_every: [s] None takes the chain's period.
        reports: of pushes; None keeps none.
    """

    nodes: Nodes
    looker: Looker
    panel: Panel
    outbox: Outbox
    journal: Journal
    alarms: Alarms
    metrics: Metrics
    infos: Mapping[int, MarketInfo]
    patience: Patience
    fixed: frozenset[int] = frozenset()
    clock: ClockGuard | None = None
    report_every: int | None = None
    reports: Reports | None = None
    arrow: Arrow = lambda name: None
    monotonic: Callable[[], float] = time.monotonic
    is_waiting: bool = False  # for a transaction to be mined
    trial: Trial = field(init=False)
    saying: Saying = field(init=False)
    observer: Observer = field(init=False)
    _bumped: float = float("-inf")
    _rest_until: float = float("-inf")
    _refused: dict[str, float] = field(default_factory=dict)  # kind -> [s] chain time
    _last_observed: int = 0

    def __post_init__(self) -> None:
        self.trial = Trial(self.outbox.address, self.alarms)
        self.saying = Saying(self.alarms)
        self.observer = Observer(self.journal, self.metrics, self.infos)

    @property
    def pushes(self) -> Pushes:
        """With the signers there are now."""
        return Pushes(self.panel, self.trial, self.saying, self.looker.deployment.engine)

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
        self.observer.look(view)
        waiting = self.outbox.settle(session.client, view.head)
        self.is_waiting = waiting is not None
        self.arrow("fetch")
        if view.paused:
            self.saying.say("paused", "the protocol is paused")
            return False
        self.saying.say("paused", "")
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
        """Where fees, money or the node forbid it, nothing is tried for a while.

        Raises:
            DaemonError: the machine was so slow that a new round has to begin.
        """
        took = 0.0 if payload.tick is None else self.monotonic() - payload.tick
        if took > view.period:
            what = f"The round took {took:.0f} seconds: its {payload.kind} is old and is not sent."
            raise DaemonError(what, Exit.STALLED)
        is_out = self.outbox.submit(session.client, view.head, payload, gas, replace)
        if not is_out:
            self._rest_until = self.monotonic() + REST
        return is_out

    # --- what waits too long ---------------------------------------------------------------------

    def _may_replace(self, waiting: Flight) -> bool:
        """Once every `bump_after`, by the journal's times and by the clock that never jumps."""
        age = self.journal.since(waiting.last.at)
        since = self.monotonic() - self._bumped
        return age >= self.patience.bump_after and since >= self.patience.bump_after

    def _replace(self, session: Session, view: View, waiting: Flight, tick: float) -> bool:
        """With what is true now; where nothing is due any more, or it is late, with nothing."""
        self._bumped = self.monotonic()
        kind, age = waiting.last.kind, self.journal.since(waiting.first_at)
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
        report = self._signed_report(view, observed, assets)
        if report is None:
            return False
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

    def _signed_report(self, view: View, observed: int, assets: Sequence[int]) -> Report | None:
        """By a quorum, of as many assets as it has prices of."""
        allowed = self.trial.allowed(view)
        report = self.panel.report(observed, assets, allowed, view.quorum, view.max_spread)
        self.saying.troubles("report", report.troubles)
        self.metrics.signers.set(len(report.signed))
        if not report.assets or len(report.signed) < view.quorum:
            self.saying.no_quorum("report", report.troubles, len(report.signed), view.quorum)
            return None
        if len(report.assets) < len(assets):
            left = sorted(set(assets) - set(report.assets))
            self.alarms.sound(Exit.SOURCE, "error", "assets left out", assets=left)
        return report

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
        if view.head.time - self._refused.get("push", -TRY_AGAIN) < TRY_AGAIN:
            return False
        push = self._accepted_push(session, view)
        if push is None:
            return False
        if isinstance(push, str):
            self._refused["push"] = view.head.time
            if push:
                self._refusal("push", view.head.time, push, view)
            return False
        self.arrow("simulate")
        payload = self.pushes.payload(push, tick, keep(self.reports, push, view))
        return self._submit(session, view, payload, push.gas, replace)

    def _accepted_push(self, session: Session, view: View) -> Accepted | str | None:
        """Of the lines whose time it is; None where there are none, else why it cannot be sent."""
        due = [
            asset
            for asset in sorted(self.infos)
            if view.lines[asset].pushed
            and view.now - view.lines[asset].pushed >= view.limits.min_delay
            and self._is_table_known(view, asset)
        ]
        if not due:
            return None
        # On the grid, so that what is signed does not depend on the moment.
        moment = view.head.time - view.head.time % view.period
        allowed = self.trial.allowed(view)
        asks, troubles = self.panel.asks(moment, due, allowed, view.quorum)
        self.saying.troubles("ask", troubles)
        self.observer.asked(asks)
        self.arrow("compute")
        terms = propose(asks, view.lines, view.now, moment + VALID_FOR, view.limits)
        if len(asks) < len(due):
            left = sorted(set(due) - set(asks))
            self.alarms.sound(Exit.SOURCE, "error", "no numbers", assets=left)
        if terms is None:
            return ""
        self.arrow("bound")
        return self.pushes.accepted(session.client, view, terms, allowed)

    def _is_table_known(self, view: View, asset: int) -> bool:
        """Whether severity is solved for the table the chain has."""
        if asset not in self.fixed:
            return True
        info = self.infos[asset]
        known, found = (info.calm_mmr0, info.storm_mmr0), view.rates[asset].new
        if self.saying.is_news(f"table:{asset}", "" if found == known else str(found)):
            why = f"its table has {found}, {known} at the start: start keeper and signers again"
            self.alarms.sound(Exit.SELF_CHECK, "error", "voted anew", asset=asset, reason=why)
        return found == known

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


def summary(view: View, infos: Mapping[int, MarketInfo]) -> dict[str, Any]:
    """For a log line at the start."""
    return {
        "block": view.head.number,
        "quorum": view.quorum,
        "signers": len(view.signers),
        "assets": {info.symbol: asset for asset, info in infos.items()},
    }
