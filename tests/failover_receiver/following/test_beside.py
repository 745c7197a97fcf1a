"""Several processes that share one port: whoever asks cannot tell which one answers."""

import asyncio
import math
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from failover_receiver.access import Role
from failover_receiver.following import beside as module
from failover_receiver.following.beside import Beside
from failover_receiver.following.reports import Reports
from failover_receiver.limits import BURST, REFILL_PER_SECOND
from failover_receiver.listening import ListenError, listen
from tests.failover_receiver.following.edges import Follower, client, token
from tests.failover_receiver.parts import LIMIT, bearer, posted, webhook
from tests.failover_receiver.running import Running
from tests.failover_receiver.streams import Stream, add, following
from tests.failover_receiver.test_app import ACK
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.anyio

MANY = 24
"""Connections: that all come to the same one of three processes has a chance of one in a hundred thousand million."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A receiver of three processes."""
    with Running(tmp_path / "receiver", processes=3) as process:
        wait_until(lambda: all_serve(process), LIMIT, "all three to serve")
        yield process


def all_serve(running: Running) -> bool:
    """Whether both of the others have said something of themselves."""
    token = running.secret(Role.PROMETHEUS)
    page = httpx.get(f"{running.url}/metrics", headers=bearer(token), timeout=LIMIT, trust_env=False)
    return page.text.count("wgfleet_receiver_process_watchers{") == 2


def beside(running: Running) -> list[int]:
    """The processes beside the one that decides."""
    file = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    return [int(pid) for pid in file.read_text().split()]


@asynccontextmanager
async def crowd(url: str, secret: str) -> AsyncIterator[list[Stream]]:
    """Streams on connections of their own."""
    async with AsyncExitStack() as stack:
        https = [await stack.enter_async_context(client(url, secret)) for _ in range(MANY)]
        yield [await stack.enter_async_context(following(http)) for http in https]


async def page(running: Running, **wanted: float) -> None:
    """Until the page of metrics says so."""
    async with running.ask(Role.PROMETHEUS) as http:
        async with asyncio.timeout(LIMIT):
            while True:
                lines = (await http.get("/metrics")).text.splitlines()
                if all(f"wgfleet_receiver_{name} {value}" in lines for name, value in wanted.items()):
                    return


async def test_every_process_pushes_every_document(running: Running) -> None:
    """The streams are spread over them, and the metrics add them up."""
    async with running.ask() as http:
        await add(http, "fra1")
        async with crowd(running.url, running.secret(Role.OPERATOR)) as streams:
            first = {(await one.event())["data"] for one in streams}
            await add(http, "ams1", 2)
            pushed = {(await one.event())["data"] for one in streams}
            await page(running, watchers=float(MANY))
            text = (await http.get("/metrics")).text
        followers = (await http.get("/v1/doctor")).json()["followers"]

    assert (len(first), len(pushed)) == (1, 1)
    assert first != pushed
    shares = [float(line.split()[1]) for line in text.splitlines() if "_process_watchers{" in line]
    assert len(shares) == 2
    assert all(0 < share < MANY for share in shares)
    assert followers == {}  # They follow it, and nobody has to look after them.


async def test_whichever_process_is_asked_the_answers_are_the_same(running: Running) -> None:
    """An operator's wish, a webhook, acks, a token made and revoked a moment ago, and what is refused."""
    said: dict[str, set[object]] = {}
    async with running.ask() as operator:
        await add(operator, "fra1")
        for number in range(MANY):
            phone = await token(operator, f"phone{number}", Role.CLIENT)
            answers = await _ask_all(running, phone)
            assert (await operator.delete(f"/v1/tokens/phone{number}")).status_code == 204
            async with client(running.url, phone) as http:
                answers["revoked"] = (await http.get("/v1/peer-set")).status_code
            for what, answer in answers.items():
                said.setdefault(what, set()).add(answer)

    # After some of them a process refuses to try any more, and how many each has had is the kernel's to say.
    assert {401} <= said.pop("revoked") <= {401, 429}
    assert said == {
        "new": {200},
        "ack": {204},
        "wrong ack": {(422, '{"error":"body: is not JSON: expected value at line 1 column 1"}')},
        "webhook": {200},
        "no route": {
            (404, '{"error":"there is no GET /v1/nothing here; GET /openapi.json lists all routes"}')
        },
        "no token": {(401, '{"error":"a token is needed: send the header `Authorization: Bearer <token>`"}')},
        "page": {303},
    }


async def _ask_all(running: Running, phone: str) -> dict[str, object]:
    """On a connection for each, so that any process may have it."""

    async def ask(secret: str | None, method: str, path: str, body: Any = None) -> httpx.Response:
        async with client(running.url, secret or "") as http:
            if secret is None:
                del http.headers["Authorization"]
            return await http.request(method, path, json=body)

    async with client(running.url, phone) as http:
        wrong = await http.post("/v1/acks", content="?", headers={"Content-Type": "application/json"})
    nothing = await ask(phone, "GET", "/v1/nothing")
    nobody = await ask(None, "GET", "/v1/workers")
    alert = webhook(posted("watchdog", None, time.time()))
    return {
        "new": (await ask(phone, "GET", "/v1/peer-set")).status_code,
        "ack": (await ask(phone, "POST", "/v1/acks", ACK)).status_code,
        "wrong ack": (wrong.status_code, wrong.text),
        "webhook": (await ask(running.secret(Role.ALERTMANAGER), "POST", "/v1/alerts", alert)).status_code,
        "no route": (nothing.status_code, nothing.text),
        "no token": (nobody.status_code, nobody.text),
        "page": (await ask(None, "GET", "/")).status_code,
    }


async def test_wrong_tokens_are_counted_in_one_place(running: Running) -> None:
    """By the address of whoever sends them, or each process would give its own patience; a right one is let in."""
    answers, began = [], time.monotonic()
    for _ in range(MANY):
        async with client(running.url, "nobody's") as http:
            answers.append((await http.get("/v1/peer-set")).status_code)
    forgiven = math.ceil((time.monotonic() - began) * REFILL_PER_SECOND)
    async with running.ask() as http:
        right = (await http.get("/v1/workers")).status_code

    assert answers[:BURST] == [401] * BURST
    assert answers.count(401) <= BURST + forgiven
    assert right == 200


async def test_one_that_dies_is_started_again(running: Running) -> None:
    """Its streams break, and come again at another; nobody else's do."""
    before = beside(running)
    async with running.ask() as http:
        await add(http, "fra1")
        os.kill(before[0], signal.SIGKILL)
        await page(running, **{'process_ended_total{process="2"}': 1.0})
        wait_until(lambda: len(beside(running)) == 2, LIMIT, "another in its place")
        async with crowd(running.url, running.secret(Role.OPERATOR)) as streams:
            await add(http, "ams1", 2)
            numbers = {(await one.event())["id"] for one in streams}

    assert before[1] in beside(running)
    assert before[0] not in beside(running)
    assert numbers <= {"1.2", "1.3"}


async def test_they_end_with_the_one_that_decides(running: Running) -> None:
    """However it ends: nobody may serve what nobody decides, and its supervisor starts all anew."""
    pids = beside(running)

    running.kill()

    wait_until(lambda: not any(map(_lives, pids)), LIMIT, "the others to end")
    running.start()
    assert len(beside(running)) == 2


async def test_told_to_stop_all_end_all_streams_and_exit_with_0(running: Running) -> None:
    """No client sees a broken stream."""
    pids = beside(running)
    async with running.ask() as http:
        await add(http, "fra1")
    async with crowd(running.url, running.secret(Role.OPERATOR)) as streams:
        for one in streams:
            await one.event()

        stopping = asyncio.get_running_loop().run_in_executor(None, running.stop)

        for one in streams:
            assert {*(await one.rest())} <= {": heartbeat", ""}
        assert await stopping == 0
    assert not any(map(_lives, pids))
    assert [line for line in running.log if line["level"] != "info"] == []


def test_a_port_that_processes_share_is_taken(running: Running) -> None:
    """Two receivers on one port would each have some of the clients."""
    port = int(running.url.rpartition(":")[2])

    with pytest.raises(ListenError, match="Address already in use"):
        listen("127.0.0.1", port, shared=True)


async def test_a_follower_has_several_processes_as_well(tmp_path: Path) -> None:
    """All of them serve what it hears."""
    with Running(tmp_path / "receiver") as receiver:
        async with receiver.ask() as http:
            await add(http, "fra1")
            follower = Follower(tmp_path / "follower", receiver, processes=2)
            await follower.let_in(http)
            with follower:
                await follower.until(status="live")
                async with crowd(follower.url, receiver.secret(Role.OPERATOR)) as streams:
                    numbers = {(await one.event())["id"] for one in streams}
                followers = (await http.get("/v1/doctor")).json()["followers"]

    assert numbers == {"1.2"}
    assert followers == {"follower": True}


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_one_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no memory, or no file, for one more at that moment; and one that says no report is ended."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    tried = 0
    enough = asyncio.Event()

    async def refused(*_command: str, **_pipes: int) -> None:
        nonlocal tried
        tried += 1
        if tried >= 3:
            enough.set()
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
    async with asyncio.timeout(LIMIT), Beside(1, Reports(CollectorRegistry(), "receiver")):
        await enough.wait()


@pytest.mark.parametrize("says", ["echo no report", ""], ids=["no report", "nothing"])
async def test_one_that_says_no_report_is_ended_and_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    """It stands still, or would once the pipe is full that nobody reads: with connections of its own."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.1)
    program = tmp_path / "talker"
    program.write_text(f"#!/bin/sh\nread told\necho $$ >> started\n{says}\nexec sleep 60\n")
    program.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(program))
    started = tmp_path / "started"

    beside = Beside(1, Reports(CollectorRegistry(), "receiver"))
    beside._told.set_result(lambda _: b"be\n")
    async with asyncio.timeout(LIMIT), beside:
        while not started.exists() or len(started.read_text().split()) < 2:  # noqa: ASYNC110 - it is another program.
            await asyncio.sleep(0.01)
        first = int(started.read_text().split()[0])
        assert not _lives(first)
