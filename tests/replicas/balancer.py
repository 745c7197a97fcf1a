"""The shipped HAProxy configuration before three receivers, with addresses and files of a test's own."""

import os
import re
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.daemons import free_port
from tests.failover_receiver.parts import LIMIT
from tests.lab.authority import Authority
from tests.lab.launch import mortal
from tests.lab.programs import library_path, program
from tests.lab.waiting import wait_until
from tests.replicas.three import Three

SHIPPED = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
ADDRESS = "127.0.0.1"
TO_RECEIVERS = re.compile(r" ssl verify required ca-file \S+| verifyhost \S+")
"""On loopback these receivers speak in clear; what is left out here is what `haproxy -c` is asked about."""


class Balancer:
    """Runs as long as its `with`."""

    def __init__(self, three: Three, directory: Path) -> None:
        """Write its files."""
        authority = Authority(directory / "authority")
        certificate, key = authority.sign("balancer", ADDRESS)
        both = directory / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        self._port, self._file, self._log = free_port(), directory / "haproxy.cfg", directory / "haproxy.log"
        text = SHIPPED.read_text()
        for shipped, ours in {
            "user haproxy": "user nobody",
            "group haproxy": "group nogroup",
            "bind :9587": f"bind {ADDRESS}:{self._port}",
            "/etc/haproxy/wgfleet.pem": str(both),
            "/etc/haproxy/receivers-ca.pem": str(authority.certificate_file),
            "maxconn 20000": "maxconn 200",
            "inter 1s": "inter 100ms",
            **{
                f"r{n}.example:9587": urlsplit(one.url).netloc
                for n, one in enumerate(three.receivers, start=1)
            },
        }.items():
            assert shipped in text, f"{SHIPPED} says nothing of {shipped!r}"
            text = text.replace(shipped, ours)
        self._file.write_text(text)
        self._run("-c", "-q")
        self._file.write_text(TO_RECEIVERS.sub("", text))
        self.tls = ssl.create_default_context(cafile=str(authority.certificate_file))
        self.url = f"https://{ADDRESS}:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it, and wait until it takes connections."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*mortal(), program("haproxy"), "-db", "-f", str(self._file)],
                stdout=log, stderr=log, env=_environment(),
            )  # fmt: skip
        wait_until(self._listens, LIMIT, f"HAProxy to listen: {self._log}")
        return self

    def __exit__(self, *_error: object) -> None:
        """End it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(LIMIT)

    def connect(self) -> socket.socket:
        """A connection to it, as clients make one."""
        return self.tls.wrap_socket(socket.create_connection((ADDRESS, self._port)), server_hostname=ADDRESS)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            socket.create_connection((ADDRESS, self._port)).close()
        except OSError:
            return False
        return True

    def _run(self, *words: str) -> None:
        command = [program("haproxy"), *words, "-f", str(self._file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "LD_LIBRARY_PATH": library_path()}
