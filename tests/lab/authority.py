"""The monitoring hosts' own authority: it signs one certificate for each of them, and nobody else's."""

from pathlib import Path

from tests import certificates
from wgfleet.files import write_whole


class Authority(certificates.Authority):
    """Made anew for each lab."""

    def __init__(self, directory: Path) -> None:
        """Begin one whose files stand in this folder."""
        super().__init__("lab authority")
        directory.mkdir(mode=0o700)
        self._directory = directory
        self.certificate_file = directory / "ca.pem"
        write_whole(self.certificate_file, self.certificate)

    def sign(self, name: str, address: str) -> tuple[Path, Path]:
        """The files of a new certificate and its key: for a host at this address, as a server and as a client."""
        return self.issue(address, subject=name).write(self._directory, name)
