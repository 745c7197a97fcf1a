"""Workers and peer sets as the tests of the daemon need them: each worker unlike the others."""

from dataclasses import replace
from typing import Any

from wgfleet.peerset import Monitoring, PeerSet, PublishedWorker, WorkerState
from wgfleet.signing import Signer

FLEET = "example"
ALL = "0.0.0.0/0"


def public_key(number: int) -> str:
    """A key that no other number has."""
    return f"{number:042d}A="


def worker(number: int, state: WorkerState = WorkerState.SERVING, **other: Any) -> PublishedWorker:
    """The worker of this number: w1, w2, ..."""
    plain = PublishedWorker(
        name=f"w{number}",
        public_key=public_key(number),
        endpoints=(f"192.0.2.{number}:51820",),
        tunnel_addresses=(f"10.99.0.{number}",),
        allowed_ips=(ALL,),
        state=state,
        reason="up",
    )
    return replace(plain, **other)


def peer_set(*workers: PublishedWorker, generation: int = 1, epoch: int = 1, fleet: str = FLEET) -> PeerSet:
    """A document with these workers."""
    return PeerSet(fleet, epoch, generation, 1000.0, 4600.0, Monitoring.LIVE, workers)


def signed(signer: Signer, document: PeerSet) -> bytes:
    """The document as the receiver sends it."""
    return signer.sign(document.to_bytes())
