"""Publishers that are driven as the receiver drives them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from failover_receiver.metrics import Metrics
from failover_receiver.publication import Publication
from failover_receiver.publishing import Publisher, Publishing
from tests.failover_receiver.publishing.recording import document


class Run:
    """Publishers that are driven, and what is shown to them."""

    def __init__(self, *publishers: Publisher) -> None:
        """Nothing is shown yet."""
        self.publication, self.metrics = Publication(), Metrics()
        self.publishing = Publishing(publishers, self.publication, self.metrics)

    def show(self, *generations: int) -> None:
        """Show documents, one right after the other."""
        for generation in generations:
            self.publication.show(document(generation))

    async def until(self, come: Callable[[], bool]) -> None:
        """Wait until it has come."""
        async with asyncio.timeout(20.0):
            while not come():  # noqa: ASYNC110 - What changes it is a metric, or another program.
                await asyncio.sleep(0.01)

    def value(self, name: str, publisher: str = "recording") -> float | None:
        """A metric of a publisher."""
        return self.metrics.registry.get_sample_value(f"wgfleet_publisher_{name}", {"publisher": publisher})


@contextlib.asynccontextmanager
async def run(*publishers: Publisher) -> AsyncIterator[Run]:
    """Drive them."""
    running = Run(*publishers)
    task = asyncio.create_task(running.publishing.run())
    yield running
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
