"""Which keys documents may be signed with: those that are pinned, or those that accepted documents led to since.

Kept beside the document, with the pins that it began with: once an operator pins other keys, the pins count again.
"""

import json
import logging
from pathlib import Path

from wgfleet.files import write_whole
from wgfleet.logs import say
from wgfleet.signing import Verifier

log = logging.getLogger(__name__)


class TrustedKeys:
    """A file that says where the receiver's rotations have led to."""

    def __init__(self, file: Path, pinned: Verifier, fleet: str) -> None:
        """Keep it in this file; begin with what it says, if it is there and began with the same pins and fleet."""
        self._file = file
        self._began = {"fleet": fleet, "pinned": sorted(pinned.key_ids)}
        self.verifier = pinned
        """What this run begins with."""
        self._written: frozenset[str] | None = pinned.key_ids
        """What a restart would find; None: something that it would not use."""
        try:
            kept = file.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            self._leave_aside(error)
            return
        self._take_up(kept)

    def keep(self, verifier: Verifier) -> None:
        """Let the next run begin with these."""
        if verifier.key_ids != self._written:
            write_whole(self._file, json.dumps({**self._began, "trusted": verifier.public_keys}).encode())
            self._written = verifier.key_ids

    def _take_up(self, kept: bytes) -> None:
        try:
            said = json.loads(kept)
            if {key: said[key] for key in self._began} != self._began:
                self._leave_aside("the configuration has other trusted_keys now, or another fleet")
                return
            self.verifier = Verifier(said["trusted"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._leave_aside(error)
            return
        self._written = self.verifier.key_ids

    def _leave_aside(self, why: object) -> None:
        self._written = None
        say(
            log, "kept keys left aside, trusted_keys count", level=logging.WARNING, file=self._file, error=why
        )
