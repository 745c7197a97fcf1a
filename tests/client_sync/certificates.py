"""The authority of a receiver, as daemons pin it: by its file."""

import ssl
from pathlib import Path

from tests import certificates


class Authority(certificates.Authority):
    """One that signs servers' certificates; `file` is what clients pin."""

    def __init__(self, directory: Path, name: str) -> None:
        """Make it; its files go into the folder."""
        super().__init__(name)
        self._directory = directory
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(self.certificate)

    def server(self, host: str) -> ssl.SSLContext:
        """What a server of this name needs for TLS."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.issue(host).write(self._directory, host))
        return context
