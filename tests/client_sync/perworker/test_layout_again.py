"""Tests of client_sync/perworker/layout.py, on a machine in memory: what failed is done again, and what was done is not."""

import pytest

from client_sync.perworker.layout import PerWorker
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.device import named
from tests.client_sync.perworker.kernel import DEADLINE, MARK, Machine
from tests.client_sync.samples import ALL, public_key, worker
from wgfleet.peerset import WorkerState

TWO = named(worker(1), worker(2))
W1, W2 = str(MARK + 1), str(MARK + 2)
DRAINED = named(worker(1, WorkerState.DRAINING), worker(2))


def test_a_standby_that_cannot_be_made_stops_no_other(machine: Machine) -> None:
    """The traffic flows, the third worker stands by, and the failure is said."""
    machine.broken = lambda what: what.startswith("make wg-w2")

    with pytest.raises(LayoutError, match="make wg-w2"):
        machine.layout().configure(named(worker(1), worker(2), worker(3)), "w1")

    assert machine.way == "wg-w1"
    assert set(machine.devices) == {"wg-w1", "wg-w3"}
    assert len(machine.rulesets) == 1


def test_a_worker_without_an_interface_takes_over_from_nobody(machine: Machine, layout: PerWorker) -> None:
    """It is not to be had: the present path stays as it is."""
    machine.broken = lambda what: what.startswith("make wg-w3")

    with pytest.raises(LayoutError):
        layout.configure(named(worker(1), worker(2), worker(3)), "w3")

    assert machine.way == "wg-w1"


def test_an_interface_that_is_gone_is_made_again(machine: Machine, layout: PerWorker) -> None:
    """A userspace WireGuard died: its name, its mark, and the way to it."""
    machine.remove("wg-w1")
    assert machine.way is None

    layout.mend()

    assert machine.way == "wg-w1"
    assert machine.devices["wg-w1"].firewall_mark == MARK


def test_an_interface_that_somebody_took_down_is_taken_up_again(machine: Machine, layout: PerWorker) -> None:
    """The kernel took its routes along; while it is down nobody leads to it, so that moves to others go on."""
    machine.down.add("wg-w1")
    machine.unroute("wg-w1")
    before = len(machine.done)
    layout.configure(TWO, "w2")
    assert machine.since(before)[0] == f"ip -4 route replace {ALL} dev wg-w2 table {MARK}"

    assert machine.down == set()
    assert (MARK, "10.99.0.1/32", "wg-w1") in {
        (route.table, route.prefix, route.device) for route in machine.tables[4].routes
    }


def test_the_active_workers_interface_that_is_down_is_mended(machine: Machine, layout: PerWorker) -> None:
    """By the watch."""
    machine.down.add("wg-w1")
    machine.unroute("wg-w1")

    layout.mend()

    assert machine.way == "wg-w1"


def test_a_silent_standbys_session_is_made_anew(machine: Machine, layout: PerWorker) -> None:
    """Its peer goes and comes, in one call; its interface stays."""
    before = len(machine.done)

    layout.recreate(TWO["w2"])

    assert machine.since(before) == [
        f"wg-w2: remove peer {public_key(2)}",
        (
            f"wg-w2: add peer {public_key(2)} endpoint 192.0.2.2:51820 allowed-ips 10.99.0.2/32,{ALL} "
            "persistent-keepalive 25"
        ),
    ]


def test_a_silent_standby_without_its_interface_gets_a_new_one(machine: Machine, layout: PerWorker) -> None:
    """That is why it is silent."""
    machine.remove("wg-w2")

    layout.recreate(TWO["w2"])

    assert (MARK, "10.99.0.2/32", "wg-w2") in {
        (route.table, route.prefix, route.device) for route in machine.tables[4].routes
    }


# Restarts.


def test_a_restart_takes_up_what_is_there(machine: Machine, layout: PerWorker) -> None:
    """Nothing is made, dressed or led anew."""
    del layout
    before = len(machine.done)
    again = machine.layout()

    assert again.holder(TWO) == "w1"
    again.configure(TWO, "w1")

    assert machine.since(before) == []


def test_a_restart_takes_up_a_drain_with_its_deadline(machine: Machine, layout: PerWorker) -> None:
    """A daemon that is restarted each half hour does end its drains."""
    layout.configure(DRAINED, "w2")
    machine.now += DEADLINE / 2
    again = machine.layout()
    again.configure(DRAINED, "w2")
    assert list(again.draining) == ["w1"]

    machine.now += DEADLINE / 2
    again.end_drains()

    assert machine.pinned == {W2}


def test_a_restart_moves_by_what_it_finds_as_any_other(machine: Machine, layout: PerWorker) -> None:
    """The worker was drained while the daemon was away: what is connected through it stays."""
    del layout
    again = machine.layout()

    again.configure(DRAINED, "w2")

    assert list(again.draining) == ["w1"]
    assert machine.pinned == {W1, W2}
