"""A test that cannot fail says nothing: each of these faults must be found by the sequences that find none in the core."""

import pytest

from tests.failover_receiver.faults.planted import FAULTS
from tests.failover_receiver.faults.planting import Fault, found
from tests.failover_receiver.invariants import Invariant

SEQUENCES = 200
"""More than twice what the rarest needs."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault) -> None:
    """By one of the first sequences."""
    assert found(fault, SEQUENCES) is not None, f"no sequence notices that {fault.name}"


def test_each_invariant_has_faults() -> None:
    """None of them is checked in vain."""
    assert {fault.invariant for fault in FAULTS} == set(Invariant)
