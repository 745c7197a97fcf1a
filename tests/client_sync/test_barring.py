"""Tests of client_sync/barring.py: the whole table, as nftables gets it."""

from client_sync.barring import Barred, ruleset

HEAD = """\
table inet wgfleet_guard {}
delete table inet wgfleet_guard
table inet wgfleet_guard {
  chain leaving {
    type filter hook postrouting priority filter; policy accept;
"""
NEEDED = """\
    udp sport 68 udp dport 67 accept
    udp sport 546 udp dport 547 accept
    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report } accept
"""


def test_a_full_tunnel() -> None:
    """Of both families everything, but for the tunnels' own packets and what finds the next machine."""
    assert ruleset(Barred(("0.0.0.0/0", "10.99.0.1/32", "::/0"), 51820), "wg0", []) == (
        f"{HEAD}"
        '    oifname "lo" accept\n'
        '    oifname "wg0" accept\n'
        "    meta mark 51820 accept\n"
        f"{NEEDED}"
        "    meta nfproto ipv4 counter drop\n"
        "    meta nfproto ipv6 counter drop\n"
        "  }\n"
        "}\n"
    )


def test_a_full_tunnel_of_one_family_bars_the_other_too() -> None:
    """Two halves of everything are everything."""
    assert "    meta nfproto ipv6 counter drop\n" in ruleset(Barred(("0.0.0.0/0",), 51820), "wg0", [])
    assert "    meta nfproto ipv4 counter drop\n" in ruleset(Barred(("::/1", "8000::/1"), 51820), "wg0", [])


def test_some_networks_only_with_others_left_open() -> None:
    """A network within another is barred with it; what is left open is looked at first."""
    barred = Barred(("10.0.0.0/8", "10.1.0.0/16", "fd00::/8"), 958600)

    assert ruleset(barred, "wg-*", ["10.7.0.0/16", "fd00:7::/32"]) == (
        f"{HEAD}"
        '    oifname "lo" accept\n'
        '    oifname "wg-*" accept\n'
        "    meta mark 958600 accept\n"
        f"{NEEDED}"
        "    ip daddr { 10.7.0.0/16 } accept\n"
        "    ip6 daddr { fd00:7::/32 } accept\n"
        "    ip daddr { 10.0.0.0/8 } counter drop\n"
        "    ip6 daddr { fd00::/8 } counter drop\n"
        "  }\n"
        "}\n"
    )


def test_before_the_first_peer_set_root_may_speak_to_receivers_and_names_may_be_looked_up() -> None:
    """Where there is no mark, and nothing is remembered: it could not come otherwise."""
    barred = Barred(("0.0.0.0/0",), None, known=False, ports=(443, 9587), asks=True)

    assert (
        '    oifname "wg0" accept\n'
        "    meta skuid 0 tcp dport { 443, 9587 } accept\n"
        "    udp dport 53 accept\n"
        "    tcp dport 53 accept\n"
        f"{NEEDED}"
    ) in ruleset(barred, "wg0", [])


def test_endpoints_pass_beside_the_mark() -> None:
    """Where the mark comes after the tunnel's first packet."""
    rules = ruleset(Barred(("10.0.0.0/8",), 51820, ("10.2.0.1:51820",)), "wg0", [])

    assert "    meta mark 51820 accept\n    ip daddr . udp dport { 10.2.0.1 . 51820 } accept\n" in rules


def test_without_a_mark_the_workers_endpoints_stand_in_its_place() -> None:
    """Datagrams to that port of that address, and nothing else there."""
    endpoints = ("[2001:db8::1]:51820", "10.2.0.1:51820", "10.2.0.2:443")

    assert ruleset(Barred(("10.0.0.0/8",), None, endpoints), "wg0", []) == (
        f"{HEAD}"
        '    oifname "lo" accept\n'
        '    oifname "wg0" accept\n'
        "    ip daddr . udp dport { 10.2.0.1 . 51820, 10.2.0.2 . 443 } accept\n"
        "    ip6 daddr . udp dport { 2001:db8::1 . 51820 } accept\n"
        f"{NEEDED}"
        "    ip daddr { 10.0.0.0/8 } counter drop\n"
        "  }\n"
        "}\n"
    )
