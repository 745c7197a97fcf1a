"""Tests of client_sync/polling.py: when to ask instead of listening, and how."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from client_sync import polling
from client_sync.polling import MOST_BYTES, STREAM_AGAIN_MOST, Patience, Polls, pause
from tests.client_sync.receiver import FakeReceiver, Request, answer

PATH = "/v1/peer-set"


def served(*answers: bytes) -> tuple[list[bytes | Exception | None], Sequence[Request]]:
    """What a receiver that gives these answers is asked, and what comes of it."""
    found: list[bytes | Exception | None] = []
    left = iter(answers)

    async def serve(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(next(left))

    async def story() -> Sequence[Request]:
        async with FakeReceiver(serve) as receiver, httpx.AsyncClient(trust_env=False) as http:
            polls = Polls(http, PATH, lambda: {"Authorization": "Bearer secret"})
            for _ in answers:
                try:
                    found.append(await polls.ask(receiver.url))
                except (httpx.HTTPError, ValueError) as error:
                    found.append(error)
            return receiver.requests

    return found, asyncio.run(story())


def test_a_document_is_asked_for_with_the_token_and_the_next_time_by_its_tag() -> None:
    """So an answer that says nothing new is a few bytes, and none here."""
    found, requests = served(
        answer("200 OK", b"document", 'ETag: "abc"\r\n'),
        answer("304 Not Modified"),
        answer("200 OK", b"newer", 'ETag: "def"\r\n'),
        answer("304 Not Modified"),
    )

    assert found == [b"document", None, b"newer", None]
    assert [request.line for request in requests] == [f"GET {PATH} HTTP/1.1"] * 4
    assert [request.headers.get("if-none-match") for request in requests] == [None, '"abc"', '"abc"', '"def"']
    assert {request.headers["authorization"] for request in requests} == {"Bearer secret"}


def test_a_weak_tag_is_asked_for_without_what_makes_it_weak() -> None:
    """The receiver takes it alike, and answers that by its quickest way."""
    _, requests = served(answer("200 OK", b"document", 'ETag: W/"abc"\r\n'), answer("304 Not Modified"))

    assert requests[1].headers["if-none-match"] == '"abc"'


def test_a_document_without_a_tag_is_asked_for_whole_each_time() -> None:
    """Something on the way took it off."""
    found, requests = served(answer("200 OK", b"document"), answer("200 OK", b"document"))

    assert found == [b"document", b"document"]
    assert "if-none-match" not in requests[1].headers


def test_each_receivers_tag_is_its_own() -> None:
    """What one of them gave, another may not have."""

    async def story() -> list[str | None]:
        async def serve(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer("200 OK", b"document", 'ETag: "abc"\r\n'))

        async with (
            FakeReceiver(serve) as first,
            FakeReceiver(serve) as second,
            httpx.AsyncClient(trust_env=False) as http,
        ):
            polls = Polls(http, PATH, dict)
            await polls.ask(first.url)
            await polls.ask(second.url)
            return [request.headers.get("if-none-match") for request in second.requests]

    assert asyncio.run(story()) == [None]


def test_not_modified_without_a_tag_of_ours_is_no_answer() -> None:
    """Nothing was ever given."""
    found, _ = served(answer("304 Not Modified"))

    assert [str(error) for error in found] == ["it answered 304: "]


def test_a_refusal_is_told_cut_to_a_length_that_a_log_bears() -> None:
    """With its status."""
    found, _ = served(answer("503 Service Unavailable", b"x" * 1000))

    assert [str(error) for error in found] == [f"it answered 503: {'x' * 500}"]


def test_a_document_without_an_end_is_refused() -> None:
    """A server gone mad fills no client's memory."""
    found, _ = served(answer("200 OK", b"x" * (MOST_BYTES + 1)))

    assert [str(error) for error in found] == [f"it sent more than {MOST_BYTES} bytes"]


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something on the way lets a byte through now and then."""
    monkeypatch.setattr(polling, "ANSWER_SECONDS", 0.2)  # The real one would make this test as slow.

    async def drip(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def story() -> None:
        async with FakeReceiver(drip) as receiver, httpx.AsyncClient(trust_env=False) as http:
            with pytest.raises(ValueError, match=r"^there was no whole answer within 0.2 s$"):
                await Polls(http, PATH, dict).ask(receiver.url)

    asyncio.run(story())


def test_pauses_are_drawn_around_the_interval() -> None:
    """So that a fleet does not ask in step."""
    drawn = [pause(10) for _ in range(1000)]

    assert 5 <= min(drawn) < 7
    assert 13 < max(drawn) <= 15


# When.


def told(*rounds: tuple[bool, bool]) -> list[float | None]:
    """What is said after each round: whether a document was heard, and whether the stream held."""
    patience = Patience()
    return [patience.ask_for(heard=heard, steady=steady) for heard, steady in rounds]


def test_a_stream_that_held_is_taken_up_again_at_once() -> None:
    """The receiver restarted."""
    assert told((True, True), (True, True)) == [None, None]


def test_a_stream_that_was_cut_after_its_document_has_a_second_chance() -> None:
    """It may have been the restart; twice is something on the way that cuts streams."""
    assert told((True, False), (True, False)) == [None, 120]


def test_where_no_stream_brings_a_document_it_is_asked_for_at_once() -> None:
    """And the stream is tried again ever more rarely."""
    in_vain = told(*[(False, False)] * 20)

    assert in_vain[:5] == [60, 120, 240, 480, STREAM_AGAIN_MOST]
    assert set(in_vain[4:]) == {STREAM_AGAIN_MOST}


def test_a_stream_that_held_makes_everything_good() -> None:
    """Whatever was before."""
    assert told((False, False), (False, False), (True, True), (False, False)) == [60, 120, None, 60]
