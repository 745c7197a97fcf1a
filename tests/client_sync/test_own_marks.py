"""Tests of client_sync/own.py where rp_filter is strict: what the tunnel's own packets are known by."""

from pathlib import Path

import pytest

from client_sync.tunnels.programs import LayoutError
from tests.client_sync.alone import NAME, Alone
from tests.client_sync.device import named
from tests.client_sync.perworker.kernel import MARK
from tests.client_sync.samples import worker

TWO = named(worker(1), worker(2))


@pytest.fixture
def machine(tmp_path: Path) -> Alone:
    """A machine without any interface."""
    return Alone(tmp_path)


def test_a_strict_kernel_is_told_which_packets_are_the_tunnels_own(machine: Alone) -> None:
    """By their mark, which their connection remembers."""
    machine.strict = True

    machine.own().configure(TWO, "w1")

    assert len(machine.rulesets) == 1
    first = next(number for number, line in enumerate(machine.done) if "add peer" in line)
    assert machine.done.index("load") < first, "or the answer to the first handshake is dropped"
    assert f"meta mark {MARK} ct mark set {MARK}" in machine.rulesets[0]


def test_a_strict_kernel_is_told_so_before_the_control_connection_is_made(machine: Alone) -> None:
    """Its stream may send nothing later on, by which it could be known; and what comes for it would be dropped."""
    machine.strict = True

    machine.own().begin()

    assert machine.done == ["load"]
    assert f"meta mark {MARK} ct mark set {MARK}" in machine.rulesets[0]


@pytest.mark.parametrize("broken", [False, True], ids=["loose", "without nftables"])
def test_else_nothing_is_done_before_and_nothing_is_said(machine: Alone, *, broken: bool) -> None:
    """A kernel that is not strict needs no marks; one without nftables is told of when the interface is made."""
    machine.strict = broken
    machine.broken = lambda what: broken and what == "load"

    machine.own().begin()

    assert machine.rulesets == []


def test_a_tunnel_for_some_networks_needs_no_marks(machine: Alone) -> None:
    """What workers send comes by the way that an answer would take; nftables need not be there."""
    machine.strict = True

    machine.own().configure(named(worker(1, allowed_ips=("10.0.0.0/9",))), "w1")

    assert machine.rulesets == []


def test_a_strict_kernel_without_nftables_is_said_with_the_ways_out(machine: Alone) -> None:
    """Else no answer of any worker would arrive, and nobody knew why."""
    machine.strict = True
    machine.broken = lambda what: what == "load"

    with pytest.raises(LayoutError) as caught:
        machine.own().configure(TWO, "w1")

    assert machine.way == NAME, "all else is done"
    assert str(caught.value) == (
        "`load` failed: rp_filter is strict here, and the kernel would drop what workers send: install nftables, or "
        "`sysctl -w` a 2 to each net.ipv4.conf.*.rp_filter that is 1"
    )
