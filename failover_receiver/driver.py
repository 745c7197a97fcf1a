"""The only loop of the receiver: takes an event, lets the core decide, makes it durable, shows it, arms one timer."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from failover_receiver.core import frozen_by, next_deadline, step
from failover_receiver.hearing import repeated, with_heard
from failover_receiver.metrics import Metrics
from failover_receiver.publication import Publication
from failover_receiver.state import (
    AlertsDelivered,
    AlertSeen,
    Decided,
    Effect,
    Event,
    Policy,
    Publish,
    Remarked,
    State,
    Tick,
)
from failover_receiver.store import (
    Document,
    Heard,
    Made,
    SharedStore,
    Store,
    StoreUnavailableError,
    check_fleet,
)
from wgfleet.logs import say
from wgfleet.peerset import TYPE as PEER_SET
from wgfleet.signing import Signer

log = logging.getLogger(__name__)
RETRY_SECONDS = 1.0
"""When a deadline's decision could not be kept, try again after this."""
MOST_AT_ONCE = 5000
"""Alerts that are joined into one step: what many send at once must not keep everything else from its turn."""
LISTEN_FIRST = 3.0
"""Seconds after a shared store came back in which no deadline is acted on: all must have told first what they heard."""

T = TypeVar("T")


class _Joined:
    """Webhooks that came while a write was under way: they are decided and kept together."""

    def __init__(self, outcome: asyncio.Future[State]) -> None:
        self.alerts: list[AlertSeen] = []
        self.who: set[str] = set()
        self.outcome = outcome
        # All who wait for it may have hung up.
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())


class Driver:
    """Holds the state. Events are taken one at a time, in the order in which they come."""

    def __init__(
        self,
        *,
        store: Store,
        signer: Signer,
        policy: Policy,
        publication: Publication,
        metrics: Metrics,
        clock: Callable[[], float],
        fleet: str,
    ) -> None:
        """Take up where the store left off; it holds this fleet's state or none."""
        self.policy = policy
        self.clock = clock
        self._store = store
        self._signer = signer
        self._publication = publication
        self._metrics = metrics
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._lock = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._joined: _Joined | None = None
        self._listening_until = 0.0
        self.state = store.load() or State(fleet=fleet)
        check_fleet(self.state, fleet)
        document = store.document(PEER_SET)
        if document is not None and not signer.signed(document.body):
            # The key was rotated. As if nothing had been issued: the next step does, under a new number.
            self.state = replace(self.state, issued_at=0.0)
        elif document is not None:
            publication.show(document)

    @property
    def signer(self) -> Signer:
        """What signs the documents, all of them."""
        return self._signer

    @property
    def store(self) -> Store:
        """To read at the start; once the loop runs, only by `stored`."""
        return self._store

    async def take(self, event: Event, *, who: str, made_from: Collection[str] = ()) -> State:
        """Decide on an event. When this returns, what was decided is durable and shown.

        Where receivers share the store, what the event was made from besides the state must still be so.

        Raises:
            RefusedError: the core refused it; nothing changed.
            StoreUnavailableError: it could not be kept; nothing changed.

        """
        # Shielded: between the store and our memory nothing may be cut off, or a generation would be given twice.
        return await asyncio.shield(asyncio.ensure_future(self._take(event, who, made_from)))

    async def deliver(self, alerts: Sequence[AlertSeen], *, who: str) -> State:
        """Take a webhook's alerts, in one step and one write with those of all that come before its turn.

        The order and grouping of alerts mean nothing to the core, so nobody can tell; a commit waits for the disk, and
        this way a hundred senders wait for it together. Returns and raises as `take` does, for all of them alike.
        """
        joined = self._joined
        if joined is None or len(joined.alerts) >= MOST_AT_ONCE:
            joined = self._joined = _Joined(asyncio.get_running_loop().create_future())
            self._start(self._take_joined(joined))
        joined.alerts += alerts
        joined.who.add(who)
        return await asyncio.shield(joined.outcome)

    async def _take_joined(self, joined: _Joined) -> None:
        async with self._lock:
            if self._joined is joined:  # From here on they are too late for this one.
                self._joined = None
            try:
                event = AlertsDelivered(tuple(joined.alerts))
                joined.outcome.set_result(await self._decide(event, ", ".join(sorted(joined.who))))
            except Exception as error:  # noqa: BLE001 - Whatever it is, they wait for it.
                joined.outcome.set_exception(error)

    async def _take(self, event: Event, who: str, made_from: Collection[str]) -> State:
        async with self._lock:
            return await self._decide(event, who, made_from)

    async def _decide(self, event: Event, who: str, made_from: Collection[str] = ()) -> State:
        made = await self._made(event, who, made_from)
        self.state = made.state
        self._show(made.document)
        self._tell(made.effects, who)
        self._arm(made.now)
        return made.state

    async def _made(self, event: Event, who: str, made_from: Collection[str]) -> Made:
        """What is decided, and durable."""
        try:
            if isinstance(self._store, SharedStore):
                return await self._made_by_turns(self._store, event, who, made_from)
            made = self._make(event, self.state, self.clock())
            # A memory of what was heard that is not worth a write is lost in a crash, and heard again.
            if made.effects:
                await self.stored(
                    lambda store: store.save(made.state, made.document, made.decided, at=made.now, who=who)
                )
        except StoreUnavailableError:
            self._metrics.store_failures.inc()
            raise
        return made

    async def _made_by_turns(
        self, store: SharedStore, event: Event, who: str, made_from: Collection[str]
    ) -> Made:
        """Likewise, on the newest state of all receivers."""
        held, make = self.state, partial(self._make, event)
        try:
            return await self.stored(
                lambda _: store.decide(held, make, clock=self.clock, who=who, made_from=made_from)
            )
        except StoreUnavailableError:
            self.state = repeated(held, event, self.clock(), self.policy)
            raise

    def _make(self, event: Event, state: State, now: float) -> Made:
        """Decide and sign; in any thread."""
        after, effects = step(state, event, now=now, policy=self.policy)
        said = next((effect.peer_set for effect in effects if isinstance(effect, Publish)), None)
        if said is None:
            return Made(after, effects, None, now)
        signed = self._signer.sign(said.to_bytes())
        return Made(after, effects, Document(PEER_SET, said.epoch, said.generation, signed), now)

    async def catch_up(self) -> None:
        """Take over and show what other receivers have decided. Raises StoreUnavailableError."""
        await asyncio.shield(asyncio.ensure_future(self._catch_up()))  # As in `take`.

    async def _catch_up(self) -> None:
        async with self._lock:
            store, held = self._store, self.state
            newer = await self.stored(lambda _: store.newer(held)) if isinstance(store, SharedStore) else None
            if newer is None:
                return
            self.state = newer[0]
            self._show(newer[1])
            self._metrics.show(self.state)
            self._arm(self.clock())

    def overhear(self, heard: Heard) -> None:
        """Take in what other receivers have heard."""
        self.state = with_heard(self.state, *heard)

    def listen_first(self) -> None:
        """Act on no deadline for a while: the shared store was away."""
        self._listening_until = self.clock() + LISTEN_FIRST

    def _show(self, document: Document | None) -> None:
        """Show it, unless something newer is shown already."""
        shown = None if self._publication.shown is None else self._publication.shown.document
        if document is not None and (shown is None or shown.number < document.number):
            self._publication.show(document)

    async def stored(self, read: Callable[[Store], T]) -> T:
        """Run something on the store, in its turn."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, read, self._store)

    def close(self) -> None:
        """Stop the timer and wait for the last write."""
        if self._timer is not None:
            self._timer.cancel()
        self._writer.shutdown()

    def _tell(self, effects: tuple[Effect, ...], who: str) -> None:
        for effect in effects:
            if isinstance(effect, Decided):
                say(log, "decided", worker=effect.worker, before=effect.before, after=effect.after,
                    reason=effect.reason, who=who, generation=self.state.generation)  # fmt: skip
                self._metrics.decisions.labels(effect.after or "removed", effect.reason).inc()
            elif isinstance(effect, Remarked):
                say(log, effect.what, worker=effect.worker, reason=effect.reason, who=who)
            elif isinstance(effect, Publish):
                say(log, "published", generation=effect.peer_set.generation, epoch=effect.peer_set.epoch,
                    monitoring=effect.peer_set.monitoring,
                    frozen_by=frozen_by(self.state, self.clock(), self.policy))  # fmt: skip
        self._metrics.show(self.state)

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = next_deadline(self.state, self.policy, now=now)
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_later(deadline - now, self._ring)

    def _ring(self) -> None:
        self._start(self._tick())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # The loop itself holds only a weak reference.
        task.add_done_callback(self._tasks.discard)

    async def _tick(self) -> None:
        listening = self._listening_until - self.clock()
        if 0 < listening <= LISTEN_FIRST:
            self._timer = asyncio.get_running_loop().call_later(listening, self._ring)
            return
        try:
            await self.take(Tick(), who="clock")
        except Exception as error:  # noqa: BLE001 - whatever it is, deadlines must go on.
            say(log, "not kept", level=logging.ERROR, error=str(error) or repr(error))
            self._timer = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._ring)
