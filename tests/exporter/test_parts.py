"""Tests of exporter/parts.py: the collectors of a worker's load, on readings that a test changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from exporter import metrics
from exporter.load import MODES, Conntrack, Cpus, Memory, Softnet, Uplink
from exporter.metrics import Sample
from exporter.parts import Load
from exporter.proc import ProcError

MEBIBYTE = 1 << 20


@dataclass
class Machine:
    """One CPU, one uplink, and a clock. What is `broken` cannot be read."""

    now: float = 1000.0
    busy: float = 500.0
    carried: int = 10_000
    speed: float | None = 100.0
    tracked: int | None = 10
    connected: bool = True
    broken: set[str] = field(default_factory=set)

    def stopwatch(self) -> float:
        return self.now

    def cpus(self) -> Cpus:
        self._read("cpu")
        seconds = dict.fromkeys(MODES, 0.0) | {"user": self.busy}
        return Cpus(seconds, {"cpu0": seconds})

    def softnet(self) -> Mapping[int, Softnet]:
        self._read("softnet")
        return {0: Softnet(int(self.now), 2, 3)}

    def conntrack(self) -> Conntrack | None:
        self._read("conntrack")
        return None if self.tracked is None else Conntrack(self.tracked, 100)

    def uplink(self) -> Uplink | None:
        self._read("uplink")
        return Uplink("eth0", self.carried, 0, self.speed) if self.connected else None

    def udp_buffer_errors(self) -> int:
        self._read("udp")
        return 7

    def memory(self) -> Memory:
        self._read("memory")
        return Memory(900 * MEBIBYTE, 1000 * MEBIBYTE)

    def forwarding(self) -> Mapping[str, bool]:
        self._read("forwarding")
        return {"ipv4": True, "ipv6": False}

    def _read(self, part: str) -> None:
        if part in self.broken:
            raise ProcError(f"{part} is broken")


def page(worker: Load) -> dict[str, list[Sample]]:
    """Every part's samples; of one that fails there are none."""
    found = {}
    for name, part in worker.parts().items():
        try:
            found[name] = list(part())
        except ProcError:
            found[name] = []
    return found


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def worker(machine: Machine) -> Load:
    """Started 10 s ago, of which the CPU worked 4 and the uplink 5."""
    made = Load(machine, stopwatch=machine.stopwatch)
    machine.now += 10.0
    machine.busy += 4.0
    machine.carried += 500
    return made


def test_the_first_scrape_has_everything(worker: Load) -> None:
    """The start was the reading that the rates need."""
    assert page(worker) == {
        "cpu": [
            *(
                Sample(metrics.WORKER_CPU_SECONDS, (mode,), 504.0 if mode == "user" else 0.0)
                for mode in MODES
            ),
            Sample(metrics.WORKER_CPUS, (), 1),
            Sample(metrics.WORKER_LOAD_PART, ("cpu",), 0.4),
            Sample(metrics.WORKER_LOAD_PART, ("cpu_busiest",), 0.0),
        ],
        "softnet": [
            Sample(metrics.WORKER_SOFTNET_PROCESSED, (), 10),
            Sample(metrics.WORKER_SOFTNET_DROPPED, (), 0),
            Sample(metrics.WORKER_SOFTNET_SQUEEZED, (), 0),
        ],
        "conntrack": [
            Sample(metrics.WORKER_CONNTRACK_ENTRIES, (), 10),
            Sample(metrics.WORKER_CONNTRACK_LIMIT, (), 100),
            Sample(metrics.WORKER_LOAD_PART, ("conntrack",), 0.1),
        ],
        "uplink": [
            Sample(metrics.WORKER_UPLINK_SPEED, ("eth0",), 100.0),
            Sample(metrics.WORKER_UPLINK_RECEIVE_BYTES, ("eth0",), 10_500),
            Sample(metrics.WORKER_UPLINK_TRANSMIT_BYTES, ("eth0",), 0),
            Sample(metrics.WORKER_LOAD_PART, ("uplink",), 0.5),
        ],
        "udp": [Sample(metrics.WORKER_UDP_BUFFER_ERRORS, (), 7)],
        "memory": [
            Sample(metrics.WORKER_MEMORY_AVAILABLE, (), 900 * MEBIBYTE),
            Sample(metrics.WORKER_MEMORY_TOTAL, (), 1000 * MEBIBYTE),
            Sample(metrics.WORKER_LOAD_PART, ("memory",), 0.0),
        ],
        "forwarding": [
            Sample(metrics.WORKER_FORWARDING, ("ipv4",), True),
            Sample(metrics.WORKER_FORWARDING, ("ipv6",), False),
        ],
        "load": [Sample(metrics.WORKER_LOAD, (), 0.5)],
    }


@pytest.mark.parametrize("broken", ["softnet", "udp", "forwarding"])
def test_a_part_that_is_no_load_fails_alone(machine: Machine, worker: Load, broken: str) -> None:
    """The others are as ever."""
    whole = page(worker)
    machine.broken = {broken}

    assert page(worker) == whole | {broken: []}


@pytest.mark.parametrize("broken", ["cpu", "conntrack", "uplink", "memory"])
def test_a_part_of_the_load_takes_the_whole_load_with_it(machine: Machine, worker: Load, broken: str) -> None:
    """What is left of it might look free, and is not; and the load's own collector says why."""
    whole = page(worker)
    machine.broken = {broken}

    assert page(worker) == whole | {broken: [], "load": []}
    with pytest.raises(ProcError, match=f"{broken} is broken"):
        list(worker.parts()["load"]())


def test_a_worker_without_connection_tracking_is_no_failure(machine: Machine, worker: Load) -> None:
    """Its families are not there, and its load is that of the rest."""
    machine.tracked = None

    found = page(worker)

    assert found["conntrack"] == []
    assert found["load"] == [Sample(metrics.WORKER_LOAD, (), 0.5)]


def test_an_uplink_that_went_has_no_rate_over_the_time_it_was_away(machine: Machine, worker: Load) -> None:
    """What came in its place may have begun anew; until there is a rate, there is no load."""
    machine.connected = False
    without = page(worker)
    machine.connected = True
    machine.now += 10.0
    machine.carried += 400

    assert without["uplink"] == []
    assert without["load"] == [Sample(metrics.WORKER_LOAD, (), 0.4)]
    assert [sample.family for sample in page(worker)["uplink"]] == [
        metrics.WORKER_UPLINK_SPEED,
        metrics.WORKER_UPLINK_RECEIVE_BYTES,
        metrics.WORKER_UPLINK_TRANSMIT_BYTES,
    ]
    assert page(worker)["load"] == []


def test_a_worker_that_could_not_be_read_at_the_start_has_its_rates_from_the_second_scrape(
    machine: Machine,
) -> None:
    """The start is no reason to fail."""
    machine.broken = {"cpu", "softnet"}
    worker = Load(machine, stopwatch=machine.stopwatch)
    machine.broken = set()
    machine.now += 10.0
    first = page(worker)
    machine.now += 10.0
    second = page(worker)

    assert (first["load"], len(second["load"])) == ([], 1)
    assert first["softnet"][0].value == 0
    assert second["softnet"][0].value == 10


def test_a_page_agrees_with_itself(machine: Machine, worker: Load) -> None:
    """Its load is its largest part, although both were read at their own moments."""
    (*_, uplink) = worker.parts()["uplink"]()
    machine.now += 0.5
    machine.carried += 100_000

    assert list(worker.parts()["load"]()) == [Sample(metrics.WORKER_LOAD, (), uplink.value)]
    received = next(iter(list(worker.parts()["uplink"]())[1:]))
    assert received == Sample(metrics.WORKER_UPLINK_RECEIVE_BYTES, ("eth0",), 110_500)
