"""The documents that a follower holds: checked as a client checks them, so nobody's word is believed. Pure."""

from dataclasses import dataclass

from wgfleet import clientlist, peerset
from wgfleet.fields import DocumentError, Fields, opened
from wgfleet.signing import SignatureRefusedError, Verifier

TYPES = {"peer-set": (peerset.TYPE, peerset.FORMAT), "client-list": (clientlist.TYPE, clientlist.FORMAT)}
"""What is followed, by the name that its events have: its type and format."""


class RefusedError(ValueError):
    """A document that is not served; the text says why."""


class BehindError(RefusedError):
    """A good one, but older than what is held: whoever sent it is behind."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A document that is served from now on."""

    type: str
    epoch: int
    generation: int
    issued_at: float
    """UNIX time, seconds."""
    fresh_until: float
    """Likewise."""
    body: bytes

    @property
    def number(self) -> tuple[int, int]:
        """What documents are ordered by."""
        return self.epoch, self.generation


class Held:
    """The newest good document of one type."""

    def __init__(self, name: str, verifier: Verifier, fleet: str) -> None:
        """Nothing yet; all trust begins with the pinned keys."""
        self._type, self._format = TYPES[name]
        self._name = name
        self._fleet = fleet
        self._trust = verifier
        self.newest: Taken | None = None

    def take(self, body: bytes) -> Taken | None:
        """One that arrived; None if it is the one that is held.

        Raises:
            BehindError: it is older.
            RefusedError: forged, another fleet's, broken, or other bytes under the same number.

        """
        if self.newest is not None and body == self.newest.body:
            return None
        try:
            payload, trust = self._trust.verify(body, fleet=self._fleet)
            fields = opened(
                payload, self._name.replace("-", " "), kind=self._type, form=self._format, fleet=self._fleet
            )
            taken = self._read(fields, body)
        except (SignatureRefusedError, DocumentError) as error:
            raise RefusedError(str(error)) from error
        if self.newest is not None and taken.number <= self.newest.number:
            got, have = (f"{one.epoch}.{one.generation}" for one in (taken, self.newest))
            kind = RefusedError if taken.number == self.newest.number else BehindError
            raise kind(f"its {self._name} is number {got}, {have} is held")
        self.newest, self._trust = taken, trust
        return taken

    def _read(self, fields: Fields, body: bytes) -> Taken:
        epoch, generation = fields.get("epoch", int), fields.get("generation", int)
        times = fields.number("issued_at"), fields.number("fresh_until")
        return Taken(self._type, epoch, generation, *times, body)
