"""Which interface and which mark each worker has: kept on disk, so that they are the same after a restart."""

import hashlib
import itertools
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from wgfleet.files import write_whole
from wgfleet.logs import say

log = logging.getLogger(__name__)
LONGEST = 15
"""Characters of an interface's name (IFNAMSIZ less one)."""
DIGEST = 6
"""Hexadecimal digits that stand for what a name was shortened by."""
LONGEST_PREFIX = 6
"""So that a shortened name keeps some of the worker's own."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """What a worker has."""

    interface: str
    mark: int
    """The number of its routing table, too."""
    made: bool
    """By us: only then may we remove it."""
    addresses: tuple[str, ...] = ()
    """The worker's own inside the tunnel: a removed one is still probed while it drains."""
    draining_since: float | None = None
    """Of a clock that counts since boot: so it ends, as all interfaces do, with a reboot."""


def interface_name(prefix: str, worker: str, taken: Collection[str]) -> str:
    """A name that is nobody's: the worker's own, or its beginning and a digest.

    The underscore is in no worker's name, so a shortened name is never the whole of another's.
    """
    whole = f"{prefix}-{worker}"
    if len(whole) <= LONGEST and whole not in taken:
        return whole
    for attempt in itertools.count():
        digest = hashlib.sha256(f"{worker}\0{attempt}".encode()).hexdigest()[:DIGEST]
        shortened = f"{whole[: LONGEST - DIGEST - 1]}_{digest}"
        if shortened not in taken:
            return shortened
    raise AssertionError  # count() has no end.


def allotted(
    prefix: str,
    first_mark: int,
    workers: Iterable[str],
    known: Mapping[str, Allotment],
    there: Collection[str],
) -> dict[str, Allotment]:
    """What each of these workers has: what it had, or a name and a mark that are nobody else's.

    An interface that is there already was made by others.
    """
    all_of_them = dict(known)
    for worker in workers:
        if worker not in all_of_them:
            name = interface_name(prefix, worker, {one.interface for one in all_of_them.values()})
            marks = {one.mark for one in all_of_them.values()}
            mark = next(number for number in itertools.count(first_mark) if number not in marks)
            all_of_them[worker] = Allotment(name, mark, made=name not in there)
    return all_of_them


class Allotments:
    """All of them, by worker, and which networks were routed last."""

    def __init__(self, directory: Path) -> None:
        """Read what is kept; a broken file counts as empty, so that we remove too little and not too much."""
        self._file = directory / "interfaces.json"
        self.of: dict[str, Allotment] = {}
        self.routed: tuple[str, ...] = ()
        """Kept, so that they go nowhere while there is no worker at all."""
        self._kept: tuple[object, object] = ({}, ())
        """As on the disk."""
        self._failing = False
        try:
            kept = json.loads(self._file.read_text())
            self.of = {
                name: Allotment(**{**entry, "addresses": tuple(entry["addresses"])})
                for name, entry in kept["workers"].items()
            }
            self.routed = tuple(kept["routed"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self.of, self.routed = {}, ()
        self._kept = self.of, self.routed

    def worker_on(self, interface: str | None) -> str | None:
        """The worker whose interface this is."""
        return next((name for name, one in self.of.items() if one.interface == interface), None)

    def keep(
        self,
        changed: Mapping[str, Allotment],
        gone: Iterable[str] = (),
        *,
        routed: tuple[str, ...] | None = None,
    ) -> None:
        """Put these on disk, before anything is done about them.

        On a disk that is full, say, what there is changes all the same, and nothing new is allotted: the next run would
        not know it for its own.
        """
        left = set(gone)
        after = {name: one for name, one in {**self.of, **changed}.items() if name not in left}
        routes = self.routed if routed is None else routed
        if (after, routes) != self._kept:
            said = {"routed": routes, "workers": {name: asdict(one) for name, one in after.items()}}
            try:
                write_whole(self._file, json.dumps(said).encode())
            except OSError as error:
                if not self._failing:  # A drain is noted each second.
                    say(log, "not noted", level=logging.ERROR, file=self._file, error=error)
                self._failing = True
                after = {name: one for name, one in after.items() if name in self.of}
            else:
                self._kept, self._failing = (after, routes), False
        self.of, self.routed = after, routes

    def note_drains(self, since: Mapping[str, float]) -> None:
        """Note since when these workers drain; the others do not."""
        self.keep({name: replace(one, draining_since=since.get(name)) for name, one in self.of.items()})
