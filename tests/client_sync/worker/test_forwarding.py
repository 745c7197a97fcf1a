"""Tests of client_sync/worker/forwarding.py: the texts, whole."""

from ipaddress import ip_network

import pytest

from client_sync.worker.forwarding import masquerading, outside, route_lines, sysctls

TUNNEL = ip_network("10.99.0.0/16")
SIX = ip_network("fd99::/64")


def test_the_table_is_replaced_as_a_whole() -> None:
    """One transaction: there is no moment without it."""
    assert masquerading([TUNNEL, SIX, ip_network("192.168.7.0/24")], ["eth0", "eth1"]) == (
        "table inet wgfleet {}\n"
        "delete table inet wgfleet\n"
        "table inet wgfleet {\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat;\n"
        '    oifname { "eth0", "eth1" } ip saddr { 10.99.0.0/16, 192.168.7.0/24 } masquerade\n'
        '    oifname { "eth0", "eth1" } ip6 saddr { fd99::/64 } masquerade\n'
        "  }\n"
        "}\n"
    )


def test_networks_within_others_are_said_once() -> None:
    """Nft refuses overlapping ones."""
    assert "ip saddr { 10.99.0.0/16 }" in masquerading([TUNNEL, ip_network("10.99.3.0/24")], ["eth0"])


def test_where_nothing_is_masqueraded_there_is_no_table() -> None:
    """It is deleted, and that it is not there is no fault."""
    assert masquerading([TUNNEL], []) == "table inet wgfleet {}\ndelete table inet wgfleet\n"


@pytest.mark.parametrize(
    ("prefix", "needs_route"),
    [
        ("10.99.7.1/32", False),
        ("10.99.0.0/16", False),
        ("192.168.7.0/24", True),
        ("10.100.0.1/32", True),
        ("fd99::7/128", False),
        ("fd00::/8", True),
        ("0.0.0.0/0", False),
    ],
)
def test_a_route_is_needed_for_what_the_interfaces_own_networks_do_not_cover(
    prefix: str, needs_route: bool
) -> None:
    """And never for everything."""
    assert outside([prefix], [TUNNEL, SIX]) == ([ip_network(prefix)] if needs_route else [])


def test_routes_are_added_and_ours_taken_away_for_each_family() -> None:
    """With our mark, by which the next run knows them; what is there already is not touched."""
    wanted = [ip_network("192.168.7.0/24"), ip_network("192.168.9.0/24"), ip_network("fd07::/64")]
    ours = [ip_network("192.168.7.0/24"), ip_network("192.168.8.0/24")]

    assert route_lines(wanted, ours, "wg0") == {
        4: "route add 192.168.9.0/24 dev wg0 proto 158\nroute del 192.168.8.0/24 dev wg0 proto 158\n",
        6: "route add fd07::/64 dev wg0 proto 158\n",
    }


def test_where_nothing_differs_nothing_is_said() -> None:
    """No program is run."""
    assert route_lines([TUNNEL], [TUNNEL], "wg0") == {}


OFF = {
    "ipv4/ip_forward": "0",
    "ipv6/conf/all/forwarding": "0",
    "ipv6/conf/eth0/accept_ra": "1",
    "ipv6/conf/wg0/accept_ra": "0",
}


def test_only_ipv4_is_forwarded_where_the_tunnel_has_no_ipv6() -> None:
    """The host's own IPv6 stays as it is."""
    assert sysctls(OFF, six=False) == {"ipv4/ip_forward": "1"}


def test_a_host_that_believed_routers_goes_on_believing_them() -> None:
    """Else its default route would run out some minutes after; that is set first."""
    assert list(sysctls(OFF, six=True).items()) == [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/eth0/accept_ra", "2"),
        ("ipv6/conf/all/forwarding", "1"),
    ]


def test_what_is_so_already_is_not_written() -> None:
    """So a daemon that may not write there can run on a host that forwards."""
    on = OFF | {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}

    assert sysctls(on, six=True) == {}
