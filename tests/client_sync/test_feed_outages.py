"""Tests of what client_sync/feed.py says while no receiver is there."""

import asyncio
import logging
import random

import pytest

from tests.client_sync.receiver import FakeReceiver, Request, event
from tests.client_sync.test_feed import following, lost, refusing, sending


def test_an_outage_is_said_once_and_its_end_with_how_long_it_was(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried some times a second; each other reason is said, too."""
    caplog.set_level(logging.INFO, logger="client_sync")
    monkeypatch.setattr(random, "uniform", lambda low, _high: low)
    answers = [401, 401, 403, 401, 403]

    async def serve(request: Request, writer: asyncio.StreamWriter) -> None:
        if answers:
            await refusing(f"{answers.pop(0)} Refused", b"")(request, writer)
        else:
            await sending(event(b"document"))(request, writer)

    async def story() -> str:
        async with FakeReceiver(serve) as receiver, following(receiver.url) as (_, taken):
            await taken.get()
            return receiver.url

    url = asyncio.run(story())

    assert lost(caplog) == [(url, "it answered 401: "), (url, "it answered 403: ")]
    (found,) = [vars(one)["facts"] for one in caplog.records if one.getMessage() == "following"]
    assert found["away_seconds"] >= 0


def test_a_refusal_that_shows_the_token_is_logged_without_it(caplog: pytest.LogCaptureFixture) -> None:
    """A proxy's page may have all that it was sent."""

    async def story() -> None:
        async with (
            FakeReceiver(refusing("401 Unauthorized", b"you sent Bearer TOPSECRET")) as first,
            FakeReceiver(sending(event(b"document"))) as second,
            following(first.url, second.url, token=lambda: "TOPSECRET") as (_, taken),
        ):
            await taken.get()
            assert lost(caplog) == [(first.url, "it answered 401: you sent Bearer (the token)")]

    asyncio.run(story())
