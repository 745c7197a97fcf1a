"""Reads what Alertmanager holds, every few seconds: the sure way beside the webhook's fast one.

A silenced worker that dies is never delivered, and an Alertmanager killed at the wrong moment loses a delivery for
hours; its list has both.
"""

import asyncio
import logging
from collections.abc import Sequence

import httpx
from pydantic import ValidationError

from failover_receiver.alerts import ACTIVE_ALERTS, ActiveAlert, from_active
from failover_receiver.driver import Driver
from failover_receiver.metrics import Metrics
from failover_receiver.state import AlertsRead
from failover_receiver.store import StoreUnavailableError
from wgfleet.logs import say

log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 2.0
EVERYTHING = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}
"""A silence mutes people, not failover."""


class Reconciler:
    """Reads every Alertmanager and gives the core the union of what they hold."""

    def __init__(
        self, driver: Driver, metrics: Metrics, alertmanagers: Sequence[str], http: httpx.AsyncClient
    ) -> None:
        """Take the Alertmanagers' base URLs."""
        self._driver = driver
        self._metrics = metrics
        self._alertmanagers = alertmanagers
        self._http = http
        self._failing: dict[str, str] = {}

    async def run(self, every: float) -> None:
        """Read forever."""
        while True:
            await self.once()
            await asyncio.sleep(every)

    async def once(self) -> None:
        """Read once; what fails is logged and tried again the next time."""
        read_at = self._driver.clock()
        answers = await asyncio.gather(*(self._read(url) for url in self._alertmanagers))
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

    async def _read(self, url: str) -> list[ActiveAlert] | None:
        try:
            # All of it: httpx's own limit begins anew with each byte that comes.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.get(f"{url}/api/v2/alerts", params=EVERYTHING, timeout=None)
            answer.raise_for_status()
            alerts = ACTIVE_ALERTS.validate_json(answer.content)
        except (httpx.HTTPError, ValidationError, TimeoutError) as error:
            late = f"no whole answer in {TIMEOUT_SECONDS:g} s"
            reason = late if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            self._metrics.readings.labels(url, "failed").inc()
            if self._failing.get(url) != reason:  # Once, not every few seconds.
                say(log, "alertmanager not readable", level=logging.WARNING, alertmanager=url, error=reason)
            self._failing[url] = reason
            return None
        if self._failing.pop(url, None) is not None:
            say(log, "alertmanager readable again", alertmanager=url)
        self._metrics.readings.labels(url, "read").inc()
        return alerts
