"""Tests of client_sync/tunnels/marking.py: the whole table of rules."""

import pytest

from client_sync.tunnels.marking import ruleset


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
