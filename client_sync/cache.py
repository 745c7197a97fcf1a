"""What the daemon keeps on disk: its last good document, and which peers are its own."""

import json
import logging
from pathlib import Path

from client_sync.trust import TrustedKeys
from wgfleet.fields import DocumentError
from wgfleet.files import write_whole
from wgfleet.logs import say
from wgfleet.peerset import PeerSet
from wgfleet.signing import SignatureRefusedError, Verifier

log = logging.getLogger(__name__)


class RefusedDocumentError(ValueError):
    """A document that must not be used; the text says why."""


class Documents:
    """Takes documents in: checks signature, fleet and number, and keeps the newest good one.

    What is on disk can always be verified by the keys on disk: the document brings the endorsements that lead to its key,
    so it is written first, and then the keys that it led to.
    """

    def __init__(self, directory: Path, verifier: Verifier, fleet: str) -> None:
        """Keep it in this folder; the verifier has the pinned keys, where all trust begins."""
        self._file = directory / "peer-set.jws"
        self._keys = TrustedKeys(directory / "peer-set.keys", verifier, fleet)
        self._fleet = fleet
        self._newest: PeerSet | None = None
        self._bytes = b""
        self._trust = self._kept_trust = self._keys.verifier
        """Whom the newest document, and the one on disk, lead to."""

    def last_good(self) -> PeerSet | None:
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

    def take(self, document: bytes) -> PeerSet | None:
        """A document that arrived; None if we have it already. Call `keep` once it is applied.

        Raises:
            RefusedDocumentError: forged, another fleet's, broken, or older than what we have.

        """
        if document == self._bytes:
            return None
        peer_set, trust = self._read(document)
        if self._newest is not None and peer_set.number <= self._newest.number:
            got, have = (
                f"{epoch}.{generation}" for epoch, generation in (peer_set.number, self._newest.number)
            )
            raise RefusedDocumentError(f"it is number {got}, we have {have}: an old or forged document")
        self._newest, self._bytes, self._trust = peer_set, document, trust
        return peer_set

    def keep(self) -> None:
        """Put the newest document on disk, and whom it leads to."""
        # Made good first if it failed, or a crash came between: the endorsements of the newest document may begin later.
        self._keys.keep(self._kept_trust)
        write_whole(self._file, self._bytes)
        self._kept_trust = self._trust
        self._keys.keep(self._kept_trust)

    def _read(self, document: bytes) -> tuple[PeerSet, Verifier]:
        try:
            payload, trust = self._trust.verify(document, fleet=self._fleet)
            return PeerSet.from_bytes(payload, fleet=self._fleet), trust
        except (SignatureRefusedError, DocumentError) as error:
            raise RefusedDocumentError(str(error)) from error


class ManagedPeers:
    """Public keys of the peers that we added: only these may we remove."""

    def __init__(self, directory: Path) -> None:
        """Read what is kept; a broken file counts as empty, so that we remove too little and not too much."""
        self._file = directory / "managed-peers.json"
        try:
            kept = json.loads(self._file.read_text())
        except (OSError, ValueError):
            kept = []
        self._keys = (
            frozenset(key for key in kept if isinstance(key, str)) if isinstance(kept, list) else frozenset()
        )

    @property
    def keys(self) -> frozenset[str]:
        """The keys."""
        return self._keys

    def replace(self, keys: frozenset[str]) -> None:
        """These are ours from now on."""
        if keys != self._keys:
            write_whole(self._file, json.dumps(sorted(keys)).encode())
            self._keys = keys
