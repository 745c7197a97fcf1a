"""Tests of client_sync/perworker/interfaces.py, on a machine in memory: what is ours, and what is somebody else's."""

from dataclasses import replace

import pytest

from client_sync.perworker.allotments import Allotments
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.device import named, peer
from tests.client_sync.perworker.kernel import MARK, Machine
from tests.client_sync.samples import ALL, public_key, worker
from wgfleet.device import Device

ONE = named(worker(1))


def test_names_and_marks_are_on_disk_before_an_interface_is_made(machine: Machine) -> None:
    """We die between: the next run knows that the interface is its own."""
    machine.layout().configure(ONE, "w1")
    machine.broken = lambda what: what.startswith("dress")
    with pytest.raises(LayoutError):
        machine.layout().configure(named(worker(1), worker(2)), "w1")
    assert "wg-w2" in machine.devices
    machine.broken = lambda _what: False

    machine.layout().configure(named(worker(1), worker(2)), "w1")
    machine.layout().configure({}, None)

    assert machine.devices == {}


def test_an_interface_of_others_with_another_key_is_refused(machine: Machine) -> None:
    """It has the name that a worker's would have."""
    theirs = Device("wg-w1", public_key(99), 51820, None, (peer(public_key(7), ALL),))
    machine.devices["wg-w1"] = theirs

    with pytest.raises(LayoutError) as caught:
        machine.layout().configure(ONE, "w1")

    assert str(caught.value) == (
        "the interface wg-w1 is there, was made by others and has another key: delete it (`ip link delete dev wg-w1`), "
        "or choose another `interface` in the configuration"
    )
    assert machine.devices["wg-w1"] == theirs


def test_one_of_others_with_our_key_is_used_and_never_removed(machine: Machine) -> None:
    """What we kept was lost, or somebody made it for us."""
    machine.devices["wg-w1"] = Device("wg-w1", machine.keys.public, 51820, None, ())

    machine.layout().configure(ONE, "w1")
    assert machine.way == "wg-w1"
    assert machine.devices["wg-w1"].firewall_mark == MARK
    machine.layout().configure({}, None)

    assert set(machine.devices) == {"wg-w1"}
    assert Allotments(machine.directory).of == {}


def test_one_of_ours_with_a_former_key_is_given_the_present_one(machine: Machine) -> None:
    """The key file was replaced while the daemon was away."""
    machine.layout().configure(ONE, "w1")
    machine.devices["wg-w1"] = replace(machine.devices["wg-w1"], public_key=public_key(98))

    machine.layout().configure(ONE, "w1")

    assert machine.devices["wg-w1"].public_key == machine.keys.public


def test_a_worker_with_a_new_key_is_the_only_peer_again(machine: Machine) -> None:
    """The former key's peer goes with the change."""
    layout = machine.layout()
    layout.configure(ONE, "w1")

    layout.configure(named(worker(1, public_key=public_key(55))), "w1")

    assert [one.public_key for one in machine.devices["wg-w1"].peers] == [public_key(55)]


def test_a_worker_says_its_mtu(machine: Machine) -> None:
    """None leaves the kernel's own."""
    machine.layout().configure(named(worker(1, mtu=1380)), "w1")

    assert "dress wg-w1 10.99.1.7 mtu 1380" in machine.done


def test_the_next_endpoint_is_tried_when_a_session_is_made_anew(machine: Machine) -> None:
    """And round again."""
    two_ways = worker(1, endpoints=("192.0.2.1:51820", "[2001:db8::1]:51820"))
    layout = machine.layout()
    layout.configure(named(two_ways), "w1")

    found = []
    for _ in range(2):
        layout.recreate(two_ways)
        found.append(machine.devices["wg-w1"].peers[0].endpoint)

    assert found == ["[2001:db8::1]:51820", "192.0.2.1:51820"]


def test_the_active_worker_is_looked_for_at_its_next_endpoint(machine: Machine) -> None:
    """Its peer and what leads to it stay. One whose interface is gone is made anew first."""
    two = named(worker(1, endpoints=("192.0.2.1:51820", "198.51.100.1:51820")))
    layout = machine.layout()
    layout.configure(two, "w1")
    before = len(machine.done)

    layout.redirect(two["w1"])
    assert machine.since(before) == [f"wg-w1: update peer {public_key(1)} endpoint 198.51.100.1:51820"]

    machine.remove("wg-w1")
    layout.redirect(two["w1"])
    assert "wg-w1" not in machine.devices
