"""One level of followers: the same crowd behind a follower, and at a receiver itself."""

import asyncio
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.bench._crowd import Crowd
from tests.bench._servers import (
    ASKERS,
    PINNED,
    SSE_END,
    WARM_UP,
    WORKERS,
    Receiver,
    address,
    core,
    events,
)
from tests.failover_receiver.following.edges import Follower


@dataclass(frozen=True, slots=True)
class Followed:
    """Milliseconds from the webhook at the receiver until the last of as many watchers has the document; medians."""

    watchers: int
    direct: float
    follower: float

    @property
    def ratio(self) -> float:
        """What the follower costs."""
        return self.follower / self.direct


def follow(watchers: int, rounds: int, console: Console) -> Followed:
    """Two receivers, one of them followed; their rounds take turns."""
    with tempfile.TemporaryDirectory(prefix="wgfleet-fanout.") as name, ExitStack() as stack:
        folder = Path(name)
        direct, followed = (_receiver(stack, folder / one, watchers) for one in ("direct", "followed"))
        edge = _follower(stack, folder / "follower", followed)
        sides = [
            _crowd(stack, direct, direct.address),
            _crowd(stack, followed, address(edge.url)),
        ]
        lasts: tuple[list[float], list[float]] = ([], [])
        for number in range(WARM_UP + rounds):
            for receiver, crowd, told in zip((direct, followed), sides, lasts, strict=True):
                told.append(crowd.round(receiver.webhook(), end=SSE_END).last)
                crowd.answer()
                crowd.check(receiver.document())
            console.print(f"  round {number + 1}: {lasts[0][-1]:.1f} ms, by a follower {lasts[1][-1]:.1f} ms")
        return Followed(watchers, *(statistics.median(told[WARM_UP:]) for told in lasts))


def _receiver(stack: ExitStack, directory: Path, tokens: int) -> Receiver:
    receiver = Receiver(directory, workers=WORKERS, tokens=tokens)
    receiver.start()
    stack.callback(receiver.running.kill)
    return receiver


def _crowd(stack: ExitStack, receiver: Receiver, where: tuple[str, int]) -> Crowd:
    crowd = Crowd(where, events(receiver.tokens), core=core(ASKERS), publisher=receiver.address)
    stack.enter_context(crowd).connect()
    return crowd


def _follower(stack: ExitStack, directory: Path, receiver: Receiver) -> Follower:
    follower = Follower(directory, receiver.running)
    follower.program = PINNED
    asyncio.run(_let_in(follower, receiver))
    stack.enter_context(follower)
    asyncio.run(_heard(follower))
    return follower


async def _let_in(follower: Follower, receiver: Receiver) -> None:
    async with receiver.running.ask() as http:
        await follower.let_in(http)


async def _heard(follower: Follower) -> None:
    await follower.until(status="live")
