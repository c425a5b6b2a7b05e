"""Bodies of HTTP answers from servers that nobody vouches for: a whole one in time, or none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

PIECE: Final = 2**16  # bytes read at a time
MAX_BODY: Final = 32 * 2**20  # bytes
GRACE: Final = 1.0  # [s] for the time-outs of the question itself

T = TypeVar("T")


class Late(requests.Timeout):
    """An answer began, and was not whole in time."""


class TooLong(requests.RequestException):
    """An answer longer than anybody needs."""


def whole_body(response: requests.Response, deadline: float) -> bytes:
    """The body of an answer that was asked for with ``stream=True``.

    A time-out of `requests` begins anew with every byte, and `Response.iter_content` waits until a
    piece is full: here one that drips is late as well.

    Args:
        deadline: by `time.monotonic`, for the last byte.

    Raises:
        Late: it is not whole by then.
        TooLong: it is over `MAX_BODY` bytes.
        requests.RequestException, OSError: it broke.
    """
    body = bytearray()
    try:
        while piece := response.raw.read1(PIECE, decode_content=True):
            body += piece
            if time.monotonic() > deadline:
                raise Late
            if len(body) > MAX_BODY:
                raise TooLong
    except ReadTimeoutError:
        raise Late from None
    except HTTPError as error:
        raise requests.ConnectionError(str(error)) from None
    return bytes(body)


class Asker:
    """Asks one server in threads of their own, and waits no longer than it wants to.

    Headers that drip are bounded by no time-out of `requests`. While a question is unanswered the
    next one is late at once, so one thread at most is lost to a server.
    """

    def __init__(self) -> None:
        self._last: Future[Any] | None = None

    def ask(self, question: Callable[[], T], timeout: float) -> T:
        """What the question returns or raises, or `Late` after `timeout` seconds and a grace."""
        if self._last is not None and not self._last.done():
            raise Late
        self._last = answer = Future[T]()
        threading.Thread(target=_answer, args=(question, answer), daemon=True).start()
        try:
            return answer.result(timeout + GRACE)
        except TimeoutError:
            raise Late from None


def _answer(question: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(question())
    except BaseException as error:
        answer.set_exception(error)
