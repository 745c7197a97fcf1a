"""A real BIND on loopback, as an operator sets one up, and somebody plain who asks it."""

import base64
import dataclasses
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import dns.message
import dns.query
import dns.rdatatype

from failover_receiver.publishing.dns.place import Dns
from tests.bench._servers import free_port
from tests.deploy.programs import program
from tests.lab.named import NAME, ZONE, Named
from tests.lab.waiting import wait_until

LIMIT = 20.0
SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER_SECRET = base64.b64encode(b"another secret, of the same size").decode()


class Bind:
    """Runs from `with` to its end."""

    def __init__(self, directory: Path, *records: str, **said: Any) -> None:
        """Write its files; pytest's folders are for root alone, so its own is elsewhere."""
        program("named")  # Skips the test, or fails it, where there is none.
        self.home = Path(tempfile.mkdtemp(prefix="wgfleet-named-"))
        self.named = Named(self.home / "zone", "127.0.0.1", free_port(), SECRET, **said)
        self.home.chmod(0o755)
        self.named.write(*records)
        self.key_file = directory / "wgfleet.key"
        self.key_file.write_text(self.named.key_file_text())
        self._log = (self.home / "log").open("wb")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End it, and take its folder away."""
        self.kill()
        self._log.close()
        shutil.rmtree(self.home)

    def start(self) -> None:
        """Start it with the zone as it was left, and wait until it answers."""
        self._process = subprocess.Popen(
            self.named.command(),
            env={**os.environ, **self.named.environment()},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        wait_until(self._answers, LIMIT, "named to answer")

    def kill(self) -> None:
        """End it as a power cut would; what it was told is in its journal."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT)

    def place(self, **said: Any) -> Dns:
        """What the receiver is told of it."""
        plain = Dns(
            server=f"127.0.0.1:{self.named.port}", zone=ZONE, name=NAME, key_file=self.key_file, ttl=20
        )
        return plain.model_copy(update=said)

    def records(self, kind: str = "A", name: str = NAME) -> list[str]:
        """What somebody who asks is told, in order."""
        answer = self._ask(kind, name)
        return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)

    def ttl(self) -> int:
        """Of the name's addresses."""
        return self._ask("A", NAME).answer[0].ttl

    def serial(self) -> int:
        """Rises with each change of the zone."""
        return int(self.records("SOA", ZONE)[0].split()[2])

    def with_secret(self, secret: str) -> str:
        """The key file's text with another secret."""
        return dataclasses.replace(self.named, secret=secret).key_file_text()

    def _ask(self, kind: str, name: str) -> dns.message.Message:
        query = dns.message.make_query(name, dns.rdatatype.from_text(kind))
        return dns.query.tcp(query, "127.0.0.1", timeout=LIMIT, port=self.named.port)

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError((self.home / "log").read_text())
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.named.port)) != 0:
                return False
        return bool(self.records("SOA", ZONE))
