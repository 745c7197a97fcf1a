"""Which addresses a name should have. Values in, values out; names of endpoints are looked up by whoever asks."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from wgfleet.attracting import attracting
from wgfleet.names import split_endpoint
from wgfleet.peerset import PeerSet, PublishedWorker

Addresses = frozenset[str]
"""Of both families, each in its shortest form."""


def among(peer_set: PeerSet, names: Collection[str]) -> PeerSet:
    """The peer set with these workers alone; without names, as it is."""
    if not names:
        return peer_set
    return replace(peer_set, workers=tuple(worker for worker in peer_set.workers if worker.name in names))


def hosts(workers: Iterable[PublishedWorker]) -> list[str]:
    """The host names, and no addresses, that stand in endpoints."""
    found = (split_endpoint(endpoint)[0] for worker in workers for endpoint in worker.endpoints)
    return list(dict.fromkeys(host for host in found if not _is_address(host)))


def wanted(peer_set: PeerSet, present: Addresses, known: Mapping[str, Addresses]) -> Addresses | None:
    """What the name should have; None: as it is, because no worker should attract.

    Args:
        peer_set: the workers that it may lead to.
        present: what it has.
        known: what the hosts' names were looked up as; one that is not there has no address at present.

    """
    before = [worker.name for worker in peer_set.workers if addresses(worker, known) & present]
    chosen = attracting(peer_set, before)
    found: Addresses = frozenset().union(*(addresses(worker, known) for worker in chosen))
    return found or None


def addresses(worker: PublishedWorker, known: Mapping[str, Addresses]) -> Addresses:
    """Of all its endpoints: devices take the one whose family they have."""
    found: set[str] = set()
    for endpoint in worker.endpoints:
        host, _ = split_endpoint(endpoint)
        found |= {str(ipaddress.ip_address(host))} if _is_address(host) else known.get(host, frozenset())
    return frozenset(found)


def of_family(all_of_them: Addresses, version: int) -> list[str]:
    """Those of one family, in order."""
    return sorted(one for one in all_of_them if ipaddress.ip_address(one).version == version)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
