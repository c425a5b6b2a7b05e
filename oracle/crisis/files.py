"""Read a user's text file, or say in one sentence why not."""

from __future__ import annotations

from pathlib import Path

from oracle.feeds.bars import FeedError


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, with or without a byte-order mark; blank ones at its end are none.

    Raises:
        FeedError: the file is absent, unreadable or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError:
        raise FeedError(f"{path.name}: the file is not UTF-8 text.") from None
    except OSError as error:
        raise FeedError(f"{path.name}: the file cannot be read ({error.strerror}).") from None
