"""WireGuard's keys, as `wg genkey` and `wg pubkey` write them."""

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Both halves in base64; the repr does not show the private one."""

    private: str = field(repr=False)
    public: str


def new_key_pair() -> KeyPair:
    """Make a new pair."""
    private = X25519PrivateKey.generate()
    return KeyPair(_base64(private.private_bytes_raw()), _base64(private.public_key().public_bytes_raw()))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
