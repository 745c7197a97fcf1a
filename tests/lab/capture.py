"""What a client really put on the wire, and what of it was in clear."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from tests.lab import addresses
from tests.lab.host import Host
from tests.lab.inside import command
from tests.lab.machines import Client
from tests.lab.network import Network
from tests.lab.waiting import wait_until

RECEIVER_PORT = 9587
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
UNREACHABLE = 3
"""Type of ICMP. The kernel says it to a worker that sends to a WireGuard which has just ended; it quotes what the worker sent."""
NEIGHBOURS = frozenset({133, 135, 136, 131, 132, 143})
"""Types of ICMPv6: without them no packet finds the next machine. Who is there, who is a router, who listens to what."""
BEACONS = range(40001, 50000)
"""Ports that nothing else of the lab sends to."""
LIMIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, as it was on the wire."""

    at: float
    """UNIX seconds."""
    protocol: int
    source: str
    destination: str
    port: int
    """What it was sent to; of ICMP its type."""

    def __str__(self) -> str:
        """Where it went."""
        return f"protocol {self.protocol} to {self.destination}, {self.port}"


class Capture:
    """Everything that a client sends by its cable, seen from the other end of it."""

    def __init__(self, net: Network, client: Client) -> None:
        """Begin."""
        self._client = client
        self._beacons = iter(BEACONS)
        self._workers = frozenset(worker.address for worker in net.workers)
        self._process = net.underlay.spawn(
            f"capture.{client.name}", command("capture", client.name), ready="listening"
        )

    def packets(self, since: float = 0.0) -> list[Packet]:
        """All that it has sent from then until now: a packet of our own is the last, so that none is still under way."""
        number = next(self._beacons)
        beacon(self._client, addresses.UNDERLAY_GATEWAY, number)

        def all_of_them() -> list[Packet] | None:
            seen = [*_read(self._process.output())]
            return seen if any(packet.port == number for packet in seen) else None

        seen = wait_until(all_of_them, LIMIT_SECONDS, "a packet that was sent in clear on purpose")
        return [packet for packet in seen if packet.at >= since]

    def in_clear(self, since: float = 0.0) -> list[str]:
        """Where packets went that are neither WireGuard's nor the control connection's, each way once."""
        return sorted({str(packet) for packet in self.packets(since) if not self._is_right(packet)})

    def _is_right(self, packet: Packet) -> bool:
        to = (packet.protocol, packet.destination)
        tunnelled = packet.protocol == UDP and packet.destination in self._workers
        return (
            (tunnelled and packet.port == addresses.LISTEN_PORT)
            or is_control(packet)
            or (
                packet.protocol == ICMP and packet.port == UNREACHABLE and packet.destination in self._workers
            )
            or (packet.protocol == ICMPV6 and packet.port in NEIGHBOURS)
            or (to == (UDP, addresses.UNDERLAY_GATEWAY) and packet.port in BEACONS)
        )


def beacon(client: Host, address: str, port: int) -> None:
    """Send one packet with the tunnels' firewall mark: it goes out in clear, as theirs do."""
    client.run(*command("beacon", address, port, addresses.FIREWALL_MARK))


def is_control(packet: Packet) -> bool:
    """Whether it is of the daemon's connection to the receiver."""
    to = (packet.protocol, packet.destination, packet.port)
    return to == (TCP, addresses.MONITORING, RECEIVER_PORT)


def _read(written: str) -> Iterable[Packet]:
    for line in written.splitlines(keepends=True):
        if (
            line.endswith("\n") and len(words := line.split()) == 5
        ):  # Not what is half written, nor the first line.
            at, protocol, source, destination, port = words
            yield Packet(float(at), int(protocol), source, str(ip_address(destination)), int(port))
