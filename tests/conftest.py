"""Where the lab cannot run, its tests are skipped with the reasons; in CI that is a failure, not a pass."""

import os

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
