"""M of N signers, collected into one message. What one of them says never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from oracle import signing
from oracle.daemon.messages import PushTerms, Signed, recovered
from oracle.daemon.remote import RemoteSigner
from oracle.daemon.signer import Cosigned, Quoted, Signer
from oracle.policy import PPM
from oracle.risk import Ask

T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """A report that may be sent.

    Attributes:
        troubles: by asset or signer, what was left out and why.
    """

    observed: int
    assets: tuple[int, ...]
    signed: tuple[Signed, ...]
    troubles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Push:
    """A push that may be sent; troubles as of a report."""

    terms: PushTerms
    signed: tuple[Signed, ...]
    troubles: Mapping[str, str] = field(default_factory=dict)


class Panel:
    """The signers of one engine."""

    def __init__(self, signers: Sequence[Signer], domain: signing.Domain) -> None:
        self.signers = list(signers)
        self._domain = domain
        remote = sum(isinstance(signer, RemoteSigner) for signer in self.signers)
        self._pool = ThreadPoolExecutor(remote) if remote else None

    def close(self) -> None:
        """Let go of threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    # --- prices ----------------------------------------------------------------------------------

    def report(
        self,
        observed: int,
        assets: Sequence[int],
        allowed: Sequence[str],
        quorum: int,
        max_spread: int,
    ) -> Report:
        """As many assets as a quorum of the allowed signers has prices of.

        All signatures are over the same assets, so those that too few can quote are left out and
        the rest is asked for again. Signers that are far from the median are left out while a
        quorum remains: the chain would refuse the spread.
        """
        signers = [s for s in self.signers if s.address.lower() in allowed]
        left, troubles = list(assets), {}
        while left:
            answers = self._all(signers, partial(_quote, observed, tuple(left)))
            signed = []
            for signer, answer in answers:
                for asset, why in answer.missing.items():
                    troubles[f"{signer.address}/{asset}"] = why
                part = answer.signed
                if part is None:
                    continue
                if len(part.quotes) != len(left) or not self._is_good(
                    part, signing.Report(observed, tuple(left), part.quotes)
                ):
                    troubles[signer.address] = "its signature is not its own"
                    continue
                signed.append(part)
            if len(signed) >= quorum:
                chosen = without_outliers(signed, quorum, max_spread)
                for part in signed:
                    if part not in chosen:
                        troubles[part.signer] = "its prices are far from the median"
                return Report(observed, tuple(left), tuple(chosen), troubles)
            counts = [sum(asset in a.missing for _, a in answers) for asset in left]
            if not counts or max(counts) == 0:
                break
            worst = max(counts)
            left = [asset for asset, count in zip(left, counts, strict=True) if count < worst]
        return Report(observed, (), (), troubles)

    # --- numbers ---------------------------------------------------------------------------------

    def asks(
        self, time: int, assets: Sequence[int], allowed: Sequence[str], quorum: int
    ) -> tuple[dict[int, Ask], dict[str, str]]:
        """By asset the median signer's ask by severity, the more cautious of two; troubles.

        One signer's ask stays whole, so that severity and depth follow from the window whose hash
        goes with them. An asset of which fewer than a quorum have an ask is left out.
        """
        signers = [s for s in self.signers if s.address.lower() in allowed]
        answers = self._all(signers, lambda signer: signer.ask(time, tuple(assets)))
        found: dict[int, Ask] = {}
        troubles: dict[str, str] = {}
        for asset in assets:
            asks = [a.asks[asset] for _, a in answers if asset in a.asks]
            for signer, answer in answers:
                if asset in answer.missing:
                    troubles[f"{signer.address}/{asset}"] = answer.missing[asset]
            if len(asks) >= quorum:
                ordered = sorted(asks, key=lambda a: (a.severity, -a.depth, a.input_hash))
                found[asset] = ordered[len(ordered) // 2]
        return found, troubles

    def push(self, terms: PushTerms, allowed: Sequence[str], quorum: int) -> Push:
        """The proposed push with a quorum under it, less the lines that prevent one."""
        signers = [s for s in self.signers if s.address.lower() in allowed]
        troubles: dict[str, str] = {}
        while terms.lines:
            answers = self._all(signers, partial(_cosign, terms))
            signed = []
            for signer, answer in answers:
                for asset, why in answer.objections.items():
                    troubles[f"{signer.address}/{asset}"] = why
                if answer.signed is None:
                    continue
                if self._is_good(answer.signed, terms.message):
                    signed.append(answer.signed)
                else:
                    troubles[signer.address] = "its signature is not its own"
            if len(signed) >= quorum:
                return Push(terms, tuple(signed), troubles)
            objected = {asset for _, a in answers for asset in a.objections}
            left = [line.asset for line in terms.lines if line.asset not in objected]
            if not objected or not left:
                break
            terms = terms.only(left)
        return Push(terms.only([]), (), troubles)

    # --- internals -------------------------------------------------------------------------------

    def _all(self, signers: Sequence[Signer], ask: Callable[[Signer], T]) -> list[tuple[Signer, T]]:
        """Remote ones at the same time."""
        if self._pool is None:
            return [(signer, ask(signer)) for signer in signers]
        futures = {
            str(signer.address): self._pool.submit(ask, signer)
            for signer in signers
            if isinstance(signer, RemoteSigner)
        }
        return [
            (s, futures[s.address].result() if s.address in futures else ask(s)) for s in signers
        ]

    def _is_good(self, part: Signed, message: signing.Message) -> bool:
        return recovered(message, self._domain, part.signature).lower() == part.signer.lower()


def _quote(observed: int, assets: Sequence[int], signer: Signer) -> Quoted:
    return signer.quote(observed, assets)


def _cosign(terms: PushTerms, signer: Signer) -> Cosigned:
    return signer.cosign(terms)


def without_outliers(signed: Sequence[Signed], quorum: int, max_spread: int) -> list[Signed]:
    """Drop the signer farthest from the median while a spread is too wide and a quorum remains."""
    chosen = list(signed)
    while len(chosen) > quorum:
        wide = [i for i in range(len(chosen[0].quotes)) if _spread(chosen, i) > max_spread]
        if not wide:
            break
        distances = {part.signer: max(_distance(part, chosen, i) for i in wide) for part in chosen}
        farthest = max(chosen, key=lambda part: (distances[part.signer], part.signer))
        chosen.remove(farthest)
    return chosen


def _prices(signed: Sequence[Signed], i: int) -> list[int]:
    return sorted(part.quotes[i] >> 32 for part in signed)


def _median(signed: Sequence[Signed], i: int) -> int:
    prices = _prices(signed, i)
    return prices[(len(prices) - 1) // 2]


def _spread(signed: Sequence[Signed], i: int) -> int:
    """[ppm] rounded up."""
    prices = _prices(signed, i)
    return -(-(prices[-1] - prices[0]) * PPM // _median(signed, i))


def _distance(part: Signed, signed: Sequence[Signed], i: int) -> int:
    """[ppm] from the median."""
    median = _median(signed, i)
    return abs((part.quotes[i] >> 32) - median) * PPM // median
