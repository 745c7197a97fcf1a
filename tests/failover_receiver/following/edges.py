"""Followers as processes of their own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from failover_receiver.access import Role
from tests.failover_receiver.parts import FLEET, LIMIT, bearer
from tests.failover_receiver.running import Running
from wgfleet.files import read_secret
from wgfleet.signing import Signer


class Follower(Running):
    """`wgfleet-receiver follow`; ends with its `with`."""

    command = ("follow", "follower.toml")

    def __init__(self, directory: Path, receiver: Running, *urls: str, **said: Any) -> None:
        """Follow these, with a receiver's key and a token of its own making; what its configuration says beyond."""
        self.directory = directory
        self.program = ("-m", "failover_receiver")
        self.url = ""
        self.log = []
        directory.mkdir()
        signer = Signer.from_text(read_secret(receiver.directory / "signing.key"))
        self._said = {
            "fleet": FLEET,
            "token_file": "token",
            "trusted_keys": [signer.public_text],
            "listen_port": 0,
            "open_health": True,
            **said,
        }
        self.follow(receiver, *urls)

    def follow(self, receiver: Running, *urls: str) -> None:
        """Follow these from the next start on."""
        self.configure({**self._said, "receivers": list(urls or (receiver.url,))})

    async def let_in(self, http: httpx.AsyncClient) -> None:
        """Have an operator make its token."""
        (self.directory / "token").write_text(await token(http, self.directory.name, Role.FOLLOWER))

    async def until(self, **standing: object) -> dict[str, Any]:
        """What it says of itself once it says this."""
        async with httpx.AsyncClient(base_url=self.url, timeout=LIMIT, trust_env=False) as http:
            said = await until(http, "/readyz", lambda said: standing.items() <= said.items())
        return dict(said)


async def token(http: httpx.AsyncClient, name: str, role: Role) -> str:
    """A new one, by an operator."""
    made = await http.post("/v1/tokens", json={"name": name, "role": role})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


async def until(http: httpx.AsyncClient, path: str, wanted: Callable[[Any], bool]) -> Any:
    """What is answered there once it is as wanted."""
    said: Any = None
    try:
        async with asyncio.timeout(LIMIT):
            while True:
                said = (await http.get(path)).json()
                if wanted(said):
                    return said
    except TimeoutError:
        raise AssertionError(f"{path} says {said}") from None


@asynccontextmanager
async def client(url: str, secret: str) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP with a token."""
    async with httpx.AsyncClient(
        base_url=url, headers=bearer(secret), timeout=LIMIT, trust_env=False
    ) as http:
        yield http
