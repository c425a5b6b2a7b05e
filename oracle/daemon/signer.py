"""One signer: computes its own prices and numbers, and signs only what agrees with them.

It quotes prices for a report, says what it would ask of the chain, and co-signs or refuses a push
that somebody proposes. It reads the chain itself: a line that is not one allowed step from what is
there, toward what it asks for itself, it does not sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from oracle import signing
from oracle.daemon.guards import PriceGuard, check_ask, check_premium
from oracle.daemon.keys import Key
from oracle.daemon.messages import VALID_FOR, PushTerms, Signed
from oracle.daemon.sources import REFUSALS, Ballot, Basis, SourceError, Sources
from oracle.daemon.view import TOKENS, View
from oracle.policy import Push, accepted, next_push
from oracle.risk import Ask, InForce

T = TypeVar("T")
HOUR: Final = 3_600


@dataclass(frozen=True)
class Rules:
    """What a signer accepts.

    Attributes:
        max_jump: [ppm] of a price from the last accepted one, as long as that is not too old.
        jump_counts: [s] how old it may be.
        frozen_after: [s] without a change of a price.
        severity_tolerance, depth_tolerance: [ppm] between a proposed line and its own.
        max_premium: [ppm] for funding.
    """

    max_jump: int = 500_000
    jump_counts: int = 3_600
    frozen_after: int = 1_800
    severity_tolerance: int = 20_000
    depth_tolerance: int = 50_000
    max_premium: int = 7_500


@dataclass(frozen=True)
class Quoted:
    """Answer to a report: signed, or why not, by asset."""

    signed: Signed | None
    missing: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a signer would ask of the chain, and why not, by asset."""

    asks: Mapping[int, Ask]
    missing: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cosigned:
    """Answer to a proposed push: signed, or what it objects to, by asset."""

    signed: Signed | None
    objections: Mapping[int, str] = field(default_factory=dict)


class Signer(Protocol):
    """In this process or in another one."""

    @property
    def address(self) -> str:
        """That its signatures are from."""

    def quote(self, observed: int, assets: Sequence[int]) -> Quoted:
        """Its prices of one time, signed."""

    def ask(self, time: int, assets: Sequence[int]) -> Asked:
        """What it would ask for."""

    def cosign(self, terms: PushTerms) -> Cosigned:
        """Its signature under a push, or its objections."""


class LocalSigner:
    """A signer with its key and its sources here."""

    def __init__(
        self,
        key: Key,
        domain: signing.Domain,
        sources: Sources,
        markets: Mapping[int, str],
        look: Callable[[], View],
        rules: Rules | None = None,
        ballot: Ballot | None = None,
    ) -> None:
        """
        Args:
            markets: asset id -> market whose price and numbers it has.
            look: what the chain says now, by the signer's own node.
            ballot: what numbers are made with, kept to the chain's tables; None leaves both to the
                sources, which know the tables of their start.
        """
        self.rules = rules or Rules()
        self._key = key
        self._domain = domain
        self._sources = sources
        self._markets = dict(markets)
        self.look = look
        self._ballot = ballot
        self._guard = PriceGuard(self.rules.max_jump, self.rules.frozen_after)

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"

    @property
    def address(self) -> str:
        """Checksummed."""
        return self._key.address

    # --- reports ---------------------------------------------------------------------------------

    def quote(self, observed: int, assets: Sequence[int]) -> Quoted:
        """Signed if every price is there and may be trusted."""
        view = self.look()
        if not 0 <= view.head.time - observed <= 2 * view.period or observed % view.period:
            why = f"{observed} is no time to report at {view.head.time}"
            return Quoted(None, dict.fromkeys(assets, why))
        quotes, missing = _each(assets, lambda asset: self._quote(asset, observed, view))
        if missing:
            return Quoted(None, missing)
        row = tuple(quotes[asset] for asset in assets)
        message = signing.Report(observed, tuple(assets), row)
        return Quoted(Signed(self.address, self._key.sign_message(message, self._domain), row))

    def _quote(self, asset: int, observed: int, view: View) -> int:
        market = self._market(asset)
        stored = view.prices[asset]
        counts = stored.price and view.now - stored.observed <= self.rules.jump_counts
        price = self._guard.check(
            f"{market}/{asset}",
            self._sources.prices.latest(market, observed),
            observed,
            stored.price if counts else 0,
        )
        premium = 0
        if asset < TOKENS:  # collateral pays no funding
            found = self._sources.premiums.premium(market, observed)
            premium = check_premium(market, found, self.rules.max_premium)
        return signing.pack_quote(price, premium)

    # --- pushes ----------------------------------------------------------------------------------

    def ask(self, time: int, assets: Sequence[int]) -> Asked:
        """From data known at the last full hour, for the rates in force at `time`."""
        asks, missing = _each(assets, lambda asset: self._ask(asset, time))
        return Asked(asks, missing)

    def _ask(self, asset: int, time: int) -> Ask:
        market = self._market(asset)
        numbers = self._sources.numbers
        basis = self._basis(market, time)
        found = numbers.ask(market, time) if basis is None else numbers.ask(market, time, basis)
        return check_ask(market, found)

    def follows(self, asset: int) -> bool:
        """Whether its numbers are solved for the rates that the chain has, votes and ramps too."""
        return self._ballot is not None and self._markets.get(asset, "") in self._ballot

    def _basis(self, market: str, time: int) -> Basis | None:
        """None where the sources solve severity by themselves.

        Raises:
            SourceError: they do it for a table that is not the chain's any more.
        """
        if self._ballot is None:
            return None
        view, info = self.look(), self._ballot.infos[market]
        rates = view.rates[info.asset]
        if market in self._ballot:
            in_force = InForce(rates, view.effective(time))
            bounds = view.bounds[info.asset]
            return self._ballot.basis(market, bounds, in_force, view.limits)
        if rates.new != (info.calm_mmr0, info.storm_mmr0):
            raise SourceError(f"{market}: a new table was voted: start this signer again.")
        return None

    def cosign(self, terms: PushTerms) -> Cosigned:
        """Recompute every line; sign if each is within tolerance of its own."""
        view = self.look()
        objections = self._objections(terms, view)
        if objections:
            return Cosigned(None, objections)
        signature = self._key.sign_message(terms.message, self._domain)
        return Cosigned(Signed(self.address, signature))

    def _objections(self, terms: PushTerms, view: View) -> dict[int, str]:
        assets = [line.asset for line in terms.lines]
        if not 0 <= terms.valid_until - view.head.time <= 2 * VALID_FOR:
            return dict.fromkeys(assets, f"valid until {terms.valid_until} is not now")
        if len(set(assets)) != len(assets) or not assets:
            return dict.fromkeys(assets, "an asset is named twice")
        time = terms.valid_until - VALID_FOR
        own = self.ask(time, assets)
        found: dict[int, str] = {}
        for line in terms.lines:
            why = own.missing.get(line.asset)
            why = why or self._objection(line, own.asks[line.asset], view)
            if why:
                found[line.asset] = why
        return found

    def _objection(self, line: signing.Line, own: Ask, view: View) -> str | None:
        """Why this line is not signed; None if it is."""
        now = view.lines[line.asset]
        if line.nonce != now.pushed:
            return f"it builds on {line.nonce}, the chain is at {now.pushed}"
        elapsed = view.now - now.pushed
        proposed = Push(line.severity, line.depth)
        if not accepted(now.severity, now.depth, proposed, elapsed, view.limits):
            return "the steward would not accept it"
        step = next_push(
            now.severity, now.depth, own.severity, own.depth, view.limits, elapsed=elapsed
        ) or Push(now.severity, now.depth)
        if abs(step.severity - line.severity) > self.rules.severity_tolerance:
            return f"severity {line.severity}, its own is {step.severity}"
        if abs(step.depth - line.depth) > self.rules.depth_tolerance:
            return f"depth {line.depth}, its own is {step.depth}"
        return None

    def _market(self, asset: int) -> str:
        if asset not in self._markets:
            raise SourceError(f"asset {asset} is none of this signer's markets.")
        return self._markets[asset]


def _each(assets: Sequence[int], find: Callable[[int], T]) -> tuple[dict[int, T], dict[int, str]]:
    """Of all assets; one that is refused does not stop the others."""
    found, missing = {}, {}
    for asset in assets:
        try:
            found[asset] = find(asset)
        except REFUSALS as error:
            missing[asset] = str(error)
        except Exception as error:  # a source is somebody else's code
            missing[asset] = f"asset {asset}: the source failed with {type(error).__name__}."
    return found, missing
