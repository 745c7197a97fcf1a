"""Waiting for what must come, with a deadline and a message that says what did not."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.005
"""Short beside everything that is measured here, long beside what a look costs."""

T = TypeVar("T")


class WaitedInVainError(TimeoutError):
    """What was waited for did not come in time."""


def wait_until(predicate: Callable[[], T | None], timeout: float, what: str) -> T:
    """Ask the predicate every few milliseconds until it says something true, and return that.

    Raises:
        WaitedInVainError: with `what` and the predicate's last word, after `timeout` seconds.

    """
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise WaitedInVainError(f"waited {timeout:g} s in vain for {what}; last seen: {value!r}")
        time.sleep(POLL_SECONDS)
    return value
