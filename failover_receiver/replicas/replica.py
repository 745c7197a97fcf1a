"""A receiver as one of several: what it reads again when others change it, tells them, and hears of them."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from failover_receiver.access import Holder, Role
from failover_receiver.acks import ACK_LIFETIME, Ack
from failover_receiver.receiver import Receiver
from failover_receiver.replicas.exchange import CatchUp, Exchange
from failover_receiver.replicas.told import Life, Said, heard_by, whole_since
from failover_receiver.replicas.turns import Turns, to_the_end
from failover_receiver.store import Heard, SharedStore
from failover_receiver.store.dsn import Dsn

OWN_PAUSE = 0.2
"""Seconds after tokens or the roll were read again: ten thousand of them are many, and hundreds may change in a second."""


def new_name() -> str:
    """What this life of the receiver is called among the others."""
    return secrets.token_hex(8)


class Replica:
    """Belongs to one event loop. Made before the receiver, whose registrar needs its turns."""

    def __init__(self, dsn: Dsn, replica: str, clock: Callable[[], float]) -> None:
        """Not connected yet."""
        self._dsn, self._replica, self._clock = dsn, replica, clock
        self._turns = Turns(dsn)
        self._receiver: Receiver | None = None
        self._exchange: Exchange | None = None
        self._strangers: dict[tuple[str, str], Said] = {}
        """Acks by tokens that are not known here yet."""

    @property
    def turns(self) -> AbstractAsyncContextManager[None]:
        """To be held by whoever changes who has which name, key or address."""
        return self._turns

    @property
    def fault(self) -> str | None:
        """Why this receiver does not know what the others do; None: it does."""
        return None if self._exchange is None else self._exchange.fault

    @property
    def doubt(self) -> str | None:
        """Why the peer set that is shown here may be old; None: it is not."""
        return None if self._exchange is None else self._exchange.fault_of("state")

    def serve(self, receiver: Receiver) -> None:
        """Belong to this receiver."""
        registrar, enrolments, driver = receiver.registrar, receiver.enrolments, receiver.driver
        store = driver.store
        assert isinstance(store, SharedStore)  # noqa: S101 - opening.py makes both.
        self._receiver = receiver
        self._turns.before = (driver.catch_up, registrar.catch_up, enrolments.catch_up)
        catch_up: dict[str, CatchUp] = {
            "state": driver.catch_up,
            "tokens": self._paused(self._learn_tokens),
            "roll": self._paused(self._alone(registrar.catch_up)),
            "list": self._alone(registrar.catch_up),
            "applied": self._alone(registrar.catch_up),
            "enrolments": self._paused(self._alone(enrolments.catch_up)),
        }
        self._exchange = Exchange(
            self._dsn, store, self._replica, self, catch_up, metrics=receiver.metrics, clock=self._clock
        )

    async def run(self) -> None:
        """Until it is cancelled."""
        if self._exchange is not None:
            await self._exchange.run()

    async def leave(self) -> None:
        """Tell the others the rest, and that this one is gone."""
        if self._exchange is not None:
            await self._exchange.leave()
        await self._turns.close()

    def said(self, holder: Holder, ack: Ack) -> None:
        """Tell the others what a client or worker said."""
        if self._exchange is not None:
            self._exchange.said(Said(holder.role, holder.name, holder.digest, ack))

    # What the exchange asks and tells.

    def heard(self) -> str:
        """What this receiver has heard, for the others."""
        driver = self._of.driver
        return heard_by(driver.state, driver.policy, now=self._clock())

    def overhear(self, heard: Heard) -> None:
        """Take in what the others have heard."""
        self._of.driver.overhear(heard)

    def overhear_ack(self, said: Said) -> None:
        """Take in what a client or worker said to another."""
        holder = self._of.gate.holder(said.digest)
        if holder is None and said.ack.received_at > self._clock() - ACK_LIFETIME:
            self._strangers[said.role, said.name] = (
                said  # Of one that has just enrolled: nobody says it again for a minute.
            )
        if holder is None or holder.role not in {Role.CLIENT, Role.WORKER}:
            return
        known = (self._of.worker_acks if holder.role is Role.WORKER else self._of.acks).get(holder.name)
        if known is None or known.received_at < said.ack.received_at:
            self._of.remember(holder, said.ack)

    async def _learn_tokens(self) -> None:
        await self._of.learn_tokens()
        strangers, self._strangers = self._strangers, {}
        for said in strangers.values():
            self.overhear_ack(said)

    def acks_since(self, began: float, lives: list[Life]) -> None:
        """Know from when on all acks are there."""
        self._of.registrar.acks_since = whole_since(began, lives, now=self._clock())

    def connected(self) -> None:
        """The store is there again."""
        self._of.driver.listen_first()

    @property
    def _of(self) -> Receiver:
        assert self._receiver is not None  # noqa: S101 - it serves before anything is exchanged.
        return self._receiver

    def _alone(self, catch_up: CatchUp) -> CatchUp:
        """Not while this receiver itself changes something."""

        async def alone() -> None:
            async with self._turns.local:
                await to_the_end(catch_up)

        return alone

    @staticmethod
    def _paused(catch_up: CatchUp) -> CatchUp:
        async def paused() -> None:
            await catch_up()
            await asyncio.sleep(OWN_PAUSE)

        return paused
