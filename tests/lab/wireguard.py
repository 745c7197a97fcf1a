"""A WireGuard interface on a host: the kernel's where there is one, else wireguard-go."""

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.lab.addresses import MTU
from tests.lab.host import CommandError, Host
from tests.lab.keys import KeyPair
from wgfleet.device import Device
from wgfleet.diff import Kind, PeerChange, WantedPeer, arguments
from wgfleet.dump import parse_dump


class Carrier(Protocol):
    """What carries an interface's packets, and can be made to fail."""

    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass
class Interface:
    """One interface with its configuration, which it gets again each time it starts.

    What `wg set` changed meanwhile is lost at a restart, as on a machine that comes up from its files, and so are
    all sessions. `peers` and `routes` may be changed for the next start.
    """

    host: Host
    name: str
    keys: KeyPair
    addresses: Sequence[str]
    """With their prefix lengths."""
    carrier: Carrier
    listen_port: int | None = None
    firewall_mark: int | None = None
    mtu: int = MTU
    peers: list[WantedPeer] = field(default_factory=list)
    routes: Sequence[str] = ()
    """In ip(8)'s words, without `dev`, as `default table 51820`."""

    @property
    def alive(self) -> bool:
        return self.carrier.alive

    def start(self) -> None:
        """Bring it up, with key, port, mark, peers, addresses and routes."""
        self.carrier.start()
        # The first call to a userspace WireGuard that has just begun to listen has been seen to fail.
        with contextlib.suppress(CommandError):
            self._configure()
            return
        self._configure()

    def kill(self) -> None:
        """End it, as a crash would: its addresses, routes and sessions are gone."""
        self.carrier.kill()

    def restart(self) -> None:
        """End it if it is up, and bring it up again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Keep it up and answer nobody."""
        self.carrier.freeze()

    def thaw(self) -> None:
        self.carrier.thaw()

    def device(self) -> Device:
        """What `wg` says of it now."""
        return parse_dump(self.name, self.host.run("wg", "show", self.name, "dump").encode())

    def set(self, *words: str) -> None:
        """`wg set` on this interface. No secrets: they would stand on a command line."""
        self.host.run("wg", "set", self.name, *words)

    def add_peer(self, peer: WantedPeer) -> None:
        """Add a peer to the configuration, and at once if the interface is up."""
        self.peers.append(peer)
        if self.alive:
            added = PeerChange(
                Kind.ADD, peer.public_key, peer.endpoint, peer.allowed_ips, peer.persistent_keepalive
            )
            self.set(*arguments([added]))

    def _configure(self) -> None:
        self.host.run("wg", "setconf", self.name, "/dev/stdin", given=self._configuration())
        self.host.ip(
            f"link set {self.name} mtu {self.mtu} up",
            *(f"address replace {address} dev {self.name}" for address in self.addresses),
            *(f"route replace {route} dev {self.name}" for route in self.routes),
        )

    def _configuration(self) -> str:
        lines = ["[Interface]", f"PrivateKey = {self.keys.private}"]
        if self.listen_port is not None:
            lines.append(f"ListenPort = {self.listen_port}")
        if self.firewall_mark is not None:
            lines.append(f"FwMark = {self.firewall_mark}")
        for peer in self.peers:
            lines += [
                "[Peer]",
                f"PublicKey = {peer.public_key}",
                f"AllowedIPs = {', '.join(peer.allowed_ips)}",
            ]
            if peer.endpoint is not None:
                lines.append(f"Endpoint = {peer.endpoint}")
            if peer.persistent_keepalive is not None:
                lines.append(f"PersistentKeepalive = {peer.persistent_keepalive}")
        return "\n".join(lines) + "\n"


class Userspace:
    """wireguard-go, one program for each interface."""

    def __init__(self, host: Host, name: str) -> None:
        self._socket = host.file(f"/var/run/wireguard/{name}.sock")
        command = ["wireguard-go", "--foreground", name]
        self._program = host.prepare(name, command, ready=self._accepts)

    @property
    def alive(self) -> bool:
        return self._program.alive

    def start(self) -> None:
        """Start it and wait until `wg` can talk to it."""
        # A killed one leaves its socket's file, which would look ready.
        self._socket.unlink(missing_ok=True)
        self._program.start()

    def kill(self) -> None:
        """SIGKILL: the kernel takes the interface away with it."""
        self._program.kill()

    def freeze(self) -> None:
        """SIGSTOP: what arrives meanwhile waits in its queues."""
        self._program.freeze()

    def thaw(self) -> None:
        self._program.thaw()

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as door, contextlib.suppress(OSError):
            door.connect(str(self._socket))
            return True
        return False


class Kernel:
    """The kernel's WireGuard. It is no program, so its failures are made otherwise."""

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self._name = name
        self._table = f"inet freeze_{name}"

    @property
    def alive(self) -> bool:
        return f" {self._name}:" in self._host.run("ip", "-oneline", "link", "show")

    def start(self) -> None:
        self._host.ip(f"link add {self._name} type wireguard")

    def kill(self) -> None:
        """Delete the interface."""
        self.thaw()
        if self.alive:
            self._host.ip(f"link delete {self._name}")

    def freeze(self) -> None:
        """Drop its packets, as long as it lasts; unlike in a stopped program, none waits."""
        port = self._host.run("wg", "show", self._name, "listen-port").strip()
        self._host.nft(
            f"table {self._table} {{\n"
            f"  chain input {{ type filter hook input priority -300; udp dport {port} drop; }}\n"
            f"  chain output {{ type filter hook output priority -300; udp sport {port} drop; }}\n"
            "}\n"
        )

    def thaw(self) -> None:
        # Declared first, because a table that is not there cannot be deleted.
        self._host.nft(f"table {self._table} {{}}\ndelete table {self._table}\n")
