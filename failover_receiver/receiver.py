"""What the routes stand on: the parts of a running receiver, wired."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request

from failover_receiver.access import Gate, Holder, Role
from failover_receiver.acks import Ack, Clients, propagation, summed_up
from failover_receiver.driver import Driver
from failover_receiver.enrolments import Enrolments
from failover_receiver.following.source import Source
from failover_receiver.loads import Load, fresh
from failover_receiver.metrics import Metrics
from failover_receiver.places import Places
from failover_receiver.publication import Publication
from failover_receiver.registrar import Registrar
from failover_receiver.settings import Settings
from failover_receiver.state import RefusedError
from wgfleet.standing import Standing


class Streams(Protocol):
    """What would keep the server from stopping."""

    def close(self) -> None:
        """End them all."""


class Others(Protocol):
    """The other receivers on the same store."""

    @property
    def turns(self) -> AbstractAsyncContextManager[object]:
        """To be held by whoever changes who has which name, key or address."""

    @property
    def fault(self) -> str | None:
        """Why this receiver does not know what the others do; None: it does."""

    @property
    def doubt(self) -> str | None:
        """Why the peer set that is shown here may be old; None: it is not."""

    def said(self, holder: Holder, ack: Ack) -> None:
        """Tell them what a client or worker said."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """The parts; one of each."""

    settings: Settings
    driver: Driver
    publication: Publication
    gate: Gate
    metrics: Metrics
    signing_key: str
    """Public, for clients to pin."""
    others: Others | None = None
    """None: there is one receiver."""
    client_list: Publication = field(default_factory=Publication)
    """What workers follow."""
    acks: dict[str, Ack] = field(default_factory=dict)
    """What each client said last."""
    worker_acks: dict[str, Ack] = field(default_factory=dict)
    """What each worker said last."""
    known_loads: dict[str, Load] = field(default_factory=dict)
    """What Prometheus said of each worker last."""
    streams: list[Streams] = field(default_factory=list)
    """Those that end when the server stops, beside the documents'."""
    registrar: Registrar = field(init=False)
    """Keeps the clients and publishes their list."""
    enrolments: Enrolments = field(init=False)
    """Lets machines join."""
    places: Places = field(init=False)
    """Which worker each client uses, for workers."""
    source: Source = field(init=False)
    """What followers hear."""
    _said_by: dict[str, Holder] = field(default_factory=dict, init=False)
    """Whose words these are."""

    def __post_init__(self) -> None:
        """Take up the clients, and forget the words of whoever is revoked."""
        # This way, because a receiver does not change any more once it is made.
        settings = self.settings
        registrar = Registrar(
            self.driver,
            self.client_list,
            settings.client_pools,
            self.learn_tokens,
            shared=settings.shared,
            turns=None if self.others is None else self.others.turns,
        )
        object.__setattr__(self, "registrar", registrar)
        object.__setattr__(self, "enrolments", Enrolments(self.driver, registrar))
        object.__setattr__(self, "places", Places(self.driver.clock, lambda: self.standing))
        source = Source(self.gate, (self.publication, self.client_list), lambda: self.standing)
        object.__setattr__(self, "source", source)
        self.streams.extend((self.places, self.source))
        self.gate.follow(self._forget_unknown)

    def allow(self, *roles: Role) -> Callable[[Request], Awaitable[Holder]]:
        """A dependency that lets only these roles in."""
        return self.gate.allow(*roles)

    def allow_or_open(self, *roles: Role) -> Callable[[Request], Awaitable[None]]:
        """Likewise, unless the configuration opens it to everybody."""
        check = self.allow(*roles)

        async def check_unless_open(request: Request) -> None:
            if not self.settings.open_health:
                await check(request)

        return check_unless_open

    def check_fleet(self, said: str | None) -> None:
        """Raise RefusedError if whoever asks says that it belongs to another fleet; one that says nothing is older."""
        if said is not None and said != self.settings.fleet:
            raise RefusedError(
                f"fleet is {said!r}, and this is a receiver of fleet {self.settings.fleet!r}: what the one has applied says "
                "nothing to the other; see `fleet`, `receivers` and `token_file` in the daemon's configuration"
            )

    async def learn_tokens(self) -> None:
        """Let in whom the store names, after a change there."""
        self.gate.learn(await self.driver.stored(lambda store: store.tokens.all()))

    def acknowledge(self, holder: Holder, ack: Ack) -> None:
        """Remember what a client or worker has applied, and how long its news took to get there."""
        before = self.remember(holder, ack)
        if self.others is not None:
            self.others.said(holder, ack)
        self.metrics.acks.inc()
        took = propagation(before, ack, self.driver.state)
        if took is not None:
            self.metrics.propagation.observe(took)

    def remember(self, holder: Holder, ack: Ack) -> Ack | None:
        """Likewise, of what was perhaps said to another receiver; what was known before."""
        said = self.worker_acks if holder.role is Role.WORKER else self.acks
        before = said.get(holder.name)
        said[holder.name] = ack
        self._said_by[holder.name] = holder
        # An ack that hung on a broken connection may come after the next one; documents' numbers only rise.
        if holder.role is Role.CLIENT and (before is None or ack.document >= before.document):
            self.places.said(holder.name, ack.active)
        return before

    def doubt(self) -> str | None:
        """Why the peer set that is shown here may be old; None: it is not."""
        return None if self.others is None else self.others.doubt

    def clients(self) -> Clients:
        """What clients have said lately, all together."""
        return summed_up(self.acks.values(), self.driver.state, now=self.driver.clock())

    @property
    def loads(self) -> dict[str, float]:
        """How loaded each worker is, from 0 to 1; one of which nothing was heard lately is absent."""
        return fresh(self.known_loads, now=self.driver.clock())

    @property
    def standing(self) -> Standing:
        """What whoever reads here is told of it.

        Cut off from the others, it is no better than a follower that is alone: who follows it should look for another.
        """
        return Standing(live=self.others is None or self.others.fault is None)

    def _forget_unknown(self) -> None:
        for name in [name for name, holder in self._said_by.items() if not self.gate.knows(holder)]:
            del self._said_by[name]
            self.acks.pop(name, None)
            self.worker_acks.pop(name, None)
            self.places.forget(name)
        self.places.wake()  # Streams of whom it does not know any more end.
