"""Tests of failover_receiver/routes/discovery.py: the answers as Prometheus's http_sd takes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover_receiver.access import Role
from failover_receiver.routes.discovery import default_gateways
from failover_receiver.state import WorkerRegistered, WorkerSpec
from tests.failover_receiver.parts import Parts, build
from tests.failover_receiver.story import spec

pytestmark = pytest.mark.anyio

KEY = spec(9).public_key
SIX = WorkerSpec(KEY, ("[2001:db8::9]:51820",), ("fd00::9", "10.99.0.9"), ("::/0",), exporter_port=9999)
NAMED = WorkerSpec(spec(8).public_key, ("vpn.example.org:51820",), ("10.99.0.8",), ("0.0.0.0/0",))

TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wlan0\t00000000\tFE01A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t700\t00000000\t0\t0\t0
eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth0\t000A0A0A\t0102A8C0\t0003\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""
"""/proc/net/route of a machine that counts bytes from the little end: two default gateways, a default route without one, and others."""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Parts]:
    """A receiver with canaries."""
    parts = build(tmp_path, canaries=["198.51.100.1", "2001:db8::53"])
    yield parts
    parts.close()


async def discovered(parts: Parts, path: str) -> Any:
    """What Prometheus is told, once all workers are there."""
    for name, of in (("six", SIX), ("fra1", spec(1)), ("named", NAMED)):
        await parts.driver.take(WorkerRegistered(name, of), who="operator")
    async with parts.ask(Role.PROMETHEUS) as http:
        answer = await http.get(path)
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def target(address: str, **labels: str) -> dict[str, Any]:
    """One group of http_sd."""
    return {"targets": [address], "labels": labels}


async def test_exporters_are_scraped_on_the_public_host(fleet: Parts) -> None:
    """By name, in order; IPv6 in brackets, as in a URL."""
    assert await discovered(fleet, "/v1/sd/workers") == [
        target("192.0.2.1:9586", worker="fra1"),
        target("vpn.example.org:9586", worker="named"),
        target("[2001:db8::9]:9999", worker="six"),
    ]


@pytest.mark.parametrize(
    ("probe", "addresses"),
    [
        ("tunnel", ["10.99.0.1", "10.99.0.8", "fd00::9"]),
        ("icmp", ["192.0.2.1", "vpn.example.org", "2001:db8::9"]),
        ("tcp", ["192.0.2.1:9586", "vpn.example.org:9586", "[2001:db8::9]:9999"]),
    ],
)
async def test_each_kind_of_probe_goes_where_it_must(fleet: Parts, probe: str, addresses: list[str]) -> None:
    """The tunnel's to the tunnel address, the others to the public one."""
    found = await discovered(fleet, f"/v1/sd/probes?probe={probe}")

    assert found == [
        target(address, worker=name)
        for address, name in zip(addresses, ["fra1", "named", "six"], strict=True)
    ]


async def test_canaries_are_no_workers(fleet: Parts) -> None:
    """Each carries its own name and no worker's."""
    assert await discovered(fleet, "/v1/sd/probes?probe=canary") == [
        target("198.51.100.1", canary="198.51.100.1"),
        target("2001:db8::53", canary="2001:db8::53"),
    ]


async def test_without_workers_there_is_an_empty_list(parts: Parts) -> None:
    """Prometheus drops the targets that are gone; an error would make it keep them."""
    async with parts.ask(Role.PROMETHEUS) as http:
        answers = [await http.get(f"/v1/sd/{path}") for path in ("workers", "probes?probe=tunnel")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, []), (200, [])]


async def test_without_canaries_the_default_gateways_are_probed(parts: Parts) -> None:
    """Those of this machine, whatever they are."""
    found = await discovered(parts, "/v1/sd/probes?probe=canary")

    gateways = default_gateways(Path("/proc/net/route"))
    assert found == [target(gateway, canary=gateway) for gateway in gateways]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", "query.probe: is missing"),
        ("?probe=http", "query.probe: is 'http': 'tunnel', 'icmp', 'tcp' or 'canary' was expected"),
    ],
)
async def test_an_unknown_probe_is_refused_with_the_known_ones(parts: Parts, query: str, error: str) -> None:
    """A slip in prometheus.yml."""
    async with parts.ask(Role.PROMETHEUS) as http:
        answer = await http.get(f"/v1/sd/probes{query}")

    assert (answer.status_code, answer.json()) == (422, {"error": error})


def test_default_gateways_are_read_from_the_kernels_table(tmp_path: Path) -> None:
    """Default routes by way of a gateway, and no other line."""
    table = tmp_path / "route"
    table.write_text(TABLE)

    assert default_gateways(table) == ["192.168.2.1", "192.168.1.254"]


def test_a_host_without_a_table_has_no_gateway(tmp_path: Path) -> None:
    """Another system than Linux, or a container without /proc: then canaries must be said."""
    assert default_gateways(tmp_path / "nothing") == []


def test_a_host_without_a_default_route_has_no_gateway(tmp_path: Path) -> None:
    """Only the head of the table."""
    table = tmp_path / "route"
    table.write_text(TABLE.splitlines(keepends=True)[0])

    assert default_gateways(table) == []
