"""What is sent by HTTP: where to, and what came of it. Neither a URL nor a header is in what is said of a failure."""

import asyncio
from collections.abc import Mapping

import httpx

from failover_receiver import tls
from failover_receiver.publishing.places import Addressed, http_url
from failover_receiver.publishing.publisher import PublishingError
from failover_receiver.settings import ConfigurationError
from wgfleet.files import read_secret

TIMEOUT_SECONDS = 5.0
"""For each step; the runner limits the whole."""


class Sender:
    """Sends to one place, over connections of its own."""

    def __init__(self, key: str, place: Addressed) -> None:
        """Read what there is to read; the key is that of its tables in the configuration. Raises ConfigurationError."""
        self._prefix = f"{key}.{place.name}."
        self._place = place
        # Proxies of the environment are not asked, and redirects not followed: the operator says where.
        self._http = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=TIMEOUT_SECONDS,
            verify=tls.context(self._prefix, place.ca_file),
        )
        try:
            self._url()
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    async def send(self, method: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send it; what is answered beyond the status is not read. Raises PublishingError."""
        try:
            url = await asyncio.to_thread(self._url)
            async with self._http.stream(method, url, content=body, headers=dict(headers)) as answer:
                if not answer.is_success:
                    raise PublishingError(f"{self._prefix}url: it answered {answer.status_code}")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            raise PublishingError(_said(f"{self._prefix}url", error)) from None

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()

    def _url(self) -> str:
        place = self._place
        if place.url_file is None:
            return place.url or ""
        try:
            return http_url(read_secret(place.url_file))
        except ValueError as error:  # The secret itself is quoted by none of them.
            raise _FileError(f"{self._prefix}url_file: {error}") from None


class _FileError(ValueError):
    """It says the file's name, and nothing of what is in it."""


def _said(key: str, error: Exception) -> str:
    """Without the URL: it may hold a secret."""
    if isinstance(error, _FileError):
        return str(error)
    if isinstance(error, httpx.TimeoutException):
        return f"{key}: no answer in {TIMEOUT_SECONDS:g} s"
    if isinstance(error, httpx.ConnectError):
        return f"{key}: nobody is there, or TLS failed: {error}"
    return f"{key}: {type(error).__name__}"
