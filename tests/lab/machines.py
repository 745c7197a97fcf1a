"""The kinds of machines, with their addresses, routes and rules."""

import itertools
import json

from tests.lab import addresses
from tests.lab.host import Host
from tests.lab.inside import command
from tests.lab.keys import new_key_pair
from tests.lab.launch import Launcher
from tests.lab.traffic import Traffic
from tests.lab.wireguard import Interface, Kernel, Userspace
from wgfleet.diff import WantedPeer

PROBE_MILLISECONDS = 10
"""Fine enough for failovers of tenths of a second, and nothing beside what the lab's machine can carry."""

VANTAGE_KEEPALIVE = 5


class Underlay(Host):
    """What stands for the Internet: the bridges all are plugged into, and the router between them."""

    def __init__(self, launcher: Launcher) -> None:
        super().__init__(launcher, "underlay", addresses.UNDERLAY_GATEWAY)

    def set_up(self) -> None:
        """Bridges, routing, and a count of what should never be seen here."""
        self.ip(
            *_bridge("underlay", addresses.UNDERLAY_GATEWAY, addresses.UNDERLAY.prefixlen),
            *_bridge("control", addresses.CONTROL_GATEWAY, addresses.CONTROL.prefixlen),
        )
        self.sysctl("net.ipv4.ip_forward", 1)
        self.nft(
            "table inet lab {\n"
            "  counter leaked {}\n"
            "  set parted { type ipv4_addr . ipv4_addr; }\n"
            "  chain prerouting {\n"
            "    type filter hook prerouting priority raw;\n"
            f"    ip daddr {{ {addresses.LAN}, {addresses.TUNNEL} }} counter name leaked drop\n"
            "  }\n"
            "  chain forward {\n"
            "    type filter hook forward priority filter;\n"
            "    ip saddr . ip daddr @parted drop\n"
            "  }\n"
            "}\n"
        )

    def part(self, one: Host, *others: Host) -> None:
        """Carry nothing between this host and those, silently; for hosts with this router between them."""
        ways = [f"{a.address} . {b.address}" for other in others for a, b in ((one, other), (other, one))]
        self.nft(f"add element inet lab parted {{ {', '.join(ways)} }}\n")

    def rejoin(self) -> None:
        """Undo every `part`."""
        self.nft("flush set inet lab parted\n")

    def leaked(self) -> int:
        """Packets for the tunnel, or for what lies behind it, that a machine sent here in clear."""
        listed = json.loads(self.run("nft", "--json", "list", "counter", "inet", "lab", "leaked"))
        return sum(int(entry["counter"]["packets"]) for entry in listed["nftables"] if "counter" in entry)


class Service(Host):
    """What clients want to reach: it stands on the network behind the workers, and echoes."""

    def __init__(self, launcher: Launcher) -> None:
        super().__init__(launcher, "service", addresses.SERVICE)

    def set_up(self) -> None:
        """The network behind the workers, and the echo."""
        self.ip(*_bridge("lan", addresses.SERVICE, addresses.LAN.prefixlen))
        echo = command("echo", addresses.SERVICE, addresses.ECHO_PORT)
        self.echo = self.spawn("echo", echo, ready="listening")


class Worker(Host):
    """A WireGuard server that forwards and masquerades from the tunnel to everything else."""

    def __init__(self, launcher: Launcher, number: int, *, userspace: bool) -> None:
        name = addresses.worker_name(number)
        super().__init__(launcher, name, addresses.worker_underlay(number))
        self.tunnel_address = addresses.worker_tunnel(number)
        self.lan_address = addresses.worker_lan(number)
        self.endpoint = f"{self.address}:{addresses.LISTEN_PORT}"
        self.wg0 = _interface(self, self.tunnel_address, userspace=userspace)
        self.wg0.listen_port = addresses.LISTEN_PORT
        self.public_key = self.wg0.keys.public

    def set_up(self, underlay: Host, service: Host) -> None:
        """Cables, routes, NAT."""
        self.attach("eth0", underlay, self.name, bridge="underlay")
        self.attach("lan", service, self.name, bridge="lan")
        self.ip(
            *_link("eth0", self.address, addresses.UNDERLAY.prefixlen, addresses.UNDERLAY_GATEWAY),
            *_link("lan", self.lan_address, addresses.LAN.prefixlen),
        )
        self.sysctl("net.ipv4.ip_forward", 1)
        self.mend_nat()

    def break_nat(self) -> None:
        """Masquerade no more: its tunnel answers as before, and leads nowhere."""
        self.nft("delete table ip lab\n")

    def mend_nat(self) -> None:
        """Masquerade, again."""
        self.nft(
            "table ip lab {\n"
            "  chain postrouting {\n"
            "    type nat hook postrouting priority srcnat;\n"
            f'    ip saddr {addresses.TUNNEL} oifname != "wg0" masquerade\n'
            "  }\n"
            "}\n"
        )

    def start(self) -> None:
        """Bring its WireGuard up."""
        self.wg0.start()

    def as_peer(self, *allowed_ips: str, keepalive: int | None = None) -> WantedPeer:
        """How another machine has it as a peer: with these allowed IPs, by default its tunnel address."""
        own = (f"{self.tunnel_address}/32",)
        return WantedPeer(self.public_key, self.endpoint, allowed_ips or own, keepalive)

    def unplug(self) -> None:
        """Pull its cable."""
        self.ip("link set eth0 down")

    def plug_in(self) -> None:
        """Undo `unplug`: the kernel has forgotten the default route."""
        self.ip("link set eth0 up", f"route replace default via {addresses.UNDERLAY_GATEWAY}")

    def kill(self) -> None:
        """End its WireGuard at once. The machine itself, and whatever else runs on it, stays up."""
        self.wg0.kill()

    def freeze(self) -> None:
        """Stop its WireGuard where it stands."""
        self.wg0.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.wg0.thaw()

    def restart(self) -> None:
        """Its WireGuard anew: same key, same peers, no sessions."""
        self.wg0.restart()


class Client(Host):
    """A machine whose whole traffic is to go through the tunnel, as wg-quick arranges it; without peers yet.

    Whatever is not WireGuard's own goes by the tunnel's table, whose last word is "nowhere", but for what is on-link:
    the default route in clear is there, so that a leak would be seen.
    """

    def __init__(self, launcher: Launcher, number: int, *, userspace: bool) -> None:
        super().__init__(launcher, addresses.client_name(number), addresses.client_underlay(number))
        self.tunnel_address = addresses.client_tunnel(number)
        self.wg0 = _interface(self, self.tunnel_address, userspace=userspace)
        self.wg0.firewall_mark = addresses.FIREWALL_MARK
        self.wg0.routes = [f"default table {addresses.TUNNEL_TABLE}"]
        self.public_key = self.wg0.keys.public
        self._traffics = itertools.count(1)

    def set_up(self, underlay: Host, _service: Host) -> None:
        """Cable and policy routing."""
        self.attach("eth0", underlay, self.name, bridge="underlay")
        self.ip(
            *_link("eth0", self.address, addresses.UNDERLAY.prefixlen, addresses.UNDERLAY_GATEWAY),
            f"route add blackhole default metric {addresses.BLACKHOLE_METRIC} table {addresses.TUNNEL_TABLE}",
            f"rule add not fwmark {addresses.FIREWALL_MARK} table {addresses.TUNNEL_TABLE} priority 32765",
            "rule add table main suppress_prefixlength 0 priority 32764",
        )
        self.sysctl("net.ipv4.conf.all.src_valid_mark", 1)

    def start(self) -> None:
        """Bring its WireGuard up."""
        self.wg0.start()

    def as_peer(self) -> WantedPeer:
        """How a worker has it as a peer."""
        return WantedPeer(self.public_key, None, (f"{self.tunnel_address}/32",), None)

    def traffic(self, *, milliseconds: int = PROBE_MILLISECONDS) -> Traffic:
        """Start to send a packet to the service every so many milliseconds."""
        name = f"traffic{next(self._traffics)}"
        record = self.directory / f"{self.name}.{name}.record"
        record.touch()
        probe = command("probe", addresses.SERVICE, addresses.ECHO_PORT, milliseconds, record)
        return Traffic(record, self.spawn(name, probe))


class Monitoring(Host):
    """Where Prometheus and Alertmanager run, on the first one also the receiver; a vantage: a peer of every worker."""

    def __init__(self, launcher: Launcher, number: int = 1, *, userspace: bool) -> None:
        super().__init__(launcher, addresses.vantage_name(number), addresses.vantage_control(number))
        self.tunnel_address = addresses.vantage_tunnel(number)
        self.gateway = addresses.CONTROL_GATEWAY
        self.wg0 = _interface(self, self.tunnel_address, userspace=userspace)
        self.wg0.listen_port = addresses.LISTEN_PORT
        self.public_key = self.wg0.keys.public

    def set_up(self, underlay: Host, _service: Host) -> None:
        """Cable and route."""
        self.attach("eth0", underlay, self.name, bridge="control")
        self.ip(*_link("eth0", self.address, addresses.CONTROL.prefixlen, self.gateway))

    def start(self) -> None:
        """Bring its WireGuard up."""
        self.wg0.start()

    def watch(self, worker: Worker) -> None:
        """Have this worker as a peer, to probe it through the tunnel."""
        self.wg0.add_peer(worker.as_peer(keepalive=VANTAGE_KEEPALIVE))

    def as_peer(self) -> WantedPeer:
        """How a worker has it as a peer: with its endpoint and a keepalive.

        A worker that has restarted so begins the new session itself; the vantage would notice only after 15 s.
        """
        endpoint = f"{self.address}:{addresses.LISTEN_PORT}"
        return WantedPeer(self.public_key, endpoint, (f"{self.tunnel_address}/32",), VANTAGE_KEEPALIVE)


def _interface(host: Host, tunnel_address: str, *, userspace: bool) -> Interface:
    carrier = (Userspace if userspace else Kernel)(host, "wg0")
    address = f"{tunnel_address}/{addresses.TUNNEL.prefixlen}"
    return Interface(host, "wg0", new_key_pair(), [address], carrier)


def _bridge(name: str, address: str, prefix_length: int) -> list[str]:
    return [f"link add {name} type bridge", *_link(name, address, prefix_length)]


def _link(name: str, address: str, prefix_length: int, gateway: str | None = None) -> list[str]:
    lines = [f"address add {address}/{prefix_length} dev {name}", f"link set {name} up"]
    return [*lines, f"route add default via {gateway}"] if gateway else lines
