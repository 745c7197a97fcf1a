"""A JWS in compact form (RFC 7515), signed with Ed25519: what documents and endorsements are made of.

Any language's JOSE library verifies them. The header's `kid` names the key; it is the key's own digest, so that there
is nothing to keep in step.
"""

import base64
import hashlib
from typing import Any

import jwt
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "EdDSA"
MOST_HEADER_BYTES = 16 * 1024
"""Three times what ten endorsements take. A longer header is not even parsed."""


class SignatureRefusedError(ValueError):
    """The bytes are not a document signed by a trusted key; the text says what is wrong with them."""


def key_id(public_key: Ed25519PublicKey) -> str:
    """The `kid` of a key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16]


def read_key(text: str) -> Ed25519PublicKey:
    """A public key in base64. What is none is not quoted: it may be a secret in the wrong place."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
    except ValueError:
        raise ValueError(
            f"a text of {len(text)} characters is not a public signing key: 32 bytes in base64 were expected, "
            "as `wgfleet signing-key` prints them"
        ) from None


def key_text(public_key: Ed25519PublicKey) -> str:
    """The key in base64."""
    return base64.b64encode(public_key.public_bytes_raw()).decode()


def sign(payload: bytes, key: Ed25519PrivateKey, **header: Any) -> bytes:
    """The payload as a compact JWS; `header` is what its header says beyond algorithm and key."""
    head = {"kid": key_id(key.public_key()), "typ": None, **header}
    return jwt.PyJWS().encode(payload, key, algorithm=ALGORITHM, headers=head).encode()


def unverified_header(document: bytes) -> dict[str, Any]:
    """What the header says, which nobody has vouched for yet."""
    length = document.find(b".")
    if length > MOST_HEADER_BYTES:
        raise SignatureRefusedError(
            f"not a document we can trust: its header has {length} bytes, at most {MOST_HEADER_BYTES} were expected"
        )
    try:
        return dict(jwt.get_unverified_header(document))
    except (jwt.InvalidTokenError, RecursionError) as error:
        raise SignatureRefusedError(f"not a document we can trust: {error}") from error


def verified(document: bytes, key: Ed25519PublicKey) -> bytes:
    """The payload, which this key has signed."""
    try:
        return bytes(jwt.PyJWS().decode_complete(document, key, algorithms=[ALGORITHM])["payload"])
    except (jwt.InvalidTokenError, InvalidKey) as error:
        raise SignatureRefusedError(f"not a document we can trust: {error}") from error


def unverified(document: bytes) -> bytes:
    """The payload, whoever signed it."""
    try:
        return bytes(jwt.PyJWS().decode_complete(document, options={"verify_signature": False})["payload"])
    except jwt.InvalidTokenError as error:
        raise SignatureRefusedError(f"not a document we can trust: {error}") from error
