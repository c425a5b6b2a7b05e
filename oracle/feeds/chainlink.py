"""Prices from Chainlink feeds (AggregatorV3Interface), with every reason not to believe one.

The contracts read the same feeds (`contracts/modules/chainlink.vy`); what they count as no
reference is refused here too, so that a keeper does not sign what the chain will not take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from eth_abi.exceptions import DecodingError
from tenacity import Retrying

from oracle.chain import Call, ChainError, Client, Function, Reverted
from oracle.feeds.errors import FeedError
from oracle.feeds.http import policy
from oracle.feeds.quotes import SKEW, Quote, to_wad

LATEST: Final = Function("latestRoundData()", ("uint80", "int256", "uint256", "uint256", "uint80"))
DECIMALS: Final = Function("decimals()", ("uint8",))
AGGREGATOR: Final = Function("aggregator()", ("address",))
MIN_ANSWER: Final = Function("minAnswer()", ("int192",))
MAX_ANSWER: Final = Function("maxAnswer()", ("int192",))


@dataclass(frozen=True)
class Feed:
    """One Chainlink feed.

    Attributes:
        address: of the proxy.
        heartbeat: [s] the feed promises at most between two rounds; one threshold for all feeds
            would be wrong for most (ORA-11).
    """

    address: str
    heartbeat: int


class Chainlink:
    """Reads feeds through one node."""

    def __init__(
        self, client: Client, feeds: Mapping[str, Feed], margin: int = 300, name: str = "chainlink"
    ) -> None:
        """
        Args:
            feeds: per symbol.
            margin: [s] a round may be later than its heartbeat, for its transaction to be mined.
        """
        self._client = client
        self._feeds = feeds
        self._margin = margin
        self._name = name

    def latest(self, symbol: str, now: int) -> Quote:
        """The last answer, if it can be believed.

        Raises:
            FeedError: no feed, no contract, no node; a round that is not complete or answers an
                earlier one; an answer that is zero, negative, at the aggregator's minimum or
                maximum (its real price may be beyond, ORA-12), in the future, or older than the
                heartbeat and margin.
        """
        if symbol not in self._feeds:
            raise FeedError(f"{self._name}: there is no feed of {symbol}.")
        feed = self._feeds[symbol]
        source = f"{self._name} {symbol}"
        calls = [Call(feed.address, function) for function in (LATEST, DECIMALS, AGGREGATOR)]
        latest, decimals, aggregator = self._ask(calls, source)
        answer, updated = _answer(latest, source)
        _check_age(updated, now, feed.heartbeat + self._margin, source)
        self._check_bounds(answer, aggregator, source)
        if isinstance(decimals, ChainError) or decimals > 36:
            raise FeedError(f"{source}: decimals {decimals} cannot be used.")
        price = to_wad(Decimal(answer).scaleb(-decimals), source, "answer")
        return Quote(self._name, symbol, price, updated)

    def _check_bounds(self, answer: int, aggregator: object, source: str) -> None:
        """A feed without an aggregator, or one without bounds, has none to be at."""
        if isinstance(aggregator, ChainError):
            return
        calls = [Call(str(aggregator), function) for function in (MIN_ANSWER, MAX_ANSWER)]
        low, high = self._ask(calls, source)
        if not isinstance(low, ChainError) and answer <= low:
            raise FeedError(f"{source}: answer {answer} is at minAnswer {low}.")
        if not isinstance(high, ChainError) and answer >= high:
            raise FeedError(f"{source}: answer {answer} is at maxAnswer {high}.")

    def _ask(self, calls: Sequence[Call], source: str) -> list[Any]:
        """What each call returned, or its `Reverted`; the node is asked again when it fails."""
        try:
            for attempt in Retrying(**policy(ChainError)):
                with attempt:
                    answers = self._client.call_many(calls)
                    failed = [a for a in answers if _is_failure(a)]
                    if failed:
                        raise failed[0]
        except ChainError as error:
            reason = str(error).removesuffix(".")
            raise FeedError(f"{source}: {reason[0].lower()}{reason[1:]}.") from None
        except (DecodingError, ValueError, TypeError, KeyError):
            raise FeedError(f"{source}: the node's answer is not that of a feed.") from None
        return answers


def _is_failure(answer: object) -> bool:
    """Whether the node, not the contract, failed."""
    return isinstance(answer, ChainError) and not isinstance(answer, Reverted)


def _answer(latest: object, source: str) -> tuple[int, int]:
    """The price and its time from latestRoundData."""
    if isinstance(latest, ChainError):
        raise FeedError(f"{source}: latestRoundData is refused ({latest}).".replace(".).", ")."))
    assert isinstance(latest, tuple)
    round_id, answer, _, updated, answered_in = latest
    if answered_in < round_id:
        raise FeedError(f"{source}: round {round_id} repeats the answer of round {answered_in}.")
    if updated == 0:
        raise FeedError(f"{source}: round {round_id} is not complete.")
    if answer <= 0:
        raise FeedError(f"{source}: answer {answer} is not above zero.")
    return answer, updated


def _check_age(updated: int, now: int, limit: int, source: str) -> None:
    if updated > now + SKEW:
        raise FeedError(f"{source}: updatedAt is {updated - now} s in the future.")
    if updated < now - limit:
        raise FeedError(f"{source}: the answer is {now - updated} s old, over {limit}.")
