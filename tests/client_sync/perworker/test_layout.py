"""Tests of client_sync/perworker/layout.py, on a machine in memory: moves, drains, deaths, restarts."""

import logging
from ipaddress import ip_address

import pytest

from client_sync.perworker.draining import SILENT_AFTER
from client_sync.perworker.layout import PerWorker
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.device import named
from tests.client_sync.perworker.kernel import DEADLINE, MARK, Machine, connection
from tests.client_sync.samples import ALL, public_key, worker
from tests.client_sync.scene import said
from wgfleet.peerset import PublishedWorker, WorkerState

TWO = named(worker(1), worker(2))
W1, W2 = str(MARK + 1), str(MARK + 2)
TARGET = "198.51.100.1"
DRAINED = named(worker(1, WorkerState.DRAINING), worker(2))


def beyond(machine: Machine) -> set[str]:
    """The rules to the target."""
    begin = f"pref 30099 to {TARGET}/32 "
    rules = map(str, machine.tables[4].rules)
    return {rule.removeprefix(begin) for rule in rules if rule.startswith(begin)}


def test_from_nothing_the_active_worker_comes_first(machine: Machine) -> None:
    """Its interface and the way to it, before anything is done about the others."""
    layout = machine.layout()

    layout.configure(TWO, "w1")

    assert machine.done[:3] == [
        "make wg-w1 auto",
        "dress wg-w1 10.99.1.7 mtu None",
        (
            f"wg-w1: add peer {public_key(1)} endpoint 192.0.2.1:51820 allowed-ips 10.99.0.1/32,{ALL} "
            "persistent-keepalive 25"
        ),
    ]
    led = machine.done.index(f"ip -4 route replace {ALL} dev wg-w1 table {MARK}")
    assert led < machine.done.index("make wg-w2 auto")
    assert machine.devices["wg-w2"].peers[0].allowed_ips == ("10.99.0.2/32", ALL)
    assert layout.holder(TWO) == "w1"
    assert layout.mark == MARK


def test_what_leaves_with_the_mark_is_known_by_it_before_there_is_any_tunnel(machine: Machine) -> None:
    """The control connection is made first; nothing else is touched."""
    machine.layout().begin()

    assert machine.done == []
    (rules,) = machine.rulesets
    assert f"meta mark {MARK} ct mark set {MARK}" in rules


def test_a_daemon_just_started_marks_connections_as_the_one_before(
    machine: Machine, layout: PerWorker
) -> None:
    """Or those that are kept on a worker would leave it until the first document is applied."""
    del layout
    before = machine.rulesets[-1]

    machine.layout().begin()

    assert machine.rulesets[-1] == before
    assert len(machine.rulesets) == 2


def test_a_daemon_that_cannot_mark_connections_starts_all_the_same(machine: Machine) -> None:
    """Where nftables is not there, each document says so."""
    machine.broken = lambda what: what == "load"
    layout = machine.layout()

    layout.begin()

    with pytest.raises(LayoutError, match="load"):
        layout.configure(TWO, "w1")


def test_the_same_again_touches_nothing(machine: Machine, layout: PerWorker) -> None:
    """A document that changes nothing."""
    before = len(machine.done)

    layout.configure(TWO, "w1")

    assert machine.since(before) == []


def test_a_planned_move_is_one_route_and_keeps_what_is_connected(machine: Machine, layout: PerWorker) -> None:
    """Nothing else: no peer, no interface. The rule of the new worker is for its drain, one day."""
    before = len(machine.done)

    layout.configure(DRAINED, "w2")

    assert machine.since(before) == [
        f"ip -4 route replace {ALL} dev wg-w2 table {MARK}",
        f"ip -4 rule add pref 30101 fwmark {W2} table {W2}",
    ]
    assert list(layout.draining) == ["w1"]


@pytest.mark.parametrize("state", [WorkerState.SERVING, WorkerState.SUSPECT, WorkerState.JOINING])
def test_a_worker_that_is_left_and_answers_keeps_its_connections(
    machine: Machine, layout: PerWorker, state: WorkerState
) -> None:
    """In whatever state; a miss or two is no death."""
    layout.configure(named(worker(1, state), worker(2)), "w2", silent={"w3"})
    layout.heard("10.99.0.1", answered=False)
    layout.end_drains()

    assert machine.pinned == {W1, W2}


def test_a_worker_that_does_not_answer_loses_them_with_the_move(
    machine: Machine, layout: PerWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """The own probe found it silent: what hangs on it had better begin anew."""
    caplog.set_level(logging.INFO)
    layout.configure(TWO, "w2", silent={"w1"})

    assert machine.way == "wg-w2"
    assert machine.pinned == {W2}
    assert layout.draining == {}
    assert [line["reason"] for line in said(caplog, "drain ended")] == ["silent"]


def test_one_answer_is_a_new_beginning(machine: Machine, layout: PerWorker) -> None:
    """Misses count only in a row, and in one drain."""
    for worker_left, other in (("w1", "w2"), ("w2", "w1"), ("w1", "w2")):
        layout.configure(TWO, other)
        for answered in (False, False, True, False, False):
            layout.heard(layout.watched[0], answered=answered)
        layout.end_drains()

        assert list(layout.draining) == [worker_left]
    assert machine.pinned == {W1, W2}


def test_a_worker_published_as_down_loses_them_with_the_move(machine: Machine, layout: PerWorker) -> None:
    """Its tunnel may answer; what lies beyond does not."""
    layout.configure(named(worker(1, WorkerState.DOWN), worker(2)), "w2")

    assert machine.pinned == {W2}


def test_a_drain_ends_when_nothing_is_connected_any_more(machine: Machine, layout: PerWorker) -> None:
    """The count is by mark, and what others carry does not matter."""
    layout.configure(DRAINED, "w2")
    machine.connections = [connection(MARK + 1), connection(MARK + 2), connection(MARK + 2)]
    assert layout.flows() == {"w1": 1, "w2": 2}
    layout.counted(layout.flows() or {})
    layout.end_drains()
    assert machine.pinned == {W1, W2}

    machine.connections = machine.connections[1:]
    layout.counted(layout.flows() or {})
    layout.end_drains()

    assert machine.pinned == {W2}
    assert layout.draining == {}


def test_a_drain_ends_at_its_deadline(machine: Machine, layout: PerWorker) -> None:
    """Counted or not."""
    layout.configure(DRAINED, "w2")

    machine.now += DEADLINE - 1
    layout.end_drains()
    assert machine.pinned == {W1, W2}
    machine.now += 1
    layout.end_drains()

    assert machine.pinned == {W2}


def test_a_drain_ends_when_the_worker_dies(machine: Machine, layout: PerWorker) -> None:
    """In the middle of it."""
    layout.configure(DRAINED, "w2")
    for _ in range(SILENT_AFTER):
        layout.heard("10.99.0.1", answered=False)

    layout.end_drains()

    assert machine.pinned == {W2}


def test_while_the_new_worker_is_silent_too_the_old_ones_silence_means_nothing(
    machine: Machine, layout: PerWorker
) -> None:
    """The client changes its network: its connections may well go on when it is back."""
    layout.configure(DRAINED, "w2")
    for address in ("10.99.0.1", "10.99.0.2"):
        for _ in range(SILENT_AFTER):
            layout.heard(address, answered=False)
    layout.end_drains()
    assert machine.pinned == {W1, W2}

    layout.heard("10.99.0.2", answered=True)
    layout.end_drains()

    assert machine.pinned == {W2}


def test_without_a_drain_nothing_is_watched(layout: PerWorker) -> None:
    """The core asks for the probes that it needs."""
    assert layout.watched == ()


def test_where_nobody_counts_connections_a_drain_lasts_until_its_deadline(
    machine: Machine, layout: PerWorker
) -> None:
    """Nothing known is not nothing left."""
    machine.connections = None
    layout.configure(DRAINED, "w2")

    assert layout.flows() is None
    layout.end_drains()

    assert machine.pinned == {W1, W2}


def test_a_worker_that_carries_everything_again_drains_no_longer(machine: Machine, layout: PerWorker) -> None:
    """The other one does, then."""
    layout.configure(DRAINED, "w2")

    layout.configure(TWO, "w1")

    assert machine.way == "wg-w1"
    assert list(layout.draining) == ["w2"]


def test_a_rule_that_could_not_be_deleted_is_deleted_the_next_time(
    machine: Machine, layout: PerWorker
) -> None:
    """Or connections would hang on a dead worker for ever."""
    layout.configure(DRAINED, "w2")
    layout.counted({"w1": 0})
    machine.broken = lambda what: "rule del" in what
    with pytest.raises(LayoutError):
        layout.end_drains()
    machine.broken = lambda _what: False

    layout.end_drains()

    assert machine.pinned == {W2}


# Workers that go.


def test_a_removed_worker_keeps_its_interface_while_it_is_used(machine: Machine, layout: PerWorker) -> None:
    """And loses it, and all that leads to it, with the last connection."""
    layout.configure(named(worker(2)), "w2")
    assert set(machine.devices) == {"wg-w1", "wg-w2"}
    assert layout.watched == ("10.99.0.1", "10.99.0.2")

    layout.counted({"w1": 0})
    layout.end_drains()

    assert set(machine.devices) == {"wg-w2"}
    assert {route.device for route in machine.tables[4].routes} == {None, "wg-w2"}
    assert {route.prefix for route in machine.tables[4].routes} == {ALL, "10.99.0.2/32"}


def test_a_removed_standby_goes_at_once(machine: Machine, layout: PerWorker) -> None:
    """Nothing uses it."""
    layout.configure(named(worker(1)), "w1")

    assert set(machine.devices) == {"wg-w1"}


def test_a_banned_worker_goes_at_once_though_it_carries_the_traffic(
    machine: Machine, layout: PerWorker
) -> None:
    """Until there is another, everything ends in the dead end."""
    banned = named(worker(1, WorkerState.BANNED), worker(2))

    layout.configure(banned, None)
    assert machine.way is None
    assert set(machine.devices) == {"wg-w2"}
    assert ("0.0.0.0/0", None) in {(route.prefix, route.device) for route in machine.tables[4].routes}

    layout.configure(banned, "w2")
    assert machine.way == "wg-w2"
    assert machine.pinned == {W2}


def test_without_any_worker_the_dead_ends_stay(machine: Machine, layout: PerWorker) -> None:
    """An empty peer set is no reason to send everything out in clear; nor is it after a restart."""
    layout.configure({}, None)
    machine.layout().configure({}, None)

    assert machine.devices == {}
    assert {(route.prefix, route.device) for route in machine.tables[4].routes} == {(ALL, None)}
    assert {rule.priority for rule in machine.tables[4].rules} == {30100, 30102}


# The rest of what the layout is asked.


def test_each_worker_is_probed_by_its_own_interface(layout: PerWorker) -> None:
    """By name and by address."""
    assert layout.device_of("w2") == "wg-w2"
    assert layout.worker_at("10.99.0.2") == "w2"
    assert layout.worker_at("10.99.0.9") is None


def test_a_target_beyond_is_led_to_by_each_workers_own_interface(machine: Machine) -> None:
    """Of what is bound to it; a worker that goes takes its rule along, and no probe is marked as a connection."""
    layout = machine.layout(target=TARGET)
    layout.configure(TWO, "w1")

    assert beyond(machine) == {f"oif wg-w1 table {W1}", f"oif wg-w2 table {W2}"}
    assert f"ip daddr {TARGET} icmp type echo-request return" in machine.rulesets[-1]
    layout.configure(named(worker(1)), "w1")
    assert beyond(machine) == {f"oif wg-w1 table {W1}"}
    machine.layout().configure(named(worker(1)), "w1")
    assert beyond(machine) == set()
    assert TARGET not in machine.rulesets[-1]


def test_only_listed_workers_whose_allowed_ips_contain_it_lead_to_a_target(layout: PerWorker) -> None:
    """Of the other family none of these; one that is banned is not asked."""
    partly = named(worker(1, allowed_ips=("10.0.0.0/8",)), worker(2), worker(3, WorkerState.BANNED))
    layout.configure(partly, "w2")

    assert layout.leading_to(ip_address(TARGET)) == {"w1": False, "w2": True}
    assert layout.leading_to(ip_address("2001:db8::1")) == {"w1": False, "w2": False}


def test_all_interfaces_are_read_as_one(machine: Machine, layout: PerWorker) -> None:
    """With our key, the mark and every peer."""
    device = layout.read()

    assert (device.interface, device.public_key, device.firewall_mark) == ("wg", machine.keys.public, MARK)
    assert {peer.public_key for peer in device.peers} == {public_key(1), public_key(2)}


def test_a_private_key_that_is_none_is_said_at_once_and_not_quoted(machine: Machine) -> None:
    """At the start, before anything is touched."""
    layout = machine.layout()
    (machine.directory / "private.key").write_text("my secret\n")

    with pytest.raises(LayoutError) as caught:
        layout.read()

    assert str(caught.value) == (
        f"private_key_file: {machine.directory}/private.key holds no WireGuard private key: `wg genkey` makes one, "
        "and what `wg pubkey` makes of it is the client's public key, which the operator needs"
    )


def test_a_workers_own_address_among_its_prefixes_is_no_reason_to_know_no_carrier(machine: Machine) -> None:
    """It leads to that worker, always."""
    odd: dict[str, PublishedWorker] = named(
        worker(1, allowed_ips=(ALL, "10.99.0.1/32")), worker(2, allowed_ips=(ALL, "10.99.0.2/32"))
    )
    layout = machine.layout()

    layout.configure(odd, "w2")

    assert layout.holder(odd) == "w2"


def test_a_worker_that_is_not_published_holds_nothing(layout: PerWorker) -> None:
    """The routes still lead to it; the driver must choose among those that there are."""
    assert layout.holder(named(worker(2))) is None
