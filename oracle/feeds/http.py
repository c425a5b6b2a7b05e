"""JSON over HTTP from servers that fail in every way: bounded retries, bounded time, bounded size.

One policy for all live sources: `ATTEMPTS` attempts, a random wait between them that grows (so
that many keepers do not come back at the same moment), then a `FeedError` naming the source.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from oracle.answers import MAX_BODY, Late, TooLong, whole_body
from oracle.feeds.errors import FeedError

ATTEMPTS: Final = 3
BUSY: Final = (408, 425, 429)


class Passing(Exception):
    """A failure that may be gone at the next attempt; says what happened."""


def policy(error: type[Exception] | tuple[type[Exception], ...] = Passing) -> dict[str, Any]:
    """Arguments for tenacity's `Retrying` and `AsyncRetrying`."""
    return {
        "stop": stop_after_attempt(ATTEMPTS),
        "wait": wait_random_exponential(multiplier=0.1, max=2.0),
        "retry": retry_if_exception_type(error),
        "reraise": True,
    }


def get_json(url: str, params: Mapping[str, str], *, source: str, timeout: float) -> Any:
    """The JSON a server answers.

    Args:
        timeout: [s] for one attempt, from the first byte sent to the last received.

    Raises:
        FeedError: no complete JSON answer with status 200 after `ATTEMPTS` attempts; a status that
            another attempt does not change is not tried again.
    """
    try:
        for attempt in Retrying(**policy()):
            with attempt:
                return _once(url, params, source, timeout)
    except Passing as error:
        raise FeedError(f"{source}: {error} ({ATTEMPTS} attempts).") from None
    raise AssertionError("tenacity returns or raises")


def _once(url: str, params: Mapping[str, str], source: str, timeout: float) -> Any:
    deadline = time.monotonic() + timeout
    try:
        with requests.get(url, params=params, timeout=timeout, stream=True) as response:
            _check_status(response.status_code, source)
            body = whole_body(response, deadline)
    except Late:
        raise Passing(f"no whole answer in {timeout:g} s") from None
    except requests.Timeout:
        raise Passing(f"no answer in {timeout:g} s") from None
    except TooLong:
        raise Passing(f"the answer is over {MAX_BODY} bytes") from None
    except requests.RequestException:
        raise Passing("no connection, or one that broke") from None
    try:
        return json.loads(body)
    except ValueError:
        raise Passing(f"the answer is not JSON but {body[:30]!r}") from None


def _check_status(status: int, source: str) -> None:
    if status in BUSY or status >= 500:
        raise Passing(f"HTTP status {status}")
    if status != 200:
        raise FeedError(f"{source}: HTTP status {status}.")
