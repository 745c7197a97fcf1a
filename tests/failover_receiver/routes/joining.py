"""What operators and machines do with bundles."""

from typing import Any

import httpx

from tests.failover_receiver.parts import Parts, bearer
from tests.failover_receiver.story import spec
from wgfleet.bundle import Bundle

KEY = spec(101).public_key


async def ask(parts: Parts, method: str, path: str, body: object = None) -> httpx.Response:
    """One request of an operator."""
    async with parts.ask() as http:
        return await http.request(method, path, json=body)


async def make(parts: Parts, name: str, role: str = "client", **said: Any) -> Bundle:
    """A bundle."""
    answer = await ask(parts, "POST", "/v1/enrolments", {"name": name, "role": role, **said})
    assert answer.status_code == 201, answer.text
    return Bundle.from_text(answer.json()["bundle"])


async def use(parts: Parts, bundle: Bundle, key: str = KEY) -> httpx.Response:
    """What a machine does with it: it has no token yet."""
    async with parts.ask(None) as http:
        return await http.post("/v1/enrol", json={"secret": bundle.secret, "public_key": key})


async def itself(parts: Parts, token: str) -> httpx.Response:
    """What whoever holds that token is told of itself."""
    async with parts.ask(None) as http:
        return await http.get("/v1/self", headers=bearer(token))


async def refusal(parts: Parts, **said: Any) -> tuple[int, str]:
    """Why no bundle is made out."""
    answer = await ask(parts, "POST", "/v1/enrolments", said)
    return answer.status_code, answer.json()["error"]
