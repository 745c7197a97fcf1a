"""What the store's tests keep, a generation at a time."""

from collections.abc import Iterable

from failover_receiver.state import Decided, State
from failover_receiver.store import Document, SqliteStore
from wgfleet.peerset import WorkerState

DOWN = Decided("fra1", WorkerState.SERVING, WorkerState.DOWN, "worker_down")


def save(store: SqliteStore, number: int, *decided: Decided) -> None:
    """Keep a state, a document and decisions of that generation."""
    document = Document("d", 1, number, f"body {number}".encode())
    store.save(State(fleet="test", generation=number), document, decided, at=float(number), who="somebody")


def save_all(store: SqliteStore, numbers: Iterable[int]) -> None:
    """One after the other."""
    for number in numbers:
        save(store, number, DOWN)


def generation(store: SqliteStore) -> int | None:
    """That of the state that is kept."""
    state = store.load()
    return None if state is None else state.generation
