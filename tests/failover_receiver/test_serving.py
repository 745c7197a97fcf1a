"""Tests of failover_receiver/serving.py: a server, and what it cannot do without."""

import asyncio
import logging

import pytest
import uvicorn
from starlette.responses import Response

from failover_receiver.listening import listen
from failover_receiver.serving import Server, tell_of_failure
from tests.failover_receiver.parts import LIMIT, facts

pytestmark = pytest.mark.anyio


def server() -> Server:
    """One that answers nothing of interest."""
    return Server(uvicorn.Config(Response(), lifespan="off", log_config=None), [], signals=False)


async def failing(begun: asyncio.Event) -> None:
    """A bug, a while after the beginning."""
    await begun.wait()
    raise KeyError("a bug")


async def test_a_server_ends_with_what_keeps_it_up_to_date(caplog: pytest.LogCaptureFixture) -> None:
    """With an error, so that it is started again: it would serve what grows old for ever, and say that it is ready."""
    one = server()
    work = asyncio.create_task(failing(one.began))

    async with asyncio.timeout(LIMIT):
        with pytest.raises(RuntimeError, match="could not be kept up to date"):
            await one.serve_beside([work], listen("127.0.0.1", 0))

    assert facts(caplog.records, "a part has failed") == [{"error": "KeyError('a bug')"}]


async def test_what_comes_to_its_end_ends_no_server(caplog: pytest.LogCaptureFixture) -> None:
    """Nor what was told to."""
    caplog.set_level(logging.ERROR)
    one = server()
    done, cancelled = asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(asyncio.sleep(LIMIT))
    serving = asyncio.create_task(one.serve_beside([done, cancelled], listen("127.0.0.1", 0)))

    async with asyncio.timeout(LIMIT):
        await one.began.wait()
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        assert not one.should_exit
        one.stop()
        await serving

    assert (tell_of_failure(done), tell_of_failure(cancelled)) == (False, False)
    assert caplog.records == []
