"""Documents signed with Ed25519: a JWS in compact form, over the bytes exactly as they are sent.

Any language's JOSE library verifies them. The header's `kid` names the key, so that keys can rotate; it is the
key's own digest, so that there is nothing to keep in step.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import jwt
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "EdDSA"


class SignatureRefusedError(ValueError):
    """The bytes are not a document signed by a trusted key; the text says what is wrong with them."""


def key_id(public_key: Ed25519PublicKey) -> str:
    """The `kid` of a key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Signer:
    """Holds the private signing key; its repr does not show it."""

    _key: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> "Signer":
        """Make a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_text(cls, text: str) -> "Signer":
        """Read what `to_text` wrote."""
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.strip(), validate=True)))
        except ValueError:
            raise ValueError("not a signing key: 32 bytes in base64 were expected") from None

    def to_text(self) -> str:
        """The secret, for a file that only its owner reads."""
        return base64.b64encode(self._key.private_bytes_raw()).decode()

    @property
    def public_text(self) -> str:
        """The public key in base64, to be pinned by clients."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, payload: bytes) -> bytes:
        """The payload as a compact JWS."""
        header = {"kid": key_id(self._key.public_key()), "typ": None}
        return jwt.PyJWS().encode(payload, self._key, algorithm=ALGORITHM, headers=header).encode()

    def __repr__(self) -> str:
        """Name the key without showing it."""
        return f"Signer({key_id(self._key.public_key())})"


class Verifier:
    """Checks documents against the pinned public keys."""

    def __init__(self, public_keys: Iterable[str]) -> None:
        """Take the pinned keys in base64. Raises ValueError for one that is none."""
        self._keys = {key_id(key): key for key in map(_public_key, public_keys)}
        if not self._keys:
            raise ValueError("no trusted key: pin at least the receiver's public signing key")

    def payload(self, document: bytes) -> bytes:
        """The payload of a document that a pinned key has signed.

        Raises:
            SignatureRefusedError: anything else.

        """
        try:
            kid = jwt.get_unverified_header(document).get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise SignatureRefusedError(
                    f"signed with key {kid!r}, trusted are {', '.join(sorted(self._keys))}"
                )
            return bytes(jwt.PyJWS().decode_complete(document, key, algorithms=[ALGORITHM])["payload"])
        except (jwt.InvalidTokenError, InvalidKey) as error:
            raise SignatureRefusedError(f"not a document we can trust: {error}") from error


def _public_key(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
    except ValueError:
        raise ValueError(f"{text!r} is not a public signing key: 32 bytes in base64 were expected") from None
