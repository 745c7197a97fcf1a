"""Tests of the policy rules in client_sync/routes.py: a full tunnel of one family must not leak the other."""

import subprocess

import pytest

from client_sync.routes import rule_commands, set_routes
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.own_network import in_own_network, ip

PLAIN = "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n"
LED = "32765:\tnot from all fwmark 0xca6c lookup 51820\n"
SPARED = "32764:\tfrom all lookup main suppress_prefixlength 0\n"


def commands(prefixes: list[str], four: str, six: str) -> list[str]:
    """The commands as one would type them."""
    return [" ".join(command) for command in rule_commands(prefixes, 51820, {4: four, 6: six})]


def test_a_full_tunnel_of_four_makes_six_unreachable() -> None:
    """The route that ends it, the rule that leads there, the rule that spares what is on-link."""
    assert commands(["0.0.0.0/0"], LED + SPARED, PLAIN) == [
        "ip -6 route replace unreachable default metric 4278198272 table 51820",
        "ip -6 rule add not fwmark 51820 table 51820",
        "ip -6 rule add table main suppress_prefixlength 0",
    ]


def test_a_full_tunnel_of_six_makes_four_unreachable() -> None:
    """Likewise."""
    assert [command.split()[1] for command in commands(["::/0"], PLAIN, LED)] == ["-4", "-4", "-4"]


def test_rules_that_are_there_are_not_added_again() -> None:
    """The daemon starts many times; the kernel would refuse the second."""
    assert commands(["0.0.0.0/0"], LED + SPARED, LED + SPARED) == [
        "ip -6 route replace unreachable default metric 4278198272 table 51820"
    ]


def test_a_full_tunnel_of_both_needs_nothing_more() -> None:
    """Each family is carried."""
    assert commands(["0.0.0.0/0", "::/0"], LED + SPARED, LED + SPARED) == []


def test_a_tunnel_for_some_networks_leaves_the_rest_alone() -> None:
    """It is no full tunnel: the other family goes its own way, as meant."""
    assert commands(["10.0.0.0/8", "fd00::/8"], PLAIN, PLAIN) == []


def test_another_mark_is_no_rule_of_ours() -> None:
    """0xca6c0 begins like 0xca6c."""
    other = "32765:\tnot from all fwmark 0xca6c0 lookup 518200\n"
    with pytest.raises(LayoutError):
        commands(["0.0.0.0/0"], other, PLAIN)


def test_a_carried_family_without_a_rule_is_refused() -> None:
    """Its default route in the table would never be looked at, and all would go out in clear, unnoticed."""
    with pytest.raises(LayoutError) as caught:
        commands(["0.0.0.0/0"], PLAIN, PLAIN)

    assert str(caught.value) == (
        "there is a default route for `ip -4` through the tunnel, and no rule that leads to it: bring the interface up "
        "with wg-quick, or `ip -4 rule add not fwmark 51820 table 51820` and `ip -4 rule add table main "
        "suppress_prefixlength 0`, or set manage_routes = false"
    )


@pytest.mark.system
def test_real_packets_of_six_find_no_way_out_of_a_tunnel_of_four() -> None:
    """With a default route in clear, only a marked packet and an on-link one get out; set twice, it is the same."""

    def part() -> list[str]:
        ip("link add wg0 type veth peer name far")
        ip("link add eth0 type veth peer name near")
        for interface in ("wg0", "far", "eth0", "near"):
            ip(f"link set {interface} up")
        ip("-6 address add 2001:db8:1::2/64 dev eth0 nodad")
        ip("-6 route add default via 2001:db8:1::1")
        ip("-4 rule add not fwmark 51820 table 51820")
        found = [_way("2001:db8:2::1")]
        for _ in range(2):
            set_routes(["0.0.0.0/0"], "wg0", 51820)
        return [*found, _way("2001:db8:2::1"), _way("2001:db8:2::1 mark 51820"), _way("2001:db8:1::9")]

    assert in_own_network(part) == ["eth0", "none", "eth0", "eth0"]


def _way(destination: str) -> str:
    """The interface that the kernel would send it by."""
    asked = subprocess.run(
        ["ip", "-6", "route", "get", *destination.split()], capture_output=True, text=True, check=False
    )
    words = asked.stdout.split()
    return words[words.index("dev") + 1] if asked.returncode == 0 else "none"
