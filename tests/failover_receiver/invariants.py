"""What must always hold, by number and name, and how often it was looked at."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Invariant(StrEnum):
    """Of ARCHITECTURE.md's list, what concerns the receiver's decisions; then what it says of itself."""

    MOVED = "1 only a firing alert, an operator or its own drain moves a worker"
    USABLE = "2 only an operator empties what may be used"
    DOCUMENTS = "3 a document's number rises, is kept, and means one document"
    SAME = "4 the same alerts lead to the same state, however they come"
    REFUSED = "5 a command is refused for a reason, and changes nothing then"
    TOLD = "each change is told, with its reason"
    SETTLED = "what is known is decided at once, the rest at the next deadline"


class BrokenError(AssertionError):
    """One of them does not hold."""

    def __init__(self, invariant: Invariant, said: str) -> None:
        """Say which, and what is wrong."""
        super().__init__(f"{invariant}: {said}")
        self.invariant = invariant


@dataclass
class Tally:
    """How often each was looked at."""

    checked: Counter[Invariant] = field(default_factory=Counter)

    def must(self, invariant: Invariant, holds: object, said: str = "") -> None:
        """Count, and fail if it does not hold."""
        self.checked[invariant] += 1
        if not holds:
            raise BrokenError(invariant, said)
