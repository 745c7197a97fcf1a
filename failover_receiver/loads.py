"""Asks Prometheus how loaded each worker is, for people to see. Nothing is decided by it: alerts do that."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx
from pydantic import BaseModel, TypeAdapter

from failover_receiver.metrics import Metrics
from failover_receiver.reading import Reader

log = logging.getLogger(__name__)

OLDEST_SECONDS = 60.0
"""Two probe intervals by default. What a worker carried longer ago says nothing of now."""

RATIO = 'wireguard_worker_load_ratio{worker!=""}'
QUERY = (
    f'label_replace(max by (worker) ({RATIO}), "what", "ratio", "", "")'
    f' or label_replace(min by (worker) (time() - timestamp({RATIO})), "what", "age", "", "")'
)
"""Each worker's ratio, and the age of the sample by Prometheus's own clock: an instant query alone hides it."""


class _Labels(BaseModel):
    worker: str
    what: Literal["ratio", "age"]


class _Sample(BaseModel):
    metric: _Labels
    value: tuple[float, float]


class _Vector(BaseModel):
    result: list[_Sample]


class Answer(BaseModel):
    """What Prometheus answers to the query."""

    data: _Vector


ANSWER = TypeAdapter(Answer)


@dataclass(frozen=True, slots=True)
class Load:
    """How loaded a worker was."""

    ratio: float
    at: float


def understood(answer: Answer, *, now: float) -> dict[str, Load]:
    """The loads that Prometheus told at `now`; what is not a number from 0 up is none."""
    told: dict[str, dict[str, float]] = {}
    for sample in answer.data.result:
        told.setdefault(sample.metric.worker, {})[sample.metric.what] = sample.value[1]
    return {
        worker: Load(said["ratio"], now - max(0.0, said["age"]))
        for worker, said in told.items()
        if said.keys() == {"ratio", "age"} and 0 <= said["ratio"] < float("inf")
    }


def newest(tellings: Iterable[Mapping[str, Load]]) -> dict[str, Load]:
    """Of several Prometheis' words, the newest on each worker."""
    known: dict[str, Load] = {}
    for telling in tellings:
        for worker, load in telling.items():
            if worker not in known or known[worker].at < load.at:
                known[worker] = load
    return known


def fresh(loads: Mapping[str, Load], *, now: float) -> dict[str, float]:
    """The ratios that are not too old."""
    return {worker: load.ratio for worker, load in loads.items() if now - load.at <= OLDEST_SECONDS}


class LoadReader:
    """Asks every Prometheus, again and again."""

    def __init__(
        self,
        prometheis: Sequence[str],
        http: httpx.AsyncClient,
        *,
        known: dict[str, Load],
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        """Take the Prometheis' base URLs, and where to keep what they say."""
        self._prometheis = prometheis
        self._known = known
        self._clock = clock
        self._reader = Reader(
            "prometheus", "loads", ANSWER, http=http, log=log, counted=metrics.load_readings
        )

    async def run(self, every: float) -> None:
        """Ask forever."""
        while True:
            await self.once()
            await asyncio.sleep(every)

    async def once(self) -> None:
        """Ask once; what fails is logged and tried again the next time, and what is known grows old."""
        told = await asyncio.gather(*(self._ask(url) for url in self._prometheis))
        known = newest([self._known, *told])
        now = self._clock()
        self._known.clear()
        self._known.update({worker: known[worker] for worker in fresh(known, now=now)})

    async def _ask(self, url: str) -> Mapping[str, Load]:
        told = await self._reader.read(url, "/api/v1/query", {"query": QUERY})
        return {} if told is None else understood(told, now=self._clock())
