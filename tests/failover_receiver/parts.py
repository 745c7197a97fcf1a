"""A receiver on a real store and a clock that stands still, and what is sent to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from failover_receiver.access import Gate, Role, digest
from failover_receiver.app import create_app
from failover_receiver.doorway import Doorway
from failover_receiver.driver import Driver
from failover_receiver.metrics import Metrics
from failover_receiver.publication import Publication
from failover_receiver.receiver import Receiver
from failover_receiver.settings import Settings
from failover_receiver.state import AlertSeen, AlertsRead, Policy, State, WorkerRegistered
from failover_receiver.store import Document, SqliteStore, Store, StoredToken
from tests.failover_receiver.story import ALERTS, spec
from wgfleet.peerset import PeerSet
from wgfleet.signing import Signer, Verifier

FLEET = "test"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
"""When a test's clock stands at first."""

LIMIT = 20.0
"""Seconds. Everything is waited for by its event; this only ends a test that waits in vain."""

SIGNER = Signer.generate()
TOKENS = {role: f"token-of-the-{role}-which-nobody-may-see" for role in Role}
BODY = {
    "public_key": spec(1).public_key,
    "endpoints": ["192.0.2.1:51820"],
    "tunnel_addresses": ["10.99.0.1"],
    "allowed_ips": ["0.0.0.0/0"],
}
"""A worker as an operator describes it."""


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = NOON

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@dataclass(frozen=True)
class Parts:
    """A wired receiver, and what a test holds of it."""

    receiver: Receiver
    store: Store
    clock: Clock
    app: FastAPI
    front: Doorway

    @property
    def file(self) -> SqliteStore:
        """The store, which is a file."""
        assert isinstance(self.store, SqliteStore)
        return self.store

    @property
    def driver(self) -> Driver:
        return self.receiver.driver

    @property
    def publication(self) -> Publication:
        return self.receiver.publication

    @property
    def state(self) -> State:
        return self.receiver.driver.state

    @property
    def states(self) -> dict[str, str]:
        """Each worker's published state."""
        return {worker.name: worker.state.value for worker in self.state.published}

    def ask(self, who: Role | None = Role.OPERATOR) -> httpx.AsyncClient:
        """HTTP without a network, with the token of a role."""
        headers = {} if who is None else bearer(TOKENS[who])
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.front), base_url="http://receiver", headers=headers
        )

    async def hear(self, *alerts: AlertSeen, complete: bool = True) -> State:
        """A reading of Alertmanager comes; the Watchdog fires always."""
        told = (seen("watchdog", None, self.clock.now), *alerts)
        return await self.driver.take(AlertsRead(told, self.clock.now, complete), who="alertmanager")

    async def serve(self, *workers: str) -> State:
        """Add workers and hear that they are up."""
        for number, name in enumerate(workers, start=1):
            await self.driver.take(WorkerRegistered(name, spec(number)), who="operator")
        return await self.hear(*(seen("up", name, self.clock.now) for name in workers))

    def close(self) -> None:
        """Let go of the store."""
        self.receiver.registrar.close()
        self.driver.close()
        self.store.close()


def build(
    directory: Path,
    *,
    store: Store | None = None,
    publication: Publication | None = None,
    clock: Clock | None = None,
    policy: Policy | None = None,
    **said: Any,
) -> Parts:
    """Wire a receiver in a folder; what its configuration says beyond what it must."""
    settings = Settings(
        fleet=FLEET, store=directory / "receiver.db", signing_key_file=directory / "key", **said
    )
    store = store or SqliteStore(settings.store_file)
    known = {token.name for token in store.tokens.all()}
    for role, token in TOKENS.items():
        if role not in known:
            store.tokens.add(StoredToken(role, role, digest(token), NOON))
    clock, metrics, publication = clock or Clock(), Metrics(), publication or Publication()
    driver = Driver(
        store=store,
        signer=SIGNER,
        policy=policy or settings.policy,
        publication=publication,
        metrics=metrics,
        clock=clock,
        fleet=FLEET,
    )
    receiver = Receiver(
        settings, driver, publication, Gate(store.tokens.all(), clock=clock), metrics, SIGNER.public_text
    )
    app = create_app(receiver)
    return Parts(receiver, store, clock, app, Doorway(receiver, app))


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def seen(kind: str, worker: str | None, at: float, *, ended_at: float | None = None) -> AlertSeen:
    """An alert (`down`, `degraded`, `up`, `blind` or `watchdog`) that began at noon, as the core gets it."""
    name, action = ALERTS[kind]
    firing = AlertSeen(
        f"{kind}/{worker}", name, action, worker, firing=True, starts_at=NOON, ends_at=at, seen_at=at
    )
    return firing if ended_at is None else replace(firing, firing=False, ends_at=ended_at)


def posted(kind: str, worker: str | None, at: float, *, ended_at: float | None = None) -> dict[str, Any]:
    """The same as Alertmanager posts it."""
    name, action = ALERTS[kind]
    labels = {"alertname": name, "action": action.value, "severity": "critical"}
    return {
        "status": "firing" if ended_at is None else "resolved",
        "labels": labels | ({"worker": worker} if worker else {}),
        "annotations": {"summary": "for people"},
        "startsAt": rfc3339(at),
        "endsAt": "0001-01-01T00:00:00Z" if ended_at is None else rfc3339(ended_at),
        "generatorURL": "http://prometheus.example:9090/graph",
        "fingerprint": f"{kind}/{worker}",
    }


def webhook(*alerts: dict[str, Any], **other: Any) -> dict[str, Any]:
    """What Alertmanager posts."""
    return {
        "receiver": "wgfleet",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        **other,
    }


def rfc3339(at: float) -> str:
    """A time as Alertmanager writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def facts(log: Sequence[Any], event: str) -> list[dict[str, Any]]:
    """The facts of all log records of that event."""
    return [record.facts for record in log if record.getMessage() == event]


def published(document: Document | None) -> PeerSet:
    """What a document says, if its signature is good."""
    assert document is not None
    return PeerSet.from_bytes(Verifier([SIGNER.public_text]).payload(document.body), fleet=FLEET)
