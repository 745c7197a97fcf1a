"""What the processes beside the one that decides say of themselves, for its metrics."""

import json
from dataclasses import asdict, dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge


@dataclass(frozen=True, slots=True)
class Report:
    """One process, at one moment."""

    watchers: int
    cpu_seconds: float
    """Since it was started."""
    resident_bytes: int

    def line(self) -> bytes:
        """As it is said."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> "Report":
        """Read what `line` made. Raises ValueError."""
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(str(error)) from None


class Reports:
    """The newest of each, by the process's name."""

    def __init__(self, registry: CollectorRegistry, program: str) -> None:
        """Show them in this registry; a program of one process has no series of it."""
        self._reports: dict[str, Report] = {}
        names = ["process"]
        self._watchers = Gauge(
            f"wgfleet_{program}_process_watchers",
            "Open event streams of each process beside the first one.",
            names,
            registry=registry,
        )
        self._memory = Gauge(
            f"wgfleet_{program}_process_resident_bytes", "Its memory.", names, registry=registry
        )
        self._cpu = Counter(
            f"wgfleet_{program}_process_cpu_seconds", "Its processor time.", names, registry=registry
        )
        self._ended = Counter(
            f"wgfleet_{program}_process_ended", "Times that it ended and was started again.", names, registry=registry
        )  # fmt: skip

    @property
    def watchers(self) -> int:
        """Open streams of all of them."""
        return sum(report.watchers for report in self._reports.values())

    def begin(self, process: str) -> None:
        """It is going to be started."""
        self._ended.labels(process)

    def take(self, process: str, report: Report) -> None:
        """It says this of itself."""
        before = self._reports.get(process)
        self._reports[process] = report
        self._watchers.labels(process).set(report.watchers)
        self._memory.labels(process).set(report.resident_bytes)
        self._cpu.labels(process).inc(
            max(0.0, report.cpu_seconds - (0.0 if before is None else before.cpu_seconds))
        )

    def ended(self, process: str) -> None:
        """It is no more."""
        self._reports.pop(process, None)
        self._watchers.labels(process).set(0)
        self._memory.labels(process).set(0)
        self._ended.labels(process).inc()
