"""Reads what another program tells in JSON, again and again: whole and soon, or not at all; what is wrong is said once."""

import asyncio
import logging
from typing import Any, Generic, TypeVar

import httpx
from prometheus_client import Counter
from pydantic import TypeAdapter, ValidationError

from wgfleet.logs import say

TIMEOUT_SECONDS = 2.0
T = TypeVar("T")


class Reader(Generic[T]):
    """Asks any of several programs of one kind for the same."""

    def __init__(
        self,
        of: str,
        what: str,
        form: TypeAdapter[T],
        *,
        http: httpx.AsyncClient,
        log: logging.Logger,
        counted: Counter,
    ) -> None:
        """Take what kind it is and what is read of it, as the log says it, and what counts by URL and outcome."""
        self._of = of
        self._what = what
        self._form = form
        self._http = http
        self._log = log
        self._counted = counted
        self._failing: dict[str, str] = {}

    async def read(self, url: str, path: str, query: dict[str, str]) -> T | None:
        """What the one at this URL tells; None if it does not."""
        try:
            # All of it: httpx's own limit begins anew with each byte that comes.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.get(f"{url}{path}", params=query, timeout=None)
            answer.raise_for_status()
            told = self._form.validate_json(answer.content)
        except (httpx.HTTPError, ValidationError, TimeoutError) as error:
            late = f"no whole answer in {TIMEOUT_SECONDS:g} s"
            self._fail(url, late if isinstance(error, TimeoutError) else str(error) or type(error).__name__)
            return None
        if self._failing.pop(url, None) is not None:
            said: dict[str, Any] = {self._of: url}
            say(self._log, f"{self._what} readable again", **said)
        self._counted.labels(url, "read").inc()
        return told

    def _fail(self, url: str, reason: str) -> None:
        self._counted.labels(url, "failed").inc()
        if self._failing.get(url) != reason:  # Once, not every few seconds.
            said: dict[str, Any] = {self._of: url, "error": reason}
            say(self._log, f"{self._what} not readable", level=logging.WARNING, **said)
        self._failing[url] = reason
