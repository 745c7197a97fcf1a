"""Tests of client_sync/tunnels/routing.py: all routes and rules, as `ip` would be told them."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sync.tunnels.routing import (
    EVERYTHING,
    PIN,
    Plan,
    Route,
    Rule,
    Tables,
    Tunnel,
    carrier,
    changes,
    networks,
    read_tables,
    wanted,
)
from tests.client_sync.perworker.kernel import carried_out

MARK = 958600
W1, W2 = Tunnel("wg-w1", 958601, ("10.99.0.1", "fd00::1")), Tunnel("wg-w2", 958602, ("10.99.0.2",))
NOTHING = Tables()


def plan(
    *prefixes: str, active: str | None = "w1", pinned: tuple[str, ...] = ("w1",), **tunnels: Tunnel
) -> Plan:
    """Two workers unless said otherwise."""
    return Plan(MARK, prefixes, tunnels or {"w1": W1, "w2": W2}, active, frozenset(pinned))


def lines(have: Tables, want: Tables) -> list[str]:
    """What makes of the one the other."""
    return changes(have, want, MARK)


def test_a_full_tunnel_of_four_from_nothing() -> None:
    """Dead ends first, each worker's own table, then the table of all, then the rules: LAN, kept connections, the rest."""
    assert lines(NOTHING, wanted(plan("0.0.0.0/0"), 4)) == [
        "route replace blackhole 0.0.0.0/0 metric 4278198272 table 958600",
        "route replace unreachable 10.99.0.1/32 metric 4278198272 table 958600",
        "route replace unreachable 10.99.0.2/32 metric 4278198272 table 958600",
        "route replace 0.0.0.0/0 dev wg-w1 table 958601",
        "route replace 0.0.0.0/0 dev wg-w2 table 958602",
        "route replace 0.0.0.0/0 dev wg-w1 table 958600",
        "route replace 10.99.0.1/32 dev wg-w1 table 958600",
        "route replace 10.99.0.2/32 dev wg-w2 table 958600",
        "rule add pref 30100 table main suppress_prefixlength 0",
        "rule add pref 30101 fwmark 958601 table 958601",
        "rule add pref 30102 not fwmark 958600 table 958600",
    ]


def test_of_six_a_full_tunnel_of_four_leaves_nothing_but_the_workers_own_addresses() -> None:
    """The rest is told that there is no way."""
    assert lines(NOTHING, wanted(plan("0.0.0.0/0"), 6)) == [
        "route replace unreachable ::/0 metric 4278198272 table 958600",
        "route replace unreachable fd00::1/128 metric 4278198272 table 958600",
        "route replace fd00::1/128 dev wg-w1 table 958600",
        "rule add pref 30100 table main suppress_prefixlength 0",
        "rule add pref 30102 not fwmark 958600 table 958600",
    ]


def test_a_full_tunnel_of_six_alone_does_likewise_to_four() -> None:
    """Neither family may leak beside the other."""
    found = lines(NOTHING, wanted(plan("::/0"), 4))

    assert "route replace unreachable 0.0.0.0/0 metric 4278198272 table 958600" in found
    assert not any("0.0.0.0/0 dev" in line for line in found)


def test_networks_are_led_by_rules_of_their_own() -> None:
    """What main says more specifically than a network itself, as a LAN within it, stays; the other family is left alone."""
    split = plan("10.0.0.0/8", "172.16.0.0/12")

    assert [str(rule) for rule in sorted(wanted(split, 4).rules, key=str)] == [
        "pref 30100 to 10.0.0.0/8 table main suppress_prefixlength 8",
        "pref 30100 to 172.16.0.0/12 table main suppress_prefixlength 12",
        "pref 30101 fwmark 958601 table 958601",
        "pref 30102 not fwmark 958600 table 958600",
    ]
    assert Route(MARK, "::/0", None, "unreachable") not in wanted(split, 6).routes


def test_without_anything_of_a_family_it_is_left_alone() -> None:
    """No rule for nothing."""
    assert wanted(plan("10.0.0.0/8", w2=W2, active="w2"), 6) == NOTHING


@pytest.mark.parametrize(
    ("said", "led"),
    [
        (["0.0.0.0/1", "128.0.0.0/1"], ["0.0.0.0/0"]),
        (["10.0.0.0/8", "10.1.0.0/16", "::/0"], ["10.0.0.0/8"]),
        ([], []),
    ],
)
def test_prefixes_that_others_contain_are_left_out(said: list[str], led: list[str]) -> None:
    """Two halves of everything are everything, and so a full tunnel."""
    assert [str(network) for network in networks(said, 4)] == led


@pytest.mark.parametrize(("target", "family"), [("198.51.100.1", 4), ("2001:db8::1", 6)])
def test_a_target_beyond_the_workers_is_led_to_by_the_interface_that_a_probe_is_bound_to(
    target: str, family: int
) -> None:
    """Of its own family; each worker's table has it, as the active one's in the table of all does not do for the others."""
    full = replace(plan("0.0.0.0/0", "::/0"), target=target)
    length = {4: 32, 6: 128}[family]

    assert sorted(
        map(str, wanted(full, family).rules - wanted(replace(full, target=None), family).rules)
    ) == [
        f"pref 30099 to {target}/{length} oif wg-w1 table 958601",
        f"pref 30099 to {target}/{length} oif wg-w2 table 958602",
    ]
    assert wanted(full, 10 - family) == wanted(replace(full, target=None), 10 - family)


def test_a_target_that_no_worker_carries_packets_to_is_led_nowhere() -> None:
    """No rule for nothing."""
    outside = plan("10.0.0.0/8")

    assert wanted(replace(outside, target="198.51.100.1"), 4) == wanted(outside, 4)


def test_a_move_is_one_replaced_route_and_the_rule_of_the_new_worker() -> None:
    """The old one keeps its rule while its connections stay."""
    have = wanted(plan("0.0.0.0/0"), 4)

    assert lines(have, wanted(plan("0.0.0.0/0", active="w2", pinned=("w1", "w2")), 4)) == [
        "route replace 0.0.0.0/0 dev wg-w2 table 958600",
        "rule add pref 30101 fwmark 958602 table 958602",
    ]


def test_a_failover_takes_the_rule_of_the_dead_worker_away_after_the_move() -> None:
    """Its connections take the new worker."""
    have = wanted(plan("0.0.0.0/0"), 4)

    assert lines(have, wanted(plan("0.0.0.0/0", active="w2", pinned=("w2",)), 4)) == [
        "route replace 0.0.0.0/0 dev wg-w2 table 958600",
        "rule add pref 30101 fwmark 958602 table 958602",
        "rule del pref 30101 fwmark 958601 table 958601",
    ]


def test_with_nobody_active_the_traffic_ends_in_the_dead_end() -> None:
    """The way into the tunnel goes, the dead end stays."""
    have = wanted(plan("0.0.0.0/0"), 4)

    assert lines(have, wanted(plan("0.0.0.0/0", active=None, pinned=()), 4)) == [
        "rule del pref 30101 fwmark 958601 table 958601",
        "route del 0.0.0.0/0 dev wg-w1 table 958600",
    ]


def test_what_is_as_it_should_be_is_not_touched() -> None:
    """The same again is no line."""
    have = wanted(plan("0.0.0.0/0", "::/0"), 6)

    assert lines(have, have) == []


def test_what_is_no_longer_routed_goes_with_its_dead_end() -> None:
    """Rules before routes: nobody is led to where nothing is any more."""
    found = lines(wanted(plan("0.0.0.0/0"), 4), wanted(plan("10.0.0.0/8"), 4))

    gone = [line for line in found if " del " in line]
    assert gone == [
        "rule del pref 30100 table main suppress_prefixlength 0",
        "route del 0.0.0.0/0 dev wg-w1 table 958600",
        "route del 0.0.0.0/0 dev wg-w1 table 958601",
        "route del 0.0.0.0/0 dev wg-w2 table 958602",
        "route del blackhole 0.0.0.0/0 metric 4278198272 table 958600",
    ]
    assert found.index(gone[0]) > found.index(
        "rule add pref 30100 to 10.0.0.0/8 table main suppress_prefixlength 8"
    )


def test_a_network_that_is_a_workers_own_address_leads_to_that_worker() -> None:
    """And has one dead end."""
    found = wanted(plan("10.99.0.2/32"), 4).routes

    assert sorted(
        str(route) for route in found if route.table == MARK and route.prefix == "10.99.0.2/32"
    ) == [
        "10.99.0.2/32 dev wg-w2 table 958600",
        "unreachable 10.99.0.2/32 metric 4278198272 table 958600",
    ]


# From any moment to any other.

PREFIXES = ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/24", "::/0", "2001:db8::/32")


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any two workers or fewer, any prefixes, anybody active or nobody."""
    tunnels = {name: one for name, one in (("w1", W1), ("w2", W2)) if draw(st.booleans())}
    active = draw(st.sampled_from([None, *tunnels]))
    pinned = draw(st.frozensets(st.sampled_from(["w1", "w2"])))
    return Plan(MARK, tuple(draw(st.sets(st.sampled_from(PREFIXES)))), tunnels, active, pinned)


@given(plans(), plans(), st.sampled_from([4, 6]))
def test_from_any_moment_to_any_other_there_is_a_dead_end_beneath_each_network(
    before: Plan, after: Plan, family: int
) -> None:
    """At each line: a crash between two leaves nothing that would go out in clear. After the last, all is as it should be."""
    have, want = wanted(before, family), wanted(after, family)
    stay = {route for route in have.routes & want.routes if route.device is None}
    led = {rule for rule in have.rules & want.rules if rule.priority != PIN}

    for line in lines(have, want):
        have = carried_out(have, line)
        assert stay <= have.routes
        assert led <= have.rules
        ends = {route.prefix for route in have.routes if route.table == MARK and route.device is None}
        ways = {route.prefix for route in have.routes if route.table == MARK and route.device is not None}
        assert ways <= ends

    assert have == want


# Who carries.


def test_the_carrier_is_the_interface_that_all_networks_lead_to() -> None:
    """Of both families."""
    both = plan("0.0.0.0/0", "::/0")
    have = {family: wanted(both, family) for family in (4, 6)}

    assert carrier(have, ["0.0.0.0/0", "::/0"], MARK) == "wg-w1"
    assert carrier({4: have[4], 6: NOTHING}, ["0.0.0.0/0", "::/0"], MARK) is None
    assert carrier(have, [], MARK) is None


def test_two_that_share_the_networks_are_no_carrier() -> None:
    """A move that was broken off between the families is done again."""
    have = {4: wanted(plan("0.0.0.0/0", "::/0"), 4), 6: wanted(plan("0.0.0.0/0", "::/0", active="w2"), 6)}

    assert carrier(have, ["0.0.0.0/0", "::/0"], MARK) is None


# What `ip` prints.

ROUTES = """[
{"type":"blackhole","dst":"default","table":"958600","protocol":"boot","scope":"global","metric":4278198272,"flags":[]},
{"type":"unicast","dst":"default","dev":"wg-w1","table":"958600","protocol":"boot","scope":"link","flags":[]},
{"type":"unicast","dst":"10.99.0.1","dev":"wg-w1","table":"958600","protocol":"boot","scope":"link","flags":[]},
{"type":"unicast","dst":"10.0.0.0/8","dev":"wg-w1","table":"958601","protocol":"boot","scope":"link","flags":[]},
{"type":"unicast","dst":"default","gateway":"192.0.2.1","dev":"eth0","table":"main","flags":[]},
{"type":"unicast","dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","flags":[]}]"""
RULES = """[
{"priority":0,"src":"all","table":"local"},
{"priority":30100,"src":"all","table":"main","suppress_prefixlen":0},
{"priority":30100,"src":"all","dst":"10.0.0.0","dstlen":8,"table":"main","suppress_prefixlen":8},
{"priority":30101,"src":"all","fwmark":"0xea089","table":"958601"},
{"priority":30099,"src":"all","dst":"198.51.100.1","oif":"wg-w1","oif_detached":null,"table":"958601"},
{"priority":30102,"not":null,"src":"all","fwmark":"0xea088","table":"958600"},
{"priority":30101,"src":"all","fwmark":"0x1","table":"77"},
{"priority":32764,"src":"all","table":"main","suppress_prefixlen":0},
{"priority":32766,"src":"all","table":"main"}]"""


def test_only_what_is_ours_is_read() -> None:
    """Our tables' routes; rules at our places that lead to them. The rest is others' and is never deleted."""
    found = read_tables(json.loads(ROUTES), json.loads(RULES), 4, [958600, 958601])

    assert found == Tables(
        frozenset(
            {
                Route(958600, "0.0.0.0/0", None, "blackhole"),
                Route(958600, "0.0.0.0/0", "wg-w1"),
                Route(958600, "10.99.0.1/32", "wg-w1"),
                Route(958601, "10.0.0.0/8", "wg-w1"),
            }
        ),
        frozenset(
            {
                Rule(30100, "main", suppress=0),
                Rule(30100, "main", to="10.0.0.0/8", suppress=8),
                Rule(30101, "958601", 958601),
                Rule(30099, "958601", to="198.51.100.1/32", device="wg-w1"),
                Rule(30102, "958600", 958600, unmarked=True),
            }
        ),
    )


def test_a_dead_end_of_six_is_one_though_it_names_loopback() -> None:
    """As the kernel shows it."""
    shown = [{"type": "unreachable", "dst": "default", "dev": "lo", "table": "958600", "metric": 4278198272}]

    assert read_tables(shown, [], 6, [958600]).routes == {Route(958600, EVERYTHING[6], None, "unreachable")}
