"""The lock of the whole fleet: of all receivers, one at a time changes who has which name, key or address.

It is held by a transaction on a connection of its own, so it ends with whoever held it: killed, at once; frozen, after
HELD_MILLISECONDS. That such a one has written nothing afterwards is seen to by `Store.fence`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import psycopg

from failover_receiver.replicas.timing import in_time
from failover_receiver.store import StoreUnavailableError
from failover_receiver.store.connecting import parameters
from failover_receiver.store.dsn import Dsn

LOCK = 7_230_902
HELD_MILLISECONDS = 15_000
"""Twenty thousand clients are checked and written within it."""
WAIT_SECONDS = 20.0

CatchUp = Callable[[], Awaitable[None]]
CatchUps = Sequence[CatchUp]


async def to_the_end(catch_up: CatchUp) -> None:
    """Also where whoever waits is cancelled.

    The store counts as read what is not taken in here yet, and would let through what is made of the old.
    """
    reading = asyncio.ensure_future(catch_up())
    try:
        await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.wait([reading])
        raise


class Turns:
    """To be held as an asyncio.Lock is. Belongs to one event loop."""

    def __init__(self, dsn: Dsn) -> None:
        """Not connected yet."""
        self._dsn = dsn
        self._db: psycopg.AsyncConnection | None = None
        self.local = asyncio.Lock()
        """Of this receiver alone: who holds it may read again, and change nothing."""
        self.before: CatchUps = ()
        """What reads again what others have changed, before each turn."""

    async def __aenter__(self) -> None:
        """Wait for the turn. Raises StoreUnavailableError."""
        await self.local.acquire()
        try:
            await self._take()
            for catch_up in self.before:
                await to_the_end(catch_up)
        except psycopg.Error as error:
            await self._let_go()
            self.local.release()
            raise StoreUnavailableError(
                f"no receiver's turn to change clients and workers: {error}"
            ) from error
        except BaseException:
            await self._let_go()
            self.local.release()
            raise

    async def __aexit__(self, *_error: object) -> None:
        """Let the next one."""
        try:
            await self._let_go()
        finally:
            self.local.release()

    async def close(self) -> None:
        """Disconnect."""
        if self._db is not None:
            await self._db.close()

    async def _take(self) -> None:
        try:
            await self._lock()
        except (psycopg.OperationalError, psycopg.InterfaceError):
            if self._db is not None and not self._db.closed:
                raise
            await self._lock()  # On a new connection: the old one had died while nobody looked.

    async def _lock(self) -> None:
        if self._db is None or self._db.closed:
            self._db = None
            said = parameters(self._dsn, "wgfleet-receiver turns")
            self._db = await psycopg.AsyncConnection.connect(self._dsn.uri, **said)
            with in_time(self._db):
                await self._db.execute(
                    f"SELECT set_config('idle_in_transaction_session_timeout', '{HELD_MILLISECONDS}', false),"
                    f" set_config('lock_timeout', '{1000 * WAIT_SECONDS:.0f}', false)"
                )
        with in_time(self._db, WAIT_SECONDS + 1.0):
            await self._db.execute("BEGIN")
            await self._db.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))

    async def _let_go(self) -> None:
        db = self._db
        if db is None or db.closed:
            return
        try:
            with in_time(db):
                await db.execute("ROLLBACK")
        except psycopg.Error:
            await db.close()
