"""What several tests of this layout start from."""

from pathlib import Path

import pytest

from client_sync.perworker.layout import PerWorker
from tests.client_sync.device import named
from tests.client_sync.perworker.kernel import Machine
from tests.client_sync.samples import worker


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without any interface."""
    return Machine(tmp_path)


@pytest.fixture
def layout(machine: Machine) -> PerWorker:
    """On it, a layout in which w1 carries the traffic and w2 stands by."""
    fresh = machine.layout()
    fresh.configure(named(worker(1), worker(2)), "w1")
    return fresh
