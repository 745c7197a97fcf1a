"""Tests of client_sync/tunnels/tables.py, with the real `ip` and `nft` in a network of its own."""

import asyncio
import json
import socket
from ipaddress import ip_address
from pathlib import Path

import pytest

from client_sync.echo import Echo
from client_sync.tunnels.marking import ruleset
from client_sync.tunnels.programs import LayoutError, run
from client_sync.tunnels.routing import Plan, Tables, Tunnel, changes, wanted
from client_sync.tunnels.tables import change, load, tables
from tests.client_sync.own_network import in_own_network, ip

MARK = 958600


def test_a_missing_program_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error that the driver reports and tries again."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LayoutError, match=r"`nft -f -` could not be run: .*'nft'"):
        load("")


@pytest.mark.system
def test_a_real_kernel_has_what_it_was_told_and_needs_nothing_more() -> None:
    """A full tunnel, its move, its end: after each step there is nothing left to change, in either family."""
    w1, w2 = (
        Tunnel("far1", MARK + 1, ("10.99.0.1", "fd00::1")),
        Tunnel("far2", MARK + 2, ("10.99.0.2", "fd00::2")),
    )
    both = {"w1": w1, "w2": w2}
    plans = [
        Plan(MARK, ("0.0.0.0/0",), both, "w1", frozenset({"w1"})),
        Plan(MARK, ("0.0.0.0/0", "::/0"), both, "w2", frozenset({"w1", "w2"})),
        Plan(MARK, ("0.0.0.0/0", "::/0"), both, "w2", frozenset({"w2"}), "198.51.100.1"),
        Plan(MARK, ("0.0.0.0/0", "::/0"), both, "w2", frozenset({"w2"}), "2001:db8::1"),
        Plan(MARK, ("10.0.0.0/8", "172.16.0.0/12", "2001:db8::/32"), both, "w2", frozenset({"w2"})),
        Plan(MARK, ("10.0.0.0/8",), {"w2": w2}, None, frozenset()),
        Plan(MARK, (), {}, None, frozenset()),
    ]

    def part() -> list[tuple[int, list[str]]]:
        ip("link add name far1 type veth peer name near1")
        ip("link add name far2 type veth peer name near2")
        for name in ("far1", "near1", "far2", "near2"):
            ip(f"link set dev {name} up")
        ours = [MARK, MARK + 1, MARK + 2]
        left = []
        for plan in plans:
            for family, have in tables(ours).items():
                change(family, changes(have, wanted(plan, family), MARK))
            left += [
                (family, changes(have, wanted(plan, family), MARK)) for family, have in tables(ours).items()
            ]
        assert tables(ours) == {4: Tables(), 6: Tables()}
        return left

    assert in_own_network(part) == [(4, []), (6, [])] * len(plans)


@pytest.mark.system
@pytest.mark.parametrize("target", ["198.51.100.1", "2001:db8::1"])
def test_a_real_kernel_lets_a_probe_out_of_a_standbys_interface(target: str) -> None:
    """From the client's address there, though the active worker has the route, and a dead end lies beneath it."""
    tunnels = {name: Tunnel(f"far{name}", MARK + int(name), ()) for name in ("1", "2")}
    plan = Plan(MARK, ("0.0.0.0/0", "::/0"), tunnels, "1", frozenset(tunnels), target)
    own = {"198.51.100.1": "10.99.1.7", "2001:db8::1": "fd99::7"}[target]

    async def ask() -> bool:
        echo = Echo("far2")
        try:
            return echo.ask(target, lambda: None)
        finally:
            echo.close()

    def part() -> tuple[bool, bool]:
        for name in ("1", "2"):
            ip(f"link add name far{name} type veth peer name near{name}")
            ip(f"link set dev near{name} up")
            ip(f"link set dev far{name} arp off up")
            ip(f"address add 10.99.1.7/32 dev far{name}")
            ip(f"-6 address add fd99::7/128 dev far{name} nodad")
        for family in (4, 6):
            change(family, changes(Tables(), wanted(plan, family), MARK))
        with socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003)
        ) as end:  # All protocols.
            end.bind(("near2", 0))
            end.settimeout(5.0)
            sent = asyncio.run(ask())
            way = ip_address(own).packed + ip_address(target).packed
            return sent, sent and any(way in end.recv(2048) for _ in range(100))

    assert in_own_network(part) == (True, True)


@pytest.mark.system
def test_a_real_nft_takes_the_ruleset_again_and_again() -> None:
    """Also the one without workers."""

    def part() -> str:
        for devices in ({"wg-w1": MARK + 1}, {"wg-w1": MARK + 1, "wg-w2": MARK + 2}, {}):
            for target in (None, "198.51.100.1", "2001:db8::1"):
                load(ruleset(MARK, devices, ["10.99.0.1", "fd00::1"] if devices else [], target))
        return run(["nft", "-j", "list", "tables"])

    listed = json.loads(in_own_network(part))["nftables"]
    assert [entry["table"]["name"] for entry in listed if "table" in entry] == ["wgfleet"]
