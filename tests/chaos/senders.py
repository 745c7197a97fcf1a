"""Those who keep a receiver busy, and write down what it answers."""

import asyncio
import itertools
import random
import time
from typing import Any

import httpx

from tests.chaos.ledger import Ledger
from tests.failover_receiver.parts import BODY, LIMIT, bearer, posted, webhook

BASE = ("w0", "w1", "w2", "w3")
"""Workers that are there all the time, so that alerts are of them."""

MOST_WORKERS = 12


class Line:
    """To a receiver that is now here, now gone."""

    def __init__(self) -> None:
        """It is not there yet."""
        self.up = asyncio.Event()
        self.idle = asyncio.Event()
        """Nobody waits for an answer."""
        self._busy = 0
        self.http = httpx.AsyncClient()

    async def open(self, url: str) -> None:
        """It is there now."""
        await self.http.aclose()
        self.http = httpx.AsyncClient(base_url=url, timeout=LIMIT, trust_env=False, verify=False)  # noqa: S501 - there is no TLS; certificates would be read anew for each life.
        self.up.set()

    async def ask(self, token: str, method: str, path: str, body: Any = None) -> httpx.Response | None:
        """Ask once it is there; None: it went away before it had answered."""
        await self.up.wait()
        self._busy += 1
        self.idle.clear()
        try:
            return await self.http.request(method, path, json=body, headers=bearer(token))
        except httpx.TransportError:
            return None
        finally:
            self._busy -= 1
            if not self._busy:
                self.idle.set()


async def alertmanager(line: Line, ledger: Ledger, token: str, name: str) -> None:
    """Posts an alert after the other, each begun anew."""
    for turn in itertools.count():
        key, worker = f"{name}-{turn % 4}", BASE[turn % len(BASE)]
        begun = round(time.time(), 6)
        kind = "down" if turn % 16 == 0 and worker == BASE[0] else "up"
        alert = {**posted(kind, worker, begun), "fingerprint": f"{kind}/{key}"}
        answer = await line.ask(token, "POST", "/v1/alerts", webhook(alert))
        if answer is not None and answer.is_success:
            ledger.alerts[f"{kind}/{key}"] = begun
            ledger.answered += 1


async def operator(line: Line, ledger: Ledger, token: str, number: int, dice: random.Random) -> None:
    """Adds, drains and removes workers, makes and revokes tokens; each operator has names of his own."""
    for turn in itertools.count():
        workers = _there(ledger.workers, f"x{number}-")
        tokens = _there(ledger.tokens, f"t{number}-")
        what = dice.choice(("add", "add", "drain", "remove", "make", "revoke"))
        if (what == "remove" and workers) or len(workers) >= MOST_WORKERS:
            await _remove(line, ledger, token, dice.choice(workers))
        elif what == "drain" and workers:
            await _drain(line, ledger, token, dice.choice(workers))
        elif what == "revoke" and tokens:
            await _revoke(line, ledger, token, dice.choice(tokens))
        elif what == "make":
            await _make_token(line, ledger, token, f"t{number}-{turn}")
        else:
            await _add(line, ledger, token, f"x{number}-{turn}", number * 100_000 + turn)


def _there(names: dict[str, bool | None], beginning: str) -> list[str]:
    return [name for name, there in names.items() if there and name.startswith(beginning)]


async def _add(line: Line, ledger: Ledger, token: str, name: str, number: int) -> None:
    ledger.workers[name] = None
    answer = await line.ask(token, "PUT", f"/v1/workers/{name}", described(number))
    _decided(ledger, answer, name, there=True)


async def _remove(line: Line, ledger: Ledger, token: str, name: str) -> None:
    ledger.workers[name] = None
    _decided(ledger, await line.ask(token, "DELETE", f"/v1/workers/{name}"), name, there=False)


async def _drain(line: Line, ledger: Ledger, token: str, name: str) -> None:
    answer = await line.ask(token, "PUT", f"/v1/workers/{name}/drain")
    if answer is not None and answer.is_success:
        said = answer.json()
        ledger.reached((said["epoch"], said["generation"]))


def _decided(ledger: Ledger, answer: httpx.Response | None, name: str, *, there: bool) -> None:
    if answer is not None and answer.is_success:
        said = answer.json()
        ledger.workers[name] = there
        ledger.events.add((name, said["generation"]))
        ledger.reached((said["epoch"], said["generation"]))


async def _make_token(line: Line, ledger: Ledger, token: str, name: str) -> None:
    ledger.tokens[name] = None
    answer = await line.ask(token, "POST", "/v1/tokens", {"name": name, "role": "client"})
    if answer is not None and answer.is_success:
        ledger.tokens[name] = True
        ledger.answered += 1


async def _revoke(line: Line, ledger: Ledger, token: str, name: str) -> None:
    ledger.tokens[name] = None
    answer = await line.ask(token, "DELETE", f"/v1/tokens/{name}")
    if answer is not None and answer.is_success:
        ledger.tokens[name] = False
        ledger.answered += 1


async def watcher(line: Line, ledger: Ledger, token: str) -> None:
    """Follows the peer set through every death."""
    while True:
        await line.up.wait()
        try:
            async with line.http.stream("GET", "/v1/peer-set/events", headers=bearer(token)) as stream:
                await _follow(stream, ledger)
        except (httpx.TransportError, httpx.StreamError):
            await asyncio.sleep(0.01)  # It is dying or being born: whoever kills it clears `up` in a moment.


async def _follow(stream: httpx.Response, ledger: Ledger) -> None:
    number = (0, 0)
    async for text in stream.aiter_lines():
        key, _, value = text.partition(": ")
        if key == "id":
            epoch, _, generation = value.partition(".")
            number = (int(epoch), int(generation))
        elif key == "data":
            ledger.saw(number, value)


def described(number: int) -> dict[str, Any]:
    """A worker with a key and an address of its own."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {**BODY, "public_key": f"{number:042}A=", "tunnel_addresses": [address]}
