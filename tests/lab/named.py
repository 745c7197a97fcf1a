"""BIND's `named`, the primary server of one zone that takes updates by a key; run without root's rights."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.programs import library_path, program

ZONE, NAME = "example.com", "vpn.example.com"
KEY_NAME = "wgfleet"
NOBODY = 65534
"""Debian's user without rights."""
READY = "all zones loaded"
"""Stands in its log once it answers."""


@dataclass(frozen=True, slots=True)
class Named:
    """What is in its folder, which is nobody's own."""

    directory: Path
    address: str
    port: int
    secret: str
    """In base64."""
    algorithm: str = "hmac-sha256"
    policy: str = f"grant {KEY_NAME} name {NAME} A AAAA;"
    """Who may change what; as in `update-policy`."""

    def write(self, *records: str) -> None:
        """Make the folder's files; the zone has these records beside what it must have."""
        self.directory.mkdir(mode=0o755, exist_ok=True)
        (self.directory / "named.conf").write_text(self._configuration())
        head = (
            "$TTL 300",
            f"@ SOA ns1.{ZONE}. hostmaster.{ZONE}. 1 3600 600 86400 5",
            f"@ NS ns1.{ZONE}.",
            "ns1 A 127.0.0.1",
        )
        (self.directory / "zone.db").write_text("\n".join([*head, *records]) + "\n")
        for path in (self.directory, *self.directory.iterdir()):
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)

    def command(self) -> Sequence[str]:
        """How it is started; it stays in the foreground and logs to standard error."""
        unprivileged = [program("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        named = [program("named"), "-g", "-n", "1", "-c", str(self.directory / "named.conf")]
        return [*(unprivileged if os.geteuid() == 0 else ()), *named]

    @staticmethod
    def environment() -> dict[str, str]:
        """What it needs beside that of others."""
        return {"LD_LIBRARY_PATH": library_path()}

    def key_file_text(self) -> str:
        """The key, as `tsig-keygen` prints it."""
        return f'key "{KEY_NAME}" {{\n\talgorithm {self.algorithm};\n\tsecret "{self.secret}";\n}};\n'

    def _configuration(self) -> str:
        return f"""\
options {{
    directory "{self.directory}";
    pid-file none;
    listen-on port {self.port} {{ {self.address}; }};
    listen-on-v6 {{ none; }};
    recursion no;
    notify no;
    dnssec-validation no;
}};
controls {{ }};
{self.key_file_text()}
zone "{ZONE}" {{ type primary; file "zone.db"; update-policy {{ {self.policy} }}; }};
"""
