"""A client of the lab whose interface is made by the real wg-quick, from a file with more in it than the fleet's own."""

import sys
from collections.abc import Collection

from client_sync.cache import Documents
from tests.lab import addresses
from tests.lab.host import Host
from tests.lab.machines import Client, Worker
from tests.lab.network import Network
from tests.lab.perworker import FLEET, document
from tests.lab.process import Process
from wgfleet.device import Device
from wgfleet.dump import parse_dump
from wgfleet.files import write_whole
from wgfleet.signing import Signer, Verifier

UP_SECONDS = 30.0
HOOKS = """\
PostUp = nft add table inet mine; nft add chain inet mine guests; nft add rule inet mine guests ip daddr 192.168.7.0/24 drop
PostUp = ip rule add fwmark 77 lookup main priority 777; echo up >> ups
PostDown = nft delete table inet mine; ip rule del priority 777
"""


class QuickClient(Client):
    """A machine with a cable and a file; wg-quick does the rest, as at home."""

    def set_up(self, underlay: Host, _service: Host) -> None:
        """The cable, with a default route in clear."""
        self.attach("eth0", underlay, self.name, bridge="underlay")
        self.ip(
            f"address add {self.address}/{addresses.UNDERLAY.prefixlen} dev eth0",
            "link set eth0 up",
            f"route add default via {addresses.UNDERLAY_GATEWAY}",
        )
        self.home = self.directory / f"{self.name}.quick"
        self.home.mkdir(mode=0o700)
        self.conf = self.home / "wg0.conf"

    def start(self) -> None:
        """Nothing: `bring_up` does, once it is known who the peers are."""

    def bring_up(self, worker: Worker, friend: Worker) -> None:
        """A full tunnel through a worker, and a peer that is no business of the fleet's."""
        said = [
            "# Made by hand.",
            "[Interface]",
            f"PrivateKey = {self.wg0.keys.private}",
            f"Address = {self.tunnel_address}/16",
            "ListenPort = 51999",
            HOOKS,
            *_peer(worker, "0.0.0.0/0"),
            "",
            "# A friend's.",
            *_peer(friend, f"{friend.tunnel_address}/32"),
        ]
        write_whole(self.conf, ("\n".join(said) + "\n").encode())
        self.run("/bin/sh", "-ec", f"cd {self.home} && wg-quick up {self.conf}", timeout=UP_SECONDS)

    def device(self) -> Device:
        """The interface, read by the real `wg`."""
        return parse_dump("wg0", self.run("wg", "show", "wg0", "dump").encode())

    def index(self) -> int:
        """The kernel's number of the interface."""
        return int(self.run("cat", "/sys/class/net/wg0/ifindex"))

    def rules(self) -> str:
        """All that wg-quick and its file's hooks, and others, made: policy rules and nftables."""
        return self.run("ip", "rule", "show") + self.run("nft", "list", "ruleset")

    def restarts(self, *, kill_switch: bool) -> list[str]:
        """What the daemon's configuration says where each change is a restart."""
        return [
            'apply = "restart"',
            f'wg_quick_file = "{self.conf}"',
            f"kill_switch = {'true' if kill_switch else 'false'}",
            f'restart_command = ["wg-quick down {self.conf}", "wg-quick up {self.conf}"]',
        ]

    def daemon(self, workers: Collection[Worker], *more: str) -> Process:
        """The daemon, not started yet: it has a document with these workers, and no receiver is up."""
        signer = Signer.generate()
        (self.home / "token").write_text("none\n")
        (self.home / "state").mkdir()
        said = [
            f'fleet = "{FLEET}"',
            'name = "c1"',
            'interface = "wg0"',
            'receivers = ["http://127.0.0.1:9"]',
            'token_file = "token"',
            f'trusted_keys = ["{signer.public_text}"]',
            'state_directory = "state"',
            "active_probe_interval = 0.2",
            "standby_probe_interval = 0.2",
            "failback_after = 3600",
            *more,
        ]
        write_whole(self.home / "sync.toml", ("\n".join(said) + "\n").encode())
        documents = Documents(self.home / "state", Verifier([signer.public_text]), FLEET)
        documents.take(signer.sign(document(workers, {}).to_bytes()))
        documents.keep()
        command = [sys.executable, "-m", "client_sync", "run", "--log-format", "json", "--config"]
        return self.prepare("sync", [*command, self.home / "sync.toml"])


def network() -> Network:
    """Three servers: two that are the fleet's workers, and a friend's."""
    return Network(3, 1, client=QuickClient)


def _peer(worker: Worker, allowed_ips: str) -> list[str]:
    return [
        "[Peer]",
        f"PublicKey = {worker.public_key}",
        f"AllowedIPs = {allowed_ips}",
        f"Endpoint = {worker.endpoint}",
        "PersistentKeepalive = 5",
    ]
