"""A real mosquitto as an operator sets one up, and somebody plain who subscribes."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

import aiomqtt

from tests.bench._servers import free_port
from tests.deploy.programs import program
from tests.lab.authority import Authority
from tests.lab.programs import library_path
from tests.lab.waiting import wait_until

LIMIT = 20.0
USER, PASSWORD = "receiver", "hunter2"


class Broker:
    """Mosquitto on loopback, with TLS and passwords where they are asked for; ends with its `with`."""

    def __init__(
        self, directory: Path, *, tls: bool = False, password: bool = False, readers_only: bool = False
    ) -> None:
        """Write its configuration; `readers_only`: nobody may publish."""
        self.port = free_port()
        self.url = f"{'mqtts' if tls else 'mqtt'}://127.0.0.1:{self.port}"
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root"]
        lines.append(f"allow_anonymous {'false' if password else 'true'}")
        if tls:
            self.authority = Authority(directory / "authority")
            certificate, key = self.authority.sign("broker", "127.0.0.1")
            lines += [
                f"cafile {self.authority.certificate_file}",
                f"certfile {certificate}",
                f"keyfile {key}",
            ]
            lines.append("require_certificate true")
            self.ca_file = self.authority.certificate_file
            self.client = self.authority.sign("client", "127.0.0.1")
        if password:
            file = directory / "passwords"
            subprocess.run(
                [program("mosquitto_passwd"), "-b", "-c", file, USER, PASSWORD],
                check=True,
                env=_environment(),
            )
            lines.append(f"password_file {file}")
        if readers_only:
            rights = directory / "rights"
            rights.write_text("topic read #\n")
            lines.append(f"acl_file {rights}")
        self._file = directory / "mosquitto.conf"
        self._file.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End it."""
        self.kill()

    def start(self) -> None:
        """Start it, empty, and wait until it listens."""
        command = [program("mosquitto"), "-c", str(self._file)]
        self._process = subprocess.Popen(command, env=_environment(), stderr=subprocess.DEVNULL)
        wait_until(self._listens, LIMIT, "mosquitto to listen")

    def kill(self) -> None:
        """End it as a power cut would; what it retained is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stand still until it is left."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@asynccontextmanager
async def subscribed(broker: Broker, topic: str) -> AsyncIterator["Subscriber"]:
    """Somebody who subscribes to a topic of a broker without TLS."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(topic, qos=1)
        yield Subscriber(client)


class Subscriber:
    """Hears what comes."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._messages = client.messages

    async def next(self) -> bytes:
        """The next message."""
        async with asyncio.timeout(LIMIT):
            message = await anext(self._messages)
        assert isinstance(message.payload, bytes)
        return message.payload


def _environment() -> dict[str, str]:
    return {**os.environ, "LD_LIBRARY_PATH": library_path()}
