"""What the routes stand on: the parts of a running receiver, wired."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from failover_receiver.access import Gate, Holder, Role
from failover_receiver.driver import Driver
from failover_receiver.metrics import Metrics
from failover_receiver.publication import Publication
from failover_receiver.settings import Settings

ACK_LIFETIME = 150.0
"""Seconds. A client acks every minute: one that has missed two is not counted."""


@dataclass(frozen=True, slots=True)
class Ack:
    """What a client said last of what it has applied, and sees."""

    epoch: int
    generation: int
    active: str | None
    received_at: float


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
    acks: dict[str, Ack] = field(default_factory=dict)

    def allow(self, *roles: Role) -> Callable[[Request], Holder]:
        """A dependency that lets only these roles in."""
        allowed = frozenset(roles)

        def check(request: Request) -> Holder:
            return self.gate.admit(request.headers.get("authorization"), allowed)

        return check

    def allow_or_open(self, *roles: Role) -> Callable[[Request], None]:
        """Likewise, unless the configuration opens it to everybody."""
        check = self.allow(*roles)

        def check_unless_open(request: Request) -> None:
            if not self.settings.open_health:
                check(request)

        return check_unless_open

    def clients_on(self) -> dict[str, int]:
        """How many clients say that they use each worker."""
        now = self.driver.clock()
        counts = dict.fromkeys(self.driver.state.workers, 0)
        for ack in self.acks.values():
            if ack.active in counts and now - ack.received_at <= ACK_LIFETIME:
                counts[ack.active] += 1
        return counts
