"""What most tests of the receiver stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.failover_receiver.parts import Parts, build


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests run on asyncio, as the receiver does."""
    return "asyncio"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A receiver without workers."""
    wired = build(tmp_path)
    yield wired
    wired.close()
