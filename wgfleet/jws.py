"""A JWS in compact form (RFC 7515), signed with Ed25519: what documents and endorsements are made of.

Any language's JOSE library verifies them. The header's `kid` names the key; it is the key's own digest, so that there
is nothing to keep in step.
"""

import base64
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
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
    import jwt  # noqa: PLC0415 - half of cryptography comes with it, and daemons, which only verify, do without.

    return jwt.PyJWS().encode(payload, key, algorithm=ALGORITHM, headers=head).encode()


def unverified_header(document: bytes) -> dict[str, Any]:
    """What the header says, which nobody has vouched for yet."""
    length = document.find(b".")
    if length > MOST_HEADER_BYTES:
        raise SignatureRefusedError(
            f"not a document we can trust: its header has {length} bytes, at most {MOST_HEADER_BYTES} were expected"
        )
    head, _, rest = document.partition(b".")
    if b"." not in rest:
        raise SignatureRefusedError("not a document we can trust: Not enough segments")
    try:
        header = json.loads(_decoded(head))
    except (ValueError, RecursionError) as error:
        raise SignatureRefusedError(f"not a document we can trust: Invalid header string: {error}") from error
    if not isinstance(header, dict):
        raise SignatureRefusedError(
            "not a document we can trust: Invalid header string: must be a json object"
        )
    if not isinstance(header.get("kid", ""), str):
        raise SignatureRefusedError("not a document we can trust: Key ID header parameter must be a string")
    return header


def verified(document: bytes, key: Ed25519PublicKey) -> bytes:
    """The payload, which this key has signed."""
    header = unverified_header(document)
    if header.get("alg") != ALGORITHM:
        said = "The specified alg value is not allowed" if "alg" in header else "Algorithm not specified"
        raise SignatureRefusedError(f"not a document we can trust: {said}")
    if header.keys() & {"crit", "b64"}:
        raise SignatureRefusedError("not a document we can trust: its header asks for an extension")
    signed, _, signature = document.rpartition(b".")
    try:
        key.verify(_decoded(signature), signed)
        return _decoded(signed.partition(b".")[2])
    except InvalidSignature:
        raise SignatureRefusedError("not a document we can trust: Signature verification failed") from None
    except ValueError:
        raise SignatureRefusedError("not a document we can trust: it is not base64url throughout") from None


def _decoded(segment: bytes) -> bytes:
    """As RFC 7515 has it: base64url, without padding. Raises ValueError."""
    if b"+" in segment or b"/" in segment or b"=" in segment:
        raise ValueError("base64, but not base64url")
    return base64.b64decode(segment + b"=" * (-len(segment) % 4), altchars=b"-_", validate=True)


def unverified(document: bytes) -> bytes:
    """The payload, whoever signed it."""
    unverified_header(document)
    try:
        return _decoded(document.rpartition(b".")[0].partition(b".")[2])
    except ValueError:
        raise SignatureRefusedError("not a document we can trust: it is not base64url throughout") from None
