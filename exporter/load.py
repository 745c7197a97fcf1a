"""How loaded a worker is: two readings and the time between them in, samples out. No clock, no file.

`wireguard_worker_load_ratio` is the largest of `wireguard_worker_load_part_ratio`, because the first thing that runs
out is the one that clients feel. It is a signal for placing clients, so each part says how much of what **one more
client needs** is gone, from 0 to 1, over about the last half minute:

cpu          Time in which the CPUs were not free, of all CPUs' time: user, nice, system, irq, softirq and steal. Stolen
             time counts, for it cannot be had; waiting for a disk does not, for WireGuard could have run. Raw.
cpu_busiest  The largest share of one CPU's time that went to interrupts: irq, softirq and steal. A network card's queue,
             and each peer's packets in order, stick to one CPU; when its soft interrupts take all of it, packets are
             dropped while the others idle. Only interrupts, because those cannot move away: one CPU kept busy by some
             program is no reason to send clients elsewhere, and `cpu` has its share.
uplink       Bytes per second of the busier direction, of the link's speed. Raw. Absent while the speed is unknown.
conntrack    Connections tracked, of the limit. Raw: every client brings some, and at the limit new ones are dropped.
memory       0 while a fifth or more of the memory is available, 1 when none is, linear between. Weighed, because
             memory slows nothing down until it runs out, and some other program's share of it says nothing about
             clients. Page cache is available memory (MemAvailable).

A part that this worker cannot have (no connection tracking, no known speed) is left out. But the whole is absent until
each part that it can have is known: without the one that is high, the largest of the others would be a false promise.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from exporter import metrics
from exporter.metrics import Sample

WINDOW_SECONDS = 30.0
"""Long enough that a burst of a second moves nobody, short enough to follow a failover's new clients."""
APART_SECONDS = 1.0
"""Readings that are closer tell little but the kernel's ticks of 10 ms; they are taken for one."""
SCARCE_MEMORY = 0.2
"""Share of the memory from which on less of it is load."""

BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
INTERRUPTS = ("irq", "softirq", "steal")
MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The columns of /proc/stat (proc(5)). The two after them, guest's, are in user and nice already."""

COUNTER_32 = 1 << 32
"""The counters of /proc/net/softnet_stat begin anew after so many packets."""

T = TypeVar("T")

Ratios = Mapping[str, float]
"""By part; of what this worker does not have, there is none."""


@dataclass(frozen=True, slots=True)
class Cpus:
    """Time that went by since the machine began."""

    seconds: Mapping[str, float]
    """Of all CPUs, those that are offline now included, by mode."""
    each: Mapping[str, Mapping[str, float]]
    """Of each CPU that is online, by mode."""


@dataclass(frozen=True, slots=True)
class Uplink:
    """The device by which the worker's traffic leaves."""

    device: str
    receive_bytes: int
    transmit_bytes: int
    speed: float | None
    """Bytes per second in each direction, if that is known."""


@dataclass(frozen=True, slots=True)
class Conntrack:
    """The kernel's connection tracking."""

    entries: int
    limit: int
    """0: there is none."""


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes."""

    available: int
    total: int


class Softnet(NamedTuple):
    """What the network's soft interrupts counted."""

    processed: int
    dropped: int
    squeezed: int


@dataclass(frozen=True, slots=True)
class Span(Generic[T]):
    """Two readings of the same thing; while there is only one it is both."""

    first: T
    last: T
    seconds: float
    """Between them; 0 if there is only one."""


class Window(Generic[T]):
    """Readings of about the last half minute, however often and by how many they are asked for."""

    def __init__(self, goes_on: Callable[[T, T], bool]) -> None:
        """Take how to see that the second reading goes on where the first one was, and nothing began anew."""
        self._goes_on = goes_on
        self._kept: deque[tuple[float, T]] = deque()

    def add(self, reading: T, *, now: float) -> Span[T]:
        """Keep the reading and give the span that ends with it, or with the one kept within the last second.

        `now` is in seconds that never go back.
        """
        if not self._kept or now - self._kept[-1][0] >= APART_SECONDS:
            if self._kept and not all(self._goes_on(self._kept[i][1], reading) for i in (0, -1)):
                self._kept.clear()
            self._kept.append((now, reading))
        ends, last = self._kept[-1]
        # The second may be old enough to begin with: then the first is not needed any more.
        while len(self._kept) > 1 and ends - self._kept[1][0] >= WINDOW_SECONDS:
            self._kept.popleft()
        began, first = self._kept[0]
        return Span(first, last, ends - began)

    def clear(self) -> None:
        """Forget: the thing is gone."""
        self._kept.clear()


class Unwrapped:
    """Adds up what each CPU's softnet counters counted since the first reading, so that the sum only rises.

    They have 32 bits, and one CPU's that begins anew takes 2^32 out of the plain sum: Prometheus would read a restart
    and show the rest of the sum as a burst. A CPU that goes offline leaves the file, and its share stays in the sum.
    From the first reading, because then a restart of the exporter is just what Prometheus takes it for.
    """

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self._seen: dict[int, Softnet] = {}
        self._sum = Softnet(0, 0, 0)

    def add(self, each: Mapping[int, Softnet]) -> Softnet:
        """The sums, up to this reading of what was counted by each CPU."""
        for cpu, counted in each.items():
            pairs = zip(self._sum, self._seen.get(cpu, counted), counted, strict=True)
            self._sum = Softnet(*(total + _onward(old, new) for total, old, new in pairs))
            self._seen[cpu] = counted
        return self._sum


def cpus_go_on(before: Cpus, after: Cpus) -> bool:
    """Whether some CPU was there all the time, and no busy time went back as after a migration to another host.

    Idle time is not asked: it does go back, by a little, and is not needed either.
    """
    both = before.each.keys() & after.each.keys()
    return bool(both) and all(
        before.each[cpu][mode] <= after.each[cpu][mode] for cpu in both for mode in BUSY
    )


def uplink_goes_on(before: Uplink, after: Uplink) -> bool:
    """Whether it is the same device, and not one that came in its place."""
    return (
        before.device == after.device
        and before.receive_bytes <= after.receive_bytes
        and before.transmit_bytes <= after.transmit_bytes
    )


def cpu_ratios(span: Span[Cpus]) -> Ratios | None:
    """Of all CPUs, and of the one with the most interrupts; None as long as there is only one reading.

    By the time that went by, not by the sum of the modes: a CPU that was away for a while has no idle time of then.
    """
    if not span.seconds:
        return None
    both = span.first.each.keys() & span.last.each.keys()
    busy = [_spent(span, cpu, BUSY) for cpu in both]
    interrupts = max(_spent(span, cpu, INTERRUPTS) for cpu in both)
    return {
        "cpu": _ratio(sum(busy), len(busy) * span.seconds),
        "cpu_busiest": _ratio(interrupts, span.seconds),
    }


def uplink_ratios(span: Span[Uplink]) -> Ratios | None:
    """Of the busier direction; None as long as there is only one reading."""
    if not span.last.speed:
        return {}
    if not span.seconds:
        return None
    received = span.last.receive_bytes - span.first.receive_bytes
    transmitted = span.last.transmit_bytes - span.first.transmit_bytes
    return {"uplink": _ratio(max(received, transmitted), span.last.speed * span.seconds)}


def conntrack_ratios(span: Span[Conntrack]) -> Ratios:
    """Of the limit, if there is one."""
    return {"conntrack": _ratio(span.last.entries, span.last.limit)} if span.last.limit else {}


def memory_ratios(span: Span[Memory]) -> Ratios:
    """Of the last fifth."""
    scarce = span.last.total * SCARCE_MEMORY
    return {"memory": _ratio(max(0.0, scarce - span.last.available), scarce)}


def load_of(parts: Iterable[Ratios | None]) -> Iterator[Sample]:
    """The load, if all its parts are known."""
    known = list(parts)
    ratios = [ratio for part in known if part is not None for ratio in part.values()]
    if ratios and None not in known:
        yield Sample(metrics.WORKER_LOAD, (), max(ratios))


def of_ratios(ratios: Ratios | None) -> Iterator[Sample]:
    """The parts, as far as they are known."""
    for part, ratio in (ratios or {}).items():
        yield Sample(metrics.WORKER_LOAD_PART, (part,), ratio)


def of_cpus(cpus: Cpus) -> Iterator[Sample]:
    """What the CPUs did."""
    for mode, seconds in cpus.seconds.items():
        yield Sample(metrics.WORKER_CPU_SECONDS, (mode,), seconds)
    yield Sample(metrics.WORKER_CPUS, (), len(cpus.each))


def of_softnet(counted: Softnet) -> Iterator[Sample]:
    """What the network's soft interrupts did."""
    yield Sample(metrics.WORKER_SOFTNET_PROCESSED, (), counted.processed)
    yield Sample(metrics.WORKER_SOFTNET_DROPPED, (), counted.dropped)
    yield Sample(metrics.WORKER_SOFTNET_SQUEEZED, (), counted.squeezed)


def of_conntrack(conntrack: Conntrack) -> Iterator[Sample]:
    """What is tracked. Without a limit, no sample of it: of a limit of 0, any number is infinitely much."""
    yield Sample(metrics.WORKER_CONNTRACK_ENTRIES, (), conntrack.entries)
    if conntrack.limit:
        yield Sample(metrics.WORKER_CONNTRACK_LIMIT, (), conntrack.limit)


def of_uplink(uplink: Uplink) -> Iterator[Sample]:
    """What the uplink carries, and could."""
    if uplink.speed is not None:
        yield Sample(metrics.WORKER_UPLINK_SPEED, (uplink.device,), uplink.speed)
    yield Sample(metrics.WORKER_UPLINK_RECEIVE_BYTES, (uplink.device,), uplink.receive_bytes)
    yield Sample(metrics.WORKER_UPLINK_TRANSMIT_BYTES, (uplink.device,), uplink.transmit_bytes)


def of_udp(errors: int) -> Iterator[Sample]:
    """What did not fit into the sockets' buffers."""
    yield Sample(metrics.WORKER_UDP_BUFFER_ERRORS, (), errors)


def of_memory(memory: Memory) -> Iterator[Sample]:
    """What is left, of how much."""
    yield Sample(metrics.WORKER_MEMORY_AVAILABLE, (), memory.available)
    yield Sample(metrics.WORKER_MEMORY_TOTAL, (), memory.total)


def of_forwarding(forwarding: Mapping[str, bool]) -> Iterator[Sample]:
    """Whether the kernel forwards."""
    for family, forwards in forwarding.items():
        yield Sample(metrics.WORKER_FORWARDING, (family,), forwards)


def _spent(span: Span[Cpus], cpu: str, modes: Iterable[str]) -> float:
    return sum(span.last.each[cpu][mode] - span.first.each[cpu][mode] for mode in modes)


def _ratio(part: float, whole: float) -> float:
    """Between 0 and 1: ticks and clock are not read in the same instant, and bursts outrun a shaped link."""
    return min(1.0, max(0.0, part / whole))


def _onward(old: int, new: int) -> int:
    """How far a counter went on that may have begun anew at 2^32.

    More than half of the way round is a step back, as never happens to this kernel's: that counts as nothing.
    """
    steps = (new - old) % COUNTER_32
    return steps if steps < COUNTER_32 // 2 else 0
