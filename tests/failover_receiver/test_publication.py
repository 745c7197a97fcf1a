"""Tests of failover_receiver/publication.py: what is made of a document, once."""

import hashlib

import pytest

from failover_receiver.publication import Publication, shown
from failover_receiver.store import Document
from tests.failover_receiver.watching import Stream, joined
from wgfleet.peerset import TYPE

pytestmark = pytest.mark.anyio


def document(generation: int) -> Document:
    """A document of that generation."""
    return Document(TYPE, 3, generation, b"header.payload%d.signature" % generation)


def event(generation: int) -> bytes:
    """The server-sent event that carries it, as the standard wants it."""
    return b"event: peer-set\nid: 3.%d\ndata: header.payload%d.signature\n\n" % (generation, generation)


async def test_what_is_shown_goes_to_those_who_watch_and_to_those_who_come() -> None:
    """As one event, which has the document's name and number, and the whole document."""
    publication, early, late = Publication(), Stream(), Stream()
    joined(publication.streams, early)

    publication.show(document(7))
    joined(publication.streams, late)

    await early.until(lambda: early.heard == [event(7)])
    assert late.heard == [event(7)]
    assert publication.watchers == 2
    publication.close()
    assert publication.watchers == 0
    assert (early.ended, late.ended) == (True, True)


async def test_a_document_can_be_shown_before_there_is_a_loop_to_send_it() -> None:
    """The one that the store holds, at the start."""
    publication = Publication()

    publication.show(document(1))
    publication.show(document(2))

    assert publication.shown is not None
    assert publication.shown.document == document(2)


def test_the_tag_is_the_digest_of_the_bytes() -> None:
    """In quotes, as HTTP wants it: the same bytes, the same tag, whoever serves them."""
    digest = hashlib.sha256(document(1).body).hexdigest()

    assert shown(document(1)).etag == f'"{digest}"'
    assert shown(document(2)).etag != shown(document(1)).etag


def test_the_answers_are_made_once_for_all() -> None:
    """Who has the document is told its tag, who has not gets it whole."""
    made = shown(document(1))

    kept = [(b"etag", made.etag.encode()), (b"cache-control", b"no-cache")]
    assert (made.not_modified["status"], made.not_modified["headers"]) == (304, kept)
    assert made.found["status"] == 200
    assert made.found["headers"] == [
        *kept,
        (b"content-type", b"application/jose"),
        (b"content-length", b"%d" % len(document(1).body)),
    ]
    assert (made.body["body"], made.body["more_body"]) == (document(1).body, False)
