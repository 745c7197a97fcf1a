"""What the kill switch bars while the daemon has not applied any peer set.

That is what the last good one carries that is kept, if there is one; else what the configuration says, and everything if it
says nothing. The first peer set has to come through all the same. The control connection has the tunnels' mark; where there is
none, root's own connections to the receivers' ports pass in its place. And names are looked up, unless they are remembered.
"""

import ipaddress
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from client_sync.addresses import BOOK, AddressBook
from client_sync.barring import Barred, barred_by
from client_sync.cache import Documents
from client_sync.config import Config
from client_sync.endpoints import Resolve
from wgfleet.device import Device
from wgfleet.dump import DumpError
from wgfleet.signing import Verifier
from wgfleet.wg import WgError, read_device

PORTS = {"http": 80, "https": 443}


def barred_beforehand(config: Config, *, read: Callable[[str], Device] = read_device) -> Barred:
    """What is to be barred. Nothing is asked of the network for it."""
    mark, ends = _tunnel(config, read)
    resolve = _remembered(config)
    kept = Documents(config.state_directory, Verifier(config.trusted_keys), config.fleet).last_good()
    if kept is not None and kept.workers:
        return barred_by(kept.workers, mark, resolve, ours=config.private_key_file is not None)
    places = list(_places(config))
    return Barred(
        config.kill_switch_first,
        mark,
        ends,
        known=False,
        ports=tuple(sorted({port for _, port in places})) if mark is None else (),
        asks=any(not resolve(host, port) for host, port in places),
    )


def _tunnel(config: Config, read: Callable[[str], Device]) -> tuple[int | None, tuple[str, ...]]:
    """The tunnels' mark; where others made them, the ends of those that there are, too."""
    if config.private_key_file is not None:
        return config.firewall_mark, ()
    try:
        device = read(config.interface)
    except (WgError, DumpError):  # It is not there: a daemon that starts later will find it.
        return None, ()
    ends = {peer.endpoint for peer in device.peers if peer.endpoint is not None}
    return device.firewall_mark, tuple(sorted(ends))


def _remembered(config: Config) -> Resolve:
    book = AddressBook(config.state_directory / BOOK)

    def resolve(host: str, port: int) -> list[str]:
        del port
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return book.remembered(host)

    return resolve


def _places(config: Config) -> Iterator[tuple[str, int]]:
    """Hosts and ports that a peer set may come from."""
    for url in config.receivers if config.proxy is None else (config.proxy,):
        parts = urlsplit(url)
        yield parts.hostname or "", parts.port or PORTS[parts.scheme]
    if config.mqtt is not None:
        yield config.mqtt.address
