"""Asks for the document, for as long as no stream of it can be held: some proxies keep what they should pass on.

What is asked for is conditional: whoever has the newest document already is answered with a few bytes.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from wgfleet.standing import HEADER, LIVE, Standing
from wgfleet.wording import excerpt

POLL_SECONDS = 10.0
"""Between two questions, on average. A client notices a dead worker by itself; this is how late an operator's wish is."""
ANSWER_SECONDS = 10.0
"""For the whole answer: a proxy that lets single bytes through would never be given up otherwise."""
LOOK_SECONDS = 3.0
"""For the head of one: whoever needs longer is not worth going to."""
MOST_BYTES = 4 * 1024 * 1024
"""A document larger than this is no document of ours."""
ANSWER_CHARACTERS = 500
"""Of a refusal, in a line of log."""
STREAM_AGAIN_FIRST, STREAM_AGAIN_MOST = 60.0, 600.0
"""Seconds until a stream is tried again; doubled each time in vain."""

Headers = Callable[[], Mapping[str, str]]


class Polls:
    """Conditional GETs of one document."""

    def __init__(
        self, http: httpx.AsyncClient, path: str, headers: Headers, *, most_bytes: int = MOST_BYTES
    ) -> None:
        """Take the document's path at each receiver, and its size; the headers are made anew for each question."""
        self._most_bytes = most_bytes
        self._http = http
        self._path = path
        self._headers = headers
        self._tags: dict[str, str] = {}
        self._standings: dict[str, Standing] = {}

    def standing(self, url: str) -> Standing:
        """What this receiver said of itself when it was asked last."""
        return self._standings.get(url, LIVE)

    def has(self, url: str, document: bytes) -> None:
        """Be answered by this receiver only if it has another document than this one."""
        self._tags[url] = f'"{hashlib.sha256(document).hexdigest()}"'

    async def ask(self, url: str) -> bytes | None:
        """The document at this receiver; None if it is the one that it gave last.

        Raises:
            httpx.HTTPError: there was no answer.
            ValueError: it was refused, or is no document.

        """
        headers = dict(self._headers())
        if url in self._tags:
            headers["If-None-Match"] = self._tags[url]
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._http.stream(
                    "GET", f"{url}{self._path}", headers=headers, timeout=ANSWER_SECONDS
                ) as answer,
            ):
                self._standings[url] = _standing(answer)
                if answer.status_code == httpx.codes.NOT_MODIFIED and url in self._tags:
                    return None
                body = await whole(answer, self._most_bytes)
        except TimeoutError:
            raise ValueError(f"there was no whole answer within {ANSWER_SECONDS:g} s") from None
        if answer.status_code != httpx.codes.OK:
            raise ValueError(refusal(answer, body))
        # A packed answer's tag is a weak one; asked without its W/, the receiver answers by its quickest way.
        self._tags[url] = answer.headers.get("ETag", "").removeprefix("W/")
        if not self._tags[url]:
            del self._tags[url]
        return body

    async def look(self, url: str) -> Standing:
        """How this receiver stands. The connection is not used again: behind a load balancer the next may lead elsewhere.

        Raises:
            httpx.HTTPError: there was no answer.
            ValueError: it was refused.

        """
        headers = {**self._headers(), "If-None-Match": "*"}
        try:
            async with (
                asyncio.timeout(LOOK_SECONDS),
                self._http.stream(
                    "GET", f"{url}{self._path}", headers=headers, timeout=LOOK_SECONDS
                ) as answer,
            ):
                if answer.status_code in {httpx.codes.OK, httpx.codes.NOT_MODIFIED}:
                    return _standing(answer)
                raise ValueError(refusal(answer, await whole(answer)))
        except TimeoutError:
            raise ValueError(f"there was no answer within {LOOK_SECONDS:g} s") from None


@dataclass(slots=True)
class Patience:
    """Whether to go on trying for a stream, or to ask instead; told once for each round of the receivers."""

    unsteady: int = 0
    """Rounds since a stream last held."""

    def ask_for(self, *, heard: bool, steady: bool) -> float | None:
        """Seconds for which to ask now, before a stream is tried again; None: try again at once.

        `heard`: a stream brought a document. `steady`: and then anything more, so what is sent does come through.
        A stream that was cut right after its document may have been the receiver's restart: it has a second chance.
        """
        if steady:
            self.unsteady = 0
            return None
        self.unsteady += 1
        if heard and self.unsteady == 1:
            return None
        return float(min(STREAM_AGAIN_FIRST * 2 ** min(self.unsteady - 1, 10), STREAM_AGAIN_MOST))


def pause(interval: float) -> float:
    """Seconds until the next question: drawn, so that a fleet whose streams were cut together does not ask in step."""
    return random.uniform(0.5 * interval, 1.5 * interval)  # noqa: S311 - jitter is no secret.


async def whole(answer: httpx.Response, most_bytes: int = MOST_BYTES) -> bytes:
    """The body, unpacked; a server gone mad fills no client's memory. Raises ValueError."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > most_bytes:
            raise ValueError(f"it sent more than {most_bytes} bytes")
    return bytes(body)


def refusal(answer: httpx.Response, body: bytes) -> str:
    """What it answered instead of the document, cut to a length that a log bears."""
    said = excerpt(body, ANSWER_CHARACTERS, answer.request.headers.get("Authorization", ""))
    return f"it answered {answer.status_code}: {said}"


def taken(answer: httpx.Response) -> None:
    """Raise ValueError, with the reason, if a receiver did not take what it was told."""
    if not answer.is_success:
        raise ValueError(refusal(answer, answer.content))


def _standing(answer: httpx.Response) -> Standing:
    """What it says of how it stands. Raises ValueError."""
    said = answer.headers.get(HEADER)
    return LIVE if said is None else Standing.read(said.encode())
