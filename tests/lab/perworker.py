"""A client of the lab with an interface for each worker, which the product itself makes."""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.lab import addresses
from tests.lab.bare import BareClient
from tests.lab.host import Host
from tests.lab.inside import command
from tests.lab.machines import Client, Worker
from tests.lab.network import Network
from tests.lab.process import Process
from wgfleet.device import Device
from wgfleet.dump import parse_dump
from wgfleet.peerset import Monitoring, PeerSet, PublishedWorker, WorkerState

FLEET = "lab"
LIMIT_SECONDS = 20.0
STREAM_PORT = 8
EVERYTHING = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Laid:
    """What there is after the layout was configured."""

    holder: str | None
    draining: tuple[str, ...]
    flows: dict[str, int]


class PerWorkerClient(BareClient):
    """Its daemon makes an interface for each worker."""

    def lay(
        self,
        workers: Collection[Worker],
        active: str | None,
        *,
        end_drains: bool = False,
        drain_deadline: float = 3600.0,
        states: Mapping[str, str] | None = None,
    ) -> Laid:
        """Have the layout configured with these workers, serving unless said otherwise, by a daemon just started."""
        said = ask(
            self,
            [(document(workers, states or {}), active)],
            home=str(self.home),
            drain_deadline=drain_deadline,
            end_drains=end_drains,
        )
        return Laid(said["holder"], tuple(said["draining"]), said["flows"])

    def settings(self) -> dict[str, object]:
        """What the daemon's configuration says of this layout."""
        return {
            "layout": "per-worker",
            "interface": "wg",
            "private_key_file": str(self.home / "private.key"),
            "addresses": [self.tunnel_address],
            "firewall_mark": addresses.FIREWALL_MARK,
        }

    def active(self) -> str | None:
        """The worker whose interface the default route leads to."""
        shown = self.run("ip", "-json", "-4", "route", "show", "table", "all")
        mine = [route for route in json.loads(shown) if route.get("table") == str(addresses.FIREWALL_MARK)]
        ways = [route["dev"] for route in mine if route["dst"] == "default" and "dev" in route]
        return str(ways[0]).removeprefix("wg-") if ways else None

    def device(self, worker: str) -> Device:
        """The interface of one worker, read by the real `wg`."""
        name = f"wg-{worker}"
        return parse_dump(name, self.run("wg", "show", name, "dump").encode())

    def index(self, worker: str) -> str:
        """The kernel's number of that interface."""
        return self.run("cat", f"/sys/class/net/wg-{worker}/ifindex").strip()

    def end_wireguard(self, worker: str) -> None:
        """Kill this client's own end of a tunnel, as a crash of its userspace WireGuard would."""
        self.run("ip", "link", "delete", "dev", f"wg-{worker}")


def network_behind(net: Network, client: Client) -> Host:
    """A machine on a network of its own, whose way to everything else is this client."""
    gateway, address = "172.30.0.1", "172.30.0.2"
    client.ip("link add lan type bridge", f"address add {gateway}/24 dev lan", "link set lan up")
    client.sysctl("net.ipv4.ip_forward", 1)
    client.nft(
        "table ip gateway {\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat;\n"
        f'    oifname "wg-*" snat to {client.tunnel_address}\n'
        "  }\n"
        "}\n"
    )
    behind = net.new_host("behind", address)
    behind.attach("eth0", client, "behind", bridge="lan")
    behind.ip(f"address add {address}/24 dev eth0", "link set eth0 up", f"route add default via {gateway}")
    return behind


def stream(client: Host, name: str, *, milliseconds: int = 20, lines: int = 0) -> Process:
    """One TCP connection to the service, for so many lines (0: for ever); it has been answered once."""
    hold = command("stream", "hold", addresses.SERVICE, STREAM_PORT, milliseconds, lines)
    return client.spawn(name, hold, ready=" via ")


def ending(held: Process) -> str | None:
    """How such a connection ended: `done`, or how it broke; None: it goes on."""
    last = held.output().splitlines()[-1]
    return None if last[0].isdigit() else last


def network(workers: int = 2) -> Network:
    """A network with one such client, and TCP at the service."""
    return Network(workers, 1, client=PerWorkerClient)


def listen(net: Network) -> None:
    """Let the service answer TCP, too."""
    net.service.spawn("stream", command("stream", "serve", addresses.SERVICE, STREAM_PORT), ready="listening")


def ask(
    client: Client,
    steps: Sequence[tuple[PeerSet, str | None]],
    *,
    home: str,
    layout: str = "per-worker",
    pause: float = 0.0,
    drain_deadline: float = 3600.0,
    end_drains: bool = False,
) -> dict[str, Any]:
    """Have a layout configured so, one step after the other, with a pause after each; what `laying.py` says."""
    asked = {
        "layout": layout,
        "home": home,
        "address": client.tunnel_address,
        "mark": addresses.FIREWALL_MARK,
        "drain_deadline": drain_deadline,
        "steps": [{"document": listed.to_bytes().decode(), "active": active} for listed, active in steps],
        "pause": pause,
        "end_drains": end_drains,
    }
    command_line = [sys.executable, "-m", "tests.lab.laying"]
    limit = LIMIT_SECONDS + len(steps) * (pause + 1.0)
    said: dict[str, Any] = json.loads(client.run(*command_line, given=json.dumps(asked), timeout=limit))
    return said


def document(workers: Collection[Worker], states: Mapping[str, str], *, generation: int = 1) -> PeerSet:
    """A peer set with these workers, the first one preferred; they serve unless said otherwise."""
    published = tuple(
        PublishedWorker(
            name=one.name,
            public_key=one.public_key,
            endpoints=(one.endpoint,),
            tunnel_addresses=(one.tunnel_address,),
            allowed_ips=(EVERYTHING,),
            state=WorkerState(states.get(one.name, "serving")),
            reason="up",
            keepalive=5,
            priority=number,
        )
        for number, one in enumerate(workers)
    )
    return PeerSet(FLEET, 1, generation, 1000.0, 4600.0, Monitoring.LIVE, published)


def via(stream: Process) -> str:
    """The worker that carries a connection, by the last answer."""
    seen = stream.output().split()[-1]
    return addresses.WORKER_BEHIND.get(seen, seen)
