"""`make demo`: the story of a failover, live, on real WireGuard, Prometheus and Alertmanager.

Exit status 0 only if every expectation held. The last line on standard output is one JSON object.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.table import Table

from tests.lab.failover import DOWN, Failover, fail_over
from tests.lab.fleet import ALERTMANAGER_PORT, PROMETHEUS_PORT, RECEIVER_PORT, Fleet, Profile
from tests.lab.forward import PortTakenError, listen
from tests.lab.host import CommandError
from tests.lab.preflight import LabImpossibleError, require
from tests.lab.process import ProgramError
from tests.lab.programs import LAB, MONITORING, MissingProgramError
from tests.lab.traffic import Traffic
from tests.lab.waiting import WaitedInVainError, wait_until

HOLD_DOWN_SECONDS = 5.0
STAGE_SECONDS = 60.0
"""No stage takes this long, on a machine however busy."""
QUIET_SECONDS = 3.0
"""Watched after the false resolve, for a move that must not come."""


class Demo:
    """Tells the story and keeps the score."""

    def __init__(self, fleet: Fleet, console: Console) -> None:
        """Take a fleet that is up."""
        self.fleet = fleet
        self.console = console
        self.began = time.monotonic()
        self.expectations: list[tuple[str, bool]] = []
        self.figures: dict[str, float] = {}

    def run(self) -> bool:
        """Tell it; whether everything came as expected."""
        with self.stage("all up: every worker serves, every client uses one"):
            self.fleet.wait_until_serving()
            traffics = {name: client.traffic() for name, client in self.fleet.network.clients.items()}
            for traffic in traffics.values():
                traffic.wait_until_flowing()
        self.say(", ".join(f"{client} uses {self.fleet.active(client)}" for client in traffics))
        failover = self.worker_dies(traffics)
        self.worker_returns(failover.worker)
        self.prometheus_dies(traffics)
        self.control_plane_dies(traffics)
        self.summarise(failover)
        return all(held for _, held in self.expectations)

    def worker_dies(self, traffics: dict[str, Traffic]) -> Failover:
        """Stage two."""
        worker = self.fleet.active("c1") or ""
        with self.stage(f"{worker}'s WireGuard is killed"):
            failover = fail_over(self.fleet, worker, traffics, timeout=STAGE_SECONDS)
        self.figures |= failover.figures()
        self.figures["clients_moved"] = len(failover.applied)
        self.table(failover)
        for client in failover.applied:
            self.expect(
                f"{client} left {worker} and its traffic is back", self.fleet.active(client) != worker
            )
        self.expect(f"{worker} is published as down", self.fleet.state(worker) == "down")
        return failover

    def worker_returns(self, worker: str) -> None:
        """Stage three."""
        before = {client: self.fleet.active(client) for client in self.fleet.network.clients}
        with self.stage(f"{worker} returns"):
            self.fleet.network.worker(worker).restart()
            self.fleet.wait_until_state(worker, "joining", STAGE_SECONDS)
        self.say(f"{worker} answers again and is held down for {HOLD_DOWN_SECONDS:g} s")
        with self.stage(f"{worker} is held down"):
            held = time.time()
            self.fleet.wait_until_state(worker, "serving", STAGE_SECONDS)
        self.expect(
            f"{worker} served again only after its hold-down", time.time() - held > HOLD_DOWN_SECONDS - 1
        )
        after = {client: self.fleet.active(client) for client in self.fleet.network.clients}
        self.expect("its return moved nobody", before == after)

    def prometheus_dies(self, traffics: dict[str, Traffic]) -> None:
        """Stage four."""
        worker = self.fleet.active("c1") or ""
        with self.stage(f"{worker} is killed, and once it is left, Prometheus too"):
            fail_over(self.fleet, worker, traffics, timeout=STAGE_SECONDS)
            killed = time.time()
            self.fleet.prometheus.kill()
        receiver = self.fleet.journal(self.fleet.receiver)
        with self.stage("Alertmanager forgets the Down and says `resolved`, falsely"):
            wait_until(
                lambda: not self._down_held(worker), STAGE_SECONDS, "the Down to vanish from Alertmanager"
            )
            receiver.wait_for(
                "alert", since=killed, timeout=STAGE_SECONDS, alertname=DOWN, worker=worker, status="resolved"
            )
            time.sleep(QUIET_SECONDS)  # For what must not come there is no event to wait for.
        false = receiver.lines("alert", since=killed, alertname=DOWN, worker=worker, status="resolved")
        recovered = [
            line for line in receiver.lines("decided", since=killed, worker=worker) if line["after"] != "down"
        ]
        moved = [move for client in traffics for move in self.fleet.moves(client, since=killed)]
        self.figures |= {"false_resolves_seen": len(false), "false_recoveries": len(recovered)}
        self.expect("the false resolve was delivered", len(false) >= 1)
        self.expect(f"it did not let {worker} in", not recovered and self.fleet.state(worker) == "down")
        self.expect("and moved nobody", not moved)
        self.expect("the receiver says that it is blind", self.fleet.health()["monitoring"] == "blind")
        with self.stage("Prometheus and the worker return"):
            self.fleet.prometheus.start()
            self.fleet.network.worker(worker).restart()
            self.fleet.wait_until_serving()

    def control_plane_dies(self, traffics: dict[str, Traffic]) -> None:
        """Stage five: what clients do with nobody left to tell them."""
        with self.stage("until here clients waited for the alert; from now on their own probes suffice"):
            self.fleet.let_clients_judge()
        with self.stage("receiver, Prometheus, Alertmanager and blackbox exporter are killed"):
            self.fleet.end_the_control_plane()
            self.fleet.wait_until_warm()
        worker = self.fleet.active("c1") or ""
        users = self.fleet.users(worker)
        with self.stage(f"{worker}'s WireGuard is killed, and nobody is there to notice"):
            killed = time.time()
            self.fleet.network.worker(worker).kill()
            for client in users:
                self.fleet.journal(self.fleet.sync[client]).wait_for(
                    "moved", since=killed, timeout=STAGE_SECONDS, before=worker, reason="silent"
                )
                traffics[client].wait_until_flowing(STAGE_SECONDS)
        back = [(traffics[client].outage(killed).first_reply or time.time()) - killed for client in users]
        self.figures |= {"alone_killed_to_traffic_seconds": max(back), "alone_clients_moved": len(users)}
        for client, seconds in zip(users, back, strict=True):
            self.say(f"{client} found it by itself, and its traffic is back after {seconds:.3f} s")
            moves = self.fleet.moves(client, since=killed)
            self.expect(f"without any control plane {client} left {worker}, once", len(moves) == 1)
        leaked = self.fleet.network.underlay.leaked()
        self.expect("no packet left a tunnel in clear", leaked == 0)

    def summarise(self, failover: Failover) -> None:
        """The end."""
        self.console.print()
        for what, held in self.expectations:
            self.console.print(f"  {'[green]held[/]   ' if held else '[bold red]BROKEN[/] '} {what}")
        lost = ", ".join(
            f"{client} lost {outage.lost} packets" for client, outage in failover.outages.items()
        )
        self.console.print(f"\n  {failover.worker} died: {lost}, sent every 10 ms.")

    def table(self, failover: Failover) -> None:
        """The timeline of one failover."""
        table = Table(box=None, header_style="bold")
        table.add_column("after the kill", justify="right")
        table.add_column("what happened")
        stages = [
            (failover.third_failed_probe, "the third failing probe begins"),
            (failover.firing, f"Prometheus: {DOWN} fires"),
            (failover.webhook, "Alertmanager's webhook reaches the receiver"),
            (failover.published, "the new peer set is durable and published"),
            *((at, f"{client} has moved its traffic") for client, at in failover.applied.items()),
            *(
                (outage.first_reply or 0, f"{client}'s traffic is back")
                for client, outage in failover.outages.items()
            ),
        ]
        for at, what in sorted(stages):
            table.add_row(f"{at - failover.killed:7.3f} s", what)
        self.console.print(table)

    def expect(self, what: str, held: bool) -> None:
        """Note an expectation and whether it held."""
        self.expectations.append((what, held))

    def say(self, what: str) -> None:
        """One line of the story, with the time since the beginning."""
        self.console.print(f"[dim]{time.monotonic() - self.began:6.1f} s[/]  {what}")

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        """Show that something is under way."""
        self.say(f"[bold]{what}[/]")
        with self.console.status("…"):
            yield

    def _down_held(self, worker: str) -> bool:
        held = [alert["labels"] for alert in self.fleet.alerts_held()]
        return any(labels.get("alertname") == DOWN and labels.get("worker") == worker for labels in held)


def main() -> int:
    """Run the demo; return its exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    profile = Profile(interval="1s", hold_down=HOLD_DOWN_SECONDS, ports=arguments.keep)
    try:
        require((*LAB, *MONITORING))
        for port in (PROMETHEUS_PORT, ALERTMANAGER_PORT, RECEIVER_PORT) if arguments.keep else ():
            listen(port).close()
        console.print("the lab comes up: 3 workers, 2 clients, the monitoring host with all its parts")
        with Fleet(profile) as fleet:
            demo = Demo(fleet, console)
            held = demo.run()
            print(json.dumps({key: round(value, 4) for key, value in demo.figures.items()} | {"held": held}))
            if arguments.keep:
                _keep(fleet)
    except (
        CommandError,
        LabImpossibleError,
        MissingProgramError,
        PortTakenError,
        ProgramError,
        WaitedInVainError,
    ) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped; nothing is left behind", file=sys.stderr)
        return 130
    return 0 if held else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _keep(fleet: Fleet) -> None:
    sys.stdout.flush()
    where = sys.stderr
    for name in ("prometheus", "alertmanager", "receiver"):
        print(f"{name:13} {fleet.url(name)}", file=where)
    token = fleet.network.directory / "receiver" / "operator.token"
    print(f"status        .venv/bin/wgfleet status --watch --token-file {token}", file=where)
    for host in fleet.network.hosts:
        print(f"{host.name:13} {host.way_in}", file=where)
    print("Ctrl-C ends it.", file=where)
    signal.pause()


if __name__ == "__main__":
    sys.exit(main())
