"""A push that a quorum signed and the chain accepts, and the report of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oracle.chain import Client
from oracle.daemon.alarms import Alarms, Exit
from oracle.daemon.files import replace_file
from oracle.daemon.messages import VALID_FOR, PushTerms, Signed, push_data
from oracle.daemon.outbox import Payload
from oracle.daemon.panel import Panel
from oracle.daemon.panel import Push as Proposed
from oracle.daemon.saying import Saying
from oracle.daemon.sources import Ballot
from oracle.daemon.trial import Trial
from oracle.daemon.view import View
from oracle.verify import Before, line_report, push_report

Tried = tuple[Sequence[Signed], int] | str


@dataclass(frozen=True)
class Accepted:
    """What may be sent."""

    terms: PushTerms
    signed: Sequence[Signed]
    gas: int


@dataclass
class Pushes:
    """Of one engine."""

    panel: Panel
    trial: Trial
    saying: Saying
    engine: str

    def accepted(
        self, client: Client, view: View, terms: PushTerms, allowed: Sequence[str]
    ) -> Accepted | str:
        """Lines that signers object to, or the chain refuses, are left out; or why there is none.

        An empty reason was said already.
        """
        push = self._signed(terms, allowed, view)
        tried = self._try(client, push, view)
        if isinstance(tried, str) and len(push.terms.lines) > 1:
            push = self._signed(self._good(client, push.terms, allowed, view), allowed, view)
            tried = self._try(client, push, view)
        if isinstance(tried, str):
            return tried
        signed, gas = tried
        return Accepted(push.terms, signed, gas)

    def _signed(self, terms: PushTerms, allowed: Sequence[str], view: View) -> Proposed:
        push = self.panel.push(terms, allowed, view.quorum)
        self.saying.troubles("push", push.troubles)
        if terms.lines and not push.signed:
            self.saying.no_quorum("push", push.troubles, 0, view.quorum)
        return push

    def _try(self, client: Client, push: Proposed, view: View) -> Tried:
        if not push.signed:
            return ""
        return self.trial.simulate(
            client, self.engine, lambda some: push_data(push.terms, some), push.signed, view.quorum
        )

    def _good(
        self, client: Client, terms: PushTerms, allowed: Sequence[str], view: View
    ) -> PushTerms:
        """Each line alone; those that the chain refuses are left out and said."""
        good = []
        for line in terms.lines:
            alone = self.panel.push(terms.only([line.asset]), allowed, view.quorum)
            tried = self._try(client, alone, view)
            if not isinstance(tried, str):
                good.append(line.asset)
                continue
            values = {"asset": line.asset, "reason": tried or "no quorum"}
            self.saying.alarms.sound(Exit.TRANSACTION, "warning", "line left out", **values)
        return terms.only(good)

    def payload(self, push: Accepted, tick: float, report: str | None) -> Payload:
        """To be sent."""
        detail = {**push_detail(push.terms, push.signed), **({"report": report} if report else {})}
        epoch = push.terms.valid_until - VALID_FOR
        data = push_data(push.terms, push.signed)
        return Payload("push", epoch, self.engine, data, detail, tick)


def push_detail(terms: PushTerms, signed: Sequence[Signed]) -> dict[str, Any]:
    """Of a push, for the journal."""
    asked = {line.asset: terms.asks[line.asset] for line in terms.lines}
    return {
        "lines": [[line.asset, line.severity, line.depth, line.nonce] for line in terms.lines],
        "asked": {asset: [ask.severity, ask.depth] for asset, ask in asked.items()},
        "inputs": terms.message.inputs.hex(),
        "signers": [part.signer for part in signed],
    }


@dataclass(frozen=True)
class Reports:
    """Keeps the report of each push, for `python -m oracle verify`.

    Attributes:
        folder: where.
        markets: by asset, whose numbers it has.
        ballot: what they are made with.
    """

    folder: Path
    markets: Mapping[int, str]
    ballot: Ballot
    alarms: Alarms

    def keep(self, terms: PushTerms, view: View) -> str | None:
        """The name of the file; None, and an alarm, where there can be none."""
        try:
            text = json.dumps(self._report(terms, view), indent=1)
            name = f"{terms.valid_until - VALID_FOR}-{terms.message.inputs.hex()[:8]}.json"
            replace_file(self.folder / name, text + "\n")
        except OSError as error:
            why = f"{self.folder} cannot be written: {error.strerror}"
        except ValueError as error:
            why = str(error)
        else:
            return name
        self.alarms.sound(Exit.JOURNAL, "warning", "no push report", reason=why)
        return None

    def _report(self, terms: PushTerms, view: View) -> dict[str, Any]:
        asks = [terms.asks[line.asset] for line in terms.lines]
        times = sorted({ask.time for ask in asks})
        if len(times) > 1:
            raise ValueError(f"its numbers are of {' and '.join(map(str, times))}")
        lines = []
        for line, ask in zip(terms.lines, asks, strict=True):
            market, known = self.markets[line.asset], view.lines[line.asset]
            table = self.ballot.infos[market].asset
            voted = self.ballot.of(market, view.bounds[table])
            # The steward's bounds of this block, under which the step was taken.
            estimator = voted.estimator.under(*view.rates[table].new, view.limits)
            before = Before(known.severity, known.depth, view.now - known.pushed)
            row = line_report(line.asset, estimator, ask, before)
            lines.append({**row, "source": voted.source})
        return push_report(times[0], lines)


def keep(reports: Reports | None, push: Accepted, view: View) -> str | None:
    """The report's name, where reports are kept and every asset's numbers are known."""
    if reports is None or any(line.asset not in reports.markets for line in push.terms.lines):
        return None
    return reports.keep(push.terms, view)
