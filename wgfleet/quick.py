"""Configurations of wg-quick(8), which WireGuard's apps read too, for one machine and one worker. Values in, text out."""

import ipaddress
from collections.abc import Iterable

from wgfleet.peerset import PeerSet, PublishedWorker, WorkerState
from wgfleet.spread import rendezvous_score

ORDER = (
    WorkerState.SERVING,
    WorkerState.SUSPECT,
    WorkerState.JOINING,
    WorkerState.DRAINING,
    WorkerState.DOWN,
)
"""Best first, for a device that will stay where it is put. A banned worker is never given to one."""


class NoWorkerError(ValueError):
    """There is no worker that could be used; the text says why, and what to do next."""


def worker_for(client: str, peer_set: PeerSet, wanted: str | None = None) -> PublishedWorker:
    """The worker of that name; without one, that which the client's name is spread to among those in the best state.

    Raises:
        NoWorkerError: it is not there, or banned; or there is none.

    """
    usable = [worker for worker in peer_set.workers if worker.state in ORDER]
    if wanted is not None:
        worker = peer_set.worker(wanted)
        if worker is None:
            known = ", ".join(one.name for one in peer_set.workers) or "none yet"
            raise NoWorkerError(f"there is no worker {wanted!r}: known are {known}")
        if worker not in usable:
            raise NoWorkerError(f"worker {wanted} is banned, and nobody uses it: name another")
        return worker
    if not usable:
        raise NoWorkerError("there is no worker that could be used: `wgfleet worker add` adds one")
    return min(
        usable,
        key=lambda one: (ORDER.index(one.state), -rendezvous_score(client, one.name, one.weight)),
    )


def configuration(
    worker: PublishedWorker,
    *,
    addresses: Iterable[str],
    key: str,
    comments: Iterable[str] = (),
) -> str:
    """The whole file.

    Args:
        worker: the one peer.
        addresses: the machine's own inside the tunnel; with a prefix length, or each for itself.
        key: the line that brings the private key.
        comments: what whoever opens the file should know.

    """
    interface = [key]
    if own := [str(ipaddress.ip_interface(address)) for address in addresses]:
        interface.append(f"Address = {', '.join(own)}")
    if worker.dns:
        interface.append(f"DNS = {', '.join(worker.dns)}")
    if worker.mtu is not None:
        interface.append(f"MTU = {worker.mtu}")
    peer = [f"PublicKey = {worker.public_key}", f"AllowedIPs = {', '.join(reached(worker))}"]
    if worker.endpoints:
        peer.append(f"Endpoint = {worker.endpoints[0]}")
    if worker.keepalive:
        peer.append(f"PersistentKeepalive = {worker.keepalive}")
    head = [f"# {comment}" for comment in comments]
    return "\n".join([*head, "[Interface]", *interface, "", f"# {worker.name}", "[Peer]", *peer, ""])


def plain(text: str) -> str:
    """The same without comments and empty lines: the smaller a QR code, the better it is read."""
    return "".join(f"{line}\n" for line in text.splitlines() if line and not line.startswith("#"))


def reached(worker: PublishedWorker) -> tuple[str, ...]:
    """What goes through it: its routed prefixes, and its own addresses where they lie in none of these."""
    routed = [ipaddress.ip_network(prefix) for prefix in worker.allowed_ips]
    own = [ipaddress.ip_network(address) for address in worker.tunnel_addresses]
    beside = [
        one
        for one in own
        if not any(one.version == net.version and one.subnet_of(net) for net in routed)  # type: ignore[arg-type] # Of one version by now.
    ]
    return tuple(str(network) for network in (*beside, *routed))


def leaks_ipv6(worker: PublishedWorker) -> bool:
    """Whether all IPv4 traffic goes through it, and IPv6 goes its own way."""
    return "0.0.0.0/0" in worker.allowed_ips and not any(":" in prefix for prefix in worker.allowed_ips)
