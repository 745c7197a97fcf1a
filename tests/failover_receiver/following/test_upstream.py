"""Tests of following/upstream.py and outgoing.py: whoever is followed may be alone, broken, or a liar."""

import json

import httpx
import pytest

from failover_receiver.access import Gate
from failover_receiver.following.edge import Edge
from failover_receiver.following.outgoing import Acks
from failover_receiver.following.passing import AWAY
from failover_receiver.following.roster import told
from failover_receiver.following.upstream import Upstream
from failover_receiver.publication import shown
from tests.failover_receiver.following.test_edge import FOLLOWER, PHONE, document
from tests.failover_receiver.parts import FLEET, SIGNER, Clock
from wgfleet.signing import Verifier
from wgfleet.standing import Standing

pytestmark = pytest.mark.anyio

URLS = ("http://one", "http://other")
ALONE = b"event: standing\ndata: %s\n\n" % Standing(live=False, hops=1).told()


def tokens(*pieces: bytes) -> bytes:
    """As events."""
    return b"".join(b"event: tokens\ndata: %s\n\n" % piece for piece in pieces)


def following(answer: bytes, *, urls: tuple[str, ...] = URLS) -> tuple[Edge, Upstream, httpx.AsyncClient]:
    """A follower that knows a document and a token, of whoever answers so."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=answer)))
    edge = Edge(FLEET, Verifier([SIGNER.public_text]), clock=Clock())
    hearing = edge.connected(urls[0])
    hearing.take(b"peer-set", document(1).body)
    for piece in told(None, Gate([PHONE], clock=Clock()).holders):
        hearing.take(b"tokens", piece)
    return edge, Upstream(edge, http, urls, lambda: "secret"), http


async def test_one_that_is_alone_is_left_with_its_newer_document_but_not_with_its_tokens() -> None:
    """Documents have numbers. Of tokens nobody can tell whose are newer: a revoked one would open again."""
    stale = Gate([FOLLOWER], clock=Clock()).holders
    edge, upstream, http = following(
        ALONE + shown(document(2)).event.message["body"] + tokens(*told(None, stale))
    )

    async with http:
        why = await upstream._follow(URLS[0])

    assert why == "it does not hear of the receiver itself"
    assert edge.publication.shown is not None
    assert edge.publication.shown.document == document(2)
    assert [holder.name for holder in edge.gate.holders.values()] == ["phone"]


async def test_one_that_is_alone_is_followed_where_there_is_no_other() -> None:
    """What it knows of tokens is all that there is to know."""
    stale = Gate([FOLLOWER], clock=Clock()).holders
    edge, upstream, http = following(ALONE + tokens(*told(None, stale)), urls=URLS[:1])

    async with http:
        assert await upstream._follow(URLS[0]) == "it ended the stream"

    assert [holder.name for holder in edge.gate.holders.values()] == ["edge"]


@pytest.mark.parametrize(
    "piece",
    [
        b'{"whole":true,"more":false,"gone":[],"known":[["d","n","client",1%s]]}' % (b"0" * 400),
        b"[" * 100_000,
        b'{"whole":true,"more":false,"gone":[],"known":[[[],[],[],[]]]}',
    ],
    ids=["too large", "too deep", "of another kind"],
)
async def test_a_liar_is_left_whatever_it_says(piece: bytes) -> None:
    """Or the follower would hear nobody any more, and go on serving what grows old."""
    edge, upstream, http = following(tokens(piece))

    async with http:
        assert "it told of tokens what cannot be read" in await upstream._follow(URLS[0])

    assert [holder.name for holder in edge.gate.holders.values()] == ["phone"]


@pytest.mark.parametrize("answer", [b"[" * 100_000, json.dumps({"refused": [1]}).encode(), b"null"])
async def test_acks_are_answered_whatever_the_receiver_answers(answer: bytes) -> None:
    """Or nobody's would be passed on any more."""
    edge, upstream, http = following(answer)

    async with http:
        assert await Acks(edge, http, upstream).post(b"{}", 2) == [AWAY, AWAY]
