"""The one error of this package."""

from __future__ import annotations


class FeedError(ValueError):
    """Input refused, in one sentence naming the source and, where there is one, the row or field.

    Rows are counted as a text editor counts lines: the header of a csv file is row 1. A parquet
    file has no header, so its first row is row 1.
    """
