"""What the daemon keeps on disk: its last good document, and which peers are its own."""

import ipaddress
import json
import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from client_sync.trust import TrustedKeys
from wgfleet.clientlist import ClientList
from wgfleet.fields import DocumentError
from wgfleet.files import write_whole
from wgfleet.logs import say
from wgfleet.peerset import PeerSet
from wgfleet.signing import SignatureRefusedError, Verifier

log = logging.getLogger(__name__)

FEW_KEYS = 100
"""Of peers that were added: so many are appended; more are a new file."""


class RefusedDocumentError(ValueError):
    """A document that must not be used; the text says why."""


class Numbered(Protocol):
    """A document of either type."""

    @property
    def number(self) -> tuple[int, int]:
        """What documents are ordered by."""


D = TypeVar("D", bound=Numbered)


class Kept(Generic[D]):
    """Takes documents of one type in: checks signature, fleet and number, and keeps the newest good one.

    What is on disk can always be verified by the keys on disk: the document brings the endorsements that lead to its key,
    so it is written first, and then the keys that it led to.
    """

    def __init__(
        self,
        directory: Path,
        verifier: Verifier,
        fleet: str,
        *,
        name: str,
        read: Callable[[bytes, D | None], D],
    ) -> None:
        """Keep it in this folder under its type's name; the verifier has the pinned keys, where all trust begins.

        `read` makes a document of a payload, knowing the newest one that there was.
        """
        self._file = directory / f"{name}.jws"
        self._keys = TrustedKeys(directory / f"{name}.keys", verifier, fleet)
        self._fleet = fleet
        self._make = read
        self._newest: D | None = None
        self._bytes = b""
        self._trust = self._kept_trust = self._keys.verifier
        """Whom the newest document, and the one on disk, lead to."""

    def last_good(self) -> D | None:
        """The document kept from an earlier run; None if there is none that can be trusted."""
        try:
            kept = self._file.read_bytes()
        except FileNotFoundError:
            return None
        try:
            self._newest, self._trust = self._read(kept)
            self._bytes, self._kept_trust = kept, self._trust
        except RefusedDocumentError as error:
            say(log, "kept document refused", level=logging.ERROR, file=self._file, error=error)
        return self._newest

    def take(self, document: bytes, *, check: Callable[[D], None] | None = None) -> D | None:
        """A document that arrived; None if we have it already. Call `keep` once it is applied.

        `check` raises RefusedDocumentError for what its reader must not apply: that one is as if it had never come.

        Raises:
            RefusedDocumentError: forged, another fleet's, broken, or older than what we have.

        """
        if document == self._bytes:
            return None
        taken, trust = self._read(document)
        if self._newest is not None and taken.number <= self._newest.number:
            got, have = (f"{epoch}.{generation}" for epoch, generation in (taken.number, self._newest.number))
            raise RefusedDocumentError(f"it is number {got}, we have {have}: an old or forged document")
        if check is not None:
            check(taken)
        self._newest, self._bytes, self._trust = taken, document, trust
        return taken

    def keep(self) -> None:
        """Put the newest document on disk, and whom it leads to."""
        # Made good first if it failed, or a crash came between: the endorsements of the newest document may begin later.
        self._keys.keep(self._kept_trust)
        write_whole(self._file, self._bytes)
        self._kept_trust = self._trust
        self._keys.keep(self._kept_trust)

    def _read(self, document: bytes) -> tuple[D, Verifier]:
        try:
            payload, trust = self._trust.verify(document, fleet=self._fleet)
            return self._make(payload, self._newest), trust
        except (SignatureRefusedError, DocumentError) as error:
            raise RefusedDocumentError(str(error)) from error


class Documents(Kept[PeerSet]):
    """The peer sets that a client follows."""

    def __init__(self, directory: Path, verifier: Verifier, fleet: str) -> None:
        """Keep the newest in this folder."""
        super().__init__(
            directory,
            verifier,
            fleet,
            name="peer-set",
            read=lambda payload, _: PeerSet.from_bytes(payload, fleet=fleet),
        )


class ClientLists(Kept[ClientList]):
    """The client lists that a worker follows."""

    def __init__(self, directory: Path, verifier: Verifier, fleet: str) -> None:
        """Keep the newest in this folder."""
        super().__init__(
            directory,
            verifier,
            fleet,
            name="client-list",
            read=lambda payload, before: ClientList.from_bytes(payload, fleet=fleet, before=before),
        )


class RoutedNetworks:
    """What was led into the tunnel last: it goes nowhere else while there is no worker at all, nor after a restart."""

    def __init__(self, directory: Path) -> None:
        """Read what is kept; a broken file counts as empty."""
        self._file = directory / "routed.json"
        self.of: tuple[str, ...] = ()
        self._kept: tuple[str, ...] | None = None
        """As on the disk, where that is known."""
        try:
            kept = json.loads(self._file.read_text())
            self.of = self._kept = tuple(str(ipaddress.ip_network(one)) for one in kept)
        except (OSError, ValueError, TypeError):
            self.of = ()

    def keep(self, networks: tuple[str, ...]) -> None:
        """Put these on disk, before anything is done about them. A disk that is full, say, holds up nothing."""
        self.of = networks
        if networks == self._kept:
            return
        try:
            write_whole(self._file, json.dumps(networks).encode())
        except OSError as error:
            say(log, "not noted", level=logging.ERROR, file=self._file, error=error)
        else:
            self._kept = networks


class ManagedPeers:
    """Public keys of the peers that we added: only these may we remove.

    A file of JSON lines. The first one is the list of all; each key that was added since has a line of its own, so that
    one more of ten thousand costs no file of ten thousand.
    """

    def __init__(self, directory: Path) -> None:
        """Read what is kept; what is broken counts as absent, so that we remove too little and not too much."""
        self._file = directory / "managed-peers.json"
        noted = _noted(self._file)
        self._keys = noted or frozenset()
        self._sound = noted is not None
        """The file can be added to."""

    @property
    def keys(self) -> frozenset[str]:
        """The keys."""
        return self._keys

    def replace(self, keys: frozenset[str]) -> None:
        """These are ours from now on. Raises OSError; then those of before are."""
        if keys is self._keys or keys == self._keys:
            return
        added = keys - self._keys
        few = self._sound and len(added) <= FEW_KEYS and len(keys) == len(self._keys) + len(added)
        if not (few and self._append(added)):
            write_whole(self._file, json.dumps([*keys]).encode())
        self._keys, self._sound = keys, True

    def _append(self, keys: Collection[str]) -> bool:
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:
            return False
        with os.fdopen(descriptor, "wb") as file:
            # Each on a new line: the last one may be half of what an earlier run wrote.
            file.write("".join(f"\n{json.dumps(key)}" for key in keys).encode())
            file.flush()
            os.fsync(file.fileno())
        return True


def _noted(file: Path) -> frozenset[str] | None:
    """The keys in a note; None if there is none that can be added to."""
    try:
        first, *added = map(_line, file.read_text().splitlines())
    except (OSError, ValueError):
        return None
    return (
        None
        if not isinstance(first, list)
        else frozenset(key for key in (*first, *added) if isinstance(key, str))
    )


def _line(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
