"""What the peer set says of this worker: for who announces its address, and for people. The worker itself does nothing about it."""

import json
import logging
from pathlib import Path
from typing import Any

from client_sync.cache import Documents, RefusedDocumentError
from wgfleet.attracting import Attraction, attraction
from wgfleet.logs import say
from wgfleet.peerset import PeerSet

log = logging.getLogger(__name__)

UNHEARD = Attraction(attracts=False, reason="no peer set was heard yet")


class Published:
    """Follows the peer set. With the receiver gone, what was heard last counts, after a restart too."""

    def __init__(self, documents: Documents, name: str, status_file: Path) -> None:
        """Take up where the last run left off: its document, and what its status said of us."""
        self._documents = documents
        self._name = name
        self.attraction = UNHEARD
        self._peer_set: PeerSet | None = None
        kept = documents.last_good()
        if kept is not None:
            self._take(kept, before=_attracted(status_file))

    def document(self, document: bytes) -> bool:
        """Take one that arrived; whether there is anything new to tell. One that must not be used changes nothing."""
        try:
            taken = self._documents.take(document)
        except RefusedDocumentError as error:
            say(log, "peer set refused", level=logging.ERROR, error=error)
            return False
        if taken is None:
            return False
        self._take(taken, before=self.attraction.attracts)
        try:
            self._documents.keep()
        except OSError as error:
            say(log, "document not kept", level=logging.ERROR, error=error)
        return True

    def status(self) -> dict[str, Any] | None:
        """For whoever asks on this machine; None before the first peer set."""
        if self._peer_set is None:
            return None
        worker = self._peer_set.worker(self._name)
        return {
            "epoch": self._peer_set.epoch,
            "generation": self._peer_set.generation,
            "monitoring": self._peer_set.monitoring,
            "state": None if worker is None else worker.state,
            "attracts": self.attraction.attracts,
            "reason": self.attraction.reason,
        }

    def _take(self, peer_set: PeerSet, *, before: bool) -> None:
        told, self._peer_set = self.attraction, peer_set
        self.attraction = attraction(peer_set, self._name, before=before)
        if self.attraction != told:
            say(log, "published as", state=self.attraction.reason, attracts=self.attraction.attracts)


def _attracted(status_file: Path) -> bool:
    """Whether the last run said that we attract; what cannot be read says no."""
    try:
        return json.loads(status_file.read_text())["published"]["attracts"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False
