"""Keeps the roll of clients and publishes it: takes a change, makes it durable, shows the new list.

Changes are taken one at a time. Each is in the store when it is answered. The list with it is published in the same
write if the last one is old enough; else at that mark, with all that changed meanwhile. Either way its number is known at
once. A crash in between loses nothing: at start, a list that says less than the tables is published anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, TypeVar

from failover_receiver.driver import RETRY_SECONDS, Driver
from failover_receiver.publication import Publication
from failover_receiver.registry.changes import Draft
from failover_receiver.registry.clients import Others, Roll
from failover_receiver.registry.pools import Pool, span
from failover_receiver.registry.published import client_list, says_the_same
from failover_receiver.registry.shared import Shared
from failover_receiver.state import RefusedError, State, WorkerRegistered, WorkerSpec
from failover_receiver.store import Document, Noted, SharedStore, Store, StoreUnavailableError, Writing
from failover_receiver.store.clients import Kept
from failover_receiver.store.tokens import delete
from wgfleet.clientlist import TYPE, ClientList, Refusal, removal_allowed
from wgfleet.fields import DocumentError
from wgfleet.logs import say
from wgfleet.signing import SignatureRefusedError, Verifier

log = logging.getLogger(__name__)

BETWEEN_LISTS = 0.5
"""Seconds. Workers read the whole list each time: a thousand clients that enrol at once must not make a thousand lists."""

T = TypeVar("T")
Also = Callable[[Writing], None]
"""What is written together with a change."""


class _Made(NamedTuple):
    """A new list, signed, before it is kept and shown."""

    said: ClientList
    document: Document
    refusal: Refusal | None
    """Why workers that hold the last one will not apply it."""


class Registrar:
    """Holds the roll. Belongs to one event loop."""

    def __init__(
        self,
        driver: Driver,
        publication: Publication,
        pools: Sequence[str],
        learn_tokens: Callable[[], Awaitable[None]],
        *,
        shared: Shared | None = None,
        turns: AbstractAsyncContextManager[object] | None = None,
    ) -> None:
        """Take up where the store left off; called with the change are those who must know of removed tokens.

        With `turns`, other receivers change the roll too: each change is made on what they have left (`catch_up`).
        """
        self._driver = driver
        self._learn_tokens = learn_tokens
        self._publication = publication
        self._pools = tuple(map(Pool, pools))
        self._shared_pools = () if shared is None else tuple(map(Pool, shared.pools))
        self._shared_addresses = () if shared is None else shared.tunnel_addresses
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = False
        """Whether the roll has changed since."""
        self._closed = False
        self.lock: AbstractAsyncContextManager[object] = asyncio.Lock() if turns is None else turns
        """Held by whoever changes who has which name, key or address."""
        self.acks_since = driver.clock()
        """From then on every ack is known."""
        self.roll: Roll = driver.store.clients.roll()
        self.acks: dict[str, tuple[int, int]] = driver.store.clients.acks()
        """The newest list that each worker ever said it applied."""
        document = driver.store.document(TYPE)
        self._generation = 0 if document is None else document.generation
        self._list = None if document is None else self._read(document)
        """What was published last; None: nothing that could be shown again."""
        if document is not None and self._list is not None:
            publication.show(document)

    @property
    def number(self) -> tuple[int, int]:
        """Of the list that was published last."""
        return (self._driver.state.epoch, 0) if self._list is None else self._list.number

    async def start(self) -> None:
        """Publish what the tables say and the last list does not, and see to it that the list stays fresh."""
        async with self.lock:
            now = self._driver.clock()
            if self._generation == 0 and not self.roll.clients:
                return  # There never was a client, nor a list.
            said = self._said(self.roll, now)
            if self._list is None or not says_the_same(self._list, said):
                await self._publish()
            else:
                self._arm_for(self._list)

    async def catch_up(self) -> None:
        """Know and show what other receivers have changed; for who holds the lock, or keeps this one from changing."""
        read = await self._driver.stored(_read_news)
        if read is None:
            return
        # In a thread of its own, and none that alerts wait for: ten thousand clients are many.
        self.roll = await asyncio.to_thread(self.roll.replaced, *read.kept)
        self.acks = read.acks
        document = read.document
        if document is not None and document.number > self.number:
            self._generation, self._list = document.generation, self._read(document)
            self._publication.show(document)
        last = self._list
        if last is not None:
            said = await asyncio.to_thread(self._said, self.roll, self._driver.clock())
            self._pending = not says_the_same(last, said)
            self._arm_for(last)

    async def change(self, decide: Callable[[Draft], T], *, who: str) -> tuple[T, tuple[int, int]]:
        """Carry out a change; return what it gave, and the number of the list that has it.

        Raises:
            RefusedError: it was refused; nothing changed.
            StoreUnavailableError: it could not be kept; nothing changed.

        """
        async with self.lock:
            return await self.change_locked(decide, who=who)

    async def change_locked(
        self, decide: Callable[[Draft], T], *, who: str, also: Also | None = None
    ) -> tuple[T, tuple[int, int]]:
        """Likewise, for who holds the lock, with more that is written together with it."""
        # Shielded: between the store and our memory nothing may be cut off, or the two would differ.
        return await asyncio.shield(asyncio.ensure_future(self._change(decide, who, also)))

    async def acked(self, worker: str, number: tuple[int, int]) -> None:
        """Remember, over a restart too, what a worker has applied."""
        if number != self.acks.get(worker):
            at = self._driver.clock()
            await self._driver.stored(lambda store: store.clients.acked(worker, number, at=at))
            self.acks[worker] = number

    def behind(self, number: tuple[int, int]) -> list[str]:
        """Workers that have applied lists, but none that is as new as this one; banned and removed ones do not count."""
        workers = self._driver.state.workers
        return [
            name
            for name, applied in sorted(self.acks.items())
            if name in workers and not workers[name].banned and applied < number
        ]

    async def register(self, event: WorkerRegistered, *, who: str) -> State:
        """Add or change a worker; for who holds the lock, and is refused if it has lost it. Raises RefusedError."""
        self.check_worker(event.name, event.spec)
        return await self._driver.take(event, who=who, made_from=("roll",))

    def check_worker(self, name: str, spec: WorkerSpec) -> None:
        """Raise RefusedError if a client has the worker's name, key or address."""
        if name in self.roll.clients:
            raise RefusedError(f"name {name!r} is already that of a client: choose another")
        client = self.roll.by_key.get(spec.public_key)
        if client is not None:
            raise RefusedError(f"public_key {spec.public_key!r} is already that of client {client!r}")
        for address in spec.tunnel_addresses:
            owner = self.roll.space.owner(span(address))
            if owner is not None:
                raise RefusedError(f"tunnel_addresses: {address} is that of client {owner!r}: choose another")

    async def others(self) -> Others:
        """Who else has names, keys and addresses."""
        workers = {name: worker.spec for name, worker in self._driver.state.workers.items()}
        roles = await self._driver.stored(lambda store: store.clients.roles())
        return Others(workers, roles, self._shared_addresses)

    def draft(self, others: Others) -> Draft:
        """A change of the roll, to be carried out or dropped."""
        return Draft(
            self.roll, others, self._pools, self._shared_pools, now=self._driver.clock(), number=self._next
        )

    def close(self) -> None:
        """Publish no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    async def _change(
        self, decide: Callable[[Draft], T], who: str, also: Also | None
    ) -> tuple[T, tuple[int, int]]:
        others = await self.others()
        # In a thread of its own: twenty thousand clients at once must not keep an alert waiting.
        draft, result = await asyncio.to_thread(self._decided, others, decide)
        number = self._next if draft.changes or self._pending else self.number
        if draft.changes:
            draft.prune()
            await self._keep(draft, who, also)
        elif also is not None:
            await self.write(lambda _store, db: also(db))
        if draft.changes.tokens or also is not None:
            await self._learn_tokens()
        return result, number

    def _decided(self, others: Others, decide: Callable[[Draft], T]) -> tuple[Draft, T]:
        draft = self.draft(others)
        return draft, decide(draft)

    async def _keep(self, draft: Draft, who: str, also: Also | None) -> None:
        now, number = self._driver.clock(), self._next
        made = await asyncio.to_thread(self._made, draft.roll, now) if self._is_due(now) else None
        notes = [Noted(now, who, what, subject, why, *number) for what, subject, why in draft.changes.notes]

        def kept(store: Store, db: Writing) -> None:
            store.fence(db, "list", "roll")
            _write(store, db, draft, notes)
            if made is not None:
                store.put(db, made.document)
            if also is not None:
                also(db)

        await self.write(kept)
        self.roll, self._pending = draft.roll, True
        for noted in notes:
            say(log, noted.what, name=noted.subject, reason=noted.reason, who=who, generation=number[1])
        if made is not None:
            self._show(made)
        elif self._list is not None:
            self._arm_for(self._list)

    @property
    def _next(self) -> tuple[int, int]:
        return self._driver.state.epoch, self._generation + 1

    def _is_due(self, now: float) -> bool:
        # A clock that was set back would put it off for as long.
        return self._list is None or not 0 <= now - self._list.issued_at < BETWEEN_LISTS

    def _said(self, roll: Roll, now: float) -> ClientList:
        state = self._driver.state
        fresh_for = self._driver.policy.fresh_for
        return client_list(roll, fleet=state.fleet, number=self._next, now=now, fresh_for=fresh_for)

    def _made(self, roll: Roll, now: float) -> _Made:
        """In a thread of its own: of ten thousand clients this is a hundred thousand small steps."""
        new = self._said(roll, now)
        document = Document(TYPE, new.epoch, new.generation, self._driver.signer.sign(new.to_bytes()))
        return _Made(new, document, None if self._list is None else removal_allowed(self._list, new))

    async def write(self, write: Callable[[Store, Writing], None]) -> None:
        """Write something in one transaction."""

        def written(store: Store) -> None:
            with store.available(), store.transaction() as db:
                write(store, db)

        await self._driver.stored(written)

    async def _publish(self) -> None:
        """Make a list of the roll as it is; for who holds the lock."""
        made = await asyncio.to_thread(self._made, self.roll, self._driver.clock())

        def put(store: Store, db: Writing) -> None:
            store.fence(db, "list", "roll")
            store.put(db, made.document)

        await self.write(put)
        self._show(made)

    def _show(self, made: _Made) -> None:
        new = made.said
        if made.refusal is not None:
            say(log, "workers will refuse the client list", level=logging.WARNING, reason=made.refusal)
        self._list, self._generation, self._pending = new, new.generation, False
        self._publication.show(made.document)
        say(
            log, "client list published", epoch=new.epoch, generation=new.generation, clients=len(new.clients)
        )
        self._arm_for(new)

    def _arm_for(self, last: ClientList) -> None:
        lives = BETWEEN_LISTS if self._pending else self._driver.policy.fresh_for / 2
        self._arm(max(0.0, min(lives, last.issued_at + lives - self._driver.clock())))

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._closed:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._start(self._publish_in_turn())

    def _is_done(self, last: ClientList) -> bool:
        """Whether another receiver was first."""
        young = self._driver.clock() < last.issued_at + self._driver.policy.fresh_for / 2
        return isinstance(self._driver.store, SharedStore) and young and not self._pending

    async def _publish_in_turn(self) -> None:
        try:
            await self._publish_locked()
        except StoreUnavailableError as error:
            say(log, "client list not kept", level=logging.ERROR, error=error)
            self._arm(RETRY_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it is, the list must not grow old for ever by it.
            say(log, "client list not made", level=logging.ERROR, error=repr(error))
            self._arm(RETRY_SECONDS)

    async def _publish_locked(self) -> None:
        async with self.lock:
            if self._closed:
                return
            if self._list is not None and self._is_done(self._list):
                self._arm_for(self._list)
            else:
                await self._publish()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # The loop itself holds only a weak reference.
        task.add_done_callback(self._tasks.discard)

    def _read(self, document: Document) -> ClientList | None:
        """What was published; None if it was signed with a key that has been rotated since."""
        signer = self._driver.signer
        if not signer.signed(document.body):
            return None
        try:
            payload = Verifier([signer.public_text]).payload(document.body)
            return ClientList.from_bytes(payload, fleet=self._driver.state.fleet)
        except (SignatureRefusedError, DocumentError) as error:
            say(log, "client list in the store is not usable", level=logging.ERROR, error=error)
            return None


class _News(NamedTuple):
    """What other receivers have left."""

    kept: Kept
    acks: dict[str, tuple[int, int]]
    document: Document | None


def _read_news(store: Store) -> _News | None:
    whats = ("applied", "list", "roll")
    if not isinstance(store, SharedStore) or not store.is_news(*whats):
        return None
    with store.reading(*whats):
        return _News(store.clients.kept(), store.clients.acks(), store.document(TYPE))


def _write(store: Store, db: Writing, draft: Draft, notes: Sequence[Noted]) -> None:
    store.clients.write(db, draft.roll, draft.changes)
    for name in draft.changes.tokens:
        delete(db, name)
    for noted in notes:
        store.note(db, noted)
