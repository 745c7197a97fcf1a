"""The egress probes on a worker with real forwarding and masquerading, which are then taken away."""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.lab import addresses
from tests.lab.host import CommandError
from tests.lab.machines import Worker
from tests.lab.network import Network

pytestmark = pytest.mark.system

ASK = """
import sys
from exporter.egress import Egress
from exporter.attempts import EgressError
from exporter.probe import parse_probe
from exporter.proc import Proc

probe, timeout, *sources = sys.argv[1:]
egress = Egress([parse_probe(probe)], timeout=float(timeout), sources=sources, forwarding=Proc().forwarding)
try:
    print({sample.family.name: bool(sample.value) for sample in egress.samples(60.0)})
except EgressError as error:
    sys.exit(str(error))
"""
SERVICE = f"icmp:{addresses.SERVICE}"
ANSWERED, UNANSWERED = "10", "0.5"
"""Seconds to wait for what should come, and for what should not."""
WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network(workers=1, clients=0) as up:
        yield up


@pytest.fixture
def worker(network: Network) -> Iterator[Worker]:
    """As the lab makes it, and again so for the next test."""
    (worker,) = network.workers
    rules = worker.run("nft", "list", "ruleset")
    yield worker
    worker.nft(f"flush ruleset\n{rules}")
    worker.sysctl("net.ipv4.ip_forward", 1)


def asked(worker: Worker, timeout: str, *sources: str, probe: str = SERVICE) -> tuple[bool, bool]:
    """Whether the egress is up, and the probe was answered."""
    said = ast.literal_eval(worker.run(sys.executable, "-c", ASK, probe, timeout, *sources))
    return said["wireguard_worker_egress_up"], said["wireguard_worker_egress_probe_success"]


def test_a_probe_from_the_tunnel_address_is_answered(worker: Worker) -> None:
    """The worker masquerades it, as it does the clients' packets."""
    assert asked(worker, ANSWERED, worker.tunnel_address) == (True, True)


def test_without_masquerading_it_is_not(worker: Worker) -> None:
    """Nobody beyond the worker knows the way back; from the worker's own address all looks well."""
    worker.run("nft", "delete", "table", "ip", "lab")

    assert asked(worker, UNANSWERED, worker.tunnel_address) == (False, False)
    assert asked(worker, ANSWERED) == (True, True)


def test_without_forwarding_the_egress_is_down_though_the_probe_is_answered(worker: Worker) -> None:
    """What the worker itself sends needs none."""
    worker.sysctl("net.ipv4.ip_forward", 0)

    assert asked(worker, ANSWERED, worker.tunnel_address) == (False, True)


def test_a_probe_that_the_workers_own_firewall_drops_failed(worker: Worker) -> None:
    """Which the kernel tells by the error of a missing right: but it is the network that is broken."""
    worker.nft("table ip wall { chain output { type filter hook output priority 0; policy drop; }; }")

    assert asked(worker, ANSWERED) == (False, False)
    assert asked(worker, UNANSWERED, probe=f"tcp:{addresses.SERVICE}:443") == (False, False)
    assert asked(worker, ANSWERED, probe=f"dns:{addresses.SERVICE}/example.org") == (False, False)


def test_a_probe_without_a_way_there_failed(worker: Worker) -> None:
    """At once."""
    worker.ip("route add unreachable 10.66.0.0/16")

    assert asked(worker, ANSWERED, probe="icmp:10.66.0.1") == (False, False)


def test_an_echo_over_ipv6_comes_back(worker: Worker) -> None:
    """Forwarding is then IPv6's."""
    assert asked(worker, ANSWERED, probe="icmp:::1") == (False, True)
    worker.sysctl("net.ipv6.conf.all.forwarding", 1)

    assert asked(worker, ANSWERED, probe="icmp:::1") == (True, True)


@pytest.mark.parametrize("probe", [SERVICE, "icmp:::1"])
def test_a_ping_socket_needs_no_capability(worker: Worker, probe: str) -> None:
    """Where the process's group may have one, of either family."""
    worker.run("/bin/sh", "-c", "echo 0 0 > /proc/sys/net/ipv4/ping_group_range")
    ask = [*WITHOUT_CAPABILITIES, sys.executable, "-c", ASK, probe, ANSWERED]
    try:
        assert "'wireguard_worker_egress_probe_success': True" in worker.run(*ask)
    finally:
        worker.run("/bin/sh", "-c", "echo 1 0 > /proc/sys/net/ipv4/ping_group_range")


def test_without_the_right_to_send_echoes_the_probe_is_our_failure(worker: Worker) -> None:
    """The worker is not degraded because of it; the text says what to do."""
    with pytest.raises(CommandError) as failure:
        worker.run(*WITHOUT_CAPABILITIES, sys.executable, "-c", ASK, SERVICE, ANSWERED)

    assert str(failure.value).endswith(
        f"egress probe {SERVICE}: this process may not send ICMP echoes: have its group in the sysctl "
        "net.ipv4.ping_group_range, give it CAP_NET_RAW, or use a tcp: or dns: probe"
    )
