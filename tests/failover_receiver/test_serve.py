"""Tests of failover_receiver/serve.py: the whole receiver as a process, over real sockets."""

import asyncio
import re
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from failover_receiver.access import Role
from failover_receiver.listening import OTHER_FILES
from tests.failover_receiver.parts import FLEET, LIMIT, bearer, posted, webhook
from tests.failover_receiver.running import IMPATIENT, Running
from tests.failover_receiver.streams import add, following
from wgfleet.files import read_secret
from wgfleet.peerset import PeerSet
from wgfleet.signing import SignatureRefusedError, Signer, Verifier

pytestmark = pytest.mark.anyio


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A receiver that serves."""
    with Running(tmp_path / "receiver") as process:
        yield process


# Streams.


async def test_a_stream_begins_with_the_document_and_pushes_every_change(running: Running) -> None:
    """The whole document each time, under its number, as the plain route has it."""
    async with running.ask() as http:
        first = await add(http, "fra1")
        async with following(http) as stream:
            snapshot = await stream.event()
            await add(http, "ams1", 2)
            pushed = await stream.event()
        plain = await http.get("/v1/peer-set")

    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.response.headers["cache-control"] == "no-store"
    assert snapshot["event"] == pushed["event"] == "peer-set"
    assert snapshot["id"] == f"1.{first['generation']}"
    assert pushed["id"] == f"1.{first['generation'] + 1}"
    assert pushed["data"] == plain.text != snapshot["data"]


async def test_what_is_streamed_verifies_with_the_signing_key_alone(running: Running) -> None:
    """The key that init has made; any other refuses it."""
    signer = Signer.from_text(read_secret(running.directory / "signing.key"))
    async with running.ask() as http:
        await add(http, "fra1")
        async with following(http) as stream:
            document = (await stream.event())["data"].encode()

    said = PeerSet.from_bytes(Verifier([signer.public_text]).payload(document), fleet=FLEET)

    assert [worker.name for worker in said.workers] == ["fra1"]
    with pytest.raises(SignatureRefusedError):
        Verifier([Signer.generate().public_text]).payload(document)


async def test_who_has_the_document_is_told_so(running: Running) -> None:
    """304 over a real connection: no body, and the connection goes on."""
    async with running.ask() as http:
        await add(http, "fra1")
        tag = (await http.get("/v1/peer-set")).headers["etag"]

        same = await http.get("/v1/peer-set", headers={"If-None-Match": tag})
        await add(http, "ams1", 2)
        changed = await http.get("/v1/peer-set", headers={"If-None-Match": tag})

    assert (same.status_code, same.content, changed.status_code) == (304, b"", 200)


async def test_a_quiet_stream_has_a_heartbeat(tmp_path: Path) -> None:
    """So that a client can tell a quiet receiver from a dead one."""
    with Running(tmp_path / "receiver", program=IMPATIENT) as running:
        async with running.ask() as http:
            await add(http, "fra1")
            async with following(http) as stream:
                await stream.event()
                async with asyncio.timeout(LIMIT):
                    beats = [await anext(stream.lines) for _ in range(6)]

    assert beats == [": heartbeat", ""] * 3


async def test_streams_are_counted_until_they_are_left(running: Running) -> None:
    """Clients that go away are noticed."""
    async with running.ask() as http:
        await add(http, "fra1")
        async with following(http) as one, following(http) as other:
            await one.event()
            await other.event()
            during = (await http.get("/metrics")).text
        async with asyncio.timeout(LIMIT):
            while "wgfleet_receiver_watchers 0.0" not in (await http.get("/metrics")).text:
                pass

    assert "wgfleet_receiver_watchers 2.0" in during


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_ends_all_streams_and_exits_with_0(
    running: Running, number: signal.Signals
) -> None:
    """Cleanly and at once: no client sees a broken stream, and nothing had to be cut off after the grace time."""
    async with running.ask() as http:
        await add(http, "fra1")
        async with following(http) as one, following(http) as other:
            await one.event()
            await other.event()

            stopping = asyncio.get_running_loop().run_in_executor(None, running.stop, number)

            assert (await one.rest(), await other.rest()) == ([], [])
            assert await stopping == 0
    said = [line["event"] for line in running.log]
    assert said[-1] == "stopped"
    assert [event for event in said if "exceeded" in event or "Cancel" in event] == []
    assert [line for line in running.log if line["level"] != "info"] == []


@pytest.mark.parametrize("path", ["/v1/alerts", "/v1/enrolments"])
async def test_told_to_stop_it_waits_for_no_body_that_is_half_sent(running: Running, path: str) -> None:
    """Nothing was done of it; its sender sees the connection end, and no traceback is in the log."""
    url = httpx.URL(running.url)
    role = Role.ALERTMANAGER if path == "/v1/alerts" else Role.OPERATOR
    with socket.create_connection((url.host, url.port), timeout=LIMIT) as sender:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.secret(role)}\r\n"
        sender.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"ver'.encode())
        async with running.ask() as http:
            await http.get("/health")  # What came before is with the receiver by now.

        assert running.stop() == 0
        assert sender.recv(1) == b""

    assert [line for line in running.log if line["level"] == "error" or "exceeded" in line["event"]] == []


async def test_revoking_a_token_ends_its_stream(running: Running) -> None:
    """Over a real connection, and cleanly; the operator's goes on."""
    async with running.ask() as http:
        await add(http, "fra1")
        made = (await http.post("/v1/tokens", json={"name": "phone", "role": "client"})).json()["token"]
        async with (
            httpx.AsyncClient(
                base_url=running.url, headers=bearer(made), timeout=LIMIT, trust_env=False
            ) as phone,
            following(phone) as revoked,
            following(http) as other,
        ):
            await revoked.event()
            await other.event()

            await http.delete("/v1/tokens/phone")

            assert await revoked.rest() == []
            await add(http, "ams1", 2)
            assert (await other.event())["event"] == "peer-set"
            assert (await phone.get("/v1/peer-set")).status_code == 401


async def test_told_to_stop_it_ends_a_crowd_of_streams_without_a_complaint(running: Running) -> None:
    """Each of them cleanly."""
    async with running.ask() as http:
        await add(http, "fra1")
    url = urlsplit(running.url)
    ask = (
        "GET /v1/peer-set/events HTTP/1.1\r\nHost: receiver\r\n"
        f"Authorization: Bearer {running.secret(Role.OPERATOR)}\r\n\r\n"
    )
    async with asyncio.timeout(LIMIT):
        crowd = [await asyncio.open_connection(url.hostname, url.port) for _ in range(300)]
        for reader, writer in crowd:
            writer.write(ask.encode())
            await reader.readuntil(b"\n\n\r\n")

        assert await asyncio.get_running_loop().run_in_executor(None, running.stop) == 0

        ends = {await reader.read() for reader, _ in crowd}
    for _, writer in crowd:
        writer.close()
    assert ends == {b"0\r\n\r\n"}
    assert [line for line in running.log if line["level"] != "info"] == []


def known(name: str) -> bool:
    """Whether this machine has an address for it."""
    try:
        return bool(socket.getaddrinfo(name, None))
    except OSError:
        return False


@pytest.mark.parametrize(
    ("address", "asked"), [("::1", "[::1]"), ("localhost", "localhost"), ("::", "127.0.0.1")]
)
async def test_it_listens_on_ipv6_and_on_names(tmp_path: Path, address: str, asked: str) -> None:
    """`::` takes IPv4, too."""
    if address == "localhost" and not known(address):
        pytest.skip("this machine does not know the name localhost: it has no /etc/hosts")
    with Running(tmp_path / "receiver", listen_address=address) as running:
        port = urlsplit(running.url).port
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"http://{asked}:{port}/livez")

    assert answer.json() == {"status": "alive"}


async def test_it_says_how_many_streams_there_may_be(running: Running) -> None:
    """As many files as it may open, but for those that all else needs."""
    assert running.stop() == 0

    (said,) = (line for line in running.log if "most_streams" in line)
    assert said["most_streams"] == resource.getrlimit(resource.RLIMIT_NOFILE)[1] - OTHER_FILES


# Nothing that was confirmed is lost.


async def test_nothing_that_was_answered_2xx_is_lost_by_kill_9(running: Running) -> None:
    """Killed in the midst of a hundred requests, three times: each worker that was confirmed is there again."""
    confirmed: dict[str, int] = {}
    enough = asyncio.Event()
    numbers = iter(range(1, 10_000))

    async def go_on(http: httpx.AsyncClient, least: int) -> None:
        for number in numbers:
            try:
                answer = await add(http, f"w{number}", number)
            except httpx.TransportError:
                return
            confirmed[f"w{number}"] = answer["generation"]
            if len(confirmed) >= least:
                enough.set()

    for least in (10, 25, 45):
        enough.clear()
        async with running.ask() as http, asyncio.timeout(LIMIT):
            requests = [asyncio.ensure_future(go_on(http, least)) for _ in range(4)]
            await enough.wait()
            running.kill()
            await asyncio.gather(*requests)

        running.start()

        async with running.ask() as http:
            workers = (await http.get("/v1/workers")).json()
        assert confirmed.keys() <= workers["workers"].keys()
        assert workers["generation"] >= max(confirmed.values())


async def test_a_worker_that_was_taken_out_stays_out_over_kill_9(running: Running) -> None:
    """And the document that said so is the one that is shown again, byte for byte."""
    now = time.time()
    async with running.ask(Role.ALERTMANAGER) as alertmanager, running.ask() as http:
        for number, name in enumerate(("fra1", "ams1", "lon1"), start=1):
            await add(http, name, number)
        ups = [posted("up", name, now) for name in ("fra1", "ams1", "lon1")]
        await alertmanager.post("/v1/alerts", json=webhook(posted("watchdog", None, now), *ups))
        answer = await alertmanager.post("/v1/alerts", json=webhook(posted("down", "fra1", now)))
        document = (await http.get("/v1/peer-set")).content
        running.kill()

    running.start()

    async with running.ask() as http:
        health = (await http.get("/health")).json()
        again = (await http.get("/v1/peer-set")).content
    assert answer.status_code == 200
    assert again == document
    assert health["generation"] == answer.json()["generation"]
    states = {name: worker["state"] for name, worker in health["workers"].items()}
    assert states == {"fra1": "down", "ams1": "serving", "lon1": "serving"}


# The rest of its outside.


async def test_no_secret_is_in_the_log(running: Running) -> None:
    """Neither a token nor the signing key, good or wrong, whatever was asked with it."""
    wrong = "a-wrong-token-that-somebody-sent"
    async with running.ask() as http:
        made = (await http.post("/v1/tokens", json={"name": "phone", "role": "client"})).json()["token"]
        answers = [
            await http.get("/health", headers={"Authorization": f"Bearer {wrong}"}),
            await http.post("/v1/alerts", content=b"{", headers={"Content-Type": "application/json"}),
            await http.get("/v1/tokens", headers={"Authorization": f"Bearer {made}"}),
        ]
    assert running.stop() == 0

    secrets = [running.secret(role) for role in (Role.OPERATOR, Role.ALERTMANAGER, Role.PROMETHEUS)]
    secrets += [made, wrong, read_secret(running.directory / "signing.key")]
    told = str(running.log) + "".join(answer.text for answer in answers)
    assert [secret for secret in secrets if secret in told] == []
    assert [answer.status_code for answer in answers] == [401, 422, 403]


async def test_an_alertmanager_that_is_not_there_does_not_stop_it(tmp_path: Path) -> None:
    """It says so once and serves: the webhook may work."""
    with Running(tmp_path / "receiver", alertmanagers=["http://127.0.0.1:1"], read_interval=0.01) as running:
        async with running.ask() as http:
            async with asyncio.timeout(LIMIT):
                while not re.search(r'outcome="failed"} ([3-9]|\d\d)', (await http.get("/metrics")).text):
                    pass
            health = await http.get("/health")
        assert running.stop() == 0

    assert health.status_code == 200
    complaints = [line for line in running.log if line["event"] == "alertmanager not readable"]
    assert [(line["alertmanager"], line["level"]) for line in complaints] == [
        ("http://127.0.0.1:1", "warning")
    ]


@pytest.mark.parametrize(("address", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
async def test_tokens_that_go_in_clear_are_warned_of(tmp_path: Path, address: str, *, warned: bool) -> None:
    """Where others could listen; not on the loopback."""
    with Running(tmp_path / "receiver", listen_address=address) as running:
        assert running.stop() == 0

    warnings = [line for line in running.log if line["level"] == "warning"]
    assert [line["listen_address"] for line in warnings] == ([address] if warned else [])
    assert all(line["event"].startswith("no TLS: tokens go in clear") for line in warnings)
