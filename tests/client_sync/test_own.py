"""Tests of client_sync/own.py, on a machine in memory: made, found, gone, and what leads into it."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from client_sync import own as module
from client_sync.own import watch
from client_sync.tunnels.programs import LayoutError
from client_sync.tunnels.routing import Route, Rule, Tables
from tests.client_sync.alone import NAME, Alone
from tests.client_sync.device import named, peer
from tests.client_sync.perworker.kernel import MARK
from tests.client_sync.samples import ALL, public_key, worker
from tests.client_sync.scene import said
from wgfleet.device import Device
from wgfleet.peerset import WorkerState

TWO = named(worker(1), worker(2))
DEAD_ENDS = [
    f"ip -4 route replace blackhole {ALL} metric 4278198272 table {MARK}",
    "ip -4 rule add pref 30100 table main suppress_prefixlength 0",
    f"ip -4 rule add pref 30102 not fwmark {MARK} table {MARK}",
    f"ip -6 route replace unreachable ::/0 metric 4278198272 table {MARK}",
    "ip -6 rule add pref 30100 table main suppress_prefixlength 0",
    f"ip -6 rule add pref 30102 not fwmark {MARK} table {MARK}",
]


@pytest.fixture
def machine(tmp_path: Path) -> Alone:
    """A machine without any interface."""
    return Alone(tmp_path)


def test_from_nothing_the_dead_ends_come_first_and_the_way_in_last(machine: Alone) -> None:
    """There is no moment in which anything could leave in clear; IPv6, which is not carried, is unreachable."""
    own = machine.own()

    own.configure(TWO, "w1")

    assert machine.done == [
        *DEAD_ENDS,
        f"make {NAME} auto",
        f"dress {NAME} 10.99.1.7 mtu None",
        (
            f"{NAME}: add peer {public_key(1)} endpoint 192.0.2.1:51820 allowed-ips 10.99.0.1/32,{ALL} "
            "persistent-keepalive 25"
        ),
        f"{NAME}: add peer {public_key(2)} endpoint 192.0.2.2:51820 allowed-ips 10.99.0.2/32 persistent-keepalive 25",
        f"ip -4 route replace {ALL} dev {NAME} table {MARK}",
    ]
    assert own.holder(TWO) == "w1"


def test_a_move_is_one_change_of_one_peer(machine: Alone) -> None:
    """No route, no interface."""
    own = machine.own()
    own.configure(TWO, "w1")
    before = len(machine.done)

    own.configure(TWO, "w2")

    assert machine.since(before) == [f"{NAME}: update peer {public_key(2)} allowed-ips 10.99.0.2/32,{ALL}"]


def test_a_daemon_just_started_touches_nothing(machine: Alone) -> None:
    """It finds what an earlier run made: key, mark, address, peers, routes."""
    machine.own().configure(TWO, "w1")
    before = len(machine.done)

    again = machine.own()
    again.read()
    again.mend()
    again.configure(TWO, "w1")

    assert machine.since(before) == []


def test_one_that_is_gone_is_made_again_with_all_that_it_had(machine: Alone) -> None:
    """Without a word from the driver; meanwhile the worker that carries the traffic is the same."""
    own = machine.own()
    own.configure(TWO, "w2")
    machine.remove(NAME)
    assert own.holder(TWO) == "w2"
    before = len(machine.done)

    own.mend()

    done = machine.since(before)
    assert done[:2] == [f"make {NAME} auto", f"dress {NAME} 10.99.1.7 mtu None"]
    assert done[-1] == f"ip -4 route replace {ALL} dev {NAME} table {MARK}"
    assert machine.way == NAME
    assert own.holder(TWO) == "w2"


def test_one_that_is_down_is_taken_up(machine: Alone) -> None:
    """It is not made anew: its peers stay."""
    own = machine.own()
    own.configure(TWO, "w1")
    machine.down.add(NAME)
    machine.unroute(NAME)
    before = len(machine.done)

    own.mend()

    assert machine.since(before) == [
        f"dress {NAME} 10.99.1.7 mtu None",
        f"ip -4 route replace {ALL} dev {NAME} table {MARK}",
    ]


def test_one_that_cannot_be_made_leaves_the_dead_ends(machine: Alone) -> None:
    """Without WireGuard nothing goes out, and each look tries again."""
    machine.broken = lambda what: what.startswith("make")
    own = machine.own()
    for _ in range(2):
        with pytest.raises(LayoutError, match="make wg0 auto"):
            own.configure(TWO, "w1")
    assert machine.done == DEAD_ENDS
    machine.broken = lambda _what: False

    own.mend()

    assert machine.way == NAME


def test_it_is_made_before_any_document_is_there(machine: Alone) -> None:
    """With what was routed before: a machine that boots must not send that out in clear."""
    machine.own().configure(TWO, "w1")
    rebooted = Alone(machine.directory, machine.keys)

    rebooted.own().mend()

    assert rebooted.done[: len(DEAD_ENDS)] == DEAD_ENDS
    assert rebooted.way == NAME


def test_what_is_routed_stays_so_when_no_worker_is_left(machine: Alone) -> None:
    """Or an emptied fleet would let everything out; in the next run, too."""
    own = machine.own()
    own.configure(TWO, "w1")
    before = len(machine.done)

    own.configure({}, None)
    machine.own().configure(named(worker(1, WorkerState.BANNED)), None)

    assert [line for line in machine.since(before) if line.startswith("ip")] == []


def test_without_a_full_tunnel_only_what_is_said_is_led(machine: Alone) -> None:
    """The networks that workers carry, and their own addresses; the rest goes its own way, IPv6 as well."""
    machine.own().configure(named(worker(1, allowed_ips=("172.16.0.0/12",))), "w1")

    routes = {route.prefix for route in machine.tables[4].routes if route.device}
    assert routes == {"172.16.0.0/12", "10.99.0.1/32"}
    assert machine.tables[6].rules == frozenset()


def test_the_network_of_an_address_is_led_too(machine: Alone) -> None:
    """What the main table has for it goes with the interface, and this does not."""
    machine.own("192.168.7.7/24").configure(named(worker(1, allowed_ips=("10.0.0.0/9",))), "w1")

    assert f"ip -4 route replace blackhole 192.168.7.0/24 metric 4278198272 table {MARK}" in machine.done


def test_the_mtu_is_the_least_that_a_worker_says(machine: Alone) -> None:
    """From the beginning, and when it changes; one of a banned worker does not count."""
    own = machine.own()
    own.configure(
        named(worker(1, mtu=1400), worker(2, mtu=1380), worker(3, WorkerState.BANNED, mtu=1280)), "w1"
    )
    assert f"dress {NAME} 10.99.1.7 mtu 1380" in machine.done

    own.configure(named(worker(1, mtu=1400)), "w1")

    assert machine.mtu == 1400


def test_routes_are_the_operators_if_he_says_so(machine: Alone) -> None:
    """manage_routes = false: the interface is made all the same."""
    machine.strict = True

    machine.own(manage_routes=False).configure(TWO, "w1")

    assert [line for line in machine.done if line.startswith(("ip", "load"))] == []
    assert NAME in machine.devices


def test_rules_and_routes_are_looked_at_now_and_then(machine: Alone) -> None:
    """Whoever cleared them: a restarted systemd-networkd takes away rules that it does not know."""
    own = machine.own()
    own.configure(TWO, "w1")
    led = machine.tables[4]
    machine.tables[4] = replace(led, rules=frozenset())

    for _ in range(module.LOOKS_AT_ROUTES):
        own.mend()

    assert machine.tables[4] == led


def test_a_session_is_made_anew_in_the_interface_that_is_there(machine: Alone) -> None:
    """As with one that others made."""
    own = machine.own()
    own.configure(TWO, "w1")
    before = len(machine.done)

    own.recreate(TWO["w2"])

    assert [line.split()[1] for line in machine.since(before)] == ["remove", "add"]


def test_where_it_is_gone_it_is_made_instead(machine: Alone) -> None:
    """All sessions are new then."""
    own = machine.own()
    own.configure(TWO, "w1")
    machine.remove(NAME)

    own.recreate(TWO["w2"])

    assert machine.way == NAME


# What others made.


def test_before_it_is_made_it_is_read_as_it_will_be(machine: Alone) -> None:
    """The mark is known at once: the control connection needs it first."""
    own = machine.own()

    assert own.mark == MARK
    assert own.read() == Device(NAME, machine.keys.public, 0, MARK, ())
    assert machine.done == []


def test_a_bare_one_is_dressed(machine: Alone) -> None:
    """As a crash between making and dressing leaves it, or `ip link add`."""
    machine.devices[NAME] = Device(NAME, None, 0, None, ())

    machine.own().mend()

    assert machine.devices[NAME].public_key == machine.keys.public


def test_one_with_its_key_is_used_as_it_is(machine: Alone) -> None:
    """wg-quick's, which has the network of the address: port, peers and addresses stay."""
    stranger = peer(public_key(999), "10.5.0.0/16")
    machine.devices[NAME] = Device(NAME, machine.keys.public, 51820, MARK, (stranger,))
    machine.addresses[NAME] = ["10.99.1.7/16", "fe80::1/64"]

    machine.own().configure(TWO, "w1")

    assert not [line for line in machine.done if line.startswith(("make", "dress"))]
    assert stranger in machine.devices[NAME].peers


def test_what_another_led_into_it_stays_until_a_document_says_what_is_routed(machine: Alone) -> None:
    """wg-quick's route and rules: taken away before ours are there, they would let everything out in clear."""
    machine.devices[NAME] = Device(NAME, machine.keys.public, 51820, MARK, ())
    machine.addresses[NAME] = ["10.99.1.7/32"]
    led = Tables(
        frozenset({Route(MARK, ALL, NAME)}), frozenset({Rule(32765, str(MARK), MARK, unmarked=True)})
    )
    machine.tables[4] = led
    own = machine.own()

    for _ in range(2 * module.LOOKS_AT_ROUTES):
        own.mend()
    assert machine.tables[4] == led

    own.configure(TWO, "w1")
    assert machine.way == NAME
    assert not [line for line in machine.done if f"route del {ALL}" in line]


def test_an_address_that_is_lacking_is_given(machine: Alone) -> None:
    """Somebody took it away, or the configuration has one more."""
    machine.own().configure(TWO, "w1")
    before = len(machine.done)

    machine.own("10.99.1.7", "fd00::7").mend()

    assert machine.since(before)[0] == f"dress {NAME} 10.99.1.7,fd00::7 mtu None"


def test_one_with_another_key_is_refused(machine: Alone) -> None:
    """It is somebody's; the text says the ways out."""
    machine.devices[NAME] = Device(NAME, public_key(5), 51820, None, ())

    with pytest.raises(LayoutError) as caught:
        machine.own().read()

    assert str(caught.value) == (
        "wg0 is there and has another key than private_key_file: take it down (`wg-quick down wg0`, `ip link delete dev "
        "wg0`), or name another `interface`"
    )


def test_one_with_another_mark_is_refused(machine: Alone) -> None:
    """With ours, the rules that wg-quick made would lead the tunnel's packets into the tunnel."""
    machine.devices[NAME] = Device(NAME, machine.keys.public, 51820, 51820, ())

    with pytest.raises(LayoutError) as caught:
        machine.own().configure(TWO, "w1")

    assert str(caught.value) == (
        "wg0 is there and has the firewall mark 51820: say `firewall_mark = 51820` in sync.toml, or take it down "
        "(`wg-quick down wg0`)"
    )
    assert not [line for line in machine.done if line.startswith(("make", "dress", NAME))]


# The watch.


def test_the_watch_goes_on_after_a_failure(
    machine: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What failed is said, and tried again at the next look."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    tried: list[str] = []

    async def story() -> None:
        twice = asyncio.Event()

        def fails_once(what: str) -> bool:
            if not what.startswith("make"):
                return False
            tried.append(what)
            if len(tried) == 2:
                twice.set()
            return len(tried) == 1

        machine.broken = fails_once
        watching = asyncio.create_task(watch(machine.own()))
        await twice.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(asyncio.wait_for(story(), 10))

    assert NAME in machine.devices
    assert len(said(caplog, "not applied")) == 1
