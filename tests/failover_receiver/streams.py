"""Following a receiver that runs as a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.failover_receiver.parts import BODY, LIMIT
from tests.failover_receiver.story import spec


@dataclass(frozen=True)
class Stream:
    """An open stream of server-sent events."""

    response: httpx.Response
    lines: AsyncIterator[str]

    async def event(self) -> dict[str, str]:
        """The next event's fields; comments are skipped, as every reader does, and how it stands."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(LIMIT):
            async for line in self.lines:
                if line == "" and fields:
                    if fields["event"] != "standing":
                        return fields
                    fields = {}
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
        raise AssertionError("the stream has ended")

    async def rest(self) -> list[str]:
        """What comes until its end, which must be a clean one."""
        async with asyncio.timeout(LIMIT):
            return [line async for line in self.lines]


@asynccontextmanager
async def following(http: httpx.AsyncClient) -> AsyncIterator[Stream]:
    """Follow the peer set."""
    async with http.stream("GET", "/v1/peer-set/events") as response:
        assert response.status_code == 200
        yield Stream(response, response.aiter_lines())


async def add(http: httpx.AsyncClient, name: str, number: int = 1, **said: Any) -> dict[str, Any]:
    """Add a worker, or say something else of it; the answer."""
    of = spec(number)
    body = {**BODY, "public_key": of.public_key, "tunnel_addresses": list(of.tunnel_addresses), **said}
    answer = await http.put(f"/v1/workers/{name}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
