"""What Prometheus shall scrape and probe: its http_sd reads it here, so a new worker is watched within seconds."""

import ipaddress
import struct
from enum import StrEnum
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends

from failover_receiver.access import Role
from failover_receiver.receiver import Receiver
from failover_receiver.state import WorkerSpec
from wgfleet.names import split_endpoint

RTF_GATEWAY = 0x2
"""Linux's flag (route(8)) of a route by way of a gateway."""


class Probe(StrEnum):
    """The kinds of probe."""

    TUNNEL = "tunnel"
    """ICMP echo to the worker's tunnel address, through the tunnel: it decides."""
    ICMP = "icmp"
    """ICMP echo to the public address."""
    TCP = "tcp"
    """TCP to the exporter's port on the public address."""
    CANARY = "canary"
    """ICMP echo to something that is no worker: is the vantage itself cut off?"""


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/sd/workers` and `/v1/sd/probes`."""
    router = APIRouter(
        prefix="/v1/sd", dependencies=[Depends(receiver.allow(Role.PROMETHEUS, Role.OPERATOR))]
    )

    @router.get("/workers")
    def workers() -> list[dict[str, Any]]:
        """The exporters."""
        return [
            _target(f"{_bracketed(_public_host(worker.spec))}:{worker.spec.exporter_port}", worker=name)
            for name, worker in sorted(receiver.driver.state.workers.items())
        ]

    @router.get("/probes")
    def probes(probe: Probe) -> list[dict[str, Any]]:
        """What the blackbox exporter shall probe, for one kind of probe."""
        if probe is Probe.CANARY:
            canaries = receiver.settings.canaries or default_gateways(Path("/proc/net/route"))
            return [_target(canary, canary=canary) for canary in canaries]
        return [
            _target(_probed(worker.spec, probe), worker=name)
            for name, worker in sorted(receiver.driver.state.workers.items())
        ]

    return router


def default_gateways(table: Path) -> list[str]:
    """IPv4 default gateways of this host, by Linux's route table; where there is none, `canaries` must be set."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    fields = [line.split() for line in lines]
    # Addresses stand there as hexadecimal numbers in the byte order of the machine (proc(5)).
    return [
        str(ipaddress.IPv4Address(struct.pack("=I", int(gateway, 16))))
        for _interface, destination, gateway, flags, *_ in fields
        if destination == "00000000" and int(flags, 16) & RTF_GATEWAY
    ]


def _target(address: str, **labels: str) -> dict[str, Any]:
    return {"targets": [address], "labels": labels}


def _public_host(spec: WorkerSpec) -> str:
    return split_endpoint(spec.endpoints[0])[0]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _probed(spec: WorkerSpec, probe: Probe) -> str:
    if probe is Probe.TUNNEL:
        return spec.tunnel_addresses[0]
    host = _public_host(spec)
    return f"{_bracketed(host)}:{spec.exporter_port}" if probe is Probe.TCP else host
