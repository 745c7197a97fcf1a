"""Tests of client_sync/worker/around.py: what is run with which text, then the real `ip`, `nft` and sysctls."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import pytest

from client_sync.tunnels.programs import LayoutError, run
from client_sync.worker.around import Around, Kernel
from client_sync.worker.forwarding import Network
from tests.client_sync.own_network import in_own_network, ip
from tests.client_sync.scene import said
from tests.client_sync.worker.samples import client, client_list

ADDRESS = [
    {
        "ifindex": 7,
        "addr_info": [
            {"local": "10.99.0.1", "prefixlen": 16, "scope": "global"},
            {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
        ],
    }
]


@dataclass
class FakeKernel:
    """Answers as `ip` and `nft` would, and notes what was asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)
    tables: str = ""
    broken: str = ""
    """The word of the command that fails."""

    def run(self, command: Sequence[str], given: str) -> str:
        """As `run`."""
        words = " ".join(command)
        if self.broken and self.broken in words:
            raise LayoutError(f"{words} failed")
        if "-json address" in words:
            return json.dumps(ADDRESS)
        if "route show" in words:
            return json.dumps([{"dst": one} for one in self.ours]) if "-4" in words else ""
        if "list tables" in words:
            return self.tables
        self.asked.append((words, given))
        return ""


def around(
    fake: FakeKernel,
    *,
    manage_routes: bool = True,
    forwarding: bool = False,
    masquerade: Sequence[str] = (),
    net: Path = Path("/nowhere"),
    also: Sequence[Network] = (),
) -> Around:
    """What a worker needs."""
    return Around(
        "wg0",
        manage_routes=manage_routes,
        forwarding=forwarding,
        masquerade=masquerade,
        kernel=Kernel(fake.run, net),
        also=also,
    )


LIST = client_list(client(1), client(2, "192.168.7.0/24"))


def test_routes_lead_to_the_networks_behind_clients() -> None:
    """Clients' own addresses are in the interface's network."""
    fake = FakeKernel()

    around(fake)(LIST)

    assert fake.asked == [("ip -4 -force -batch -", "route add 192.168.7.0/24 dev wg0 proto 158\n")]


def test_the_same_list_again_needs_nothing() -> None:
    """Nor one in which nobody's networks changed."""
    fake = FakeKernel()
    one = around(fake)

    one(LIST)
    one(client_list(*LIST.clients, generation=2))

    assert len(fake.asked) == 1


def test_what_failed_is_tried_again() -> None:
    """Though nothing changed."""
    fake = FakeKernel(broken="-batch")
    one = around(fake)
    with pytest.raises(LayoutError):
        one(LIST)
    fake.broken = ""

    one(LIST)

    assert len(fake.asked) == 1


def test_masquerading_is_set_though_a_route_is_not() -> None:
    """One client's network that is reached another way must not cost the others their way out."""
    fake = FakeKernel(broken="-batch")

    with pytest.raises(LayoutError):
        around(fake, masquerade=["eth0"])(LIST)

    ((command, text),) = fake.asked
    assert command == "nft -f -"
    assert "ip saddr { 10.99.0.0/16, 192.168.7.0/24 } masquerade" in text


def test_other_interfaces_networks_are_masqueraded_too() -> None:
    """There is one table for all of them."""
    fake = FakeKernel()

    around(fake, masquerade=["eth0"], also=[ip_network("10.50.0.0/16")], manage_routes=False)(LIST)

    ((_, text),) = fake.asked
    assert "ip saddr { 10.50.0.0/16, 10.99.0.0/16, 192.168.7.0/24 } masquerade" in text


@pytest.mark.parametrize(
    ("tables", "asked"), [("table inet wgfleet\ntable inet filter\n", 1), ("table inet wgfleet2", 0)]
)
def test_masquerading_that_is_not_asked_for_any_more_ends(tables: str, asked: int) -> None:
    """And others' tables stay."""
    fake = FakeKernel(tables=tables)

    around(fake).begin()

    assert [text for _, text in fake.asked] == ["table inet wgfleet {}\ndelete table inet wgfleet\n"] * asked


def test_without_nft_there_is_nothing_to_end() -> None:
    """A worker that does not masquerade need not have it."""
    around(FakeKernel(broken="nft")).begin()


def test_a_worker_that_does_nothing_but_peers_runs_nothing() -> None:
    """Routes can be left to others."""
    fake = FakeKernel(broken="ip")

    around(fake, manage_routes=False)(LIST)

    assert fake.asked == []


def test_forwarding_that_may_not_be_set_is_said_with_what_to_do(tmp_path: Path) -> None:
    """Systemd's ProtectKernelTunables is the reason most of the time."""
    (tmp_path / "ipv4" / "ip_forward").mkdir(parents=True)
    one = around(FakeKernel(), forwarding=True, net=tmp_path)
    (tmp_path / "ipv4" / "ip_forward").rmdir()
    (tmp_path / "ipv4").rmdir()

    with pytest.raises(LayoutError, match=r"ip_forward cannot be set to 1: .*ProtectKernelTunables=no"):
        one.begin()


def test_forwarding_that_others_turned_off_is_set_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the next look, though the list is the same; and said, because somebody may have meant it."""
    switch = tmp_path / "ipv4" / "ip_forward"
    switch.parent.mkdir()
    switch.write_text("0\n")
    one = around(FakeKernel(), manage_routes=False, forwarding=True, net=tmp_path)
    one.begin()
    assert switch.read_text() == "1"
    one(LIST)
    switch.write_text("0\n")

    one(LIST)

    assert switch.read_text() == "1"
    assert said(caplog, "forwarding was off, set again") == [{"key": "ipv4/ip_forward", "value": "1"}]


def test_forwarding_is_set_again_though_a_route_is_not(tmp_path: Path) -> None:
    """One client's network that is reached another way must not cost the others their way out."""
    switch = tmp_path / "ipv4" / "ip_forward"
    switch.parent.mkdir()
    switch.write_text("0\n")
    one = around(FakeKernel(broken="-batch"), forwarding=True, net=tmp_path)

    with pytest.raises(LayoutError, match="-batch"):
        one(LIST)

    assert switch.read_text() == "1"


@pytest.mark.system
def test_the_real_programs_do_as_they_are_told() -> None:
    """Forwarding, masquerading, a route that comes and goes, and one that others have."""

    def story() -> None:
        ip("link add wg0 type veth peer name eth0")
        ip("address add 10.99.0.1/16 dev wg0")
        ip("link set wg0 up")
        ip("link set eth0 up")
        ip("route add 192.168.8.0/24 dev eth0")
        one = Around("wg0", manage_routes=True, forwarding=False, masquerade=["eth0"], kernel=Kernel())
        one.begin()
        one(LIST)
        assert "192.168.7.0/24 proto 158" in ip("route show dev wg0")
        assert "ip saddr { 10.99.0.0/16, 192.168.7.0/24 } masquerade" in run(["nft", "list", "ruleset"], "")
        with pytest.raises(LayoutError, match=r"File exists `route add 192\.168\.8\.0/24 dev wg0 proto 158`"):
            one(client_list(client(3, "192.168.8.0/24")))
        assert "192.168.8.0/24 dev eth0" in ip("route show 192.168.8.0/24")
        assert "192.168.7.0/24" not in ip("route show dev wg0")
        Around("wg0", manage_routes=True, forwarding=False, masquerade=[], kernel=Kernel()).begin()
        assert "wgfleet" not in run(["nft", "list", "ruleset"], "")

    in_own_network(story)


@pytest.mark.system
def test_forwarding_is_switched_on_in_this_network() -> None:
    """For IPv6 only where the tunnel has it."""

    def story() -> tuple[str, str]:
        ip("link add wg0 type veth peer name eth0")
        ip("address add 10.99.0.1/16 dev wg0")
        Around("wg0", manage_routes=False, forwarding=True, masquerade=[], kernel=Kernel()).begin()
        values = [
            Path(f"/proc/sys/net/{key}").read_text().strip()
            for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
        ]
        return values[0], values[1]

    assert in_own_network(story) == ("1", "0")
