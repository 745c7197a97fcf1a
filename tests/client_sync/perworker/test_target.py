"""Tests of client_sync/perworker/target.py: the target is asked through each worker, and whose answers count for nothing."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import pytest

from client_sync.perworker import comparing, target
from client_sync.perworker.echoes import Echoes
from client_sync.perworker.layout import PerWorker
from tests.client_sync.device import named
from tests.client_sync.perworker.air import Air
from tests.client_sync.perworker.kernel import Machine
from tests.client_sync.samples import worker
from tests.client_sync.scene import said

TARGET = "198.51.100.1"
W1, W2 = "10.99.0.1", "10.99.0.2"
SECONDS = 10.0
"""Whatever a test waits for has come long before, or never comes."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The real beat would make these tests as slow; what is said is for people."""
    caplog.set_level(logging.WARNING)
    for module, names in (
        (comparing, ("LEAST_BETWEEN", "PATIENCE", "ROUND_SECONDS", "PAUSE_SECONDS")),
        (target, ("PATIENCE", "ROUND_SECONDS")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name) / 100)


class Asking:
    """Asks both workers again and again, as the driver does, and counts their answers."""

    def __init__(self, layout: PerWorker, air: Air) -> None:
        self.echoes = Echoes(layout, air.open, target=TARGET)
        self.answers = {W1: 0, W2: 0}
        self.asked = 0

    def ask(self) -> None:
        """Once each."""
        for address in self.answers:
            self.asked += self.echoes.ask(address, partial(self._heard, address))

    def until(self, come: Callable[[], bool]) -> None:
        """Until this has come."""

        async def story() -> None:
            async with asyncio.timeout(SECONDS):
                while not come():
                    self.ask()
                    await asyncio.sleep(0.002)  # The driver's beat.
            self.echoes.close()

        asyncio.run(story())

    def _heard(self, address: str) -> None:
        self.answers[address] += 1


def test_the_target_is_asked_by_each_workers_own_interface_beside_the_worker(layout: PerWorker) -> None:
    """What it answers is no answer of the worker's; its packets are counted apart, for they are no traffic."""
    air = Air()
    asking = Asking(layout, air)
    asking.until(lambda: asking.answers[W2] > 0)

    assert set(air.asked) == {("wg-w1", W1), ("wg-w1", TARGET), ("wg-w2", W2), ("wg-w2", TARGET)}
    sent = sum(address == TARGET for _, address in air.asked)
    assert asking.echoes.watched == (sent, sent)


def test_an_answer_of_the_target_counts_whichever_interface_it_comes_in_by(layout: PerWorker) -> None:
    """Without NAT it takes the way back through the active worker; a worker's own does not, or it is another's."""
    air = Air()
    asking = Asking(layout, air)

    def come() -> bool:
        if air.astray is None or asking.answers[W2] == 0:
            return False
        air.astray(W1, 7, 1)
        air.astray(TARGET, 7, 1)
        return True

    asking.until(come)

    assert air.taken == [("wg-w1", TARGET, 7, 1), ("wg-w2", TARGET, 7, 1)]


def test_answers_of_a_worker_that_leads_nowhere_count_for_nothing(
    layout: PerWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """The driver hears nothing of it, and no packet of it looks like traffic; it is said once, and when it is over."""
    air = Air(silent={f"{TARGET} by wg-w1"})
    asking = Asking(layout, air)
    asking.until(lambda: said(caplog, "worker leads nowhere") != [])
    before = dict(asking.answers)
    asking.until(lambda: asking.answers[W2] > before[W2] + 5)

    assert asking.answers[W1] == before[W1]
    probes = sum(address == TARGET for _, address in air.asked)
    heard, sent = asking.echoes.watched
    assert sent == probes
    assert heard + sum(asking.answers.values()) == len(air.asked) - sum(
        asked == ("wg-w1", TARGET) for asked in air.asked
    )
    air.silent.clear()
    asking.until(lambda: asking.answers[W1] > before[W1])
    assert [line["worker"] for line in said(caplog, "worker leads nowhere")] == ["w1"]
    assert [line["worker"] for line in said(caplog, "worker leads on again")] == ["w1"]


def test_a_target_that_is_silent_through_all_changes_nothing(
    layout: PerWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """Workers are judged by their own answers, as without it; that is said once, and when it is over."""
    air = Air(silent={TARGET})
    asking = Asking(layout, air)
    silent = "probe target silent: workers are judged by their own answers"
    asking.until(lambda: said(caplog, silent) != [])
    before = dict(asking.answers)
    asking.until(lambda: asking.answers[W1] > before[W1] + 5)

    air.silent.clear()
    asking.until(lambda: said(caplog, "probe target answers") != [])
    assert [line["target"] for line in said(caplog, silent)] == [TARGET]
    assert said(caplog, "worker leads nowhere") == []


def test_a_worker_that_does_not_carry_packets_to_the_target_is_judged_by_its_own_answers(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once."""
    layout = machine.layout()
    layout.configure(named(worker(1, allowed_ips=("10.0.0.0/8",)), worker(2)), "w2")
    air = Air()
    asking = Asking(layout, air)
    asking.until(lambda: asking.answers[W1] > 20)

    assert ("wg-w1", TARGET) not in air.asked
    outside = "probe target is not within the worker's allowed IPs: it is not probed through it"
    assert [line["worker"] for line in said(caplog, outside)] == ["w1"]
