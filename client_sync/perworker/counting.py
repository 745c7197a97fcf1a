"""How many connections each worker still carries, by the marks that tunnels/marking.py gives them. Pure."""

from collections import Counter
from collections.abc import Iterable

OVER = frozenset({"TIME_WAIT", "CLOSE"})
"""States of TCP connections that conntrack still lists, and that a worker's end takes nothing from."""


def flows(lines: Iterable[str]) -> Counter[int]:
    """How many connections have each mark, of the lines of /proc/net/nf_conntrack or of `conntrack -L -o extended`."""
    counted: Counter[int] = Counter()
    for line in lines:
        words = line.split()
        mark = next((word.removeprefix("mark=") for word in words if word.startswith("mark=")), "0")
        if mark != "0" and not OVER.intersection(words[:6]):
            counted[int(mark)] += 1
    return counted
