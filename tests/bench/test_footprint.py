"""A small slice of the footprint bench: everything is real but the time. No figure is asserted."""

import os
import subprocess
import sys

import pytest

from tests.bench.footprint import (
    CLIENT,
    Cost,
    Memory,
    cpu_seconds,
    family,
    measure,
    memory,
    print_table,
    summary,
)
from tests.lab.fleet import Fleet, Profile

BUSY_SECONDS = 0.2


@pytest.mark.system
def test_a_daemon_is_measured_idle_and_busy(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a real one with three workers there is a line each, and the last line has the worst."""
    with Fleet(Profile(local_failover=True), clients=1) as fleet:
        fleet.wait_until_serving()
        costs = measure(fleet, 2.0)
        assert fleet.sync[CLIENT].alive

    print_table(costs)

    shown = capsys.readouterr().out
    assert "idle" in shown
    assert "packets a second" in shown
    told = summary(costs)
    assert told.keys() == {"rss_mib", "cpu_percent", "pss_mib", "idle_cpu_percent", "seconds"}
    assert (
        told["rss_mib"] > told["pss_mib"] > 0
    )  # Of the processor it may take less in so short a time than is counted.


def test_the_last_line_has_of_each_figure_the_worst() -> None:
    """Whichever moment it was in."""
    idle = Cost("idle", 60.0, 0.3, (Memory(40 * 1024, 30 * 1024), Memory(41 * 1024, 30 * 1024)))
    busy = Cost("busy", 60.0, 0.6, (Memory(39 * 1024, 31 * 1024),))

    assert summary([idle, busy]) == {
        "rss_mib": 41.0,
        "cpu_percent": 1.0,
        "pss_mib": 31.0,
        "idle_cpu_percent": 0.5,
        "seconds": 120.0,
    }


def test_what_a_child_used_counts_once_it_has_ended() -> None:
    """The programs that the daemon runs are gone at the next look."""
    before = cpu_seconds(os.getpid())
    burn = f"import time\nwhile time.process_time() < {BUSY_SECONDS}: pass"

    subprocess.run([sys.executable, "-c", burn], check=True)

    assert cpu_seconds(os.getpid()) - before > BUSY_SECONDS / 2


def test_a_living_child_counts_with_its_own_children() -> None:
    """Their memory is the daemon's price, too."""
    alone = memory(os.getpid()).rss
    with subprocess.Popen(
        ["/bin/sh", "-c", "echo up; cat; true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdin.write(b"there\n")
        child.stdin.flush()
        assert [child.stdout.readline(), child.stdout.readline()] == [b"up\n", b"there\n"]

        assert len(family(child.pid)) == 2
        assert memory(os.getpid()).rss > alone + memory(child.pid).rss / 2
        child.stdin.close()
