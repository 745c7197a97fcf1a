"""The receiver's core with one line of it wrong: does a sequence find it?"""

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from tests.failover_receiver.invariants import Invariant
from tests.failover_receiver.sequences import Played, play
from tests.failover_receiver.story import Core

PARTS = ("firing", "hearing", "peersets", "core")
"""The core's modules, each after those that it imports."""


@dataclass(frozen=True)
class Fault:
    """One mistake, and which invariant's code it is in."""

    name: str
    invariant: Invariant
    part: str
    right: str
    """As the source has it, once."""
    wrong: str


def planted(fault: Fault) -> Core:
    """A core of its own with the fault; the real one stays as it is.

    Raises:
        LookupError: the line is not there any more: the fault must be told anew.

    """
    names = [f"failover_receiver.{part}" for part in PARTS]
    kept = {name: sys.modules[name] for name in names}
    try:
        for part, name in zip(PARTS, names, strict=True):
            sys.modules[name] = _module(name, fault if part == fault.part else None)
        core = sys.modules[names[-1]]
        return Core(core.step, core.next_deadline, core.frozen_by, core.choose)
    finally:
        sys.modules.update(kept)


def found(fault: Fault, sequences: int) -> Played | None:
    """The first of so many sequences that finds it."""
    core = planted(fault)
    return next((one for one in (play(seed, core=core) for seed in range(sequences)) if one.broken), None)


def _module(name: str, fault: Fault | None) -> ModuleType:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text()
    if fault is not None:
        if source.count(fault.right) != 1:
            raise LookupError(
                f"{spec.origin} has {fault.right!r} {source.count(fault.right)} times, not once"
            )
        source = source.replace(fault.right, fault.wrong)
    module = ModuleType(name)
    exec(compile(source, f"{spec.origin} ({name} as planted)", "exec"), module.__dict__)  # noqa: S102 - our own source.
    return module
