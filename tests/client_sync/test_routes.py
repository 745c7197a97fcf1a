"""Tests of client_sync/routes.py: the commands, then the real `ip` in a network of its own."""

import json
import os
from pathlib import Path

import pytest

from client_sync.routes import are_set, route_commands, set_routes
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.own_network import in_own_network, ip


def commands(*prefixes: str, mark: int | None = None) -> list[str]:
    """The commands as one would type them."""
    return [" ".join(command) for command in route_commands(prefixes, "wg0", mark)]


def test_a_network_is_led_into_the_tunnel_with_a_blackhole_beneath() -> None:
    """The blackhole comes first: there is no moment with a way into the tunnel and none beneath it."""
    assert commands("10.0.0.0/8") == [
        "ip -4 route replace blackhole 10.0.0.0/8 metric 4278198272",
        "ip -4 route replace 10.0.0.0/8 dev wg0",
    ]


def test_a_network_of_six_is_led_likewise() -> None:
    """With `ip -6`."""
    assert commands("fd00::/8") == [
        "ip -6 route replace blackhole fd00::/8 metric 4278198272",
        "ip -6 route replace fd00::/8 dev wg0",
    ]


def test_default_routes_go_into_the_table_of_the_mark() -> None:
    """The table that wg-quick makes: the tunnel's own packets, which are marked, do not see it."""
    assert commands("0.0.0.0/0", "::/0", mark=51820) == [
        "ip -4 route replace blackhole 0.0.0.0/0 metric 4278198272 table 51820",
        "ip -4 route replace 0.0.0.0/0 dev wg0 table 51820",
        "ip -6 route replace blackhole ::/0 metric 4278198272 table 51820",
        "ip -6 route replace ::/0 dev wg0 table 51820",
    ]


def test_a_mark_changes_nothing_for_other_networks() -> None:
    """They are in the main table, as wg-quick has them."""
    assert commands("10.0.0.0/8", mark=51820) == commands("10.0.0.0/8")


def test_each_network_is_routed_once_and_always_in_the_same_order() -> None:
    """In whatever order workers name them, however often."""
    assert commands("fd00::/8", "10.0.0.0/8", "fd00::/8") == commands("10.0.0.0/8", "fd00::/8")


def test_nothing_to_route_is_no_command() -> None:
    """A fleet without workers."""
    assert commands() == []


@pytest.mark.parametrize("prefix", ["0.0.0.0/0", "::/0"])
def test_a_default_route_without_a_mark_is_refused(prefix: str) -> None:
    """The tunnel's own packets would go into the tunnel; the text says the two ways out."""
    with pytest.raises(LayoutError) as caught:
        commands("10.0.0.0/8", prefix)

    assert str(caught.value) == (
        f"{prefix} is to be routed through wg0, which has no firewall mark: bring it up with wg-quick and a peer with "
        "AllowedIPs = 0.0.0.0/0, which sets the mark and the policy routing, or set manage_routes = false and route "
        "by hand"
    )


def test_the_commands_are_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as it stands."""
    (tmp_path / "ip").write_text(f'#!/bin/sh\necho "ip $*" >> {tmp_path}/calls\n')
    (tmp_path / "ip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    set_routes(["10.0.0.0/8", "fd00::/8"], "wg0", None)

    assert (tmp_path / "calls").read_text().splitlines() == commands("10.0.0.0/8", "fd00::/8")


def test_a_failing_command_is_said_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the ones after it are not run."""
    (tmp_path / "ip").write_text(
        f"#!/bin/sh\necho called >> {tmp_path}/calls\necho 'no permission' >&2\nexit 2\n"
    )
    (tmp_path / "ip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(LayoutError) as caught:
        set_routes(["10.0.0.0/8"], "wg0", None)

    assert str(caught.value) == (
        "`ip -4 route replace blackhole 10.0.0.0/8 metric 4278198272` failed: no permission"
    )
    assert (tmp_path / "calls").read_text() == "called\n"


def test_a_missing_program_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error about routes, which the daemon reports and tries again."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LayoutError, match=r"could not be run: .* 'ip'"):
        set_routes(["10.0.0.0/8"], "wg0", None)


# With the real one.

WANTED = ["10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "::/0"]
LAST = 4278198272


def interface_up() -> None:
    """An interface of this name, as real as the routes need it."""
    ip("link add wg0 type veth peer name other")
    ip("link set other up")
    ip("link set wg0 up")
    for family in ("-4", "-6"):
        ip(f"{family} rule add not fwmark 51820 table 51820")


def routes() -> list[tuple[str, str, str]]:
    """Family and table, network and where it leads, of all routes that lead out of this machine or nowhere."""
    found = []
    for where in ("-4 main", "-4 51820", "-6 main", "-6 51820"):
        family, table = where.split()
        for route in json.loads(ip(f"-json -details {family} route show table {table}") or "[]"):
            kind = f"blackhole {route['metric']}" if route["type"] == "blackhole" else route["dev"]
            if route["dst"] != "fe80::/64":
                found.append((where, route["dst"], kind))
    return sorted(found)


@pytest.mark.system
def test_real_routes_lead_into_the_interface_and_stay_so_when_set_again() -> None:
    """Four networks, each with its blackhole beneath, each once, however often they are set."""

    def part() -> list[list[tuple[str, str, str]]]:
        interface_up()
        found = []
        for _ in range(2):
            set_routes(WANTED, "wg0", 51820)
            found.append(routes())
        return found

    once, twice = in_own_network(part)

    assert once == [
        ("-4 51820", "default", f"blackhole {LAST}"),
        ("-4 51820", "default", "wg0"),
        ("-4 main", "10.0.0.0/8", f"blackhole {LAST}"),
        ("-4 main", "10.0.0.0/8", "wg0"),
        ("-6 51820", "default", f"blackhole {LAST}"),
        ("-6 51820", "default", "wg0"),
        ("-6 main", "fd00::/8", f"blackhole {LAST}"),
        ("-6 main", "fd00::/8", "wg0"),
    ]
    assert twice == once


@pytest.mark.system
def test_when_the_real_interface_goes_the_blackholes_stay() -> None:
    """What was meant for the tunnel then goes nowhere, and not out in clear."""

    def part() -> list[tuple[str, str, str]]:
        interface_up()
        set_routes(WANTED, "wg0", 51820)
        ip("link del wg0")
        return routes()

    assert in_own_network(part) == [
        ("-4 51820", "default", f"blackhole {LAST}"),
        ("-4 main", "10.0.0.0/8", f"blackhole {LAST}"),
        ("-6 51820", "default", f"blackhole {LAST}"),
        ("-6 main", "fd00::/8", f"blackhole {LAST}"),
    ]


@pytest.mark.system
def test_a_real_interface_that_is_not_there_is_said() -> None:
    """With the command and what `ip` said."""
    with pytest.raises(LayoutError) as caught:
        in_own_network(lambda: set_routes(["10.0.0.0/8"], "wg0", None))

    assert str(caught.value) == ('`ip -4 route replace 10.0.0.0/8 dev wg0` failed: Cannot find device "wg0"')


@pytest.mark.system
@pytest.mark.parametrize(
    "cleared",
    ["-4 route flush table 51820", "-6 route del fd00::/8 dev wg0", "-4 rule flush", "link set wg0 down"],
)
def test_real_routes_and_rules_that_others_cleared_are_missed(cleared: str) -> None:
    """Those that were set are found again, in whichever table."""

    def part() -> tuple[bool, bool]:
        interface_up()
        set_routes(WANTED, "wg0", 51820)
        before = are_set(WANTED, "wg0", 51820)
        ip(cleared)
        try:
            return before, are_set(WANTED, "wg0", 51820)
        except LayoutError:  # Of others' rule, that is said.
            return before, False

    assert in_own_network(part) == (True, False)
