"""Bars of several venues as one: of each hour the median, without those that cannot be believed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from oracle.feeds.bars import PRICES, Bars
from oracle.feeds.errors import FeedError
from oracle.feeds.quotes import MIN_SOURCES, PPM, Refusal


def merge_bars(
    named: Sequence[tuple[str, Bars]], *, min_sources: int = MIN_SOURCES, max_spread: int
) -> tuple[Bars, list[Refusal]]:
    """Median open, high, low and close of every bar that enough venues agree on.

    Medians of ordered columns are ordered, so low <= open, close <= high holds again. Of an even
    number the mean of the middle two. A bar that fewer venues agree on is left out: a gap.

    Args:
        named: venue and its bars, all of one period.
        min_sources: venues counted in a bar; at least 3.
        max_spread: of a venue's open, high, low or close from their medians, ppm; a venue's bar
            that is farther away is not counted.

    Returns:
        Bars without volume, and the venues of which a bar was not counted.

    Raises:
        FeedError: fewer than `min_sources` venues, or different periods.
        ValueError: `min_sources` is below 3.
    """
    if min_sources < MIN_SOURCES:
        raise ValueError(f"min_sources {min_sources} is below {MIN_SOURCES}")
    if len(named) < min_sources:
        raise FeedError(f"bars: {len(named)} of at least {min_sources} sources left.")
    periods = {bars.period for _, bars in named}
    if len(periods) > 1:
        raise FeedError(f"bars: periods {', '.join(map(str, sorted(periods)))} cannot be merged.")
    times = np.unique(np.concatenate([bars.ts for _, bars in named]))
    table = np.full((len(PRICES), len(named), times.size), np.nan)
    for place, (_, bars) in enumerate(named):
        at = np.searchsorted(times, bars.ts)
        table[:, place, at] = [getattr(bars, name) for name in PRICES]
    middle = np.nanmedian(table, axis=1, keepdims=True)
    far = (np.abs(table - middle) * PPM > middle * max_spread).any(axis=0)
    table[:, far] = np.nan
    agreed = np.count_nonzero(~np.isnan(table[0]), axis=0) >= min_sources
    opens, high, low, close = np.nanmedian(table[:, :, agreed], axis=1)
    refused = [
        Refusal(name, f"{count} bars are far from the median")
        for (name, _), count in zip(named, far.sum(axis=1).tolist(), strict=True)
        if count
    ]
    return Bars(times[agreed], opens, high, low, close, None, periods.pop()), refused
