"""Where the lab cannot run, its tests are skipped with the reasons; in CI that is a failure, not a pass.

And no test leaves the next one another log than it found.
"""

import logging
import os
from collections.abc import Iterator

import pytest

from tests.lab.preflight import faults, look


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("system") is None:
        return
    if reasons := faults(look()):
        said = "the lab cannot run here: " + "; ".join(reasons)
        if os.environ.get("CI") == "true":
            pytest.fail(said, pytrace=False)
        pytest.skip(said)


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """A daemon that is run in this process sets it for all that comes after."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
