"""Tests of client_sync/joining.py: whom a machine asks to be let in, and how often."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from client_sync import joining
from client_sync.joining import ROUNDS, EnrolmentError, join
from wgfleet.bundle import Bundle

FIRST, SECOND = "https://a.example.com:9587", "https://b.example.com:9587"
BUNDLE = Bundle("example", (FIRST, SECOND), "ann", "client", "secret", time.time() + 3600, ("key",))
LET_IN = httpx.Response(200, json={"token": "t0ken", "tunnel_addresses": ["10.99.1.7"]})


def asked(answer: Callable[[int], httpx.Response], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that are asked, in order, until one lets the machine in; `answer` is given how many were before."""
    monkeypatch.setattr(joining, "AGAIN_SECONDS", 0.0)
    hosts: list[str] = []

    def receive(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return answer(len(hosts) - 1)

    async def story() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(receive)) as http:
            await join(http, BUNDLE, "public key")

    asyncio.run(story())
    return hosts


def test_a_line_that_comes_up_only_now_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are asked again, in their order: none has seen the bundle."""

    def answer(before: int) -> httpx.Response:
        if before < 2:
            raise httpx.ConnectError("no answer in time")
        return LET_IN

    assert asked(answer, monkeypatch) == ["a.example.com", "b.example.com", "a.example.com"]


def test_none_that_can_be_reached_are_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named once, with its last reason."""

    def answer(before: int) -> httpx.Response:
        raise httpx.ConnectError(f"no answer, {before} before")

    with pytest.raises(EnrolmentError) as refused:
        asked(answer, monkeypatch)

    last = 2 * ROUNDS - 1
    assert str(refused.value) == (
        "no receiver can be reached, and the bundle is still good:\n"
        f"  {FIRST}: no answer, {last - 1} before\n"
        f"  {SECOND}: no answer, {last} before"
    )


def test_one_that_was_asked_and_does_not_answer_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have taken the bundle."""

    def answer(before: int) -> httpx.Response:
        assert before == 0
        raise httpx.ReadTimeout("")

    with pytest.raises(EnrolmentError, match="was asked and did not answer"):
        asked(answer, monkeypatch)
