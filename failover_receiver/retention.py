"""Forgets history that is older than the configuration wants it."""

import asyncio
import logging

from failover_receiver.driver import Driver
from failover_receiver.store import StoreUnavailableError
from wgfleet.logs import say

log = logging.getLogger(__name__)
DAY_SECONDS = 86400.0
AT_ONCE = 500
"""So many events are forgotten in one write: a few milliseconds, so that an alert between two of them hardly waits."""


async def run(driver: Driver, keep_days: float, *, every: float = DAY_SECONDS) -> None:
    """Now, and once a day."""
    while True:
        try:
            forgotten = await shorten(driver, keep_days)
        except StoreUnavailableError as error:
            say(log, "history not shortened", level=logging.ERROR, error=error)
        else:
            if forgotten:
                say(log, "history shortened", events=forgotten, keep_events_days=keep_days)
        await asyncio.sleep(every)


async def shorten(driver: Driver, keep_days: float) -> int:
    """Forget what is too old, a little at a time; how much that was."""
    older_than = driver.clock() - keep_days * DAY_SECONDS
    total = 0
    while some := await driver.stored(lambda store: store.forget_events(older_than, AT_ONCE)):
        total += some
    return total
