"""A client of the lab that has no interface into a tunnel: the product makes what it needs."""

import json
from abc import abstractmethod

from tests.lab import addresses
from tests.lab.host import Host
from tests.lab.machines import Client
from wgfleet.files import write_whole

OUTSIDE = "2001:db8:2::1"
"""Behind the default route in clear."""


class BareClient(Client):
    """A machine with a cable and nothing else: no interface, no rule, no route into any tunnel."""

    def set_up(self, underlay: Host, _service: Host) -> None:
        """The cable, and IPv6 on it with a default route in clear: a leak would find its way."""
        self.attach("eth0", underlay, self.name, bridge="underlay")
        self.ip(
            f"address add {self.address}/{addresses.UNDERLAY.prefixlen} dev eth0",
            "link set eth0 up",
            f"route add default via {addresses.UNDERLAY_GATEWAY}",
        )
        self.run("ip", "-6", "address", "add", "2001:db8:1::2/64", "dev", "eth0", "nodad")
        self.run("ip", "-6", "route", "add", "default", "via", "2001:db8:1::1", "dev", "eth0")
        self.nft(
            "table inet lab {\n"
            "  counter leaked {}\n"
            "  chain postrouting {\n"
            "    type filter hook postrouting priority 300;\n"
            f'    oifname "eth0" ip daddr {{ {addresses.LAN}, {addresses.TUNNEL} }} counter name leaked\n'
            f'    oifname "eth0" ip6 daddr {OUTSIDE} counter name leaked\n'
            "  }\n"
            "}\n"
        )
        self.home = self.directory / f"{self.name}.home"
        self.home.mkdir(mode=0o700)
        write_whole(self.home / "private.key", f"{self.wg0.keys.private}\n".encode())

    def start(self) -> None:
        """Nothing: the product makes the interfaces."""

    @abstractmethod
    def settings(self) -> dict[str, object]:
        """What the daemon's configuration says of its interfaces."""

    @abstractmethod
    def active(self) -> str | None:
        """The worker that carries the traffic."""

    def leaked(self) -> int:
        """Packets for the tunnel, or for what lies behind it, that this machine sent out in clear; of IPv6, too."""
        listed = json.loads(self.run("nft", "--json", "list", "counter", "inet", "lab", "leaked"))
        return sum(int(entry["counter"]["packets"]) for entry in listed["nftables"] if "counter" in entry)
