"""Tests of failover_receiver/bodies.py: over real sockets where the connection's end matters."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from failover_receiver.access import Role
from failover_receiver.bodies import LARGE, SMALL
from failover_receiver.limits import BURST
from tests.failover_receiver.parts import LIMIT, NOON, TOKENS, Parts, bearer, facts, posted, webhook
from tests.failover_receiver.running import Running

pytestmark = pytest.mark.anyio

WEBHOOK = LARGE["/v1/alerts"]


def padded(size: int) -> bytes:
    """A webhook without alerts that is so long."""
    bare = json.dumps(webhook(padding="")).encode()
    return json.dumps(webhook(padding="x" * (size - len(bare)))).encode()


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """Without a length said before."""
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


async def post(parts: Parts, body: bytes, *, chunked: bool, who: Role | None) -> httpx.Response:
    """Alertmanager, or somebody, posts that."""
    headers = {"Content-Type": "application/json"} | ({"Transfer-Encoding": "chunked"} if chunked else {})
    async with parts.ask(who) as http:
        return await http.post("/v1/alerts", content=pieces(body) if chunked else body, headers=headers)


@pytest.mark.parametrize("chunked", [False, True])
async def test_as_much_as_the_limit_is_taken(parts: Parts, *, chunked: bool) -> None:
    """Eight megabytes of webhook, whether or not its length is said before."""
    answer = await post(parts, padded(WEBHOOK), chunked=chunked, who=Role.ALERTMANAGER)

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_byte_more_is_refused_with_the_limit_named(parts: Parts, *, chunked: bool) -> None:
    """413, and nothing was taken."""
    answer = await post(parts, padded(WEBHOOK + 1), chunked=chunked, who=Role.ALERTMANAGER)

    assert answer.status_code == 413
    error = f"the body has more than {WEBHOOK} bytes, which is the most for /v1/alerts"
    assert answer.json() == {"error": error}
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("chunked", [False, True])
async def test_of_somebody_unknown_little_is_read(parts: Parts, *, chunked: bool) -> None:
    """401 before the body is parsed; a short one is refused by the route itself."""
    long = await post(parts, b"{" * (SMALL + 1), chunked=chunked, who=None)
    short = await post(parts, padded(SMALL), chunked=chunked, who=None)

    assert (long.status_code, long.json()) == (short.status_code, short.json())
    assert long.status_code == 401
    assert long.headers["www-authenticate"] == "Bearer"


async def test_a_thousand_alerts_fit() -> None:
    """With labels as ours are."""
    alerts = [posted("down", f"worker-{number}", NOON) for number in range(1000)]

    assert len(json.dumps(webhook(*alerts))) < WEBHOOK / 8


async def test_every_other_route_takes_little(parts: Parts) -> None:
    """Of an operator too."""
    async with parts.ask() as http:
        answer = await http.post("/v1/tokens", content=b"x" * (SMALL + 1))

    assert (answer.status_code, answer.json()) == (
        413,
        {"error": f"the body has more than {SMALL} bytes, which is the most for /v1/tokens"},
    )


async def test_wrong_tokens_with_long_bodies_count_as_any_others(parts: Parts) -> None:
    """429, with when to come again."""
    async with parts.ask(None) as http:
        answers = [
            await http.post("/v1/alerts", content=b"x" * (SMALL + 1), headers=bearer("wrong"))
            for _ in range(BURST + 1)
        ]

    assert [answer.status_code for answer in answers] == [401] * BURST + [429]
    assert answers[-1].headers["retry-after"] == "1"


async def test_it_is_told_once_a_minute(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever sends too much cannot fill the log as well."""
    caplog.set_level(logging.WARNING)

    for _ in range(3):
        await post(parts, padded(WEBHOOK + 1), chunked=False, who=Role.ALERTMANAGER)

    told = [{"address": "127.0.0.1", "path": "/v1/alerts", "limit": WEBHOOK}]
    assert facts(caplog.records, "body too long") == told
    assert TOKENS[Role.ALERTMANAGER] not in caplog.text


# Over real sockets.


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A receiver that serves."""
    with Running(tmp_path / "receiver") as process:
        yield process


@pytest.mark.parametrize("chunked", [False, True])
async def test_one_that_sends_everything_before_it_listens_hears_why(
    running: Running, *, chunked: bool
) -> None:
    """Not a broken connection; and the next request is answered as ever."""
    body = padded(2 * WEBHOOK)

    async with running.ask(Role.ALERTMANAGER) as http:
        answer = await http.post("/v1/alerts", content=pieces(body) if chunked else body)
        after = await http.post("/v1/alerts", json=webhook())

    assert (answer.status_code, after.status_code) == (413, 200)


async def test_one_that_asks_first_is_refused_before_it_sends(running: Running) -> None:
    """`Expect: 100-continue`: the answer comes without a byte of the body, and the connection ends."""
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    token = running.secret(Role.ALERTMANAGER)

    writer.write(
        f"POST /v1/alerts HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {WEBHOOK + 1}\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    async with asyncio.timeout(LIMIT):
        said = await reader.read()

    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in said
    writer.close()
