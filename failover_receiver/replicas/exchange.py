"""Keeps one receiver up to date with the others, by a connection that listens and one that reads and tells.

What another one changes is known here by its notification, within milliseconds; by a look each second, should a notification
be lost; and after each new connection everything is read again. While there is none, this receiver goes on showing what
it has, and says that it is not ready. How acks travel was chosen by what ten thousand clients cost: they are gathered for
GATHER_SECONDS and written together, and the others read what is new by its number, so a failover of all of them is some
ten statements for each receiver, and a quiet minute a few hundred rows.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import psycopg

from failover_receiver.metrics import Metrics
from failover_receiver.replicas.timing import in_time
from failover_receiver.replicas.told import GONE_SECONDS, Life, Said, heard_of, read, row
from failover_receiver.store import Heard, SharedStore
from failover_receiver.store.connecting import in_a_line, new_pauses, parameters, settled
from failover_receiver.store.dsn import Dsn
from wgfleet.logs import say

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""Between looks at what has changed, should a notification be lost; and between tellings of what was heard."""
GATHER_SECONDS = 0.2
"""After an ack: in a failover thousands come within a second."""
ACKS_AT_ONCE = 2000
"""Written by one statement."""
SLICE = 250
"""Acks that are taken in before others have their turn in the event loop."""
CLOCKS_AGREE = 1.0
"""Seconds. Receivers whose clocks differ by more judge by the wrong one what was heard when."""
UNREAD = "what others have changed meanwhile is still to be read"
KEY = "key"
"""The fleet's documents are signed with another than this receiver has, which decides nothing."""
AGAIN_SECONDS = 1.0
"""Until what could not be read is tried again."""
FORGET_SECONDS = 86400.0
"""A receiver that has told nothing for so long was taken down."""

CatchUp = Callable[[], Awaitable[None]]


class Listener(Protocol):
    """What the exchange tells of, and asks."""

    def heard(self) -> str:
        """What this receiver has heard, for the others."""

    def overhear(self, heard: Heard) -> None:
        """Take in what the others have heard."""

    def overhear_ack(self, said: Said) -> None:
        """Take in what a client or worker said to another."""

    def acks_since(self, began: float, lives: list[Life]) -> None:
        """Know from when on all acks are there."""

    def connected(self) -> None:
        """The store is there again."""


class Exchange:
    """Of one receiver. Belongs to one event loop."""

    def __init__(
        self,
        dsn: Dsn,
        store: SharedStore,
        replica: str,
        listener: Listener,
        catch_up: Mapping[str, CatchUp],
        *,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        """Take what is to be read again when one of the store's versions changes."""
        self._dsn, self._store, self._replica = dsn, store, replica
        self._listener, self._catch_up, self._metrics, self._clock = listener, catch_up, metrics, clock
        self._changed = {what: asyncio.Event() for what in catch_up}
        self._versions: dict[str, int] = {}
        self._acks_read = 0
        self._said: dict[tuple[str, str], Said] = {}
        self._wake = asyncio.Event()
        self._gathering = False
        self._told_at = 0.0
        self._clock_wrong = False
        self._away: str | None = "PostgreSQL was not reached yet"
        self._behind: dict[str, str] = {}
        """What is not read as it is now, and why."""

    @property
    def fault(self) -> str | None:
        """Why this receiver does not know what the others do; None: it does."""
        return self._away or next(iter(self._behind.values()), None)

    def fault_of(self, what: str) -> str | None:
        """Likewise, of one thing alone."""
        return self._away or self._behind.get(what)

    def said(self, said: Said) -> None:
        """Tell the others of an ack, soon."""
        self._said[said.role, said.name] = said
        if not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._wake.set)

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for what in self._catch_up:
                tasks.create_task(self._follow(what))
            tasks.create_task(self._stay_connected())

    async def leave(self) -> None:
        """Tell what is not told yet, and that this receiver is gone for good."""
        with suppress(psycopg.Error, OSError):
            async with await self._connect() as db:
                while self._said:
                    await self._tell_acks(db)
                with in_time(db):
                    await db.execute("DELETE FROM heard WHERE replica = %s", (self._replica,))

    # Being connected.

    async def _stay_connected(self) -> None:
        pauses = new_pauses()
        while True:
            try:
                async with await self._connect() as listening, await self._connect() as db:
                    with in_time(listening), in_time(db):
                        await listening.execute("LISTEN wgfleet")
                        await self._begin(db)
                    pauses.begin_again()
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._listen(listening))
                        tasks.create_task(self._look_again_and_again(db))
            except* Exception as errors:  # noqa: BLE001 - whatever it is, a receiver that hears nobody must try again.
                self._lost(errors.exceptions[0])
            await asyncio.sleep(pauses.next())

    async def _connect(self) -> psycopg.AsyncConnection:
        said = parameters(self._dsn, f"wgfleet-receiver {self._replica}")
        db = await psycopg.AsyncConnection.connect(self._dsn.uri, **said)
        with in_time(db):
            await db.execute(settled())
            await db.execute("SET synchronous_commit = off")  # What is told here is repeated anyway.
        return db

    async def _begin(self, db: psycopg.AsyncConnection) -> None:
        """Everything may have changed meanwhile, and notifications of it are lost."""
        now = self._clock()
        await db.execute("DELETE FROM heard WHERE at < %s", (now - FORGET_SECONDS,))
        await db.execute("DELETE FROM acks WHERE received_at < %s", (now - FORGET_SECONDS,))
        await db.execute("INSERT INTO acks_since VALUES (1, %s) ON CONFLICT DO NOTHING", (now,))
        self._versions, self._acks_read, self._told_at = {}, 0, 0.0
        self._behind = dict.fromkeys(self._catch_up, UNREAD)
        self._away = self._store.away = None
        self._metrics.store_connected.set(1)
        self._listener.connected()
        say(log, "store connected", store=self._dsn)
        self._wake.set()

    def _lost(self, error: BaseException) -> None:
        said = in_a_line(error)
        if self._away is None:
            self._metrics.store_losses.inc()
            say(log, "store lost", level=logging.ERROR, store=self._dsn, error=said)
        self._away = self._store.away = f"PostgreSQL at {self._dsn} is away: {said}"
        self._metrics.store_connected.set(0)
        self._metrics.replicas.set(1)

    async def _listen(self, listening: psycopg.AsyncConnection) -> None:
        async for _ in listening.notifies():
            self._wake.set()
        raise psycopg.OperationalError("the connection that listens has ended")

    # What others change.

    async def _look_again_and_again(self, db: psycopg.AsyncConnection) -> None:
        while True:
            await self._look(db)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()

    async def _look(self, db: psycopg.AsyncConnection) -> None:
        self._wake.clear()
        rows = await _asked(db, "SELECT what, number, signer FROM versions")
        self._compare_keys({what: signer for what, _, signer in rows}["state"])
        versions: dict[str, int] = {what: number for what, number, _ in rows}
        changed = {what for what, number in versions.items() if self._versions.get(what) != number}
        self._versions = versions
        for what in changed & self._changed.keys():
            self._changed[what].set()
        if "acks" in changed:
            await self._read_acks(db)
        if self._said:
            await self._tell_acks(db)
        if time.monotonic() - self._told_at >= LOOK_SECONDS:
            await self._hear(db)

    def _compare_keys(self, signer: str | None) -> None:
        foreign = self._store.foreign(signer)
        if foreign is not None:
            self._behind[KEY] = foreign
        else:
            self._behind.pop(KEY, None)

    async def _follow(self, what: str) -> None:
        changed, catch_up = self._changed[what], self._catch_up[what]
        while True:
            await changed.wait()
            changed.clear()
            try:
                await catch_up()
            except Exception as error:  # noqa: BLE001 - likewise.
                say(log, "not caught up", level=logging.WARNING, what=what, error=error)
                self._behind[what] = f"what others have changed cannot be read ({what}): {error}"
                self._store.doubt(what)
                await asyncio.sleep(AGAIN_SECONDS)
                changed.set()
            else:
                self._behind.pop(what, None)

    # What all hear.

    async def _hear(self, db: psycopg.AsyncConnection) -> None:
        now = self._clock()
        await _asked(
            db,
            "INSERT INTO heard VALUES (%s, %s, %s) ON CONFLICT (replica) DO UPDATE"
            " SET at = excluded.at, body = excluded.body",
            (self._replica, now, self._listener.heard()),
        )
        rows = await _asked(
            db,
            "SELECT replica, at, body, (SELECT min(at) FROM acks_since),"
            " extract(epoch FROM clock_timestamp())::float8 FROM heard",
        )
        others = [one for one in rows if one[0] != self._replica]
        self._listener.overhear(heard_of(body for _, _, body, *_ in others))
        self._listener.acks_since(rows[0][3] or now, [Life(replica, at) for replica, at, *_ in others])
        self._metrics.replicas.set(1 + sum(now - at < GONE_SECONDS for _, at, *_ in others))
        self._compare_clocks(now - rows[0][4])
        self._told_at = time.monotonic()

    def _compare_clocks(self, ahead: float) -> None:
        self._metrics.store_clock.set(ahead)
        wrong = abs(ahead) > CLOCKS_AGREE
        if wrong and not self._clock_wrong:
            say(
                log,
                "clock differs from PostgreSQL's: set both by NTP",
                level=logging.WARNING,
                ahead=round(ahead, 3),
            )
        self._clock_wrong = wrong

    async def _tell_acks(self, db: psycopg.AsyncConnection) -> None:
        self._gathering = False
        said = [self._said.pop(key) for key in list(self._said)[:ACKS_AT_ONCE]]
        try:
            if said:
                await _write_acks(db, said)
        except BaseException:
            self._said = {(one.role, one.name): one for one in said} | self._said
            raise
        if self._said:
            self._wake.set()  # The rest after a look at what else there is.

    async def _read_acks(self, db: psycopg.AsyncConnection) -> None:
        rows = await _asked(
            db,
            "SELECT number, role, name, digest, said FROM acks WHERE number > %s ORDER BY number",
            (self._acks_read,),
        )
        for start in range(0, len(rows), SLICE):
            for number, *one in rows[start : start + SLICE]:
                with suppress(ValueError):  # A newer program's, in a form that is not known here.
                    self._listener.overhear_ack(read(*one))
                self._acks_read = number
            await asyncio.sleep(0)


_NEXT_ACKS = "UPDATE versions SET number = number + 1 WHERE what = 'acks' RETURNING number, pg_notify('wgfleet', 'acks')"
_ACKS = (
    "INSERT INTO acks SELECT role, name, digest, received_at, %s, said"
    " FROM unnest(%s::text[], %s::text[], %s::text[], %s::float8[], %s::text[])"
    " AS new (role, name, digest, received_at, said)"
    " ON CONFLICT (role, name) DO UPDATE SET digest = excluded.digest, received_at = excluded.received_at,"
    " number = excluded.number, said = excluded.said WHERE acks.received_at < excluded.received_at"
)


async def _asked(
    db: psycopg.AsyncConnection, query: str, values: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """What it finds, if anything; or the connection breaks."""
    with in_time(db):
        found = await db.execute(query, values)
        return await found.fetchall() if found.description is not None else []


async def _write_acks(db: psycopg.AsyncConnection, said: list[Said]) -> None:
    columns = [list(column) for column in zip(*map(row, said), strict=True)]
    with in_time(db):
        async with db.transaction():
            # Who holds the row gives the number: so a higher number is never seen before a lower one.
            ((number, _),) = await _asked(db, _NEXT_ACKS)
            await _asked(db, _ACKS, (number, *columns))
