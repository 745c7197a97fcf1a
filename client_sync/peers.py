"""The peers an interface should have: all workers as warm standbys, and the routed prefixes on the active one."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping

from wgfleet.diff import WantedPeer
from wgfleet.peerset import PublishedWorker, WorkerState


def wanted_peers(
    workers: Iterable[PublishedWorker],
    active: str | None,
    *,
    endpoints: Mapping[str, str | None],
    others: Collection[str],
) -> tuple[WantedPeer, ...]:
    """What `difference` shall make true.

    Args:
        workers: all that the peer set lists.
        active: the one that carries the traffic; None for nobody.
        endpoints: `address:port` for each worker by name; None leaves what the device has.
        others: public keys of the peers that the device has and others added. A banned worker's peer is left out,
            and so never added, and removed if it is ours; somebody else's is kept, but carries nothing.

    """
    wanted = []
    for worker in workers:
        banned = worker.state is WorkerState.BANNED
        if banned and worker.public_key not in others:
            continue
        own = own_prefixes(worker)
        routed = worker.allowed_ips if worker.name == active else ()
        wanted.append(
            WantedPeer(
                public_key=worker.public_key,
                endpoint=None if banned else endpoints.get(worker.name),
                allowed_ips=() if banned else (*own, *(prefix for prefix in routed if prefix not in own)),
                persistent_keepalive=None if banned else worker.keepalive,
            )
        )
    return tuple(wanted)


def holder(workers: Iterable[PublishedWorker], allowed_ips: Mapping[str, Collection[str]]) -> str | None:
    """The worker whose peer holds all of its routed prefixes; `allowed_ips` is the device's, by public key."""
    for worker in workers:
        held = set(allowed_ips.get(worker.public_key, ()))
        if worker.allowed_ips and held >= set(worker.allowed_ips):
            return worker.name
    return None


def own_prefixes(worker: PublishedWorker) -> tuple[str, ...]:
    """The worker's own addresses in the tunnel, as networks of one address each."""
    return tuple(str(ipaddress.ip_network(address)) for address in worker.tunnel_addresses)
