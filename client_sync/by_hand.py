"""`wgfleet-sync render`: what the daemon would do, as a file for wg-quick, for whoever has to take over by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

from client_sync.cache import Documents
from client_sync.config import Config, ConfigurationError, Role
from client_sync.tunnels.programs import LayoutError, run
from wgfleet.peerset import PeerSet, WorkerState
from wgfleet.quick import NoWorkerError, configuration, leaks_ipv6, worker_for
from wgfleet.signing import Verifier

KEY_FILE = "/etc/wireguard/%i.key"
"""wg-quick puts the interface's name for %i."""


def rendered(config: Config, status_file: Path, wanted: str | None) -> str:
    """The whole file: by the last good document, for this worker, or the active one.

    Raises:
        ConfigurationError: this is no client.
        NoWorkerError: there is no such worker, or no document that can be trusted.

    """
    if config.role is not Role.CLIENT:
        raise ConfigurationError(
            f"role: is {config.role!s}: only a client connects through a worker; a worker's peers stay as they are "
            "without the daemon"
        )
    documents = Documents(config.state_directory, Verifier(config.trusted_keys), config.fleet)
    peer_set = documents.last_good()
    if peer_set is None:
        raise NoWorkerError(
            f"no peer set that can be trusted is kept in {config.state_directory}: has `wgfleet-sync run` heard the "
            "receiver yet?"
        )
    worker = worker_for(config.name, peer_set, wanted or _active(status_file, peer_set))
    addresses = config.addresses or own_addresses(config.interface)
    warnings = []
    if not addresses:
        warnings.append(
            f"{config.interface} has no addresses here: put in Address = (this client's own) below."
        )
    if leaks_ipv6(worker):
        warnings.append(f"{worker.name} carries no IPv6: without the daemon, IPv6 goes outside the tunnel.")
    epoch, generation = peer_set.number
    key_file, how = _key(config)
    return configuration(
        worker,
        addresses=addresses,
        key=f"PostUp = wg set %i private-key {key_file}",
        comments=(
            f"{config.name} through {worker.name} ({worker.state}), by peer set {epoch}.{generation} of fleet {config.fleet}.",
            *how,
            *warnings,
        ),
    )


def _key(config: Config) -> tuple[str, tuple[str, ...]]:
    """Where wg-quick finds the private key, and what is to be done before."""
    stop = "Stop wgfleet-sync before you use it: nothing fails over from here on."
    if config.private_key_file is not None:
        return str(config.private_key_file.absolute()), (
            "The private key is not in here: wg-quick takes it from the daemon's own file.",
            f"{stop} Take its interfaces and rules away, too: docs/layouts.md says how.",
        )
    kept = KEY_FILE.replace("%i", config.interface)
    return KEY_FILE, (
        f"The private key is not in here: wg-quick takes it from {KEY_FILE}, where %i is the interface.",
        f"While the interface is up: (umask 077; wg show {config.interface} private-key > {kept})",
        stop,
    )


def own_addresses(interface: str) -> Sequence[str]:
    """The interface's addresses with their prefix lengths; none if it is not there, or there is no ip(8)."""
    try:
        shown = run(["ip", "-json", "address", "show", "dev", interface, "scope", "global"])
    except LayoutError:
        return []
    addresses = (address for link in json.loads(shown or "[]") for address in link.get("addr_info", ()))
    # What the scope leaves out is an empty object to some versions.
    return [f"{one['local']}/{one['prefixlen']}" for one in addresses if one]


def _active(status_file: Path, peer_set: PeerSet) -> str | None:
    """The worker that carried the traffic last, if it may still be used."""
    try:
        name = json.loads(status_file.read_text())["active"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    worker = peer_set.worker(name) if isinstance(name, str) else None
    return None if worker is None or worker.state is WorkerState.BANNED else worker.name
