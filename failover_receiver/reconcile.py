"""Reads what Alertmanager holds, every few seconds: the sure way beside the webhook's fast one.

A silenced worker that dies is never delivered, and an Alertmanager killed at the wrong moment loses a delivery for
hours; its list has both.
"""

import asyncio
import logging
from collections.abc import Sequence

import httpx

from failover_receiver.alerts import ACTIVE_ALERTS, from_active
from failover_receiver.driver import Driver
from failover_receiver.metrics import Metrics
from failover_receiver.reading import Reader
from failover_receiver.state import AlertsRead
from failover_receiver.store import StoreUnavailableError
from wgfleet.logs import say

log = logging.getLogger(__name__)
EVERYTHING = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}
"""A silence mutes people, not failover."""


class Reconciler:
    """Reads every Alertmanager and gives the core the union of what they hold."""

    def __init__(
        self, driver: Driver, metrics: Metrics, alertmanagers: Sequence[str], http: httpx.AsyncClient
    ) -> None:
        """Take the Alertmanagers' base URLs."""
        self._driver = driver
        self._alertmanagers = alertmanagers
        self._reader = Reader(
            "alertmanager", "alertmanager", ACTIVE_ALERTS, http=http, log=log, counted=metrics.readings
        )

    async def run(self, every: float) -> None:
        """Read forever."""
        while True:
            await self.once()
            await asyncio.sleep(every)

    async def once(self) -> None:
        """Read once; what fails is logged and tried again the next time."""
        read_at = self._driver.clock()
        answers = await asyncio.gather(
            *(self._reader.read(url, "/api/v2/alerts", EVERYTHING) for url in self._alertmanagers)
        )
        held = [answer for answer in answers if answer is not None]
        if not held:
            return
        understood = from_active(
            [alert for answer in held for alert in answer],
            self._driver.state.workers,
            now=self._driver.clock(),
            future_limit=self._driver.policy.future_limit,
        )
        event = AlertsRead(understood.seen, read_at, complete=len(held) == len(self._alertmanagers))
        try:
            await self._driver.take(event, who="alertmanager")
        except StoreUnavailableError as error:
            say(log, "not kept", level=logging.ERROR, error=error)
