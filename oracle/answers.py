"""Bodies of HTTP answers from servers that nobody vouches for: a whole one in time, or none."""

from __future__ import annotations

import time
from typing import Final

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

PIECE: Final = 2**16  # bytes read at a time
MAX_BODY: Final = 32 * 2**20  # bytes


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
