"""A worker dies, and the name that led to it leads elsewhere: when has a device that looks it up again its way out back?

Everything is real: Prometheus finds the worker dead (probes each second), the receiver changes the name in a BIND, the device
asks that BIND every few seconds. Two ways for the device: `endpoint` only sets the peer's endpoint anew, as wireguard-tools'
reresolve-dns.sh does; `peer` makes the peer anew, as deploy/dns/wgfleet-reresolve does. A resolver that caches is not among
them: it adds up to the name's time to live.
"""

import argparse
import base64
import json
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.addresses import UNDERLAY_GATEWAY
from tests.lab.fleet import Fleet, Profile
from tests.lab.keys import new_key_pair
from tests.lab.machines import Client
from tests.lab.named import NAME, READY, ZONE, Named
from tests.lab.process import Process
from tests.lab.shared import PORT, device
from tests.lab.waiting import wait_until
from tests.lab.wireguard import Interface

SCRIPT = Path(__file__).parents[2] / "deploy" / "dns" / "wgfleet-reresolve"
LIMIT = 60.0
KEYS = new_key_pair()
LOOPS: Mapping[str, str] = {
    "endpoint": f'wg set wg0 peer {KEYS.public} endpoint "{NAME}:{PORT}" || true',
    "peer": f"{SCRIPT} wg0 {KEYS.public} {NAME} {PORT} || true",
}
"""What the device does every so many seconds, by the way's name."""
SHIPPED = "peer"


@dataclass(frozen=True, slots=True)
class Return:
    """Seconds from the worker's death, each until it had come that far."""

    named: float
    """The name had changed."""
    back: float
    """The device's traffic came back."""


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="make bench NAME=dns", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="deaths for each way (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="between look-ups (default: %(default)s)")
    arguments = parser.parse_args()
    with scene() as (fleet, machine, shared):
        found = {way: measure(fleet, machine, shared, way, arguments) for way in LOOPS}
    print(json.dumps(summary(found, every=arguments.seconds)))
    return 0


@contextmanager
def scene() -> Iterator[tuple[Fleet, Client, list[Interface]]]:
    """A fleet of two workers that share an identity, a BIND that the device asks, and the device."""
    with tempfile.TemporaryDirectory(prefix="wgfleet-named-") as home:
        Path(home).chmod(0o755)  # BIND runs without root's rights.
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        named = Named(Path(home) / "zone", UNDERLAY_GATEWAY, 53, secret)
        named.write()
        key_file = Path(home) / "key"
        key_file.write_text(named.key_file_text())
        dns = {"server": UNDERLAY_GATEWAY, "zone": ZONE, "name": NAME, "key_file": str(key_file), "ttl": 10}
        profile = Profile(hold_down=1.0, hold_down_factor=1.0, tables={"dns": dns})
        with Fleet(profile, workers=2, clients=0) as fleet:
            underlay = fleet.network.underlay
            underlay.sysctl("net.ipv4.ip_unprivileged_port_start", 53)
            underlay.spawn("named", named.command(), ready=READY, environment=named.environment())
            fleet.wait_until_serving()
            first = fleet.network.workers[0].address
            machine, shared = device(fleet.network, KEYS, f"{first}:{PORT}")
            resolv = fleet.network.directory / "resolv.conf"
            resolv.write_text(f"nameserver {UNDERLAY_GATEWAY}\noptions timeout:1\n")
            machine.run("mount", "--bind", resolv, machine.file("/etc/resolv.conf").resolve())
            yield fleet, machine, shared


def measure(
    fleet: Fleet, machine: Client, shared: Sequence[Interface], way: str, arguments: argparse.Namespace
) -> list[Return]:
    """So many deaths of whichever worker carries the device's traffic."""
    found = []
    loop = machine.spawn(
        f"reresolve-{way}",
        ["sh", "-c", f"while :; do {LOOPS[way]}; sleep {arguments.seconds}; done"],
    )
    for number in range(arguments.runs):
        wait_until(lambda: len(addresses(machine)) == 2, LIMIT, "the name to lead to both workers")
        found.append(one_death(fleet, machine, shared))
        print(
            f"{way:8} {number + 1:3}  name after {found[-1].named:5.1f} s, back after {found[-1].back:5.1f} s",
            flush=True,
        )
    loop.kill()
    return found


def one_death(fleet: Fleet, machine: Client, shared: Sequence[Interface]) -> Return:
    """The worker in use dies, the device follows, and the worker is mended."""
    traffic = machine.traffic()
    traffic.wait_until_flowing(LIMIT)
    worker = fleet.network.worker(str(traffic.via()))
    time.sleep(secrets.randbelow(50) / 10)  # Any moment between two look-ups.
    interface = next(one for one in shared if one.host is worker)
    killed = time.time()
    worker.kill()
    interface.kill()
    named = fleet.journal(fleet.receiver).wait_for("name changed", since=killed, timeout=LIMIT)["time"]
    back = traffic.wait_until_flowing(LIMIT)
    stop(traffic.process)
    worker.restart()
    interface.restart()
    fleet.wait_until_state(worker.name, "serving")
    return Return(named - killed, back - killed)


def stop(process: Process | None) -> None:
    """End the probe."""
    if process is not None:
        process.kill()


def addresses(machine: Client) -> set[str]:
    """What the device is told."""
    return {line.split()[0] for line in machine.run("getent", "ahosts", NAME).splitlines()}


def summary(found: Mapping[str, Sequence[Return]], *, every: float) -> dict[str, float]:
    """The last line; of the way that we ship without a word before it."""
    said: dict[str, float] = {"lookup_seconds": every}
    for way, returns in found.items():
        seconds = [one.back for one in returns]
        prefix = "" if way == SHIPPED else f"{way}_"
        said[f"{prefix}seconds_p50"] = round(statistics.median(seconds), 1)
        said[f"{prefix}seconds_max"] = round(max(seconds), 1)
    named = [one.named for returns in found.values() for one in returns]
    said |= {"named_seconds_p50": round(statistics.median(named), 1), "runs": len(named)}
    return said


if __name__ == "__main__":
    raise SystemExit(main())
