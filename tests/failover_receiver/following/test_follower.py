"""Followers, and followers of followers, as processes over real sockets."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from failover_receiver.access import Role
from tests.failover_receiver.following.edges import Follower, client, token, until
from tests.failover_receiver.parts import FLEET
from tests.failover_receiver.running import Running
from tests.failover_receiver.streams import add, following
from tests.failover_receiver.test_app import ACK
from wgfleet.signing import Signer

pytestmark = pytest.mark.anyio

SETTINGS = {
    "fleet": FLEET,
    "store": "receiver.db",
    "signing_key_file": "signing.key",
    "alertmanagers": [],
    "prometheis": [],
}
"""Of a receiver that comes back."""


@dataclass
class Tree:
    """A receiver, one that follows it, and one that follows that one, or the receiver while it must."""

    receiver: Running
    near: Follower
    far: Follower
    operator: httpx.AsyncClient
    phone: str
    """A client's token."""


@pytest.fixture
async def tree(tmp_path: Path) -> AsyncIterator[Tree]:
    """All three, with one worker and one client."""
    async with AsyncExitStack() as stack:
        receiver = stack.enter_context(Running(tmp_path / "receiver"))
        operator = await stack.enter_async_context(receiver.ask())
        await add(operator, "fra1")
        near = await started(stack, operator, Follower(tmp_path / "near", receiver))
        far = await started(stack, operator, Follower(tmp_path / "far", receiver, near.url, receiver.url))
        yield Tree(receiver, near, far, operator, await token(operator, "phone", Role.CLIENT))


async def started(stack: AsyncExitStack, operator: httpx.AsyncClient, follower: Follower) -> Follower:
    """With a token, and hearing of the receiver."""
    await follower.let_in(operator)
    stack.enter_context(follower)
    await follower.until(status="live")
    return follower


async def test_a_document_comes_through_a_tree_as_it_was_signed(tree: Tree) -> None:
    """The same bytes under the same tag and number, pushed and asked for, also to who has them already."""
    async with client(tree.far.url, tree.phone) as phone, following(phone) as stream:
        first = await stream.event()
        await add(tree.operator, "ams1", 2)
        pushed = await stream.event()
        plain, there = [await http.get("/v1/peer-set") for http in (phone, tree.operator)]
        again = await phone.get("/v1/peer-set", headers={"If-None-Match": there.headers["etag"]})

    assert first["data"] != pushed["data"] == plain.text == there.text
    assert (plain.headers["etag"], pushed["id"]) == (there.headers["etag"], "1.3")
    assert (again.status_code, again.content) == (304, b"")
    assert (await tree.far.until(status="live"))["hops"] == 2


async def test_a_token_that_is_revoked_opens_nothing_at_the_far_edge(tree: Tree) -> None:
    """Its stream ends there, and others' go on; a token that is made opens there."""
    other = await token(tree.operator, "tablet", Role.CLIENT)
    async with client(tree.far.url, tree.phone) as phone, client(tree.far.url, other) as tablet:
        async with following(phone) as revoked, following(tablet) as kept:
            await revoked.event()
            await kept.event()

            await tree.operator.delete("/v1/tokens/phone")

            assert await revoked.rest() == []
            await add(tree.operator, "ams1", 2)
            assert (await kept.event())["id"] == "1.3"
        refused = await phone.get("/v1/peer-set")

    assert refused.status_code == 401
    assert "revoked" in refused.json()["error"]


async def test_acks_reach_the_receiver(tree: Tree) -> None:
    """As its own clients' do: it counts the client on its worker. Whoever may not ack is told so, in the same words."""
    async with client(tree.far.url, tree.phone) as phone:
        took = await phone.post("/v1/acks", json=ACK)
        wrong = await phone.post("/v1/acks", json={"epoch": -1})
        strange = await phone.post("/v1/acks", json={**ACK, "fleet": "other"})
    async with client(tree.far.url, tree.receiver.secret(Role.OPERATOR)) as operator:
        other = await operator.post("/v1/acks", json=ACK)
    health = (await tree.operator.get("/health")).json()

    assert (took.status_code, health["workers"]["fra1"]["clients"]) == (204, 1)
    assert wrong.json() == {"error": "body.epoch: is -1: 0 or more was expected"}
    assert (strange.status_code, "fleet is 'other'" in strange.text) == (409, True)
    assert (other.status_code, "has the role operator" in other.text) == (403, True)


async def test_what_else_a_daemon_asks_is_passed_on_and_the_rest_sent_elsewhere(tree: Tree) -> None:
    """A worker has its client list and its places there; an operator is told where to go."""
    worker = await token(tree.operator, "ams2", Role.WORKER)
    wish = {"public_key": "6Bqh6DzdDGfXPIZdZPGSv2LLXAoqPqDzXGzGmrL2UlQ=", "addresses": ["10.6.0.9"]}
    assert (await tree.operator.put("/v1/clients/laptop", json=wish)).status_code < 300
    async with client(tree.far.url, worker) as http:
        await until(
            http, "/v1/signing-key", lambda said: said.get("fleet") == "test"
        )  # Its token has come there.
        places = await http.get("/v1/places")
        listed = (await http.get("/v1/client-list")).status_code
        nobody = await http.get("/v1/places", headers={"Authorization": "Bearer nobody's"})
        async with http.stream("GET", "/v1/places/events") as stream:
            line = await anext(stream.aiter_lines())
        elsewhere = await http.get("/v1/workers")

    assert places.json() == {"whole": True, "clients": {}}
    assert (listed, line, nobody.status_code) == (200, "event: places", 401)
    assert elsewhere.status_code == 421
    assert elsewhere.json()["error"].startswith("this is a follower, which has the documents and takes acks")


async def test_with_the_receiver_away_it_serves_what_it_has(tree: Tree) -> None:
    """And says so; acks are 503, not lost; when the receiver is back, it follows again, as do those behind it."""
    async with client(tree.far.url, tree.phone) as phone, following(phone) as stream:
        before = await stream.event()
        tree.receiver.kill()
        await tree.near.until(status="alone", fresh=True)
        alone = await tree.far.until(status="alone")
        ack = await phone.post("/v1/acks", json=ACK)
        asked = await phone.get("/v1/peer-set")
        page = (await phone.get("/metrics")).text

        tree.receiver.configure({**SETTINGS, "listen_port": tree.operator.base_url.port})
        tree.receiver.start()
        await tree.far.until(status="live")
        async with tree.receiver.ask() as operator:
            await add(operator, "ams1", 2)
        after = await stream.event()

    assert alone["fresh"] is True
    assert (ack.status_code, ack.headers["retry-after"]) == (503, "1")
    assert (asked.status_code, asked.text) == (200, before["data"])
    assert "wgfleet_follower_live 0.0" in page
    assert after["id"] == "1.3"


async def test_one_that_dies_is_left_for_another(tree: Tree) -> None:
    """Whoever followed it follows the receiver itself; the client behind notices nothing but the next document."""
    async with client(tree.far.url, tree.phone) as phone, following(phone) as stream:
        await stream.event()
        tree.near.kill()
        await tree.far.until(status="live", hops=1)
        await add(tree.operator, "ams1", 2)

        assert (await stream.event())["id"] == "1.3"


async def test_what_another_key_has_signed_is_not_served(tmp_path: Path) -> None:
    """Whoever sends it: it is counted, and that one is left."""
    async with AsyncExitStack() as stack:
        receiver = stack.enter_context(Running(tmp_path / "receiver"))
        operator = await stack.enter_async_context(receiver.ask())
        await add(operator, "fra1")
        pinned = Signer.generate().public_text
        follower = Follower(tmp_path / "follower", receiver, trusted_keys=[pinned])
        await follower.let_in(operator)
        stack.enter_context(follower)

        lost = follower.wait_for("receiver lost")
        secret = receiver.secret(Role.OPERATOR)
        async with client(follower.url, secret) as http:
            assert (await http.get("/v1/peer-set")).status_code == 503

    assert lost["error"].startswith("signed with key ")


def test_its_log_is_its_own_from_start_to_stop(tmp_path: Path) -> None:
    """Nothing of how it is served inside, which people take for something that is missing."""
    with Running(tmp_path / "receiver") as receiver:
        follower = Follower(tmp_path / "follower", receiver)
        (follower.directory / "token").write_text("nobody's")
        with follower:
            assert follower.stop() == 0

    assert "stopped" in [line["event"] for line in follower.log]
    assert not [line for line in follower.log if "ASGI" in line["event"] or "application" in line["event"]]


async def test_before_anything_was_heard_nobody_is_refused(tmp_path: Path) -> None:
    """A daemon that were told 401 would look for its own fault."""
    with Running(tmp_path / "receiver") as receiver:
        secret, nowhere = receiver.secret(Role.OPERATOR), "http://127.0.0.1:9"
        follower = Follower(tmp_path / "follower", receiver, nowhere)
        (follower.directory / "token").write_text("nobody's")
        with follower:
            async with client(follower.url, secret) as http:
                said = {
                    path: (await http.get(path)).status_code
                    for path in ("/v1/peer-set", "/v1/peer-set/events", "/readyz", "/livez")
                }

    assert said == {"/v1/peer-set": 503, "/v1/peer-set/events": 503, "/readyz": 503, "/livez": 200}
