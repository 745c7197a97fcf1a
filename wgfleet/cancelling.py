"""A cancellation that a library has swallowed is heeded all the same."""

import asyncio


def heed_cancellation() -> None:
    """Raise CancelledError if the present task was cancelled and goes on; for loops that retry whatever fails.

    Until Python 3.12 `asyncio.wait_for`, which aiomqtt uses, drops a cancellation that comes when what it waits for is
    just done. The task still counts it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
