"""Asks a target beyond the workers through each of them, and says which of them lead nowhere."""

import asyncio
import logging
from collections.abc import Callable, Collection
from functools import partial
from ipaddress import ip_address

from client_sync.perworker.comparing import PATIENCE, ROUND_SECONDS, Comparison, Round
from client_sync.perworker.layout import PerWorker
from wgfleet.logs import say

log = logging.getLogger(__name__)
Ask = Callable[[str, str, Callable[[], None]], bool]
"""Asks an address by this worker's interface; what is called if it answers. False: it could not be sent."""


class Target:
    """Asked beside the workers themselves: a worker about whom the driver wants to know more often, is asked more often."""

    def __init__(self, address: str, layout: PerWorker, ask: Ask) -> None:
        """Ask nothing yet."""
        self._address = address
        self._layout = layout
        self._ask = ask
        self._comparison = Comparison()
        self._timer: asyncio.TimerHandle | None = None
        self._said_nowhere: set[str] = set()
        self._said_outside: set[str] = set()
        self._said_silent = False
        self.packets = 0, 0
        """Answers and questions."""

    def worker_asked(self, worker: str) -> None:
        """Take note that it is being asked itself."""
        self._comparison.worker_asked(worker, _now())

    def worker_answered(self, worker: str) -> bool:
        """Take note that it has answered itself; False if that is to count for nothing, for it leads nowhere."""
        counts = self._comparison.worker_answered(worker, _now())
        if not counts and worker not in self._said_nowhere:
            self._said_nowhere.add(worker)
            self._say("worker leads nowhere", worker)
        return counts

    def ask_through(self, worker: str) -> None:
        """Ask it through this worker, but not too often."""
        now = _now()
        if self._comparison.is_due(worker, now) and worker in self._workers():
            self._send([worker], self._comparison.asked([worker], now))
            self._look_in(PATIENCE)

    def close(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _workers(self) -> tuple[str, ...]:
        """Those that it may be asked through."""
        leading = self._layout.leading_to(ip_address(self._address))
        for name in sorted(name for name, leads in leading.items() if not leads):
            if name not in self._said_outside:
                self._said_outside.add(name)
                self._say(
                    "probe target is not within the worker's allowed IPs: it is not probed through it", name
                )
        return tuple(name for name, leads in leading.items() if leads)

    def _send(self, workers: Collection[str], question: Round) -> None:
        for worker in workers:
            if self._ask(worker, self._address, partial(self._heard, worker, question)):
                self.packets = self.packets[0], self.packets[1] + 1

    def _heard(self, worker: str, question: Round) -> None:
        self.packets = self.packets[0] + 1, self.packets[1]
        self._comparison.answered(worker, question)
        self._tell()

    def _look_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._comparison.is_round_due(now := _now()):
            workers = self._workers()
            self._send(workers, self._comparison.asked_all(workers, now))
        self._tell()
        if self._comparison.is_unsettled(now):
            self._look_in(ROUND_SECONDS)

    def _tell(self) -> None:
        silent = self._comparison.is_silent
        if silent != self._said_silent:
            self._said_silent = silent
            self._say(
                "probe target silent: workers are judged by their own answers"
                if silent
                else "probe target answers"
            )
        for worker in sorted(self._said_nowhere - self._comparison.nowhere):
            self._said_nowhere.discard(worker)
            if not silent:
                self._say("worker leads on again", worker)

    def _say(self, what: str, worker: str | None = None) -> None:
        say(log, what, level=logging.WARNING, worker=worker, target=self._address)


def _now() -> float:
    return asyncio.get_running_loop().time()
