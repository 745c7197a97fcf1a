"""Tests of failover_receiver/doorway.py: both documents' routes, and streams whose ends are the receiver's wish."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from failover_receiver.doorway import Doorway, has
from failover_receiver.store import Document
from tests.failover_receiver.parts import LIMIT, TOKENS, Parts, seen

pytestmark = pytest.mark.anyio

CLIENT_LIST = Document("wgfleet/client-list", 2, 9, b"list." * 100)
STRANGER = Role.PROMETHEUS
"""Reads neither document."""


@pytest.fixture
async def shown(parts: Parts) -> Parts:
    """A receiver with something in both documents."""
    await parts.serve("fra1", "ams1")
    parts.receiver.client_list.show(CLIENT_LIST)
    return parts


class Stream:
    """A request whose answer goes on, in the test's own loop, as a server would run it."""

    def __init__(self, front: Any, path: str, role: Role = Role.CLIENT, method: str = "GET") -> None:
        self.said: list[dict[str, Any]] = []
        self._heard, self.left = asyncio.Event(), asyncio.Event()
        scope = {
            "type": "http", "path": path, "raw_path": path.encode(), "method": method, "scheme": "http", "query_string": b"",
            "client": ("192.0.2.7", 1), "headers": [(b"authorization", f"Bearer {TOKENS[role]}".encode())],
        }  # fmt: skip
        self.task = asyncio.ensure_future(front(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if any(not message.get("more_body", True) for message in self.said):
            return {"type": "http.disconnect"}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any, /) -> None:
        self.said.append(dict(message))
        if not message.get("more_body", True):
            self.left.set()
        self._heard.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.said)

    async def until(self, text: bytes) -> None:
        """Wait until that was sent."""
        async with asyncio.timeout(LIMIT):
            while text not in self.body:
                self._heard.clear()
                await self._heard.wait()


@pytest.fixture
async def streams(shown: Parts) -> AsyncIterator[list[Stream]]:
    """Of a client, of a worker, of the client list."""
    opened = [
        Stream(shown.front, "/v1/peer-set/events"),
        Stream(shown.front, "/v1/peer-set/events", Role.WORKER),
        Stream(shown.front, "/v1/client-list/events", Role.WORKER),
    ]
    for stream in opened:
        await stream.until(b"\ndata: ")
    yield opened
    shown.publication.close()
    shown.receiver.client_list.close()
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(stream.task for stream in opened))


async def get(
    parts: Parts,
    path: str,
    role: Role = Role.WORKER,
    *,
    method: str = "GET",
    if_none_match: str | None = None,
    accept_encoding: str | None = None,
) -> httpx.Response:
    """Somebody asks."""
    said = {"If-None-Match": if_none_match, "Accept-Encoding": accept_encoding}
    async with parts.ask(role) as http:
        return await http.request(
            method, path, headers={name: value for name, value in said.items() if value is not None}
        )


async def test_workers_get_the_client_list(shown: Parts) -> None:
    """As it was shown, with its tag."""
    answer = await get(shown, "/v1/client-list")

    assert (answer.status_code, answer.content) == (200, CLIENT_LIST.body)
    assert answer.headers["content-type"] == "application/jose"
    again = await get(shown, "/v1/client-list", if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


async def test_a_large_list_is_packed_for_those_who_take_it_so(shown: Parts) -> None:
    """The same document, and its tag is known again; packed once, and anew when it changes."""
    for generation in (10, 11):
        body = b"a large list, generation %d; " % generation * 5_000
        shown.receiver.client_list.show(Document("wgfleet/client-list", 2, generation, body))

        packed = await get(shown, "/v1/client-list")  # httpx takes gzip, and unpacks.
        again = await get(shown, "/v1/client-list", if_none_match=packed.headers["etag"])
        plain = await get(shown, "/v1/client-list", accept_encoding="br, gzip;q=0")

        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(body)
        assert packed.headers["etag"] == f"W/{plain.headers['etag']}"
        assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
        assert "content-encoding" not in plain.headers
        assert packed.content == plain.content == body
        assert again.status_code == 304


async def test_a_client_never_sees_the_client_list(shown: Parts) -> None:
    """It sees the peer set and itself, nothing else."""
    answer = await get(shown, "/v1/client-list", Role.CLIENT)

    assert answer.status_code == 403
    assert answer.json() == {"error": "token 'client' has the role client, this needs operator or worker"}


async def test_before_there_is_a_client_there_is_no_list(parts: Parts) -> None:
    """404, with what to do."""
    answer = await get(parts, "/v1/client-list")

    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "nothing is published yet: add a client first"},
    )


@pytest.mark.parametrize("path", ["/v1/peer-set", "/v1/client-list"])
async def test_head_tells_what_get_would(shown: Parts, path: str) -> None:
    """Without the body, which the server leaves out."""
    whole, head = await get(shown, path), await get(shown, path, method="HEAD")

    assert head.status_code == 200
    assert head.headers == whole.headers


@pytest.mark.parametrize(
    "path", ["/v1/peer-set", "/v1/peer-set/events", "/v1/client-list", "/v1/client-list/events"]
)
async def test_another_method_is_refused(shown: Parts, path: str) -> None:
    """405, in the words of all other routes."""
    answer = await get(shown, path, method="POST")

    assert answer.status_code == 405
    assert answer.json() == {"error": f"there is no POST {path} here; GET /openapi.json lists all routes"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path", ["/v1/peer-set", "/v1/peer-set/events", "/v1/client-list", "/v1/client-list/events"]
)
async def test_a_refusal_is_the_applications_own(shown: Parts, path: str, method: str) -> None:
    """With its words, and its headers for browsers."""
    answer = await get(shown, path, STRANGER, method=method)

    assert answer.status_code == 403
    assert answer.headers["x-content-type-options"] == "nosniff"
    if method == "GET":
        assert answer.json()["error"].startswith("token 'prometheus' has the role prometheus, this needs ")


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (b'"a"', True),
        (b'W/"a"', True),
        (b'"b", "a"', True),
        (b'"b",W/"a" , "c"', True),
        (b"*", True),
        (b'"b"', False),
        (b"a", False),
        (b"", False),
        (b'"ab"', False),
    ],
)
def test_a_tag_is_found_however_it_is_asked_for(tags: bytes, found: bool) -> None:
    """RFC 9110, section 13.1.2: weak comparison, lists, and `*`."""
    assert has(tags, b'"a"') is found


async def test_each_stream_has_its_own_document(shown: Parts, streams: list[Stream]) -> None:
    """Under its name and number."""
    number = b"1.%d" % shown.state.generation
    assert [stream.body.partition(b"\ndata: ")[0] for stream in streams] == [
        b"event: peer-set\nid: " + number,
        b"event: peer-set\nid: " + number,
        b"event: client-list\nid: 2.9",
    ]


async def test_a_change_goes_to_those_it_concerns(shown: Parts, streams: list[Stream]) -> None:
    """The client list's stream does not hear of a worker."""
    before = shown.state.generation
    await shown.hear(seen("down", "fra1", shown.clock.now))

    assert shown.state.generation > before
    newest = b"id: 1.%d\n" % shown.state.generation
    await streams[0].until(newest)
    await streams[1].until(newest)
    assert b"peer-set" not in streams[2].body


async def test_revoking_a_token_ends_its_streams(shown: Parts, streams: list[Stream]) -> None:
    """At once and cleanly, and no other's."""
    shown.receiver.gate.learn([token for token in shown.store.tokens.all() if token.name != "worker"])

    async with asyncio.timeout(LIMIT):
        await asyncio.gather(streams[1].task, streams[2].task)
    assert [stream.said[-1].get("more_body") for stream in streams] == [True, False, False]
    assert (shown.publication.watchers, shown.receiver.client_list.watchers) == (1, 0)


async def test_one_that_leaves_is_forgotten(shown: Parts, streams: list[Stream]) -> None:
    """Its task ends as well."""
    streams[0].left.set()

    async with asyncio.timeout(LIMIT):
        await streams[0].task
    assert shown.publication.watchers == 1


async def test_a_head_of_a_stream_ends_at_once(shown: Parts) -> None:
    """Nobody would read what follows."""
    stream = Stream(shown.front, "/v1/peer-set/events", method="HEAD")

    async with asyncio.timeout(LIMIT):
        await stream.task
    assert stream.said[0]["status"] == 200
    assert shown.publication.watchers == 0


async def test_streams_leave_room_for_webhooks(shown: Parts, streams: list[Stream]) -> None:
    """One more than the open files allow is told so, and when to ask again; alerts need a file, too."""
    full = Doorway(shown.receiver, shown.app, most_streams=2)

    refused = Stream(full, "/v1/peer-set/events")
    async with asyncio.timeout(LIMIT):
        await refused.task

    assert refused.said[0]["status"] == 503
    assert (b"retry-after", b"10") in refused.said[0]["headers"]
    assert b"2 streams are open, which is all that the limit of open files allows" in refused.body
    assert len(streams) == 3
