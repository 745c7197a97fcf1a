"""What the store's tests keep, a generation at a time, and where."""

import asyncio
import secrets
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from failover_receiver.state import Decided, Remarked, State
from failover_receiver.store import Document, SqliteStore, Store
from failover_receiver.store.dsn import Dsn
from failover_receiver.store.postgres import PostgresStore
from tests.failover_receiver.parts import LIMIT
from wgfleet.peerset import WorkerState


class Place(Protocol):
    """Where a store is."""

    def open(self) -> Store:
        """The store that is there, or a new one."""


class File(NamedTuple):
    """A file."""

    path: Path

    def open(self) -> Store:
        """The store that is there, or a new one."""
        return SqliteStore(self.path)


class Shared(NamedTuple):
    """A database of a PostgreSQL."""

    uri: str

    def open(self) -> PostgresStore:
        """The store that is there, or a new one."""
        return PostgresStore(Dsn.parse(self.uri), replica=secrets.token_hex(4))


DOWN = Decided("fra1", WorkerState.SERVING, WorkerState.DOWN, "worker_down")


def save(store: Store, number: int, *decided: Decided) -> None:
    """Keep a state, a document and decisions of that generation."""
    document = Document("d", 1, number, f"body {number}".encode())
    store.save(State(fleet="test", generation=number), document, decided, at=float(number), who="somebody")


def save_all(store: Store, numbers: Iterable[int]) -> None:
    """One after the other."""
    for number in numbers:
        save(store, number, DOWN)


def generation(store: Store) -> int | None:
    """That of the state that is kept."""
    state = store.load()
    return None if state is None else state.generation


class Journal(SqliteStore):
    """A real store that notes what it keeps; each save waits until it may go on."""

    def __init__(self, path: Path) -> None:
        """Let everything go on at first."""
        super().__init__(path)
        self.kept: list[Document | None] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def save(
        self,
        state: State,
        document: Document | None,
        decided: Sequence[Decided | Remarked],
        *,
        at: float,
        who: str,
    ) -> None:
        """Keep it, when it may."""
        self.begun.set()
        assert self.go_on.wait(LIMIT)
        super().save(state, document, decided, at=at, who=who)
        self.kept.append(document)

    async def until_begun(self) -> None:
        """Wait until a save has begun."""
        await asyncio.get_running_loop().run_in_executor(None, self.begun.wait, LIMIT)
