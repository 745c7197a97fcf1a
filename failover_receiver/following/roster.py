"""Who is let in, as followers are told of it: all at first, then what changes. Pure: values in, values out.

A token is told by its SHA-256. A hundred thousand of them are some megabytes, so they come in pieces; what is taken in
counts only once its last piece is there, or clients whose piece is still to come would be sent away.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from failover_receiver.holders import Holder, Holders, Role

PIECE = 5000
"""Tokens in one event: some milliseconds to make, so that a document in between waits no longer."""


def told(before: Holders | None, after: Holders) -> Iterator[bytes]:
    """What leads from one to the other, or from nothing known; nothing, if nothing changed."""
    whole = before is None
    known = [holder for digest, holder in after.items() if before is None or before.get(digest) != holder]
    gone = [] if before is None else [digest for digest in before if digest not in after]
    if not whole and not known and not gone:
        return
    pieces = max(1, -(-len(known) // PIECE))
    for number in range(pieces):
        piece = {
            "whole": whole and number == 0,
            "more": number < pieces - 1,
            "known": [_row(holder) for holder in known[number * PIECE : (number + 1) * PIECE]],
            "gone": gone if number == 0 else [],
        }
        yield json.dumps(piece, separators=(",", ":")).encode()


class Roster:
    """Takes in what one receiver tells."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._holders: dict[str, Holder] | None = None

    def take(self, piece: bytes) -> Holders | None:
        """All who are let in from now on; None: there is more to come.

        Raises:
            ValueError: it is not what `told` makes, or begins in the middle.

        """
        try:
            said = json.loads(piece)
            gone, known = list(said["gone"]), [_holder(row) for row in said["known"]]
            whole, more = bool(said["whole"]), bool(said["more"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"it told of tokens what cannot be read: {type(error).__name__}") from None
        if not whole and self._holders is None:
            raise ValueError("it began to tell of tokens in the middle")
        # A copy each time: whoever was given the last one keeps it as it was.
        holders = {} if whole or self._holders is None else dict(self._holders)
        for digest in gone:
            holders.pop(digest, None)
        holders |= {holder.digest: holder for holder in known if holder is not None}
        self._holders = holders
        return None if more else holders


def _row(holder: Holder) -> Sequence[Any]:
    return holder.digest, holder.name, holder.role, holder.expires_at


def _holder(row: Sequence[Any]) -> Holder | None:
    """None for a role that only a newer receiver knows: such a token opens nothing here."""
    digest, name, role, expires_at = row
    if role not in set(Role):
        return None
    return Holder(str(name), Role(role), str(digest), None if expires_at is None else float(expires_at))
