"""Who signs documents, and who may be believed: keys can rotate, and nobody is enrolled anew for it.

A document is signed over the bytes exactly as they are sent (jws.py). Once the receiver's key was rotated, every document
brings the endorsements that lead to its key (endorsements.py). A client begins with the keys that it has pinned. From a
document that it accepts it learns which key comes after those; the ones before are then trusted no more.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wgfleet import endorsements, jws
from wgfleet.jws import SignatureRefusedError, key_id, key_text

__all__ = ["SignatureRefusedError", "Signer", "Verified", "Verifier", "key_id"]


@dataclass(frozen=True, slots=True)
class Signer:
    """Holds the private signing key; its repr does not show it."""

    _key: Ed25519PrivateKey
    endorsements: tuple[str, ...] = ()
    """What leads to this key from the ones before it, oldest first."""

    @classmethod
    def generate(cls) -> "Signer":
        """Make a new key, which nothing leads to."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_text(cls, text: str, *, fleet: str | None = None) -> "Signer":
        """Read what `to_text` wrote; with a fleet, the endorsements must be that fleet's."""
        secret, *chain = [line.strip() for line in text.strip().splitlines()] or [""]
        try:
            key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret, validate=True))
        except ValueError:
            raise ValueError("not a signing key: 32 bytes in base64 were expected") from None
        try:
            chained = endorsements.chain_of({endorsements.HEADER: chain})
            endorsements.check(chained, key.public_key(), fleet=fleet)
        except SignatureRefusedError as error:
            raise ValueError(
                f"what stands below the signing key does not lead to it: {error}; take the whole file from a backup"
            ) from error
        return cls(key, chained)

    def to_text(self) -> str:
        """The secret, and below it the endorsements, for a file that only its owner reads."""
        return "\n".join((base64.b64encode(self._key.private_bytes_raw()).decode(), *self.endorsements))

    @property
    def public_text(self) -> str:
        """The public key in base64, to be pinned by clients."""
        return key_text(self._key.public_key())

    @property
    def key_id(self) -> str:
        """How documents name the key."""
        return key_id(self._key.public_key())

    @property
    def follows(self) -> frozenset[str]:
        """How documents name the keys that have led to this one."""
        return endorsements.signers(self.endorsements)

    def sign(self, payload: bytes) -> bytes:
        """The payload as a compact JWS."""
        chain = {endorsements.HEADER: list(self.endorsements)} if self.endorsements else {}
        return jws.sign(payload, self._key, **chain)

    def signed(self, document: bytes) -> bool:
        """Whether a document that was kept is one that we would sign so today; if not, issue it anew under a new number."""
        return document.partition(b".")[0] == self.sign(b"").partition(b".")[0]

    def successor(self, *, fleet: str, now: float) -> "Signer":
        """A new key, endorsed by this one."""
        new = Ed25519PrivateKey.generate()
        link = endorsements.endorse(new.public_key(), self._key, fleet=fleet, now=now)
        return Signer(new, (*self.endorsements, link)[-endorsements.MOST :])

    def __repr__(self) -> str:
        """Name the key without showing it."""
        return f"Signer({self.key_id})"


class Verified(NamedTuple):
    """What a document says, and whom to trust from now on, if the document is accepted for what it says."""

    payload: bytes
    trust: "Verifier"


class Verifier:
    """Checks documents against trusted public keys. A value: it never changes."""

    def __init__(self, public_keys: Iterable[str]) -> None:
        """Take the keys in base64. Raises ValueError for one that is none, which it does not quote."""
        self._keys = {key_id(key): key for key in map(jws.read_key, public_keys)}
        if not self._keys:
            raise ValueError("no trusted key: pin at least the receiver's public signing key")

    @property
    def key_ids(self) -> frozenset[str]:
        """What the trusted keys are named."""
        return frozenset(self._keys)

    @property
    def public_keys(self) -> list[str]:
        """The trusted keys in base64."""
        return sorted(map(key_text, self._keys.values()))

    def payload(self, document: bytes) -> bytes:
        """The payload of a document that a trusted key itself has signed.

        Raises:
            SignatureRefusedError: anything else.

        """
        return jws.verified(document, self._key(jws.unverified_header(document).get("kid")))

    def verify(self, document: bytes, *, fleet: str) -> Verified:
        """Likewise, or by a key that endorsements lead to from a trusted one.

        The keys that they lead through are behind the receiver: whoever stole one of them must not be believed once the
        document is accepted. Other trusted keys stay so: an operator may have pinned one for later.

        Raises:
            SignatureRefusedError: anything else.

        """
        header = jws.unverified_header(document)
        kid = header.get("kid")
        path = endorsements.lead(endorsements.chain_of(header), self._keys, fleet=fleet)
        trust = self._at_the_end_of(path, kid) if path else self
        return Verified(trust.payload(document), trust)

    def _at_the_end_of(self, path: endorsements.Keys, kid: object) -> "Verifier":
        *behind, last = path
        if last != kid:
            raise SignatureRefusedError(
                f"its endorsements lead to key {last}, it is signed with {_shown(kid)}"
            )
        keys = {**self._keys, last: path[last]}
        return Verifier(key_text(key) for name, key in keys.items() if name not in behind)

    def _key(self, kid: object) -> Ed25519PublicKey:
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise SignatureRefusedError(
                f"signed with key {_shown(kid)}, trusted are {', '.join(sorted(self._keys))}; "
                "if the receiver has another key now, pin the one that `wgfleet signing-key` prints"
            )
        return key


def _shown(kid: object) -> str:
    """Enough of it to recognise, in a line of log."""
    return repr(kid)[:40]
