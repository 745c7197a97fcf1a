"""Tests of three receivers behind a real load balancer, by the configuration that is shipped for it."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from client_sync import lookout
from failover_receiver.access import Role
from tests.client_sync.test_feed import following
from tests.failover_receiver.parts import bearer, webhook
from tests.lab.waiting import wait_until
from tests.replicas.balancer import Balancer
from tests.replicas.gaps import Number, Watcher, alive, change
from tests.replicas.test_cut_off import come, cut_off, publish, until
from tests.replicas.three import MANY, Three

SOON = 30.0
WATCHERS = 6
"""Two at each receiver."""


@pytest.fixture
def balancer(three: Three, tmp_path: Path) -> Iterator[Balancer]:
    """Before all three."""
    with Balancer(three, tmp_path) as running:
        yield running


@pytest.fixture
def disorder() -> list[str]:
    """What is wrong with what watchers see."""
    return []


@pytest.fixture
def watchers(three: Three, balancer: Balancer, disorder: list[str]) -> Iterator[list[Watcher]]:
    """Clients that know the one name, each with a stream."""
    bodies, token = dict[Number, str](), three.receivers[0].secret(Role.OPERATOR)
    following = [Watcher(f"{n}", balancer.connect, token, bodies, disorder) for n in range(WATCHERS)]
    wait_until(lambda: all(one.streams for one in following), SOON, "every watcher to have a stream")
    yield following
    for one in following:
        one.close()


def post(three: Three, balancer: Balancer, turn: int) -> Number:
    """A change, sent once, as Alertmanager does; the number of the document that says what came of it."""
    headers = bearer(three.receivers[0].secret(Role.ALERTMANAGER))
    with httpx.Client(base_url=balancer.url, verify=balancer.tls, trust_env=False, timeout=SOON) as http:
        answer = http.post("/v1/alerts", json=webhook(*change(turn)), headers=headers)
    assert answer.status_code == 200, answer.text
    return (1, answer.json()["generation"])


def test_watchers_by_one_name_survive_the_kill_of_one_receiver(
    three: Three, balancer: Balancer, watchers: list[Watcher], disorder: list[str]
) -> None:
    """They come back to another; and no webhook that comes right after it is refused, whoever was to have it."""
    three.ask(
        0, "POST", "/v1/alerts", role=Role.ALERTMANAGER, json=webhook(alive(time.time()))
    ).raise_for_status()
    victim = three.receivers[1]
    victim.kill()

    answered = [post(three, balancer, turn) for turn in range(6)]

    wait_until(
        lambda: all(one.seen[-1][1] >= answered[-1] for one in watchers), SOON, "all to see the last change"
    )
    again = [one for one in watchers if one.streams > 1]
    assert 0 < len(again) < WATCHERS, "those of the others have noticed nothing"
    assert disorder == []
    assert answered == sorted(answered)
    victim.start()


def test_while_postgres_is_away_there_still_are_documents(
    three: Three, balancer: Balancer, watchers: list[Watcher], disorder: list[str]
) -> None:
    """None is ready, and all are alive: those that ask are answered, and what would be decided is not taken."""
    token = bearer(three.receivers[0].secret(Role.OPERATOR))
    with httpx.Client(
        base_url=balancer.url, verify=balancer.tls, trust_env=False, timeout=SOON, headers=token
    ) as http:
        before = http.get("/v1/peer-set").content
        three.postgres.stop()
        try:
            wait_until(
                lambda: all(one.streams > 1 for one in watchers),
                SOON,
                "watchers to be led to those that live",
            )
            assert http.get("/v1/peer-set").content == before
            assert http.post("/v1/alerts", json=webhook(alive(time.time()))).status_code == 503
        finally:
            three.postgres.start()
        wait_until(lambda: http.get("/readyz").status_code == 200, SOON, "one to be ready again")
    assert disorder == []


def test_a_stream_from_the_time_without_postgres_is_not_left_at_one_that_is_cut_off_later(
    three: Three, balancer: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load balancer, which led it there because all were alive, asks no more of one than that; the daemon finds another by the same name."""
    monkeypatch.setattr(lookout, "PAUSE_FIRST", 0.5)
    token = three.receivers[0].secret(Role.OPERATOR)

    async def story() -> None:
        three.postgres.stop()
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(4 * SOON):
            feeds = [
                await stack.enter_async_context(
                    following(balancer.url, token=lambda: token, verify=balancer.tls)
                )
                for _ in range(WATCHERS)
            ]
            for _, taken in feeds:
                await taken.get()
            three.postgres.start()  # Here: it would die with a thread that had started it.
            await until(
                lambda: [three.ask(n, "GET", "/readyz").status_code for n in range(MANY)] == [200] * MANY
            )
            async with cut_off(three, 1):
                changed = await publish(three)
                for _, taken in feeds:
                    await come(taken, changed)

    asyncio.run(story())
