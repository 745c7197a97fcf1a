"""Every address of the lab, in one place.

    client cJ                  underlay host                worker wI                     service host
    eth0 192.0.2.(100+J) ────┐ bridge underlay  ┌──── eth0 192.0.2.(10+I)
    wg0  10.99.1.J           ├─ 192.0.2.1 ──────┘       wg0  10.99.0.I
                             │ routes between           lan  198.51.100.I ─────────── bridge lan 198.51.100.100
    monitoring host          │ bridge control                                         UDP echo on port 7
    eth0 203.0.113.2 ────────┴─ 203.0.113.1
    wg0  10.99.0.250

A second monitoring host, mon2, has the next addresses: 203.0.113.3 and 10.99.0.251. The monitoring hosts stand behind a
route, not on the clients' own link: what is on-link stays reachable in clear for a client (wg-quick's
`suppress_prefixlength 0`), so only so can one see that an unmarked control connection goes into the tunnel and a
marked one does not.

All are addresses for documentation (RFC 5737), so nothing here can be mistaken for a machine that exists.
"""

from ipaddress import IPv4Network

UNDERLAY = IPv4Network("192.0.2.0/24")
CONTROL = IPv4Network("203.0.113.0/24")
TUNNEL = IPv4Network("10.99.0.0/16")
LAN = IPv4Network("198.51.100.0/24")

UNDERLAY_GATEWAY = str(UNDERLAY[1])
CONTROL_GATEWAY = str(CONTROL[1])
MONITORING = str(CONTROL[2])
"""The first monitoring host's; the receiver's, too."""
SERVICE = str(LAN[100])

ECHO_PORT = 7
LISTEN_PORT = 51820
FIREWALL_MARK = 51820
"""wg-quick takes the listen port's number for the mark and for the routing table of a full tunnel."""
TUNNEL_TABLE = 51820
BLACKHOLE_METRIC = 4278198272
"""Beneath every route that a program would set."""
MTU = 1420

MOST_VANTAGES = 4
MOST_WORKERS = 64
MOST_CLIENTS = 150


def worker_name(number: int) -> str:
    return f"w{number}"


def client_name(number: int) -> str:
    return f"c{number}"


def vantage_name(number: int) -> str:
    """A monitoring host's name; the one there always is needs no number."""
    return "monitoring" if number == 1 else f"mon{number}"


def vantage_control(number: int) -> str:
    """The address others reach a monitoring host at, outside the tunnel."""
    return str(CONTROL[1 + number])


def vantage_tunnel(number: int) -> str:
    """A monitoring host's address inside the tunnel."""
    return str(TUNNEL[249 + number])


def worker_underlay(number: int) -> str:
    """The address clients reach a worker at, outside the tunnel."""
    return str(UNDERLAY[10 + number])


def worker_tunnel(number: int) -> str:
    """A worker's address inside the tunnel."""
    return str(TUNNEL[number])


def worker_lan(number: int) -> str:
    """A worker's address on the network behind it: what the service sees of its clients."""
    return str(LAN[number])


def client_underlay(number: int) -> str:
    """A client's address outside the tunnel."""
    return str(UNDERLAY[100 + number])


def client_tunnel(number: int) -> str:
    """A client's address inside the tunnel."""
    return str(TUNNEL[256 + number])


WORKER_BEHIND = {worker_lan(number): worker_name(number) for number in range(1, MOST_WORKERS + 1)}
"""Which worker the service sees behind an address."""
