"""Object stores fail in two ways: in passing (a cut connection, 503), which is tried again, or for good (401, 403, no bucket).

Drivers of fsspec raise errors of their own kinds; here is the one place that knows what they mean. Some of them try again by
themselves; what reaches this place has then failed for longer.
"""

import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from memjax.checks import InputError
from memjax.faults import behind

Value = TypeVar("Value")

PATIENCE = 60.0
"""Seconds for which something that fails in passing is tried again."""
SHORTEST, LONGEST = 0.5, 15.0
"""Seconds between two tries, at first and at last; they double."""

PASSING = (408, 425, 429, 500, 502, 503, 504)
FOR_GOOD = {
    400: "the object store does not accept the request",
    401: "the credentials are missing or have run out: log in again",
    402: "the account is not paid for: ask its owner",
    403: "the credentials give no right to read and write there: ask for it, or choose another place",
    404: "there is no such bucket or object: create the bucket, or check the address",
    405: "the object store does not allow that: check the address",
    410: "it is not there any more: check the address",
    507: "the object store is full: make room",
}
"""HTTP status -> what to do."""

_NAMES = {"forbidden": 403, "accessdenied": 403, "unauthorized": 401, "nosuchbucket": 404, "slowdown": 503}
"""What drivers write instead of a number."""


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error, or one behind it, is of; None where there is none.

    Example:
        >>> status_of(OSError("Forbidden: https://storage.googleapis.com/b/runs")), status_of(KeyError("x"))
        (403, None)
    """
    for one in behind(error):
        for name in ("status", "code", "status_code"):
            value = getattr(one, name, None)
            if str(value).isdecimal() and 400 <= int(str(value)) < 600:
                return int(str(value))
        answer = getattr(one, "response", None)  # botocore's
        if isinstance(answer, dict) and (found := answer.get("ResponseMetadata", {}).get("HTTPStatusCode")):
            return int(found)
        if isinstance(one, PermissionError):
            return 403
        first = re.split(r"\W", str(one), maxsplit=1)[0].lower()
        if first in _NAMES and not isinstance(one, KeyError):
            return _NAMES[first]
    return None


def is_passing(error: BaseException) -> bool:
    """Whether it may be over when tried again: a cut connection, no answer in time, a server that is overloaded."""
    status = status_of(error)
    if status is not None:
        return status in PASSING
    return any(
        isinstance(one, (ConnectionError, TimeoutError))
        or type(one).__module__.partition(".")[0] in ("aiohttp", "httpx", "requests", "urllib3")
        or type(one).__name__
        in ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "IncompleteReadError")
        for one in behind(error)
    )


def remote_fault(error: BaseException, where: object, argument: str = "out") -> InputError | None:
    """What an object store refuses, as one line; None for an error that is not of that kind.

    Args:
        error: what was raised.
        where: the place.
        argument: the parameter that names it.
    """
    status, reason = status_of(error), " ".join(str(error).split())[:120] or type(error).__name__
    if status in FOR_GOOD:
        return InputError(f"{argument} {where}: {FOR_GOOD[status]} ({status}; {reason})", argument)
    if is_passing(error):
        what = f"{status}; {reason}" if status else reason
        fix = "check the network; the same command again goes on"
        return InputError(f"{argument} {where}: the object store does not answer ({what}); {fix}", argument)
    if isinstance(error, FileNotFoundError):
        return InputError(f"{argument} {where}: {FOR_GOOD[404]} ({reason})", argument)
    return None


def retried(
    call: Callable[[], Value], patience: float | None = None, sleep: Callable[[float], None] = time.sleep
) -> Value:
    """``call()``, again and again while it fails in passing, with growing pauses, for ``patience`` seconds at most.

    Args:
        call: may be repeated.
        patience: by default `PATIENCE`.
        sleep: waits.

    Example:
        >>> answers = [ConnectionResetError(), TimeoutError(), "here"]
        >>> def ask():
        ...     answer = answers.pop(0)
        ...     if isinstance(answer, Exception):
        ...         raise answer
        ...     return answer
        >>> retried(ask, sleep=lambda seconds: None)
        'here'
    """
    left, pause = PATIENCE if patience is None else patience, SHORTEST
    while True:
        try:
            return call()
        except Exception as error:
            if left <= 0 or not is_passing(error):
                raise
            seconds = min(left, pause * random.uniform(0.5, 1.5))
            sleep(seconds)
            left, pause = left - seconds, min(2 * pause, LONGEST)
