"""The kernel's routes and rules, as far as they are ours: read, and changed; and its connection marks."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from client_sync.tunnels.programs import run
from client_sync.tunnels.routing import Tables, read_tables


def tables(ours: Iterable[int]) -> dict[int, Tables]:
    """The routes and rules that are ours, by family. Raises LayoutError."""
    numbers = frozenset(ours)
    # Of IPv6, only where the kernel has it.
    families = (4, 6) if Path("/proc/sys/net/ipv6").exists() else (4,)
    return {
        family: read_tables(
            json.loads(
                run(["ip", f"-{family}", "-json", "-details", "route", "show", "table", "all"]) or "[]"
            ),
            json.loads(run(["ip", f"-{family}", "-json", "rule", "show"]) or "[]"),
            family,
            numbers,
        )
        for family in families
    }


def change(family: int, lines: Sequence[str]) -> None:
    """Carry out lines in ip(8)'s words, in their order. Raises LayoutError."""
    if lines:
        run(["ip", f"-{family}", "-batch", "-"], given="\n".join(lines) + "\n")


def load(ruleset: str) -> None:
    """Load nftables rules, all or none. Raises LayoutError."""
    run(["nft", "-f", "-"], given=ruleset)
