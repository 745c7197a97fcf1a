"""Kills a real receiver at random moments while it is busy, and looks each time whether what it answered for is there.

SIGKILL shows that nothing is answered before it is handed to the kernel, and that nothing is half. What the kernel had
not yet written a power cut would show: synchronous=FULL is a test of the store's own.
"""

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from failover_receiver.access import Role
from failover_receiver.store import SqliteStore
from tests.chaos.ledger import Ledger
from tests.chaos.senders import BASE, Line, alertmanager, described, operator, watcher
from tests.failover_receiver.parts import LIMIT
from tests.failover_receiver.running import Running

ALERTMANAGERS = 6
OPERATORS = 2
LONGEST_LIFE = 0.6
"""Seconds under load."""


@dataclass
class Outcome:
    """What became of it."""

    kills: int = 0
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    rolled_back: list[str] = field(default_factory=list)
    documents: int = 0
    seconds: float = 0.0


async def kills(
    folder: Path, count: int, *, seed: int, told: Callable[[Outcome], None] = lambda _: None
) -> Outcome:
    """So many deaths of one receiver; `told` is called after each."""
    dice = random.Random(seed)  # noqa: S311 - Of moments, not of secrets.
    line, ledger, outcome = Line(), Ledger(), Outcome()
    begun = time.monotonic()
    running = Running(folder)
    await asyncio.to_thread(running.start)
    try:
        await _prepare(running)
        tasks = _senders(running, line, ledger, dice)
        for _ in range(count):
            await line.open(running.url)
            await asyncio.sleep(dice.random() * LONGEST_LIFE)
            line.up.clear()
            await asyncio.to_thread(running.kill)
            await asyncio.wait_for(
                line.idle.wait(), LIMIT
            )  # What will not be answered any more has been noticed.
            _check(folder / "receiver.db", ledger, outcome)
            outcome.kills += 1
            outcome.answered, outcome.documents = ledger.answered, len(ledger.shown)
            outcome.rolled_back, outcome.seconds = ledger.rolled_back, time.monotonic() - begun
            told(outcome)
            for ended in [task for task in tasks if task.done()]:
                ended.result()  # A sender's own mistake is not to be taken for silence.
            await asyncio.to_thread(running.start)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await line.http.aclose()
        running.kill()
    return outcome


async def _prepare(running: Running) -> None:
    async with running.ask() as http:
        for number, name in enumerate(BASE, start=1):
            answer = await http.put(f"/v1/workers/{name}", json=described(number))
            answer.raise_for_status()


def _senders(running: Running, line: Line, ledger: Ledger, dice: random.Random) -> list["asyncio.Task[None]"]:
    posting, asking = running.secret(Role.ALERTMANAGER), running.secret(Role.OPERATOR)
    return [
        *(asyncio.create_task(alertmanager(line, ledger, posting, f"a{n}")) for n in range(ALERTMANAGERS)),
        *(asyncio.create_task(operator(line, ledger, asking, n, dice)) for n in range(1, OPERATORS + 1)),
        asyncio.create_task(watcher(line, ledger, asking)),
    ]


def _check(file: Path, ledger: Ledger, outcome: Outcome) -> None:
    """On a copy, with its log: the next life finds the original as the last one left it."""
    with tempfile.TemporaryDirectory() as folder:
        for end in ("", "-wal"):
            shutil.copy(f"{file}{end}", folder)
        store = SqliteStore(Path(folder) / file.name)
        try:
            outcome.lost += [f"after kill {outcome.kills + 1}: {what}" for what in ledger.lost(store)]
            ledger.check_number(store)
        finally:
            store.close()
