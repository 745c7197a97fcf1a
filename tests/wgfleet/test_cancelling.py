"""Tests of wgfleet/cancelling.py."""

import asyncio
import contextlib

from wgfleet.cancelling import heed_cancellation


def test_a_loop_ends_though_its_cancellation_was_swallowed() -> None:
    """And one whose own time limit is over goes on."""

    async def story() -> list[str]:
        said: list[str] = []
        begun = asyncio.Event()

        async def loop() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            heed_cancellation()
            said.append("goes on")
            begun.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            heed_cancellation()
            said.append("goes on for ever")

        task = asyncio.create_task(loop())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        return said

    assert asyncio.run(story()) == ["goes on"]
