"""Tests of daemons' feeds at three receivers on one real PostgreSQL, while one of them, or all, are cut off from it."""

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from client_sync import lookout
from failover_receiver.access import Role
from tests.client_sync.test_feed import Taken, following, lost
from tests.failover_receiver.parts import bearer
from tests.replicas.three import MANY, WORKERS, Three
from wgfleet.standing import HEADER

SOON = 60.0
VICTIM, OTHER = 1, 2
LOOKED = '/v1/peer-set "HTTP/1.1 304 Not Modified"'
CUT_OFF = '{"live":false,"hops":0}'


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats of real receivers are slow enough."""
    monkeypatch.setattr(lookout, "PAUSE_FIRST", 0.5)
    monkeypatch.setattr(lookout, "PAUSE_MOST", 1.0)


async def publish(three: Three) -> bytes:
    """Something changes at the first receiver, which is well; the document that says so."""
    before = await documents(three, 0)
    for method in ("PUT", "DELETE"):
        told = await asyncio.to_thread(three.ask, 0, method, f"/v1/workers/{WORKERS[-1]}/ban")
        told.raise_for_status()
        after = await documents(three, 0)
        if after != before:
            return after
    raise AssertionError("nothing has changed")


async def documents(three: Three, number: int) -> bytes:
    """The peer set that one gives out."""
    return (await asyncio.to_thread(three.ask, number, "GET", "/v1/peer-set")).content


async def until(done: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    while not await asyncio.to_thread(done):  # noqa: ASYNC110 - another process has no event here.
        await asyncio.sleep(0.05)


async def come(taken: Taken, document: bytes) -> None:
    """Wait until it has come, or a later one."""
    while number(await taken.get()) < number(document):
        pass


def number(document: bytes) -> tuple[int, int]:
    """What it says of itself."""
    payload = document.split(b".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    return said["epoch"], said["generation"]


@contextlib.asynccontextmanager
async def cut_off(three: Three, number: int) -> AsyncIterator[None]:
    """One of them, from PostgreSQL, for as long; whole again afterwards."""
    three.relays[number].cut()
    try:
        yield
    finally:
        three.relays[number].mend()
        async with asyncio.timeout(SOON):
            await until(lambda: three.ask(number, "GET", "/readyz").status_code == 200)


def test_who_follows_one_that_is_cut_off_hears_what_the_others_publish(
    three: Three, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on to one of them, and stays there."""
    urls = [three.receivers[number].url for number in (VICTIM, OTHER)]

    async def story() -> None:
        async with (
            asyncio.timeout(2 * SOON),
            following(*urls, token=lambda: three.receivers[VICTIM].secret(Role.OPERATOR)) as (feed, taken),
        ):
            await taken.get()
            assert feed.receiver == urls[0]
            async with cut_off(three, VICTIM):
                await come(taken, await publish(three))
                assert feed.receiver == urls[1]
            await come(taken, await publish(three))
            assert [url for url, _ in lost(caplog)] == urls[:1]

    asyncio.run(story())


def test_each_document_of_one_that_is_cut_off_says_so(three: Three) -> None:
    """By whichever way it is asked for; once it is back, it says nothing."""
    made = three.ask(0, "POST", "/v1/tokens", json={"name": WORKERS[1], "role": "worker"})
    assert made.status_code == 201, made.text
    token = made.json()["token"]

    def said(path: str, **headers: str) -> str | None:
        url = f"{three.receivers[VICTIM].url}{path}"
        answer = httpx.get(url, headers={**bearer(token), **headers}, timeout=SOON, trust_env=False)
        assert answer.status_code in {200, 304, 404}, answer.text
        found: str | None = answer.headers.get(HEADER)
        return found

    def all_said() -> list[str | None]:
        return [
            said("/v1/peer-set"),
            said("/v1/peer-set", **{"If-None-Match": "*"}),
            said("/v1/peer-set", **{"If-None-Match": tag}),
            said("/v1/client-list"),
            said("/v1/places"),
        ]

    async def story() -> None:
        async with cut_off(three, VICTIM), asyncio.timeout(SOON):
            await until(lambda: all_said() == [CUT_OFF] * 5)

    three.ask(0, "PUT", "/v1/clients/tablet", json={"public_key": "A" * 42 + "E="}).raise_for_status()
    tag = three.ask(VICTIM, "GET", "/v1/peer-set").headers["etag"]
    asyncio.run(story())
    assert all_said() == [None] * 5


def test_while_all_are_cut_off_no_stream_ends(three: Three, caplog: pytest.LogCaptureFixture) -> None:
    """PostgreSQL is away; when it is back, what is published comes by the stream that was there all along."""
    caplog.set_level(logging.INFO)

    async def story() -> None:
        urls = [one.url for one in three.receivers]
        async with (
            asyncio.timeout(2 * SOON),
            following(*urls, token=lambda: three.receivers[0].secret(Role.OPERATOR)) as (feed, taken),
        ):
            await taken.get()
            three.postgres.stop()
            try:
                await until(lambda: caplog.text.count(LOOKED) >= MANY)
            finally:
                three.postgres.start()  # Here: it would die with a thread that had started it.
            await until(lambda: all(three.ask(n, "GET", "/readyz").status_code == 200 for n in range(MANY)))
            await come(taken, await publish(three))
            assert feed.receiver == urls[0]
            assert lost(caplog) == []

    asyncio.run(story())
