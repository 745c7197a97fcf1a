"""A WireGuard interface and its peers as values, in wg(8)'s own words.

There is no field for a private or preshared key: what cannot be held cannot be logged.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer of an interface, as the device reports it."""

    public_key: str
    endpoint: str | None
    allowed_ips: tuple[str, ...]
    latest_handshake: int | None
    """UNIX time in whole seconds; None if there never was one."""
    rx_bytes: int
    tx_bytes: int
    persistent_keepalive: int | None
    """Seconds between keepalives; None if they are off."""


@dataclass(frozen=True, slots=True)
class Device:
    """One WireGuard interface, kernel or userspace."""

    interface: str
    public_key: str | None
    """None while the interface has no private key."""
    listen_port: int
    firewall_mark: int | None
    peers: tuple[Peer, ...]

    def peer(self, public_key: str) -> Peer | None:
        """The peer with this key, or None."""
        return next((peer for peer in self.peers if peer.public_key == public_key), None)
