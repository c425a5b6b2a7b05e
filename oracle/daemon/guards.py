"""What a price and a number must look like before a key is near it. From here on all is integer.

A source is trusted with nothing: not with a type, not with a size, and not with being alive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from oracle.daemon.sources import SourceError
from oracle.engine.units import MAX_PRICE
from oracle.policy import PPM
from oracle.risk import Ask


@dataclass
class PriceGuard:
    """Of one signer; remembers since when each price has not changed.

    Attributes:
        max_jump: [ppm] a price may differ from the last accepted one; a move of the market is less
            (the chain holds back what is above its own, smaller, limit), a slip of the point more.
        frozen_after: [s] without any change of the value.
    """

    max_jump: int
    frozen_after: int
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)  # price, since

    def check(self, market: str, price: Any, time: int, accepted: int = 0) -> int:
        """The price, if it may be signed.

        Args:
            accepted: the last on the chain [USD wad]; 0 if there is none that counts.

        Raises:
            SourceError: naming the market and what is wrong.
        """
        if type(price) is not int:
            raise SourceError(f"{market}: a price is an integer in wad, not {price!r}.")
        if not 0 < price <= MAX_PRICE:
            raise SourceError(f"{market}: the price {price} is not within 1 to {MAX_PRICE}.")
        if accepted and abs(price - accepted) * PPM > accepted * self.max_jump:
            raise SourceError(f"{market}: the price {price} is too far from {accepted}.")
        known = self._seen.get(market)
        if known is None or known[0] != price or time < known[1]:
            self._seen[market] = (price, time)
        elif time - known[1] > self.frozen_after:
            since = time - known[1]
            raise SourceError(f"{market}: the feed is frozen, {price} for {since} seconds.")
        return price


def check_premium(market: str, premium: Any, most: int) -> int:
    """[ppm] clamped; the chain clamps it again.

    Raises:
        SourceError: no integer.
    """
    if type(premium) is not int:
        raise SourceError(f"{market}: a premium is an integer in ppm, not {premium!r}.")
    return max(-most, min(most, premium))


def check_ask(market: str, ask: Any) -> Ask:
    """The ask, if it may be acted upon.

    Raises:
        SourceError: no ask, values out of range, or a need of nothing: a market whose volatility
            seems to be zero is one whose feed has stopped.
    """
    if not isinstance(ask, Ask):
        raise SourceError(f"{market}: the model answered {type(ask).__name__}, not an ask.")
    values = {"severity": ask.severity, "depth": ask.depth, "need": ask.need}
    for name, value in values.items():
        if type(value) is not int or value < 0 or (name != "need" and value > PPM):
            raise SourceError(f"{market}: the {name} asked for is {value!r}.")
    if ask.need == 0:
        raise SourceError(f"{market}: the model sees no risk at all, so its data stand still.")
    if type(ask.input_hash) is not bytes or len(ask.input_hash) != 32:
        raise SourceError(f"{market}: the ask has no hash of its input window.")
    return ask
