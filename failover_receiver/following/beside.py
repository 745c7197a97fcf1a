"""The processes beside the one that decides: they share its port, follow it, and pass on to it what they cannot answer.

They hear it over a socket that nobody but this user reaches, with a token that is nowhere but in their memory. One that
ends is started again. They end with the one that decides, however that ends: each reads a pipe of it, which breaks.
"""

import asyncio
import contextlib
import json
import logging
import socket
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol, Self

import uvicorn
from starlette.types import ASGIApp

from failover_receiver.access import digest, new_token
from failover_receiver.following.reports import Report, Reports
from failover_receiver.holders import Holder, Role
from failover_receiver.listening import BACKLOG
from failover_receiver.serving import GRACE_SECONDS, Listening, Server
from wgfleet.logs import Format, say

log = logging.getLogger(__name__)

MODULE = "failover_receiver.following.process"
START_SECONDS = 3.0
"""For all of them to serve. Then the one that decides begins without those that do not: a crowd that waits to come back waits
longer each time."""
STOP_SECONDS = GRACE_SECONDS + 2.0
AGAIN_SECONDS = 1.0
"""Until one that ended is started again."""
SILENT_SECONDS = 10.0
SILENT_TIMES = 3
"""Each of them says something each second. One that is silent for so long stands still, with its part of the connections. Several
times, because it may be this process that stood still."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a process is told, on its standard input."""

    name: str
    socket: str
    token: str = field(repr=False)
    fleet: str
    keys: list[str]
    listen_address: str
    listen_port: int
    tls_certificate_file: str | None
    tls_key_file: str | None
    trusted_proxies: list[str]
    log_format: Format

    def line(self) -> bytes:
        """As it is sent."""
        return json.dumps(asdict(self)).encode() + b"\n"


class Lent:
    """A token that stands in no store, for as long as this process lives."""

    def __init__(self) -> None:
        """Make it."""
        self.secret = new_token()
        self.holder = Holder("a process of this receiver's own", Role.FOLLOWER, digest(self.secret))


class Shared(Listening, Protocol):
    """As much of a configuration as sharing a port needs."""

    @property
    def fleet(self) -> str:
        """The fleet's name."""

    @property
    def processes(self) -> int:
        """So many, with the one that decides."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """What they share with the one that decides."""

    settings: Shared
    keys: list[str]
    """Public, that documents are signed with."""
    lent: Lent
    log_format: Format

    def told(self, name: str, path: str, port: int) -> Told:
        """What the one of this name is told."""
        said = self.settings
        files = (said.tls_certificate_file, said.tls_key_file)
        certificate, key = (None if file is None else str(file) for file in files)
        return Told(
            name=name,
            socket=path,
            token=self.lent.secret,
            fleet=said.fleet,
            keys=self.keys,
            listen_address=said.listen_address,
            listen_port=port,
            tls_certificate_file=certificate,
            tls_key_file=key,
            trusted_proxies=said.trusted_proxies,
            log_format=self.log_format,
        )


class Beside:
    """Starts them, hears what they say of themselves, and ends them; all of them end with its `async with`."""

    def __init__(self, count: int, reports: Reports) -> None:
        """So many; none, if one process is all."""
        self._reports = reports
        self._began = {str(number): asyncio.Event() for number in range(2, count + 2)}
        """By their names: the one that decides is the first."""
        self._running: dict[str, Process] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._told: asyncio.Future[Callable[[str], bytes]] = asyncio.get_running_loop().create_future()
        self._inner: tuple[Server, asyncio.Task[None]] | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        """Start them: they load what they need while the one that decides does."""
        self._folder = tempfile.TemporaryDirectory(prefix="wgfleet.")
        self._keeping = [asyncio.create_task(self._keep(name)) for name in self._began]
        return self

    async def __aexit__(self, *_: object) -> None:
        """None is left."""
        await self.ended()
        self._folder.cleanup()

    async def share(self, app: ASGIApp, sharing: Sharing, sockets: Sequence[socket.socket]) -> None:
        """Let them follow this one, and wait until they serve: or all that come meanwhile would come to this one."""
        if not self._began:
            return
        path = str(Path(self._folder.name) / "receiver.sock")
        inner = _inner_server(app)
        self._inner = inner, asyncio.create_task(inner.serve([_private(path)]))
        await inner.began.wait()
        port = sockets[0].getsockname()[1]
        self._told.set_result(lambda name: sharing.told(name, path, port).line())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                for began in self._began.values():
                    await began.wait()

    def close(self) -> None:
        """Let them end: their pipes break."""
        self._closing = True
        self._told.cancel()
        for process in self._running.values():
            if process.stdin is not None:
                process.stdin.close()

    async def ended(self) -> None:
        """Wait until they have, or make them."""
        self.close()
        _, late = await asyncio.wait(self._keeping, timeout=STOP_SECONDS) if self._keeping else (None, ())
        for process in self._running.values() if late else ():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        if self._inner is not None:
            inner, serving = self._inner
            inner.stop()
            await serving

    async def _keep(self, name: str) -> None:
        while not self._closing:
            try:
                status: object = await self._run(name)
            except (
                OSError,
                ValueError,
            ) as error:  # No memory, or no file, for one more; or it says what is no report.
                status = error
            if not self._closing:
                say(log, "a process has ended, and is started again", level=logging.WARNING,
                    process=name, status=status)  # fmt: skip
                await asyncio.sleep(AGAIN_SECONDS)

    async def _run(self, name: str) -> int:
        """Until it ends; how it did."""
        self._reports.begin(name)
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", MODULE, stdin=PIPE, stdout=PIPE)
        self._running[name] = process
        try:
            await self._hear(name, process)
            return await process.wait()
        finally:
            if (
                process.returncode is None
            ):  # Nobody would read what it says, and it would stand still by that.
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            del self._running[name]
            self._reports.ended(name)

    async def _hear(self, name: str, process: Process) -> None:
        assert process.stdin is not None  # noqa: S101 - it was asked for.
        assert process.stdout is not None  # noqa: S101 - likewise.
        await asyncio.wait([self._told])
        if self._closing:
            process.stdin.close()
            return
        process.stdin.write(self._told.result()(name))
        while line := await _said(process.stdout):
            self._began[name].set()
            self._reports.take(name, Report.read(line))


async def _said(output: asyncio.StreamReader) -> bytes:
    """The next line; nothing at the end. Raises ValueError if nothing comes for too long."""
    for _ in range(SILENT_TIMES):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENT_SECONDS):
                return await output.readline()
    raise ValueError(f"it has said nothing for {SILENT_TIMES * SILENT_SECONDS:g} s")


def _private(path: str) -> socket.socket:
    """A socket in a folder that is this user's alone, as temporary ones are."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.setblocking(False)
    return listener


def _inner_server(app: ASGIApp) -> Server:
    config = uvicorn.Config(
        app,
        interface="asgi3",
        backlog=BACKLOG,
        lifespan="off",  # It has begun already, for those who come by the port.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips="*",  # Nobody else reaches it.
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config, [], signals=False)
