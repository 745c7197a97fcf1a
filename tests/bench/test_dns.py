"""One death of the dns bench: everything is real. No figure is asserted."""

import argparse

import pytest

from tests.bench.dns import Return, measure, scene, summary


@pytest.mark.system
def test_a_device_that_looks_the_name_up_again_has_its_way_out_back() -> None:
    """The name has changed, and the device has followed it to the worker that is left."""
    with scene() as (fleet, machine, shared):
        (found,) = measure(fleet, machine, shared, "peer", argparse.Namespace(runs=1, seconds=1.0))

    assert found.named > 0.0
    assert found.back > 0.0


def test_the_last_line_has_each_ways_median_and_worst() -> None:
    """And how often the device looked."""
    returns = [Return(3.0, 15.0), Return(4.0, 16.0), Return(5.0, 20.0)]

    assert summary({"endpoint": returns, "peer": [Return(3.0, 5.0)]}, every=5.0) == {
        "lookup_seconds": 5.0,
        "endpoint_seconds_p50": 16.0,
        "endpoint_seconds_max": 20.0,
        "seconds_p50": 5.0,
        "seconds_max": 5.0,
        "named_seconds_p50": 3.5,
        "runs": 4,
    }
