"""What a table needs of an engine: to read rows, and to write in whole transactions. Tables stand in modules of their own.

Their SQL is written once, for all engines: `?` stands for a value, and conflicts are said by ON CONFLICT.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class StoreUnavailableError(RuntimeError):
    """Nothing was kept. Whoever asked may ask again."""


class Done(Protocol):
    """What a statement did."""

    @property
    def rowcount(self) -> int:
        """So many rows were written."""

    def fetchall(self) -> list[Any]:
        """The rows that were found."""


class Writing(Protocol):
    """A transaction that is under way."""

    def execute(self, query: str, values: Sequence[object] = (), /) -> Done:
        """Do one thing."""

    def executemany(self, query: str, rows: Iterable[Sequence[object]], /) -> object:
        """Do the same with each of many."""


class Database(Protocol):
    """An engine. Used from one thread at a time: the driver's."""

    def available(self) -> AbstractContextManager[None]:
        """Whatever the engine raises within becomes StoreUnavailableError."""

    def transaction(self) -> AbstractContextManager[Writing]:
        """All that is written within, durably, or nothing. To be wrapped in `available`."""

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All that a query finds."""
