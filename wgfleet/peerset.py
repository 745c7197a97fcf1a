"""The peer set: which workers there are and what state each is in. The same document for every client.

On the wire it is JSON inside a JWS (signing.py). Unknown fields are ignored, so that an old client reads a new
receiver; an unknown `format` is refused, because that is what the number is for.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TypeVar

from wgfleet.fields import DocumentError, Fields, opened
from wgfleet.names import check_address, check_endpoint, check_name, check_prefix, check_public_key

TYPE = "wgfleet/peer-set"
FORMAT = 1

E = TypeVar("E", bound=StrEnum)


class WorkerState(StrEnum):
    """What the receiver publishes of a worker, and so what a client does with it."""

    SERVING = "serving"
    """May be used."""
    JOINING = "joining"
    """Kept warm; used only if nothing better answers. Registered, recovered and not proven, or in hold-down."""
    DRAINING = "draining"
    """Left without haste."""
    SUSPECT = "suspect"
    """Monitoring says down, but of too many at once: a client trusts only its own probe."""
    DOWN = "down"
    """Left for one that answers; used only if nothing else answers."""
    BANNED = "banned"
    """Never used, even if it is the last."""


class Monitoring(StrEnum):
    """Whether the receiver hears what it should hear all the time."""

    LIVE = "live"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class PublishedWorker:
    """One worker as the peer set has it."""

    name: str
    public_key: str
    endpoints: tuple[str, ...]
    """`address:port`, best first; IPv4, IPv6 and names."""
    tunnel_addresses: tuple[str, ...]
    """The worker's own addresses inside the tunnel, without prefix length."""
    allowed_ips: tuple[str, ...]
    """The networks that clients reach through whichever worker is active."""
    state: WorkerState
    reason: str
    keepalive: int = 25
    """Seconds."""
    mtu: int | None = None
    """Bytes; None leaves the interface's own."""
    dns: tuple[str, ...] = ()
    weight: int = 100
    priority: int = 0
    """Lower is preferred, under the policy `priority`."""
    region: str = ""
    monitored: bool = True
    """Whether monitoring says anything of it at all; if not, its state is the last that was known."""


@dataclass(frozen=True, slots=True)
class PeerSet:
    """The document. (epoch, generation) only rises."""

    fleet: str
    epoch: int
    generation: int
    issued_at: float
    """UNIX time, seconds."""
    fresh_until: float
    """UNIX time, seconds. Older raises an alarm and stops nothing."""
    monitoring: Monitoring
    workers: tuple[PublishedWorker, ...]

    @property
    def number(self) -> tuple[int, int]:
        """What documents are ordered by."""
        return self.epoch, self.generation

    def worker(self, name: str) -> PublishedWorker | None:
        """The worker of that name, or None."""
        return next((worker for worker in self.workers if worker.name == name), None)

    def to_bytes(self) -> bytes:
        """The payload to sign."""
        return json.dumps({"type": TYPE, "format": FORMAT, **asdict(self)}, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, payload: bytes, *, fleet: str) -> "PeerSet":
        """Read a payload whose signature has been checked.

        Raises:
            DocumentError: another type, format or fleet, or a field that is missing or wrong.

        """
        fields = opened(payload, "peer set", kind=TYPE, form=FORMAT, fleet=fleet)
        workers = tuple(_worker(number, entry) for number, entry in enumerate(fields.get("workers", list)))
        _no_twins(workers)
        return cls(
            fleet=fleet,
            epoch=fields.get("epoch", int),
            generation=fields.get("generation", int),
            issued_at=fields.number("issued_at"),
            fresh_until=fields.number("fresh_until"),
            monitoring=_known(Monitoring, fields.get("monitoring", str), Monitoring.BLIND),
            workers=workers,
        )


def _worker(number: int, entry: object) -> PublishedWorker:
    fields = Fields(f"worker {number}", entry)
    name = fields.get("name", str, check=check_name)
    fields.where = f"worker {name}"
    return PublishedWorker(
        name=name,
        public_key=fields.get("public_key", str, check=check_public_key),
        endpoints=fields.texts("endpoints", check_endpoint),
        tunnel_addresses=fields.texts("tunnel_addresses", check_address),
        allowed_ips=fields.texts("allowed_ips", check_prefix),
        # A state this client does not know is one it must not lean on.
        state=_known(WorkerState, fields.get("state", str), WorkerState.JOINING),
        reason=fields.get("reason", str),
        keepalive=fields.get("keepalive", int, default=25, check=_check_keepalive),
        mtu=fields.get("mtu", int, default=None),
        dns=fields.texts("dns", check_address, default=()),
        weight=fields.get("weight", int, default=100),
        priority=fields.get("priority", int, default=0),
        region=fields.get("region", str, default=""),
        monitored=fields.get("monitored", bool, default=True),
    )


def _check_keepalive(seconds: int) -> int:
    if not 0 <= seconds <= 65535:
        raise ValueError(f"{seconds} is not what wg(8) takes: 0, which is off, to 65535 seconds")
    return seconds


def _no_twins(workers: tuple[PublishedWorker, ...]) -> None:
    for what in ("name", "public_key"):
        values = [getattr(worker, what) for worker in workers]
        if len(set(values)) != len(values):
            raise DocumentError(f"two workers of the peer set have the same {what}")


def _known(kind: type[E], value: str, otherwise: E) -> E:
    return kind(value) if value in set(kind) else otherwise
