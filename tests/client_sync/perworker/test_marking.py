"""Tests of client_sync/perworker/marking.py: the whole table of rules, and connections counted from the kernel's own lines."""

import pytest

from client_sync.perworker.marking import flows, ruleset


def test_the_whole_ruleset() -> None:
    """Marks are set when leaving, unconditionally, and restored for what is sent and for what arrives."""
    assert ruleset(958600, {"wg-w2": 958602, "wg-w1": 958601}, ["fd00::1", "10.99.0.2", "10.99.0.1"]) == (
        "table inet wgfleet {}\n"
        "delete table inet wgfleet\n"
        "table inet wgfleet {\n"
        "  chain leaving {\n"
        "    type filter hook postrouting priority mangle; policy accept;\n"
        "    ip daddr { 10.99.0.1, 10.99.0.2 } return\n"
        "    ip6 daddr { fd00::1 } return\n"
        "    meta mark 958600 ct mark set 958600\n"
        '    ct mark set oifname map { "wg-w1" : 958601, "wg-w2" : 958602 }\n'
        "  }\n"
        "  chain sending {\n"
        "    type route hook output priority mangle; policy accept;\n"
        "    ct mark { 958601, 958602 } meta mark set ct mark\n"
        "  }\n"
        "  chain arriving {\n"
        "    type filter hook prerouting priority mangle; policy accept;\n"
        "    ct mark { 958600, 958601, 958602 } meta mark set ct mark\n"
        "  }\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("198.51.100.1", "ip daddr 198.51.100.1 icmp type echo-request return"),
        ("2001:db8::1", "ip6 daddr 2001:db8::1 icmpv6 type echo-request return"),
    ],
)
def test_probes_of_a_target_beyond_are_no_connections(target: str, rule: str) -> None:
    """In front of what would mark them."""
    said = ruleset(958600, {"wg-w1": 958601}, [], target).splitlines()

    assert said.index(f"    {rule}") < said.index("    meta mark 958600 ct mark set 958600")


def test_without_workers_only_the_tunnels_own_mark_is_left() -> None:
    """An empty set and an empty map would be refused."""
    assert ruleset(958600, {}, []) == (
        "table inet wgfleet {}\n"
        "delete table inet wgfleet\n"
        "table inet wgfleet {\n"
        "  chain leaving {\n"
        "    type filter hook postrouting priority mangle; policy accept;\n"
        "    meta mark 958600 ct mark set 958600\n"
        "  }\n"
        "  chain sending {\n"
        "    type route hook output priority mangle; policy accept;\n"
        "  }\n"
        "  chain arriving {\n"
        "    type filter hook prerouting priority mangle; policy accept;\n"
        "    ct mark { 958600 } meta mark set ct mark\n"
        "  }\n"
        "}\n"
    )


CONNECTIONS = """\
ipv4     2 tcp      6 431999 ESTABLISHED src=10.99.1.1 dst=198.51.100.100 sport=40000 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40000 [ASSURED] mark=958601 zone=0 use=2
ipv4     2 udp      17 29 src=10.99.1.1 dst=198.51.100.100 sport=5000 dport=7 [UNREPLIED] src=198.51.100.100 \
dst=10.99.1.1 sport=7 dport=5000 mark=958601 zone=0 use=2
ipv6     10 tcp     6 60 SYN_SENT src=fd00::7 dst=2001:db8::1 sport=1 dport=2 [UNREPLIED] src=2001:db8::1 dst=fd00::7 \
sport=2 dport=1 mark=958602 use=1
ipv4     2 tcp      6 119 TIME_WAIT src=10.99.1.1 dst=198.51.100.100 sport=40001 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40001 [ASSURED] mark=958602 zone=0 use=2
ipv4     2 tcp      6 9 CLOSE src=10.99.1.1 dst=198.51.100.100 sport=40002 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40002 [ASSURED] mark=958602 zone=0 use=2
ipv4     2 udp      17 29 src=192.0.2.101 dst=192.0.2.11 sport=1 dport=51820 src=192.0.2.11 dst=192.0.2.101 \
sport=51820 dport=1 [ASSURED] mark=0 zone=0 use=2
ipv4     2 unknown  2 599 src=0.0.0.0 dst=224.0.0.1 src=224.0.0.1 dst=0.0.0.0 use=2
"""


def test_connections_are_counted_by_their_mark() -> None:
    """One that has ended keeps no worker busy, though it is listed for two minutes; without a mark it is nobody's."""
    assert flows(CONNECTIONS.splitlines()) == {958601: 2, 958602: 1}


def test_the_program_conntrack_says_the_same_in_its_own_lines() -> None:
    """It names no zone."""
    said = """\
ipv4     2 udp      17 29 src=10.99.1.1 dst=198.51.100.100 sport=45925 dport=7 src=198.51.100.100 dst=10.99.1.1 \
sport=7 dport=45925 mark=51821 use=1
ipv4     2 tcp      6 299 ESTABLISHED src=10.99.1.1 dst=198.51.100.100 sport=40912 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40912 [ASSURED] mark=51821 use=1
ipv4     2 tcp      6 119 TIME_WAIT src=10.99.1.1 dst=198.51.100.100 sport=40913 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40913 [ASSURED] mark=51821 use=1
"""

    assert flows(said.splitlines()) == {51821: 2}
