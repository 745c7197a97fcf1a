"""The client's own key: read where it is needed, and kept nowhere."""

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from client_sync.tunnels.programs import LayoutError
from wgfleet.names import check_public_key


def public_key_of(private_key_file: Path) -> str:
    """The public half of the private key in a file. Raises LayoutError, which never quotes the file."""
    try:
        private = check_public_key(private_key_file.read_text().strip())  # A private key looks the same.
    except (OSError, ValueError):
        raise LayoutError(
            f"private_key_file: {private_key_file} holds no WireGuard private key: `wg genkey` makes one, and what "
            "`wg pubkey` makes of it is the client's public key, which the operator needs"
        ) from None
    public = X25519PrivateKey.from_private_bytes(base64.b64decode(private)).public_key()
    return base64.b64encode(public.public_bytes_raw()).decode()
