"""Prices as they leave this package: integers in wad, with who said them and when.

`consensus` turns what several sources say into one price, or says why it cannot. It is pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, InvalidOperation, localcontext

from oracle.feeds.errors import FeedError

WAD = 10**18
PPM = 10**6
MAX_PRICE = 10**9 * WAD
"""Largest price the contracts accept (USD per base unit, wad)."""
MIN_SOURCES = 3
"""Two sources cannot outvote a liar: with fewer than three there is no consensus (ORA-4)."""
SKEW = 5
"""[s] that a source's clock may be ahead of ours."""
MAD_LIMIT = 5
"""A quote farther from the median than so many median absolute deviations is an outlier."""
SHOWN = 40


@dataclass(frozen=True)
class Quote:
    """One price from one source.

    Attributes:
        source: such as "okx" or "chainlink 0x5f4e..".
        symbol: of the market, such as BTC.
        price: USD per base unit, wad.
        observed_at: Unix seconds, by the source's own clock.
    """

    source: str
    symbol: str
    price: int
    observed_at: int

    def __post_init__(self) -> None:
        for name in ("price", "observed_at"):
            value = getattr(self, name)
            if type(value) is not int:
                raise FeedError(f"{self.source}: {name} {shown(value)} is not an integer.")
        if not 0 < self.price <= MAX_PRICE:
            raise FeedError(f"{self.source}: price {self.price} is outside 1 wei to 1e9 USD.")
        if self.observed_at < 0:
            raise FeedError(f"{self.source}: observed_at {self.observed_at} is negative.")


@dataclass(frozen=True)
class Refusal:
    """A source that was not counted, and why (a clause without a full stop)."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source} ({self.reason})"


@dataclass(frozen=True)
class Price:
    """What the sources agree on.

    Attributes:
        symbol: of the market.
        price: median of the quotes counted, wad; of an even number the mean of the middle two,
            rounded down.
        observed_at: of the oldest quote counted, Unix seconds.
        spread: (highest - lowest) / median of the quotes counted, ppm, rounded up.
        sources: counted, in alphabetical order.
        refused: in alphabetical order.
    """

    symbol: str
    price: int
    observed_at: int
    spread: int
    sources: tuple[str, ...]
    refused: tuple[Refusal, ...]


def consensus(
    quotes: Sequence[Quote],
    *,
    min_sources: int = MIN_SOURCES,
    max_spread: int,
    now: int,
    max_age: int,
    reference: Quote | None = None,
    max_deviation: int = 50_000,
    refused: Sequence[Refusal] = (),
) -> Price:
    """The median of the quotes, without those that cannot be believed.

    A source is not counted if it speaks twice, is in the future or too old, or lies farther from
    the median of the others that are left than `MAD_LIMIT` median absolute deviations and than a
    quarter of `max_spread` (so that two sources that agree to the cent do not make an outlier of
    an honest third). With at least `min_sources` counted and at most one liar among them, the
    price lies between the lowest and the highest honest quote, because a median does.

    Args:
        quotes: of one symbol, in any order; the answer does not depend on it.
        min_sources: fewer counted quotes are no consensus; at least 3.
        max_spread: of the counted quotes, (highest - lowest) / median, ppm.
        now: Unix seconds.
        max_age: [s] a quote may be old.
        reference: another price, such as Chainlink's or the last one accepted, which its own
            reader found fresh.
        max_deviation: of the median from the reference, ppm of the reference.
        refused: sources that gave no quote at all, to be named with the others.

    Raises:
        FeedError: too few sources, too wide a spread or too far from the reference; names every
            source that was refused and why.
        ValueError: `min_sources` is below 3.
    """
    if min_sources < MIN_SOURCES:
        raise ValueError(f"min_sources {min_sources} is below {MIN_SOURCES}")
    symbol = _symbol(quotes)
    fresh, stale = _fresh(quotes, now, max_age)
    counted, outliers = _without_outliers(fresh, max_spread)
    out = tuple(sorted([*refused, *stale, *outliers], key=lambda r: (r.source, r.reason)))
    if len(counted) < min_sources:
        raise _no_price(symbol, f"{len(counted)} of at least {min_sources} sources left", out)
    price = median([quote.price for quote in counted])
    spread = _ppm_up(max(q.price for q in counted) - min(q.price for q in counted), price)
    if spread > max_spread:
        said = ", ".join(f"{q.source} {usd(q.price)}" for q in counted)
        raise _no_price(symbol, f"{said} are {spread} ppm apart, over {max_spread}", out)
    _check_reference(symbol, price, reference, max_deviation, out)
    oldest = min(quote.observed_at for quote in counted)
    return Price(symbol, price, oldest, spread, tuple(q.source for q in counted), out)


def median(values: Sequence[int]) -> int:
    """Of integers; of an even number the mean of the middle two, rounded down."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2


def to_wad(value: object, source: str, field: str) -> int:
    """A price or amount as it came over the wire, as an integer in wad, rounded down.

    A double is taken as the shortest decimal that reads back as it.

    Raises:
        FeedError: not a plain decimal number (a text with other characters, None, a list, NaN,
            infinity), not above zero after rounding, or above 1e9; names source and field.
    """
    number = to_decimal(value, source, field)
    if not 0 < number <= 10**9:
        raise FeedError(f"{source}: {field} {shown(value)} is outside (0, 1e9].")
    wad = scaled(number)
    if wad == 0:
        raise FeedError(f"{source}: {field} {shown(value)} is below 1e-18.")
    return wad


def to_decimal(value: object, source: str, field: str) -> Decimal:
    """A finite number as it came over the wire, exactly.

    Raises:
        FeedError: it is no number, NaN or infinite; names source and field.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            raise ValueError
        text = repr(value) if isinstance(value, float) else str(value)
        if not text.isascii() or "_" in text or len(text) > 100:
            raise ValueError
        number = Decimal(text)
    except (ValueError, InvalidOperation):
        raise FeedError(f"{source}: {field} {shown(value)} is not a number.") from None
    if not number.is_finite():
        raise FeedError(f"{source}: {field} {shown(value)} is not finite.")
    return number


def to_seconds(value: object, source: str, field: str, unit: int = 1000) -> int:
    """A time as it came over the wire, in `unit` parts of a second, cut to whole Unix seconds.

    Raises:
        FeedError: it is no number, negative or beyond the year 36000; names source and field.
    """
    number = to_decimal(value, source, field)
    if not 0 <= number < 2**40 * unit:
        raise FeedError(f"{source}: {field} {shown(value)} is not a time.")
    return int(number) // unit


def scaled(number: Decimal) -> int:
    """In wad, rounded down; for numbers below 1e60."""
    with localcontext(prec=100):
        return int((number * WAD).to_integral_value(ROUND_FLOOR))


def usd(price: int) -> str:
    """A wad price for people: eight significant digits or all before the point."""
    with localcontext(prec=60):
        exact = Decimal(price) / WAD
        places = max(0, 7 - exact.adjusted())
        return f"{exact:.{min(places, 18)}f}"


def shown(value: object) -> str:
    """A bad value in an error, cut short."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + ".."


class FrozenGuard:
    """Refuses a source that keeps saying the same price.

    Equal prices count when the source gave them a new time: a source asked twice within one of
    its own updates is not frozen, and one whose time stands still is too old soon. Keeps one entry
    per source and symbol.
    """

    def __init__(self, times: int = 20, seconds: int = 600) -> None:
        """
        Args:
            times: equal prices in a row, and
            seconds: between the first and the last of them, that make a frozen feed.
        """
        self._times = times
        self._seconds = seconds
        self._seen: dict[tuple[str, str], tuple[Quote, int, int]] = {}

    def check(self, quote: Quote) -> Quote:
        """The same quote, unless it is frozen.

        Raises:
            FeedError: names the source.
        """
        key = (quote.source, quote.symbol)
        first, last, count = self._seen.get(key, (quote, quote.observed_at, 1))
        if quote.price != first.price:
            first, last, count = quote, quote.observed_at, 1
        elif quote.observed_at > last:
            last, count = quote.observed_at, count + 1
        self._seen[key] = (first, last, count)
        if count >= self._times and last - first.observed_at >= self._seconds:
            span = last - first.observed_at
            raise FeedError(
                f"{quote.source}: {quote.symbol} {usd(quote.price)} is the same {count} times in"
                f" {span} s: a frozen feed."
            )
        return quote


def reason_of(error: FeedError, source: str) -> Refusal:
    """A refusal from the error of one source, which need not name it again."""
    return Refusal(source, str(error).removeprefix(f"{source}: ").removesuffix("."))


def _symbol(quotes: Sequence[Quote]) -> str:
    symbols = sorted({quote.symbol for quote in quotes})
    if len(symbols) > 1:
        raise FeedError(f"the quotes are of {', '.join(symbols)}, not of one market.")
    return symbols[0] if symbols else "no market"


def _fresh(quotes: Sequence[Quote], now: int, max_age: int) -> tuple[list[Quote], list[Refusal]]:
    """The quotes of sources that speak once and of now, by source; and the other sources."""
    voices = Counter(quote.source for quote in quotes)
    fresh, refused = [], set()
    for quote in quotes:
        age = now - quote.observed_at
        if voices[quote.source] > 1:
            refused.add(Refusal(quote.source, f"speaks {voices[quote.source]} times"))
        elif age < -SKEW:
            refused.add(Refusal(quote.source, f"{-age} s in the future"))
        elif age > max_age:
            refused.add(Refusal(quote.source, f"{age} s old, over {max_age}"))
        else:
            fresh.append(quote)
    return sorted(fresh, key=lambda quote: quote.source), list(refused)


def _without_outliers(
    quotes: Sequence[Quote], max_spread: int
) -> tuple[list[Quote], list[Refusal]]:
    if not quotes:
        return [], []
    middle = median([quote.price for quote in quotes])
    far = {quote: abs(quote.price - middle) for quote in quotes}
    limit = max(MAD_LIMIT * median(list(far.values())), middle * max_spread // (4 * PPM))
    refused = [
        Refusal(quote.source, f"{usd(quote.price)} is far from the median {usd(middle)}")
        for quote in quotes
        if far[quote] > limit
    ]
    return [quote for quote in quotes if far[quote] <= limit], refused


def _check_reference(
    symbol: str,
    price: int,
    reference: Quote | None,
    max_deviation: int,
    refused: tuple[Refusal, ...],
) -> None:
    if reference is None:
        return
    if reference.symbol != symbol:
        raise FeedError(
            f"{reference.source}: the reference is of {reference.symbol}, not {symbol}."
        )
    deviation = _ppm_up(abs(price - reference.price), reference.price)
    if deviation > max_deviation:
        said = f"{reference.source} {usd(reference.price)}"
        reason = f"{usd(price)} is {deviation} ppm from {said}, over {max_deviation}"
        raise _no_price(symbol, reason, refused)


def _no_price(symbol: str, reason: str, refused: Sequence[Refusal]) -> FeedError:
    named = f"; refused: {', '.join(map(str, refused))}" if refused else ""
    return FeedError(f"{symbol}: no price, {reason}{named}.")


def _ppm_up(part: int, whole: int) -> int:
    return -(-part * PPM // whole)
